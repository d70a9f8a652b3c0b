/** The flows: what each does, when it runs by itself, how it went last, and ways to start it. */

import { Fragment, type ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { Backfill, RunNow } from '../flows/dialogs';
import { isMonthly } from '../flows/parameters';
import { linkTo } from '../location';
import { zone } from '../preferences';
import { fetchFlows, pauseFlow, type Flow } from '../resources';
import { useResource } from '../resource';
import { StateChip } from '../runs/state';
import { mayChange } from '../session';
import { Chip } from '../shell/Chip';
import { Confirm } from '../shell/Confirm';
import { PageHead } from '../shell/PageHead';
import { announcement } from '../shell/shortcuts';
import { Empty, Loaded } from '../shell/states';
import { TimeControls } from '../shell/TimeControls';
import { formatAgo, formatTime, toMillis } from '../time/clock';
import { ticks } from '../time/view';
import { counted } from '../units';

export function Flows() {
  const flows = useResource(fetchFlows, [ticks.value]);
  return (
    <>
      <PageHead title="Flows" about="What runs by itself or by hand: ingest, monitoring, evaluation, training, and the flows of the configuration.">
        <TimeControls only="refresh" />
      </PageHead>
      <Loaded resource={flows}>
        {(all) =>
          all.length === 0 ? (
            <Empty title="No flow">This build has no flow.</Empty>
          ) : (
            <ul class="flows">
              {all.map((flow) => (
                <FlowCard key={flow.name} flow={flow} reload={flows.reload} />
              ))}
            </ul>
          )
        }
      </Loaded>
    </>
  );
}

type Intent = 'run' | 'backfill' | 'pause' | null;

function FlowCard({ flow, reload }: { flow: Flow; reload: () => void }) {
  const [intent, setIntent] = useState<Intent>(null);
  const close = (): void => setIntent(null);
  return (
    <li class="card flow">
      <header>
        <h2>{flow.name}</h2>
        {flow.paused && <Chip tone="warn">Paused</Chip>}
        {mayChange() && (
          <span class="actions">
            {flow.schedule !== null && (
              <button type="button" aria-label={`${flow.paused ? 'Resume' : 'Pause'} ${flow.name}`} onClick={() => setIntent('pause')}>
                {flow.paused ? 'Resume' : 'Pause'}
              </button>
            )}
            {isMonthly(flow) && (
              <button type="button" aria-label={`Backfill ${flow.name}`} onClick={() => setIntent('backfill')}>
                Backfill
              </button>
            )}
            <button type="button" class="primary" aria-label={`Run now: ${flow.name}`} onClick={() => setIntent('run')}>
              Run now
            </button>
          </span>
        )}
      </header>
      <p class="about">{flow.doc}</p>
      <Facts flow={flow} />
      {intent === 'run' && <RunNow flow={flow} close={close} />}
      {intent === 'backfill' && <Backfill flow={flow} close={close} />}
      {intent === 'pause' && <Pause flow={flow} close={close} reload={reload} />}
    </li>
  );
}

function Facts({ flow }: { flow: Flow }) {
  const rows: [name: string, value: ComponentChildren][] = [
    ['Schedule', flow.schedule],
    ['Next', flow.schedule !== null && <Next flow={flow} />],
    ['Starts on', [...flow.on.map(sayTrigger), ...(flow.watch === null ? [] : [`a new folder in ${flow.watch}`])].join(', ')],
    ['Steps', flow.steps.join(' → ')],
    ['Last run', flow.last ? <Last flow={flow} /> : 'never'],
    ['Skipped', flow.skipped.length > 0 && <Skipped flow={flow} />],
  ];
  return (
    <dl class="facts">
      {rows
        .filter(([, value]) => value !== null && value !== false && value !== '')
        .map(([name, value]) => (
          <Fragment key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </Fragment>
        ))}
    </dl>
  );
}

/** `alert:Slow` as `the alert Slow`. */
function sayTrigger(trigger: string): string {
  const [kind = '', name = ''] = trigger.split(':');
  const words: Record<string, string> = { snapshot: 'a new month', decision: 'a decision to retrain', webhook: 'its webhook', alert: `the alert ${name}`, flow: `a run of ${name} that completed` };
  return words[kind] ?? trigger;
}

function Next({ flow: { next, paused } }: { flow: Flow }) {
  const [first, ...others] = next.map((time) => toMillis(time));
  if (paused) return <>paused: times that pass meanwhile are not run</>;
  if (first === undefined) return <>never again</>;
  return (
    <>
      {formatTime(first, zone.value)} <small>{formatAgo(first, Date.now())}</small>
      {others.length > 0 && (
        <details>
          <summary>
            <small>{others.length} more</small>
          </summary>
          {others.map((time) => formatTime(time, zone.value)).join('\n')}
        </details>
      )}
    </>
  );
}

function Last({ flow: { name, last } }: { flow: Flow }) {
  if (!last) return null;
  return (
    <>
      <StateChip run={last} /> <a href={linkTo(`runs/${last.id}`)}>run {last.id}</a> <small title={formatTime(toMillis(last.started), zone.value)}>{formatAgo(toMillis(last.started), Date.now())}</small>{' '}
      <a class="quiet-link" href={linkTo('runs', { flow: name })}>
        all its runs
      </a>
    </>
  );
}

function Skipped({ flow: { skipped } }: { flow: Flow }) {
  return (
    <details>
      <summary>
        {counted(skipped.length, 'time')}, the newest {formatTime(toMillis(skipped[0]?.due_at), zone.value)}
      </summary>
      <ul>
        {skipped.map(({ due_at, reason }) => (
          <li key={due_at}>
            {formatTime(toMillis(due_at), zone.value)} <small>{reason}</small>
          </li>
        ))}
      </ul>
    </details>
  );
}

function Pause({ flow: { name, paused }, close, reload }: { flow: Flow; close: () => void; reload: () => void }) {
  const verb = paused ? 'Resume' : 'Pause';
  const finish = (done: boolean): void => {
    close();
    if (!done) return;
    announcement.value = `The schedule of ${name} is ${paused ? 'resumed' : 'paused'}.`;
    reload();
  };
  return (
    <Confirm title={`${verb} ${name}?`} verb={verb} act={() => pauseFlow(name, !paused)} close={finish}>
      <p>{paused ? 'The schedule goes on with its next time; the times that passed meanwhile are not run.' : 'It no longer starts by its schedule until it is resumed. What runs goes on; by hand it can still be run.'}</p>
    </Confirm>
  );
}
