/** All runs: chosen by flow, state and month, counted over time, and listed. */

import { linkTo, place, setParameters } from '../location';
import { fetchFlows, fetchRuns, fetchSnapshots, type Run } from '../resources';
import { useResource } from '../resource';
import { PageHead } from '../shell/PageHead';
import { Empty, Loaded } from '../shell/states';
import { TimeControls } from '../shell/TimeControls';
import { sayState } from '../shell/verdicts';
import { DataTable, type Column } from '../table/DataTable';
import { timeColumn } from '../table/timeColumn';
import { ticks } from '../time/view';
import { RunHistogram } from './RunHistogram';
import { Message, pairsOf, Parameters, secondsOf, StateChip, stateOf, STATES, took } from './state';

/** As many as the server tells at once. */
const MOST_RUNS = 5000;

const FILTERS = ['flow', 'state', 'period'] as const;

export function RunList() {
  const chosen = (name: (typeof FILTERS)[number]): string => place.value.parameters.get(name) ?? '';
  const filter = { flow: chosen('flow'), state: chosen('state'), period: chosen('period') };
  const runs = useResource((signal) => fetchRuns(MOST_RUNS, filter, signal), [ticks.value, filter.flow, filter.state, filter.period]);
  const isFiltered = FILTERS.some((name) => filter[name] !== '');
  return (
    <>
      <PageHead title="Runs" about="Every run of a flow, newest first.">
        <TimeControls only="refresh" />
      </PageHead>
      <Loaded resource={runs}>
        {(all) =>
          all.length === 0 && !isFiltered ? (
            <Empty title="Nothing ran yet">
              <p>Flows run by schedule, by trigger or by hand (on the page Flows); each ingest, training and comparison is kept here:</p>
              <pre>streamflow monitor --reference 2024-01-31 --current 2024-03-31</pre>
            </Empty>
          ) : (
            <RunTable runs={all} filter={filter} />
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
    value: (run) => [...pairsOf(run.parameters).map(([name, value]) => `${name}=${value}`), run.message].filter(Boolean).join(' '),
    cell: (run) => (
      <>
        <Parameters value={run.parameters} />
        <Message run={run} />
      </>
    ),
  },
  { key: 'cause', title: 'Started by', value: (run) => run.cause },
  timeColumn('started', 'Started', (run) => run.started),
  { key: 'took', title: 'Took', num: true, value: secondsOf, cell: took },
  { key: 'id', title: 'Run', num: true, value: (run) => run.id, cell: (run) => <a href={linkTo(`runs/${run.id}`)}>{String(run.id).slice(0, 8)}</a> },
];

function RunTable({ runs, filter }: { runs: Run[]; filter: Record<(typeof FILTERS)[number], string> }) {
  const flows = useResource(fetchFlows, []);
  const months = useResource(fetchSnapshots, []);
  const names = [...(flows.data ?? []).map(({ name }) => name), ...runs.map(({ flow }) => flow)];
  const periods = [...(months.data ?? []).map((month) => month.as_of), ...runs.flatMap(({ period }) => period ?? [])];
  return (
    <>
      {runs.length > 0 && <RunHistogram runs={runs} />}
      <DataTable title="Runs" columns={COLUMNS} rows={runs} rowKey={(run) => run.id} none="No run is like that.">
        <Choice name="flow" title="Flow" value={filter.flow} values={distinct(names)} />
        <Choice name="state" title="State" value={filter.state} values={STATES} say={sayState} />
        <Choice name="period" title="Month" value={filter.period} values={distinct(periods).reverse()} />
      </DataTable>
      {runs.length >= MOST_RUNS && (
        <p class="after">
          The newest {MOST_RUNS} runs are listed; <code>streamflow flows runs --limit N</code> shows the others.
        </p>
      )}
    </>
  );
}

const distinct = (values: readonly string[]): string[] => [...new Set(values)].sort();

function Choice({ name, title, value, values, say = (text) => text }: { name: string; title: string; value: string; values: readonly string[]; say?: (text: string) => string }) {
  const shown = value === '' || values.includes(value) ? values : [value, ...values];
  return (
    <select aria-label={title} value={value} onChange={(event) => setParameters({ [name]: event.currentTarget.value })}>
      <option value="">{`${title}: all`}</option>
      {shown.map((one) => (
        <option key={one} value={one}>
          {say(one)}
        </option>
      ))}
    </select>
  );
}
