/** What ran, when, and how it ended. */

import { hrefOf, place, setParameters } from '../location';
import { zone } from '../preferences';
import { fetchRun, fetchRuns, type Run, type RunTask } from '../resources';
import { useResource } from '../resource';
import { Chip } from '../shell/Chip';
import { PageHead } from '../shell/PageHead';
import type { PageProps } from '../shell/pages';
import { Empty, Loaded } from '../shell/states';
import { TimeControls } from '../shell/TimeControls';
import { sayState, toneOf } from '../shell/verdicts';
import { formatAgo, formatClock, formatTime, toMillis } from '../time/clock';
import { ticks } from '../time/view';
import { formatValue } from '../units';

const MOST_RUNS = 200;

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

function RunTable({ runs }: { runs: Run[] }) {
  const only = place.value.parameters.get('flow') ?? '';
  const flows = [...new Set(runs.map((run) => run.flow))].sort();
  return (
    <>
      {flows.length > 1 && (
        <div class="tools">
          <div class="segments" role="group" aria-label="Flow">
            {['', ...flows].map((flow) => (
              <button key={flow} type="button" aria-pressed={only === flow} onClick={() => setParameters({ flow })}>
                {flow || 'All'}
              </button>
            ))}
          </div>
        </div>
      )}
      <div class="table-box" tabIndex={0} role="region" aria-label="Runs">
        <table class="data stacking">
          <thead>
            <tr>
              <th scope="col">State</th>
              <th scope="col">Flow</th>
              <th scope="col">Parameters</th>
              <th scope="col">Started</th>
              <th scope="col" class="num">
                Took
              </th>
              <th scope="col" class="num">
                Run
              </th>
            </tr>
          </thead>
          <tbody>
            {runs
              .filter((run) => only === '' || run.flow === only)
              .map((run) => (
                <tr key={run.id}>
                  <td data-label="State">
                    <StateChip run={run} />
                  </td>
                  <td data-label="Flow">{run.flow}</td>
                  <td data-label="Parameters">
                    <Parameters value={run.parameters} />
                    <Message run={run} />
                  </td>
                  <td class="when" data-label="Started" title={formatTime(toMillis(run.started), zone.value)}>
                    {formatAgo(toMillis(run.started), Date.now())}
                  </td>
                  <td data-label="Took" class="num">
                    {took(run)}
                  </td>
                  <td data-label="Run" class="num">
                    <a href={hrefOf(`runs/${run.id}`)}>{String(run.id).slice(0, 8)}</a>
                  </td>
                </tr>
              ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function took({ started, ended }: Run): string {
  const ms = toMillis(ended) - toMillis(started);
  return Number.isFinite(ms) ? formatValue(ms / 1000, 'seconds') : '–';
}

/** The outcome in the run's own words, where it has some, with the tone of that outcome. */
function StateChip({ run }: { run: Run }) {
  const name = run.state_name ?? '';
  return <Chip tone={toneOf(name) === 'plain' ? toneOf(run.state) : toneOf(name)}>{sayState(name === '' ? run.state : name)}</Chip>;
}

function Message({ run }: { run: Run }) {
  return run.message ? <p class={toneOf(run.state) === 'bad' ? 'row-error' : 'after'}>{run.message}</p> : null;
}

function Parameters({ value }: { value: unknown }) {
  let pairs = value;
  if (typeof value === 'string') {
    try {
      pairs = JSON.parse(value);
    } catch {
      return <code>{value}</code>;
    }
  }
  if (typeof pairs !== 'object' || pairs === null) return null;
  return (
    <span class="labels">
      {Object.entries(pairs)
        .filter(([, one]) => one !== null)
        .map(([name, one]) => (
          <code key={name}>
            {name}={typeof one === 'string' ? one : JSON.stringify(one)}
          </code>
        ))}
    </span>
  );
}

function RunDetail({ id }: { id: string }) {
  const run = useResource((signal) => fetchRun(id, signal), [id, ticks.value]);
  return (
    <>
      <PageHead title={`Run ${id.slice(0, 8)}`} about={<a href={hrefOf('runs')}>All runs</a>}>
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
