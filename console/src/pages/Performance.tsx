/** How right the versions of the model were, month by month: measured where labels are, estimated where not. */

import { useMemo } from 'preact/hooks';
import { linkTo, place } from '../location';
import { Answers } from '../performance/Answers';
import { MetricChart, sayInterval } from '../performance/MetricChart';
import { Detail } from '../performance/Detail';
import { coverageOf, decidingOf, estimatedOf, linesOf, newestOf, realisedOf, taskOf, type StoredEvaluation, type Task } from '../performance/evaluation';
import { fetchEvaluations } from '../resources';
import { useResource } from '../resource';
import { Chip } from '../shell/Chip';
import { PageHead } from '../shell/PageHead';
import type { PageProps } from '../shell/pages';
import { Empty, Loaded } from '../shell/states';
import { TimeControls } from '../shell/TimeControls';
import { sayState, toneOf } from '../shell/verdicts';
import { DataTable, type Column } from '../table/DataTable';
import { timeColumn } from '../table/timeColumn';
import { ticks } from '../time/view';
import { formatNumber, formatValue } from '../units';

export function Performance({ rest }: PageProps) {
  const evaluations = useResource(fetchEvaluations, [ticks.value]);
  return (
    <>
      <PageHead title="Performance" about="How right each version was on a month: measured where labels are, estimated from the scores where they are not.">
        <TimeControls only="refresh" />
      </PageHead>
      <Loaded resource={evaluations}>{(all) => (all.length === 0 ? <NoEvaluations /> : <Evaluations all={all} rest={rest} />)}</Loaded>
      <Answers />
    </>
  );
}

function NoEvaluations() {
  return (
    <Empty title="No month was evaluated yet">
      <p>The monthly flow evaluates the version in production on every drop. By hand, for one month or for all:</p>
      <pre>streamflow evaluate --as-of 2024-02-29{'\n'}streamflow evaluate --history</pre>
      <p>Labels come with the drop: a month without any gets an estimate, and is measured when a drop brings its labels.</p>
    </Empty>
  );
}

const keyOf = ({ period, version }: StoredEvaluation): string => `${period}/${version}`;

function Evaluations({ all, rest }: { all: readonly StoredEvaluation[]; rest: string }) {
  const newest = useMemo(() => newestOf(all), [all]);
  const lines = useMemo(() => linesOf(newest), [newest]);
  const listed = useMemo(() => [...newest].reverse(), [newest]);
  const shown = rest === '' ? (listed.find(({ evaluation }) => evaluation.realised) ?? listed[0]) : listed.find((one) => keyOf(one) === rest || one.period === rest);
  const selected = shown ? keyOf(shown) : null;
  const last = newest.at(-1);
  const task: Task = last ? taskOf(last.evaluation) : 'binary';
  return (
    <>
      <section class="card">
        <h2>{decidingOf(task).title} by month</h2>
        <MetricChart lines={lines} task={task} selected={selected} />
      </section>
      <section class="block">
        <h2>Months</h2>
        <DataTable title="Evaluations" className="reports" columns={columnsOf(task)} rows={listed} rowKey={keyOf} selected={selected} />
      </section>
      {shown ? <Detail stored={shown} /> : <Empty title="There is no such evaluation">{rest} is not among the months and versions that were evaluated.</Empty>}
    </>
  );
}

const hrefOf = (one: StoredEvaluation): string => linkTo(`performance/${keyOf(one)}`, place.value.parameters);

function metricColumn(name: string, title: string): Column<StoredEvaluation> {
  return {
    key: name,
    title,
    num: true,
    value: ({ evaluation }) => realisedOf(evaluation, name)?.value,
    cell: ({ evaluation }) => {
      const measured = realisedOf(evaluation, name);
      if (measured?.value == null) return '–';
      return (
        <span class="stacked">
          {formatNumber(measured.value, 3)} {measured.interval && <small>{sayInterval(measured.interval)}</small>}
        </span>
      );
    },
  };
}

const BESIDE: Record<Task, readonly [name: string, title: string][]> = {
  binary: [
    ['f1', 'F1'],
    ['log_loss', 'Log loss'],
  ],
  multiclass: [
    ['accuracy', 'Accuracy'],
    ['macro_f1', 'Macro F1'],
    ['roc_auc_ovr', 'AUC, one against the rest'],
  ],
  regression: [
    ['mae', 'MAE'],
    ['r2', 'R²'],
    ['mean_error', 'Mean error'],
  ],
};

function columnsOf(task: Task): readonly Column<StoredEvaluation>[] {
  const { name, title } = decidingOf(task);
  return [...FIRST, metricColumn(name, title), estimateColumn(name), ...BESIDE[task].map((one) => metricColumn(...one)), timeColumn('at', 'Evaluated', ({ at }) => at)];
}

const FIRST: readonly Column<StoredEvaluation>[] = [
  { key: 'period', title: 'Month', className: 'when', value: ({ period }) => period, cell: (one) => <a href={hrefOf(one)}>{one.period}</a> },
  { key: 'version', title: 'Version', num: true, value: ({ version }) => version },
  {
    key: 'verdict',
    title: 'Verdict',
    className: 'when',
    value: ({ evaluation }) => sayState(evaluation.verdict.decision),
    cell: ({ evaluation: { verdict } }) => <Chip tone={toneOf(verdict.decision)}>{sayState(verdict.decision)}</Chip>,
    hint: ({ evaluation }) => evaluation.verdict.reason,
  },
  {
    key: 'labels',
    title: 'Labels',
    num: true,
    value: ({ evaluation }) => {
      const coverage = coverageOf(evaluation);
      return coverage === null || coverage.rows === 0 ? null : coverage.labelled / coverage.rows;
    },
    cell: ({ evaluation }) => {
      const coverage = coverageOf(evaluation);
      if (coverage === null || coverage.rows === 0) return '–';
      return (
        <span class="stacked">
          {formatValue(coverage.labelled / coverage.rows, 'percentunit')}{' '}
          <small>
            {formatNumber(coverage.labelled, 9)} of {formatNumber(coverage.rows, 9)}
          </small>
        </span>
      );
    },
  },
];

function estimateColumn(name: string): Column<StoredEvaluation> {
  return {
    key: 'estimate',
    title: 'Estimate',
    num: true,
    className: 'estimate-cell',
    value: ({ evaluation }) => estimatedOf(evaluation, name)?.value,
    cell: ({ evaluation }) => {
      const estimated = estimatedOf(evaluation, name);
      return estimated?.value == null ? (
        '–'
      ) : (
        <span class="stacked">
          ≈ {formatNumber(estimated.value, 3)} {estimated.band && <small>{sayInterval(estimated.band)}</small>}
        </span>
      );
    },
    hint: ({ evaluation }) => estimatedOf(evaluation, name)?.reason ?? 'Without labels',
  };
}
