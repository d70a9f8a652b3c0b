/** The log of a run, which follows while it grows. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { address } from '../http';
import { zone } from '../preferences';
import { fetchLog, logAddress, type LogLine, type Run } from '../resources';
import { Icon } from '../shell/Icon';
import { formatClock, toMillis } from '../time/clock';
import { ticks } from '../time/view';
import { joined, lastId, shownLines, toneOfLevel, type Level } from './log';
import { isActive } from './state';

/** How often an active run is asked for more. */
const FOLLOW_MS = 1500;

/** A run of more steps than these is not read anew for every line of its log, but with the refresh of the page. */
const FEW_STEPS = 500;

/**
 * The lines so far. While the run is active, and whenever the page refreshes, the server is asked for those after the
 * last; `changed` is called when the run itself has to be read anew.
 */
export function useLog(run: Run | undefined, changed: () => void): readonly LogLine[] {
  const [lines, setLines] = useState<readonly LogLine[]>([]);
  const known = useRef(lines);
  const keep = (next: readonly LogLine[]): void => {
    known.current = next;
    setLines(next);
  };
  const id = run === undefined ? '' : String(run.id);
  const busy = useRef(false);
  const look = (): void => {
    if (run === undefined || busy.current || document.hidden) return;
    busy.current = true;
    fetchLog(id, lastId(known.current))
      .then(({ state, state_name: name, lines: more }) => {
        if (more.length > 0) keep(joined(known.current, more));
        const moved = state !== run.state || name !== run.state_name;
        if (moved || (more.length > 0 && (run.tasks?.length ?? 0) < FEW_STEPS)) changed();
      })
      .catch(() => undefined)
      .finally(() => (busy.current = false));
  };
  const latest = useRef(look);
  latest.current = look;
  useEffect(() => keep(run?.logs ?? []), [id]);
  useEffect(() => keep(joined(known.current, run?.logs ?? [])), [run]);
  const active = run !== undefined && isActive(run.state);
  useEffect(() => {
    if (!active) return undefined;
    const timer = window.setInterval(() => latest.current(), FOLLOW_MS);
    return () => window.clearInterval(timer);
  }, [active, id]);
  useEffect(() => latest.current(), [ticks.value]);
  return lines;
}

export function Log({ run, lines }: { run: Run; lines: readonly LogLine[] }) {
  const [level, setLevel] = useState<Level>('all');
  const [follows, setFollows] = useState(true);
  const box = useRef<HTMLOListElement>(null);
  const shown = shownLines(lines, level);
  useEffect(() => {
    if (follows && isActive(run.state) && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines, follows, level]);
  /** Who scrolls up reads; who is at the end follows. */
  const scrolled = (event: Event): void => {
    const element = event.currentTarget;
    if (element instanceof HTMLElement) setFollows(element.scrollHeight - element.scrollTop - element.clientHeight < 24);
  };
  return (
    <>
      <div class="tools">
        <div class="segments" role="group" aria-label="Level">
          {(['all', 'warnings', 'errors'] as const).map((one) => (
            <button key={one} type="button" aria-pressed={level === one} onClick={() => setLevel(one)}>
              {{ all: 'All', warnings: 'Warnings', errors: 'Errors' }[one]}
            </button>
          ))}
        </div>
        {isActive(run.state) && (
          <label class="inline">
            <input type="checkbox" checked={follows} onChange={(event) => setFollows(event.currentTarget.checked)} /> Follow
          </label>
        )}
        <a class="with-icon" href={address(logAddress(run.id))} target="_blank" rel="noreferrer">
          Whole log <Icon name="out" />
        </a>
      </div>
      {shown.hidden > 0 && <p class="after">The last {shown.lines.length} lines are shown; {shown.hidden} more stand in the whole log.</p>}
      {shown.lines.length === 0 ? (
        <p class="nothing">{lines.length === 0 ? (isActive(run.state) ? 'It has not written a line yet.' : 'It wrote no log.') : 'No line is of that level.'}</p>
      ) : (
        <ol class="log" tabIndex={0} aria-label="Log lines" ref={box} onScroll={scrolled}>
          {shown.lines.map((line) => (
            <li key={line.id} class={toneOfLevel(line.level) === 'plain' ? '' : `v-${toneOfLevel(line.level)}`}>
              <time>{formatClock(toMillis(line.time), zone.value)}</time> <b>{line.level.toUpperCase()}</b> {line.message}
            </li>
          ))}
        </ol>
      )}
    </>
  );
}
