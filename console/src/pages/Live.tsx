/** What the traffic itself says: each feature of the requests against what the model was trained on, as of the last minute. */

import { ShapePair } from '../chart/ShapePair';
import { place, setParameters } from '../location';
import { zone } from '../preferences';
import { fetchLive, type Live as Document, type LiveCertificate, type LiveShift, type LiveVersion, type LiveWindow } from '../resources';
import { useResource } from '../resource';
import { Chip } from '../shell/Chip';
import { PageHead } from '../shell/PageHead';
import { Prose } from '../shell/Prose';
import { Empty, Loaded } from '../shell/states';
import { TimeControls } from '../shell/TimeControls';
import { DataTable, type Column } from '../table/DataTable';
import { formatTime, toMillis } from '../time/clock';
import { ticks } from '../time/view';
import { counted, formatNumber, formatValue } from '../units';
import { againstOf, rowsOf, shownWindow, spanOf, strongest, type Row } from './live';

export function Live() {
  const live = useResource(fetchLive, [ticks.value]);
  return (
    <>
      <PageHead title="Live" about="Whether the requests of the last minutes and hours look like what the model was trained on.">
        <TimeControls only="refresh" />
      </PageHead>
      <Loaded resource={live}>{(all) => <Traffic all={all} />}</Loaded>
    </>
  );
}

function Traffic({ all }: { all: Document }) {
  const version = all.versions[0];
  if (!version || version.windows.length === 0) {
    return (
      <Empty title="Nothing to see yet">
        <p>
          <Prose text={all.why ?? 'The first minute of traffic has not ended yet.'} />
        </p>
      </Empty>
    );
  }
  const window = shownWindow(version, place.value.parameters.get('window'));
  return (
    <>
      <Windows version={version} selected={window.window} />
      <section class="block">
        <h2>
          Last {spanOf(window.window).replace(/^1 /, '')} <small>{againstOf(window.basis)}</small>
        </h2>
        {window.why !== null && <p class="live-note before"><Prose text={window.why} /></p>}
        <Features version={version} window={window} />
        <Errors window={window} />
      </section>
      <p class="live-note">
        Version {version.version} is compared with {version.source}. Drifted is what is large and, for the number of looks, significant: |z| of at least {formatNumber(window.threshold, 3)} here, so that
        about {formatNumber(all.false_alarms_per_month, 3)} false alarms are expected in 30 days over {version.statistics} statistics and four windows. An entity counts once in a window, with its last
        values.
      </p>
      <Certificate certificate={version.certificate} budget={all.false_alarms_per_month} />
    </>
  );
}

/** The windows as one choice: how much each has seen, and what it says. */
function Windows({ version, selected }: { version: LiveVersion; selected: string }) {
  return (
    <ul class="windows" aria-label="Windows">
      {version.windows.map((window) => (
        <li key={window.window}>
          <button type="button" class="card" aria-pressed={window.window === selected} onClick={() => setParameters({ window: window.window })}>
            <b>{spanOf(window.window)}</b>
            <Verdict window={window} />
            <small>
              {counted(window.entities, 'entity', 'entities')}, {counted(window.requests, 'request')}
            </small>
          </button>
        </li>
      ))}
    </ul>
  );
}

function Verdict({ window: { drifted, words } }: { window: LiveWindow }) {
  if (drifted == null) return <Chip tone="plain">{words}</Chip>;
  return <Chip tone={drifted.features + drifted.outputs > 0 ? 'bad' : 'good'}>{words}</Chip>;
}

const sayTime = (time: string): string => formatTime(toMillis(time), zone.value);

