/** What ran, when, and how it ended. */

import { useMemo } from 'preact/hooks';
import { linkTo, place, setParameters } from '../location';
import { zone } from '../preferences';
import { fetchRun, fetchRuns, type Run, type RunTask } from '../resources';
import { useResource } from '../resource';
import { Chip } from '../shell/Chip';
import { PageHead } from '../shell/PageHead';
import type { PageProps } from '../shell/pages';
import { Empty, Loaded } from '../shell/states';
import { TimeControls } from '../shell/TimeControls';
import { sayState, toneOf } from '../shell/verdicts';
import { DataTable, type Column } from '../table/DataTable';
import { timeColumn } from '../table/timeColumn';
import { formatClock, formatTime, toMillis } from '../time/clock';
import { ticks } from '../time/view';
import { formatValue } from '../units';

/** As many as the server tells at once. */
const MOST_RUNS = 5000;

export function Runs({ rest }: PageProps) {
  return rest === '' ? <RunList /> : <RunDetail id={rest} />;
}

function RunList() {
  const runs = useResource((signal) => fetchRuns(MOST_RUNS, signal), [ticks.value]);
  return (
    <>
      <PageHead title="Runs" about="Every run of a flow, newest first.">
        <TimeControls only="refresh" />
      </PageHead>
      <Loaded resource={runs}>
        {(all) =>
          all.length === 0 ? (
            <Empty title="Nothing ran yet">
              <p>Flows run by schedule or by hand; each ingest, training and comparison is kept here:</p>
              <pre>streamflow monitor --reference 2024-01-31 --current 2024-03-31</pre>
            </Empty>
          ) : (
            <RunTable runs={all} />
          )
        }
      </Loaded>
    </>
  );
}

const COLUMNS: readonly Column<Run>[] = [
  { key: 'state', title: 'State', value: stateOf, cell: (run) => <StateChip run={run} /> },
  { key: 'flow', title: 'Flow', value: (run) => run.flow },
  {
    key: 'parameters',
    title: 'Parameters',
    value: (run) => [...pairsOf(run.parameters).map(([name, value]) => `${name}=${value}`), run.message ?? ''].filter(Boolean).join(' '),
    cell: (run) => (
      <>
        <Parameters value={run.parameters} />
        <Message run={run} />
      </>
    ),
  },
  timeColumn('started', 'Started', (run) => run.started),
  { key: 'took', title: 'Took', num: true, value: secondsOf, cell: took },
  { key: 'id', title: 'Run', num: true, value: (run) => run.id, cell: (run) => <a href={linkTo(`runs/${run.id}`)}>{String(run.id).slice(0, 8)}</a> },
];

function RunTable({ runs }: { runs: Run[] }) {
  const only = place.value.parameters.get('flow') ?? '';
  const flows = [...new Set(runs.map((run) => run.flow))].sort();
  const rows = useMemo(() => runs.filter((run) => only === '' || run.flow === only), [runs, only]);
  return (
    <>
      <DataTable title="Runs" columns={COLUMNS} rows={rows} rowKey={(run) => run.id}>
        {flows.length > 1 && (
          <div class="segments" role="group" aria-label="Flow">
            {['', ...flows].map((flow) => (
              <button key={flow} type="button" aria-pressed={only === flow} onClick={() => setParameters({ flow })}>
                {flow || 'All'}
              </button>
            ))}
          </div>
        )}
      </DataTable>
      {runs.length >= MOST_RUNS && <p class="after">The newest {MOST_RUNS} runs are listed; <code>streamflow flows runs --limit N</code> shows the others.</p>}
    </>
  );
}

/** NaN while it runs. */
function secondsOf({ started, ended }: Run): number {
  return (toMillis(ended) - toMillis(started)) / 1000;
}

function took(run: Run): string {
  const seconds = secondsOf(run);
  return Number.isFinite(seconds) ? formatValue(seconds, 'seconds') : '–';
}

/** The outcome in the run's own words, where it has some. */
function stateOf({ state, state_name: name }: Run): string {
  return sayState(name == null || name === '' ? state : name);
}

/** The outcome, with its tone. */
function StateChip({ run }: { run: Run }) {
  const tone = toneOf(run.state_name ?? '');
  return <Chip tone={tone === 'plain' ? toneOf(run.state) : tone}>{stateOf(run)}</Chip>;
}

function Message({ run }: { run: Run }) {
  return run.message ? <p class={toneOf(run.state) === 'bad' ? 'row-error' : 'after'}>{run.message}</p> : null;
}

