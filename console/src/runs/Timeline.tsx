/** The steps of a run as bars on a time axis; only the rows in sight are in the page. */

import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { zone } from '../preferences';
import type { Run } from '../resources';
import { sayState, toneOf } from '../shell/verdicts';
import { formatTime, toMillis } from '../time/clock';
import { counted, formatValue } from '../units';
import { isActive, StateChip } from './state';
import { extentOf, lastOf, placeOf, stepsOf, type Extent, type Step } from './steps';

/** Pixels of a row, as in the style sheet. */
const ROW = 28;
const MOST_ROWS_SHOWN = 14;
/** Rows above and below the visible part that are in the page. */
const MARGIN = 6;

export function Timeline({ run }: { run: Run }) {
  const steps = useMemo(() => stepsOf(run.tasks ?? []), [run.tasks]);
  const [chosen, setChosen] = useState<number | null>(null);
  const now = Date.now();
  const extent = useMemo(() => extentOf(run, now), [run.tasks, isActive(run.state) ? now : 0]);
  if (!extent || steps.length === 0) return <p class="nothing">No step was started.</p>;
  const step = chosen === null ? undefined : steps[chosen];
  return (
    <div class="timeline card">
      <Axis extent={extent} />
      <Rows steps={steps} extent={extent} now={now} chosen={chosen} choose={(i) => setChosen(i === chosen ? null : i)} />
      {step ? <Attempts step={step} /> : <Faults steps={steps} choose={setChosen} />}
    </div>
  );
}

function Axis({ extent: { begin, end } }: { extent: Extent }) {
  return (
    <div class="time-axis" aria-hidden="true">
      {[0, 0.25, 0.5, 0.75, 1].map((share) => (
        <span key={share}>{share === 0 ? '0' : formatValue(((end - begin) * share) / 1000, 'seconds', 2)}</span>
      ))}
    </div>
  );
}

interface RowsProps {
  steps: readonly Step[];
  extent: Extent;
  now: number;
  chosen: number | null;
  choose: (i: number) => void;
}

function Rows({ steps, extent, now, chosen, choose }: RowsProps) {
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [current, setCurrent] = useState(0);
  const wanted = useRef<number | null>(null);
  const first = Math.max(0, Math.floor(top / ROW) - MARGIN);
  const shown = steps.slice(first, first + MOST_ROWS_SHOWN + 2 * MARGIN);
  // Before the next key comes: the row that had the focus may be gone by now.
  useLayoutEffect(() => {
    if (wanted.current === null) return;
    box.current?.querySelector<HTMLElement>(`[data-step="${wanted.current}"]`)?.focus({ preventScroll: true });
    wanted.current = null;
  });
  const walk = (event: KeyboardEvent): void => {
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: MOST_ROWS_SHOWN, PageUp: -MOST_ROWS_SHOWN, Home: -steps.length, End: steps.length }[event.key];
    if (by === undefined || !box.current) return;
    event.preventDefault();
    const next = Math.min(Math.max(current + by, 0), steps.length - 1);
    setCurrent(next);
    wanted.current = next;
    const { scrollTop, clientHeight } = box.current;
    if (next * ROW < scrollTop) box.current.scrollTop = next * ROW;
    else if ((next + 1) * ROW > scrollTop + clientHeight) box.current.scrollTop = (next + 1) * ROW - clientHeight;
    setTop(box.current.scrollTop);
  };
  const pick = (place: number): void => {
    setCurrent(place);
    choose(place);
  };
  // The row that Tab leads to is always in the page.
  const stop = current >= first && current < first + shown.length ? current : first;
  return (
    <div class="steps" ref={box} style={{ maxHeight: `${MOST_ROWS_SHOWN * ROW}px` }} onScroll={(event) => setTop(event.currentTarget.scrollTop)} onKeyDown={walk}>
      <ol aria-label={counted(steps.length, 'step')} style={{ height: `${steps.length * ROW}px` }}>
        {shown.map((step, i) => (
          <Row key={first + i} step={step} place={first + i} count={steps.length} extent={extent} now={now} pressed={chosen === first + i} stop={stop === first + i} choose={pick} />
        ))}
      </ol>
    </div>
  );
}

interface RowProps {
  step: Step;
  place: number;
  count: number;
  extent: Extent;
  now: number;
  pressed: boolean;
  stop: boolean;
  choose: (place: number) => void;
}

function Row({ step, place, count, extent, now, pressed, stop, choose }: RowProps) {
  const last = lastOf(step);
  const state = last?.state_name ? last.state_name : (last?.state ?? '');
  const isDone = last?.state === 'completed';
  return (
    <li aria-setsize={count} aria-posinset={place + 1} style={{ top: `${place * ROW}px` }}>
      <button type="button" class="step" data-step={place} aria-pressed={pressed} tabIndex={stop ? 0 : -1} onClick={() => choose(place)}>
        <span class="step-name" title={step.name}>
          {step.name}
          {step.attempts.length > 1 && <small> ×{step.attempts.length}</small>}
        </span>
        <span class="track" aria-hidden="true">
          {step.attempts.map((task, i) => {
            const { left, width } = placeOf(task, extent, now);
            return <i key={i} class={`v-${toneOf(task.state)}`} style={{ left: `${left}%`, width: `${width}%` }} />;
          })}
        </span>
        <small class={isDone ? '' : `v-${toneOf(last?.state ?? '')}`}>
          {isDone ? formatValue(last.duration_ms, 'ms') : sayState(state)}
          {isDone && <span class="sr"> completed</span>}
        </small>
      </button>
    </li>
  );
}

/** Every attempt of a step. */
function Attempts({ step }: { step: Step }) {
  return (
    <div class="attempts" role="status">
      <h3>{step.name}</h3>
      <ul>
        {step.attempts.map((task, i) => (
          <li key={i}>
            <StateChip run={task} /> <b>Attempt {task.attempt}</b> <small>{formatTime(toMillis(task.started), zone.value, true)}</small> {task.duration_ms != null && <small>{formatValue(task.duration_ms, 'ms')}</small>}
            {task.error && <p class="row-error">{task.error}</p>}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** The last steps that went wrong, while none is chosen. */
function Faults({ steps, choose }: { steps: readonly Step[]; choose: (i: number) => void }) {
  const faults = useMemo(() => steps.map((step, i) => ({ step, i })).filter(({ step }) => toneOf(lastOf(step)?.state ?? '') === 'bad').slice(-3), [steps]);
  if (faults.length === 0) return null;
  return (
    <div class="attempts">
      {faults.map(({ step, i }) => (
        <p key={i} class="row-error">
          <button type="button" class="link" onClick={() => choose(i)}>
            {step.name}
          </button>
          : {lastOf(step)?.error}
        </p>
      ))}
    </div>
  );
}
