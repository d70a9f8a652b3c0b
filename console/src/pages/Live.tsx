/** What the traffic itself says: each feature of the requests against what the model was trained on, as of the last minute. */

import { ShapePair } from '../chart/ShapePair';
import { place, setParameters } from '../location';
import { fetchLive, type Live as Document, type LiveVersion, type LiveWindow } from '../resources';
import { useResource } from '../resource';
import { Chip } from '../shell/Chip';
import { PageHead } from '../shell/PageHead';
import { Empty, Loaded } from '../shell/states';
import { TimeControls } from '../shell/TimeControls';
import { DataTable, type Column } from '../table/DataTable';
import { ticks } from '../time/view';
import { formatNumber, formatValue } from '../units';
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
        <p>{all.why ?? 'The first minute of traffic has not ended yet.'}</p>
      </Empty>
    );
  }
  const window = shownWindow(version, place.value.parameters.get('window'));
  return (
    <>
      <Windows version={version} selected={window.window} />
      <section class="block">
        <h2>
          Last {spanOf(window.window)} <small>{againstOf(window.basis)}</small>
        </h2>
        {window.why !== null && <p class="live-note">{window.why}</p>}
        <Features version={version} window={window} />
        <Errors window={window} />
      </section>
      <p class="live-note">
        Version {version.version} is compared with {version.source}. Drifted is what is large and, for the number of looks, significant: |z| of at least {formatNumber(window.threshold, 3)} here, so that
        about {formatNumber(all.false_alarms_per_month, 3)} false alarms are expected in 30 days over {version.statistics} statistics and four windows. An entity counts once in a window, with its last
        values.
      </p>
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
            <Verdict version={version} window={window} />
            <small>
              {formatValue(window.entities)} entities, {formatValue(window.requests)} requests
            </small>
          </button>
        </li>
      ))}
    </ul>
  );
}

function Verdict({ version, window }: { version: LiveVersion; window: LiveWindow }) {
  if (!window.is_enough) return <Chip tone="plain">Too few: {window.entities} of {window.needed}</Chip>;
  const drifted = rowsOf(version, window).filter((row) => row.drift.detected_since != null).length;
  return drifted > 0 ? <Chip tone="bad">{drifted} drifted</Chip> : <Chip tone="good">No drift</Chip>;
}

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
  { key: 'since', title: 'Since', className: 'when', value: (row) => row.drift.detected_since, cell: (row) => (row.drift.detected_since == null ? '–' : new Date(row.drift.detected_since).toLocaleString()) },
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
