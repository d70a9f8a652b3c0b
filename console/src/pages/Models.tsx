/** Versions of the model, what they score, where they come from, and which one answers. */

import { useMemo, useState } from 'preact/hooks';
import { linkTo, place } from '../location';
import { Canary, StartCanary } from '../models/Canary';
import { Changes } from '../models/Changes';
import { Compare } from '../models/Compare';
import { Importance } from '../models/Importance';
import { Lineage } from '../models/Lineage';
import { endCanary, fetchModels, promote, rollBack, setShadow, type Models as ModelList, type ModelVersion } from '../resources';
import { useResource } from '../resource';
import { mayChange } from '../session';
import { Chip } from '../shell/Chip';
import { Confirm } from '../shell/Confirm';
import { PageHead } from '../shell/PageHead';
import type { PageProps } from '../shell/pages';
import { announcement } from '../shell/shortcuts';
import { Empty, Loaded } from '../shell/states';
import { DataTable, type Column } from '../table/DataTable';
import { timeColumn } from '../table/timeColumn';
import { formatNumber } from '../units';

export function Models({ rest }: PageProps) {
  const models = useResource(fetchModels, []);
  return (
    <>
      <PageHead title="Models" about="Versions in the registry, what they score on users they never saw, and which one answers." />
      <Loaded resource={models}>
        {(list) =>
          list.versions.length === 0 ? (
            <Empty title="No model yet">
              <p>Train the first version; it becomes production by itself:</p>
              <pre>streamflow train --as-of 2024-01-31</pre>
            </Empty>
          ) : (
            <Versions list={list} reload={models.reload} rest={rest} />
          )
        }
      </Loaded>
    </>
  );
}

/** The metrics a version is judged by; all others are a click away. */
const QUALITY = [
  { name: 'auc', title: 'AUC' },
  { name: 'f1', title: 'F1' },
  { name: 'log_loss', title: 'Log loss' },
  { name: 'brier_score', title: 'Brier score' },
  { name: 'expected_calibration_error', title: 'Calibration error' },
  { name: 'accuracy', title: 'Accuracy' },
  { name: 'macro_f1', title: 'Macro F1' },
  { name: 'rmse', title: 'RMSE' },
  { name: 'mae', title: 'MAE' },
  { name: 'r2', title: 'R²' },
] as const;

/** Metrics of a task that stand among the others: the table is to fit a small screen with its actions. */
const ELSEWHERE: Record<string, readonly string[]> = {
  binary: ['brier_score', 'expected_calibration_error', 'accuracy'],
  multiclass: ['brier_score', 'expected_calibration_error'],
};

function metricOf(version: ModelVersion | undefined, name: string): number | null {
  const value = version?.metrics[name];
  return typeof value === 'number' ? value : null;
}

type Intent = { kind: 'promote' | 'canary'; version: ModelVersion } | { kind: 'rollback' } | null;

function Versions({ list, reload, rest }: { list: ModelList; reload: () => void; rest: string }) {
  const [intent, setIntent] = useState<Intent>(null);
  const production = list.versions.find((version) => version.production);
  const turn = (version: number | null): void => {
    void setShadow(version).then(() => {
      announcement.value = version === null ? 'No version answers unheard.' : `Version ${version} answers and is not heard.`;
      reload();
    });
  };
  const end = (): void => {
    void endCanary().then(() => {
      announcement.value = 'No version answers a share of the entities.';
      reload();
    });
  };
  const { canary } = list;
  const ask = (kind: 'promote' | 'canary', version: ModelVersion): void => setIntent({ kind, version });
  const columns = useMemo(() => columnsOf(list, production, ask, turn), [list]);
  const ofCanary = list.versions.find((version) => version.version === canary?.version);
  const tasks = new Set(list.versions.map((version) => version.task).filter(Boolean));
  const shown = rest === '' ? production : list.versions.find((version) => String(version.version) === rest);
  const finish = (done: boolean): void => {
    if (done) {
      announcement.value = saidOf(intent);
      reload();
    }
    setIntent(null);
  };
  return (
    <>
      <div class="tools">
        <p>
          <b>{list.name}</b>{tasks.size === 1 ? ` (${[...tasks].join()})` : ''} {production ? <>answers with version {production.version}.</> : <>has no version in production: predictions are refused until one is promoted.</>}
        </p>
        {mayChange() && list.versions.length > 1 && production && (
          <button type="button" onClick={() => setIntent({ kind: 'rollback' })}>
            Roll back
          </button>
        )}
      </div>
      <DataTable title={`Versions of ${list.name}`} className="versions" columns={columns} rows={list.versions} rowKey={(version) => version.version} selected={rest === '' ? null : (shown?.version ?? null)} />
      {canary && <Canary canary={canary} grow={() => ofCanary && ask('canary', ofCanary)} end={end} />}
      {shown ? (
        <>
          <Lineage version={shown} />
          <Importance version={shown} />
        </>
      ) : (
        rest !== '' && <Empty title="There is no such version">{rest} is not a version of {list.name}.</Empty>
      )}
      <Compare list={list} />
      <Changes shown={list.production} />
      {intent?.kind === 'canary' ? (
        <StartCanary version={intent.version} share={intent.version === ofCanary ? (canary?.share ?? null) : null} close={finish} />
      ) : (
        intent && <Ask intent={intent} production={production} close={finish} />
      )}
    </>
  );
}

