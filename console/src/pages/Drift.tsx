/** Every comparison of two periods: shares over time, the report itself, and a way to run another. */

import { Fragment } from 'preact';
import { useState } from 'preact/hooks';
import { ShareChart } from '../chart/ShareChart';
import { address, messageOf } from '../http';
import { linkTo, navigate, place } from '../location';
import { fetchReport, fetchReports, fetchSnapshots, runReport, type Report } from '../resources';
import { useResource } from '../resource';
import { mayChange } from '../session';
import { Chip } from '../shell/Chip';
import { fieldText } from '../shell/fields';
import { Icon } from '../shell/Icon';
import { PageHead } from '../shell/PageHead';
import type { PageProps } from '../shell/pages';
import { Empty, Loaded } from '../shell/states';
import { sayState, toneOf } from '../shell/verdicts';
import { DataTable, type Column } from '../table/DataTable';
import { timeColumn } from '../table/timeColumn';
import { counted, formatNumber, formatValue } from '../units';

export function Drift({ rest }: PageProps) {
  const reports = useResource(fetchReports, []);
  return (
    <>
      <PageHead title="Drift" about="Whether the data still look like what the model learned, period by period." />
      {mayChange() && <Compare done={reports.reload} />}
      <Loaded resource={reports}>{(all) => (all.length === 0 ? <NoReports /> : <Reports reports={all} selected={rest === '' ? null : rest} />)}</Loaded>
    </>
  );
}

function NoReports() {
  return (
    <Empty title="No comparison has run yet">
      <p>Two ingested snapshots are compared, here or in a terminal:</p>
      <pre>streamflow monitor --reference 2024-01-31 --current 2024-03-31</pre>
    </Empty>
  );
}

function Reports({ reports, selected }: { reports: Report[]; selected: string | null }) {
  const shown = reports.find((report) => report.name === selected) ?? (selected === null ? reports[0] : undefined);
  const line = reports.filter((report) => report.reference === shown?.reference && report.profile === shown.profile).sort((a, b) => a.current.localeCompare(b.current));
  return (
    <>
      {shown && line.length > 1 && (
        <section class="block card">
          <h2>
            Drift share against {shown.reference} <small>share of columns that drifted; the line is the threshold</small>
          </h2>
          <ShareChart reports={around(line, shown)} selected={shown.name} />
        </section>
      )}
      <ReportTable reports={reports} selected={shown?.name ?? null} />
      {shown ? <Embedded report={shown} /> : <Empty title="There is no such report">{selected} is not among the reports of this server.</Empty>}
    </>
  );
}

/** Bars beside each other that can still be told apart. */
const MOST_BARS = 60;

/** So many periods before and after the one shown as there is room for. */
function around(line: readonly Report[], shown: Report): readonly Report[] {
  const from = Math.min(line.indexOf(shown) - MOST_BARS / 2, line.length - MOST_BARS);
  return line.slice(Math.max(0, from)).slice(0, MOST_BARS);
}

/** The address of a report from the list, which stays filtered and sorted as it is. */
function reportHref({ name }: Report): string {
  return linkTo(`drift/${name}`, place.value.parameters);
}

const COLUMNS: readonly Column<Report>[] = [
  { key: 'current', title: 'Period', className: 'when', value: (report) => report.current, cell: (report) => <a href={reportHref(report)}>{report.current}</a> },
  { key: 'reference', title: 'Against', className: 'when', value: (report) => report.reference },
  { key: 'profile', title: 'Profile', value: (report) => report.profile, cell: (report) => sayState(report.profile) },
  { key: 'decision', title: 'Decision', value: (report) => sayState(report.decision), cell: (report) => <Chip tone={toneOf(report.decision)}>{sayState(report.decision)}</Chip> },
  {
    key: 'drift_share',
    title: 'Drift share',
    num: true,
    value: (report) => report.drift_share,
    cell: (report) => (
      <>
        <b>{formatValue(report.drift_share, 'percentunit')}</b> <small>of {formatValue(report.threshold, 'percentunit')}</small>
      </>
    ),
  },
  { key: 'drifted', title: 'Drifted', num: true, value: (report) => report.drifted, cell: (report) => `${report.drifted} of ${report.columns}` },
  { key: 'target_drift', title: 'Label drift', num: true, value: (report) => report.target_drift, cell: (report) => (report.target_drift === null ? '–' : `${formatNumber(100 * report.target_drift, 2)} points`), hint: () => "Absolute difference of the label's positive rate, in percentage points" },
  timeColumn('created', 'Made', (report) => report.created),
];