/** Parameters that have a value, as texts; a text that is no JSON is one without a name. */
function pairsOf(value: unknown): [name: string, value: string][] {
  let pairs = value;
  if (typeof value === 'string') {
    try {
      pairs = JSON.parse(value);
    } catch {
      return [['', value]];
    }
  }
  if (typeof pairs !== 'object' || pairs === null) return [];
  return Object.entries(pairs)
    .filter(([, one]) => one !== null)
    .map(([name, one]) => [name, typeof one === 'string' ? one : JSON.stringify(one)]);
}

function Parameters({ value }: { value: unknown }) {
  return (
    <span class="labels">
      {pairsOf(value).map(([name, one]) => (
        <code key={name}>{name === '' ? one : `${name}=${one}`}</code>
      ))}
    </span>
  );
}

function RunDetail({ id }: { id: string }) {
  const run = useResource((signal) => fetchRun(id, signal), [id, ticks.value]);
  return (
    <>
      <PageHead title={`Run ${id.slice(0, 8)}`} about={<a href={linkTo('runs')}>All runs</a>}>
        <TimeControls only="refresh" />
      </PageHead>
      <Loaded resource={run}>{(one) => <RunBody run={one} />}</Loaded>
    </>
  );
}

function RunBody({ run }: { run: Run }) {
  return (
    <>
      <section class="card">
        <dl class="facts wide">
          <dt>State</dt>
          <dd>
            <StateChip run={run} />
          </dd>
          <dt>Flow</dt>
          <dd>{run.flow}</dd>
          <dt>Parameters</dt>
          <dd>
            <Parameters value={run.parameters} />
          </dd>
          {run.report && (
            <>
              <dt>Report</dt>
              <dd>
                <a href={linkTo(`drift/${run.report}`)}>{run.report}</a>
              </dd>
            </>
          )}
          <dt>Started</dt>
          <dd>{formatTime(toMillis(run.started), zone.value)}</dd>
          <dt>Took</dt>
          <dd>{took(run)}</dd>
        </dl>
        <Message run={run} />
      </section>
      <section class="block">
        <h2>Tasks</h2>
        {run.tasks?.length ? <Tasks run={run} tasks={run.tasks} /> : <p class="nothing">No task was started.</p>}
      </section>
      <section class="block">
        <h2>Log</h2>
        {run.logs?.length ? (
          <ol class="log" tabIndex={0} aria-label="Log lines">
            {run.logs.map((line, i) => (
              <li key={i} class={/err/i.test(line.level) ? 'v-bad' : /warn/i.test(line.level) ? 'v-warn' : ''}>
                <time>{formatClock(toMillis(line.time), zone.value)}</time> <b>{line.level.toUpperCase()}</b> {line.message}
              </li>
            ))}
          </ol>
        ) : (
          <p class="nothing">It wrote no log.</p>
        )}
      </section>
    </>
  );
}

/** Milliseconds since 1970; NaN while it runs. */
function endOf(task: RunTask): number {
  return toMillis(task.started) + (task.duration_ms ?? NaN);
}

/** Each task as a bar on the time of the run. */
function Tasks({ run, tasks }: { run: Run; tasks: RunTask[] }) {
  const begin = Math.min(...[run, ...tasks].map((one) => toMillis(one.started)).filter(Number.isFinite));
  const end = Math.max(...[toMillis(run.ended), ...tasks.map(endOf)].filter(Number.isFinite), begin + 1);
  const share = (ms: number): number => Math.min(100, Math.max(0, ((ms - begin) / (end - begin)) * 100));
  return (
    <ul class="tasks card">
      {tasks.map((task, i) => {
        const from = Number.isFinite(toMillis(task.started)) ? share(toMillis(task.started)) : 0;
        const to = Number.isFinite(endOf(task)) ? share(endOf(task)) : 100;
        return (
          <li key={i}>
            <Chip tone={toneOf(task.state)}>{sayState(task.state)}</Chip>
            <span>{task.name}</span>
            <span class="track" aria-hidden="true">
              <i class={`v-${toneOf(task.state)}`} style={{ left: `${from}%`, width: `${Math.max(0.5, to - from)}%` }} />
            </span>
            <small>{formatValue(task.duration_ms, 'ms')}</small>
            {task.error && <p class="row-error">{task.error}</p>}
          </li>
        );
      })}
    </ul>
  );
}