/** What was done, for whoever hears the page. */
function saidOf(intent: Intent): string {
  if (intent?.kind === 'promote') return `Version ${intent.version.version} is in production.`;
  return intent?.kind === 'canary' ? `Version ${intent.version.version} answers a share of the entities.` : 'Rolled back.';
}

type Asking = (kind: 'promote' | 'canary', version: ModelVersion) => void;

/** What a candidate does beside production. */
function stateOf(version: number, { shadow, canary }: ModelList): string {
  if (version === canary?.version) return 'Canary';
  return version === shadow ? 'Shadow' : 'Candidate';
}

function columnsOf(list: ModelList, production: ModelVersion | undefined, ask: Asking, turn: (version: number | null) => void): Column<ModelVersion>[] {
  const { versions, shadow } = list;
  const present = new Set(versions.flatMap((version) => Object.keys(version.metrics)));
  const task = versions[0]?.task ?? 'binary';
  const metrics = QUALITY.filter(({ name }) => present.has(name) && !ELSEWHERE[task]?.includes(name));
  const tasks = new Set(versions.map((version) => version.task));
  const ofTask: Column<ModelVersion>[] = tasks.size > 1 ? [{ key: 'task', title: 'Task', className: 'when', value: (version) => version.task }] : [];
  return [
    {
      key: 'version',
      title: 'Version',
      className: 'when',
      value: (version) => version.version,
      cell: (version) => (
        <>
          <a href={linkTo(`models/${version.version}`, place.value.parameters)} aria-label={`Lineage of version ${version.version}`}>
            <b>{version.version}</b>
          </a>
          <Others version={version} />
        </>
      ),
    },
    {
      key: 'state',
      title: 'State',
      className: 'when',
      value: (version) => (version.production ? 'Production' : 'Candidate'),
      cell: (version) => (version.production ? <Chip tone="good">Production</Chip> : <Chip tone="plain">{stateOf(version.version, list)}</Chip>),
    },
    ...ofTask,
    { key: 'how', title: 'How', value: (version) => version.how },
    ...metrics.map(({ name, title }) => ({
      key: name,
      title,
      num: true,
      value: (version: ModelVersion) => metricOf(version, name),
      cell: (version: ModelVersion) => <Metric value={metricOf(version, name)} best={metricOf(production, name)} own={version.production} />,
    })),
    { key: 'trained_on', title: 'Trained on', className: 'when', value: (version) => version.trained_on ?? version.origin?.file },
    timeColumn('created', 'Created', (version) => version.created),
    ...(mayChange() ? [actionsOf(ask, shadow ?? null, turn)] : []),
  ];
}

function actionsOf(ask: Asking, shadow: number | null, turn: (version: number | null) => void): Column<ModelVersion> {
  return {
    key: '',
    title: 'Actions',
    num: true,
    value: () => null,
    className: 'acts',
    cell: (version) =>
      version.production ? null : (
        <span>
          <button type="button" aria-label={version.version === shadow ? `End shadow of version ${version.version}` : `Shadow version ${version.version}`} onClick={() => turn(version.version === shadow ? null : version.version)}>
            {version.version === shadow ? 'End shadow' : 'Shadow'}
          </button>
          <button type="button" aria-label={`Canary of version ${version.version}`} onClick={() => ask('canary', version)}>
            Canary
          </button>
          <button type="button" aria-label={`Promote version ${version.version}`} onClick={() => ask('promote', version)}>
            Promote
          </button>
        </span>
      ),
  };
}

function Others({ version }: { version: ModelVersion }) {
  const others = Object.entries(version.metrics).filter(([name, value]) => typeof value === 'number' && (ELSEWHERE[version.task]?.includes(name) || !QUALITY.some((one) => one.name === name)));
  if (others.length === 0) return null;
  return (
    <details class="others">
      <summary>more</summary>
      <dl class="facts">
        {others.map(([name, value]) => (
          <>
            <dt>{name.replace(/_/g, ' ')}</dt>
            <dd>{formatNumber(Number(value), 5)}</dd>
          </>
        ))}
      </dl>
    </details>
  );
}

/** The value, and for candidates its distance to production. */
function Metric({ value, best, own }: { value: number | null; best: number | null; own: boolean }) {
  if (value === null) return <>–</>;
  const difference = own || best === null ? null : value - best;
  return (
    <span class="stacked">
      {formatNumber(value, 4)}
      {difference !== null && Math.abs(difference) >= 5e-5 && <small> {`${difference > 0 ? '+' : '−'}${Math.abs(difference).toFixed(4)}`}</small>}
    </span>
  );
}

function Ask({ intent, production, close }: { intent: Exclude<Intent, null | { kind: 'canary' }>; production: ModelVersion | undefined; close: (done: boolean) => void }) {
  if (intent.kind === 'rollback') {
    return (
      <Confirm title="Roll back?" verb="Roll back" act={rollBack} close={close}>
        <p>The version that was in production before {production?.version} answers again. Requests on their way are not dropped.</p>
      </Confirm>
    );
  }
  const { version } = intent.version;
  return (
    <Confirm title={`Promote version ${version}?`} verb={`Promote version ${version}`} act={() => promote(version)} close={close}>
      <p>
        Version {version} answers all predictions from now on{production ? <> in place of version {production.version}</> : null}. Requests on their way are not dropped; rolling back brings the
        present one again.
      </p>
    </Confirm>
  );
}
