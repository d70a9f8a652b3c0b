/** Where a version comes from and what was said of it: month, run, version, reports. */

import type { ComponentChildren } from 'preact';
import { linkTo } from '../location';
import { decidingOf, newestOf, realisedOf, taskOf } from '../performance/evaluation';
import { fetchEvaluations, fetchReports, type ModelVersion } from '../resources';
import { useResource } from '../resource';
import { Chip } from '../shell/Chip';
import { sayState, toneOf } from '../shell/verdicts';
import { formatNumber } from '../units';

export function Lineage({ version }: { version: ModelVersion }) {
  const evaluations = useResource(fetchEvaluations, []);
  const reports = useResource(fetchReports, []);
  const own = newestOf(evaluations.data ?? []).filter((one) => String(one.version) === String(version.version)).reverse();
  const against = (reports.data ?? []).filter((report) => report.reference === version.trained_on);
  return (
    <section class="card lineage" aria-label={`Lineage of version ${version.version}`}>
      <h2>Lineage of version {version.version}</h2>
      <ol>
        {version.origin && <Stop title="File">{version.origin.file} <small>{version.origin.format}</small></Stop>}
        <Stop title="Data">{version.trained_on ? <a href={linkTo(`data/${version.trained_on}`)}>{version.trained_on}</a> : 'unknown'}</Stop>
        <Stop title="Run">{version.run_id == null ? <small>{version.origin ? 'imported' : 'trained without a recorded run'}</small> : <a href={linkTo(`runs/${version.run_id}`)}>run {version.run_id}</a>}</Stop>
        <Stop title="Version">
          <b>{version.version}</b> {version.production && <Chip tone="good">Production</Chip>}
        </Stop>
        <Stop title="Evaluations">
          {own.length === 0 && <small>none yet</small>}
          {own.slice(0, MOST).map(({ period, version: number, evaluation }) => {
            const { name, title } = decidingOf(taskOf(evaluation));
            const value = realisedOf(evaluation, name)?.value;
            return (
              <span key={period}>
                <a href={linkTo(`performance/${period}/${number}`)}>{period}</a> <small>{value == null ? 'estimated' : `${title} ${formatNumber(value, 3)}`}</small>
              </span>
            );
          })}
        </Stop>
        <Stop title="Drift against its data">
          {against.length === 0 && <small>none yet</small>}
          {against.slice(0, MOST).map((report) => (
            <span key={report.name}>
              <a href={linkTo(`drift/${report.name}`)}>{report.current}</a> <Chip tone={toneOf(report.decision)}>{sayState(report.decision)}</Chip>
            </span>
          ))}
        </Stop>
      </ol>
    </section>
  );
}

/** The newest of a list are shown; the pages they lead to have all. */
const MOST = 6;

function Stop({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <li>
      <h3>{title}</h3>
      <div>{children}</div>
    </li>
  );
}