const COLUMNS: readonly Column<Row>[] = [
  {
    key: 'name',
    title: 'Feature',
    value: (row) => row.column.name,
    cell: (row) => (
      <>
        <b>{row.column.name}</b> {!row.column.is_feature && <small>what the model says</small>}
      </>
    ),
  },
  { key: '', title: 'Live and reference', className: 'shape', value: () => null, cell: (row) => <ShapePair column={row.column} live={row.drift.live} reference={row.drift.basis} /> },
  {
    key: 'ratio',
    title: 'Effect',
    num: true,
    value: (row) => strongest(row.drift)?.ratio,
    cell: (row) => {
      const found = strongest(row.drift);
      if (!found) return '–';
      return (
        <span class="stacked">
          <b>{formatNumber(found.statistic.effect, 3)}</b> <small>{found.statistic.statistic}, large from {formatNumber(found.statistic.gate, 3)}</small>
        </span>
      );
    },
  },
  { key: 'z', title: 'z', num: true, value: (row) => strongest(row.drift)?.statistic.z, cell: (row) => { const found = strongest(row.drift); return found ? formatNumber(found.statistic.z, 3) : '–'; } },
  {
    key: 'state',
    title: 'State',
    value: (row) => row.state,
    cell: (row) => <Chip tone={row.drift.detected_since != null ? 'bad' : row.drift.statistics.length > 0 ? 'good' : 'plain'}>{row.state}</Chip>,
  },
  { key: 'since', title: 'Since', className: 'when', value: (row) => row.drift.detected_since, cell: (row) => (row.drift.detected_since == null ? '–' : sayTime(row.drift.detected_since)) },
];

function Features({ version, window }: { version: LiveVersion; window: LiveWindow }) {
  return (
    <>
      <p class="live-key" aria-hidden="true">
        <i class="live" /> live <i class="reference" /> reference
      </p>
      <DataTable title="Features" className="live-features" columns={COLUMNS} rows={rowsOf(version, window)} rowKey={(row) => row.column.name} />
    </>
  );
}

const shift = (value: number | null): string => (value === null ? 'none' : `${formatNumber(value, 2)} sd`);

const SHIFTS: readonly Column<LiveShift>[] = [
  { key: 'column', title: 'Feature', value: (row) => row.column, cell: (row) => <b>{row.column}</b> },
  { key: 'quarter', title: 'Within 15 minutes', num: true, value: (row) => row.within_15m, cell: (row) => shift(row.within_15m) },
  { key: 'hour', title: 'Within an hour', num: true, value: (row) => row.within_1h, cell: (row) => shift(row.within_1h) },
  { key: 'day', title: 'Within a day', num: true, value: (row) => row.within_1d, cell: (row) => shift(row.within_1d) },
];

const TONES = { holds: 'good', not_yet_known: 'plain', exceeded: 'bad', outdated: 'warn' } as const;

/** What the rule would have said of the stored traffic, beside the budget. */
function Certificate({ certificate, budget }: { certificate: LiveCertificate | null; budget: number }) {
  if (certificate == null) {
    return (
      <section class="block">
        <h2>Certificate</h2>
        <p class="live-note">
          There is none of this version yet: <code>streamflow live certify</code> replays the stored traffic through the rule, and what it says stands here beside the budget of {formatNumber(budget, 3)} false alarms in 30 days.
        </p>
      </section>
    );
  }
  const { at, quarters, from, until, alarms, false_alarms_per_month, shifts, verdict } = certificate;
  const when = (time: string | null): string => (time === null ? 'an unknown time' : sayTime(time));
  return (
    <section class="block">
      <h2>
        Certificate <small>of {when(at)}</small> {verdict && <Chip tone={TONES[verdict.verdict]}>{verdict.words}</Chip>}
      </h2>
      {verdict?.why != null && (
        <p class="live-note before">
          <Prose text={verdict.why} />
        </p>
      )}
      <p class="live-note before">
        On the traffic from {when(from)} to {when(until)} ({counted(quarters, 'quarter')} of an hour) the rule raises <b>{alarms === 0 ? 'no alarm' : counted(alarms, 'alarm')}</b>
        {alarms > 0 && ', false where nothing had changed'}. The budget
        was {counted(false_alarms_per_month, 'alarm')} in 30 days. The table has the smallest shift of each number that is seen in 95 of 100 cases, in standard deviations.
      </p>
      <DataTable title="Smallest shift that is seen" prefix="shift." className="live-shifts" columns={SHIFTS} rows={[...shifts]} rowKey={(row) => row.column} />
    </section>
  );
}

function Errors({ window }: { window: LiveWindow }) {
  if (window.errors.length === 0) return null;
  return (
    <dl class="facts">
      {window.errors.map((error) => (
        <div key={error.kind}>
          <dt>{error.kind === 'unknown' ? 'Requests for unknown entities (404)' : 'Invalid requests (422)'}</dt>
          <dd>
            {formatValue(error.share, 'percentunit')} of the requests, {formatValue(error.before, 'percentunit')} at this time of the last seven days {error.detected_since != null && <Chip tone="bad">Changed</Chip>}
          </dd>
        </div>
      ))}
    </dl>
  );
}