function ReportTable({ reports, selected }: { reports: Report[]; selected: string | null }) {
  return (
    <section class="block">
      <h2>Reports</h2>
      <DataTable title="Reports" className="reports" columns={COLUMNS} rows={reports} rowKey={(report) => report.name} selected={selected} />
    </section>
  );
}

/** Columns that no test took, with the reason; a report of a server that does not say it has none. */
function NotTested({ name }: { name: string }) {
  const { data } = useResource((signal) => fetchReport(name, signal), [name]);
  const columns = data?.not_tested ?? [];
  if (columns.length === 0) return null;
  return (
    <details class="card fold not-tested" open>
      <summary>
        <Chip tone="warn">Not tested</Chip>
        <b>
          {counted(columns.length, 'column')}
        </b>
      </summary>
      <dl class="facts">
        {columns.map(({ column, reason }) => (
          <Fragment key={column}>
            <dt>{column}</dt>
            <dd>{reason}</dd>
          </Fragment>
        ))}
      </dl>
    </details>
  );
}

/** The report is a page of its own: framed without this page's rights, so that nothing in it can act here. */
function Embedded({ report }: { report: Report }) {
  const url = address(report.url);
  return (
    <section class="block">
      <h2 class="with-action">
        {report.reference} → {report.current}
        <span>
          {report.run_id != null && <a href={linkTo(`runs/${report.run_id}`)}>Run {String(report.run_id).slice(0, 8)}</a>}
          <a href={url} target="_blank" rel="noreferrer">
            Open alone <Icon name="out" />
          </a>
        </span>
      </h2>
      <NotTested key={report.name} name={report.name} />
      <iframe class="report" src={url} title={`Drift report ${report.reference} against ${report.current}`} sandbox="allow-scripts allow-popups" />
    </section>
  );
}

function Compare({ done }: { done: () => void }) {
  const snapshots = useResource(fetchSnapshots, []);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const dates = (snapshots.data ?? []).map((snapshot) => snapshot.as_of).sort();
  if (dates.length < 2) return null;
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const form = event.currentTarget;
    const read = (name: string): string => fieldText(form, name);
    const threshold = Number(read('threshold')) / 100;
    setBusy(true);
    setError(null);
    runReport({ reference: read('reference'), current: read('current'), profile: read('profile'), ...(threshold > 0 ? { threshold } : {}) })
      .then((report) => {
        done();
        navigate(linkTo(`drift/${report.name}`));
      })
      .catch((failure: unknown) => setError(messageOf(failure)))
      .finally(() => setBusy(false));
  };
  return (
    <form class="card compare" onSubmit={submit} aria-label="Run a comparison">
      <label>
        Reference
        <Dates name="reference" dates={dates} value={dates[0]} />
      </label>
      <label>
        Current
        <Dates name="current" dates={dates} value={dates.at(-1)} />
      </label>
      <label>
        Profile
        <select name="profile">
          <option value="calibrated">Calibrated</option>
          <option value="evidently">Evidently</option>
        </select>
      </label>
      <label>
        Threshold, %
        <input name="threshold" type="number" min="1" max="100" step="any" placeholder="30" />
      </label>
      <button class="primary" disabled={busy}>
        {busy ? 'Comparing…' : 'Compare'}
      </button>
      {error && (
        <p class="failure" role="alert">
          {error}
        </p>
      )}
    </form>
  );
}

function Dates({ name, dates, value }: { name: string; dates: string[]; value: string | undefined }) {
  return (
    <select name={name}>
      {dates.map((date) => (
        <option key={date} value={date} selected={date === value}>
          {date}
        </option>
      ))}
    </select>
  );
}
