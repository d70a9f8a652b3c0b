/** One version on one month: the verdict, every metric, and the pictures behind them. */

import { linkTo } from '../location';
import { Chip } from '../shell/Chip';
import { Prose } from '../shell/Prose';
import { sayState, toneOf } from '../shell/verdicts';
import { counted, formatNumber, formatValue } from '../units';
import { sayInterval } from './MetricChart';
import { ClassTables, ErrorCharts } from './ofTask';
import { CalibrationChart, RocChart, ScoreHistogram } from './curves';
import { Slices } from './Slices';
import { decidingOf, estimatedOf, lossName, metricsOf, realisedOf, sayUsual, taskOf, type Confusion, type Evaluation, type StoredEvaluation } from './evaluation';

export function Detail({ stored: { evaluation, run_id: run } }: { stored: StoredEvaluation }) {
  const { version, period, realised, estimated, verdict, validation, left_out: leftOut } = evaluation;
  const task = taskOf(evaluation);
  const usual = sayUsual(evaluation, (value) => formatNumber(value, 3));
  return (
    <section class="block" aria-label={`Version ${version} on ${period}`}>
      <h2 class="with-action">
        Version {version} on {period}
        <span>
          {run !== null && <a href={linkTo(`runs/${run}`)}>Run {run}</a>}
          <a href={linkTo(`data/${period}`)}>Data</a>
          <a href={linkTo(`models/${version}`)}>Model</a>
        </span>
      </h2>
      <p class="verdict">
        <Chip tone={toneOf(verdict.decision)}>{sayState(verdict.decision)}</Chip> <Prose text={verdict.reason} />
      </p>
      {usual && <p class="verdict">{usual}</p>}
      {evaluation.why && <p class="verdict why"><Prose text={evaluation.why.sentence} /></p>}
      {!realised && <p class="note">No label of this month is known yet: all that follows is an estimate. Labels come with the drop that has them; <code>streamflow evaluate --as-of {period}</code> then measures.</p>}
      <p class="after">
        {evaluation.may_know ? 'It was imported, and nobody has said that it was not trained on these rows: what is measured may be too good' : `It learned from ${evaluation.trained_on}`}
        {validation && <>, where its {decidingOf(task).title} on users it never saw was {formatNumber(validation.value, 3)} ({sayInterval(validation.interval)})</>}.
        {leftOut > 0 && <> {counted(leftOut, 'row')} of this month that it was trained on {leftOut === 1 ? 'is' : 'are'} left out.</>}
        {estimated ? <> <Prose text={estimated.calibration} /></> : <> No estimate is made without labels: it needs labelled rows that the version was validated on, which an imported version has not, nor one whose month is gone or has too few labels.</>}
      </p>
      {realised && task === 'binary' && (
        <div class="curves">
          <figure class="card">
            <figcaption>ROC curve</figcaption>
            <RocChart points={realised.curve} />
          </figure>
          <figure class="card">
            <figcaption>Calibration</figcaption>
            <CalibrationChart bins={realised.calibration} />
          </figure>
          <figure class="card">
            <figcaption>Scores by class</figcaption>
            <ScoreHistogram bins={realised.histogram} />
          </figure>
          {realised.measured.confusion && <ConfusionTable counts={realised.measured.confusion} />}
        </div>
      )}
      {realised?.details?.multiclass && <ClassTables table={realised.details.multiclass} />}
      {realised?.details?.regression && <ErrorCharts drawings={realised.details.regression} />}
      <MetricTable evaluation={evaluation} />
      {evaluation.segments && <Slices segments={evaluation.segments} loss={lossName(task)} />}
    </section>
  );
}

function ConfusionTable({ counts }: { counts: Confusion }) {
  const total = counts.true_positive + counts.false_negative + counts.false_positive + counts.true_negative || 1;
  const cell = (count: number, right: boolean) => (
    <td class={right ? 'right' : 'wrong'} style={{ '--share': String(count / total) }}>
      <b>{formatNumber(count, 9)}</b> <small>{formatValue(count / total, 'percentunit')}</small>
    </td>
  );
  return (
    <figure class="card">
      <figcaption>Confusion at the version’s threshold</figcaption>
      <table class="confusion">
        <thead>
          <tr>
            <td />
            <th scope="col">predicted 1</th>
            <th scope="col">predicted 0</th>
          </tr>
        </thead>
        <tbody>
          <tr>
            <th scope="row">is 1</th>
            {cell(counts.true_positive, true)}
            {cell(counts.false_negative, false)}
          </tr>
          <tr>
            <th scope="row">is 0</th>
            {cell(counts.false_positive, false)}
            {cell(counts.true_negative, true)}
          </tr>
        </tbody>
      </table>
    </figure>
  );
}

function MetricTable({ evaluation }: { evaluation: Evaluation }) {
  const task = taskOf(evaluation);
  const shown = metricsOf(task).filter(({ name }) => (name === 'business_value' ? realisedOf(evaluation, name)?.value != null : (realisedOf(evaluation, name) ?? estimatedOf(evaluation, name))));
  return (
    <div class="table-box metrics" tabIndex={0} role="region" aria-label="All metrics">
      <table class="data">
        <thead>
          <tr>
            <th scope="col">Metric</th>
            <th scope="col" class="num">
              Measured
            </th>
            <th scope="col" class="num">
              95 % interval
            </th>
            <th scope="col" class="num">
              Estimate
            </th>
            <th scope="col" class="num">
              Its band
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map(({ name, title, about }) => {
            const [measured, estimated] = [realisedOf(evaluation, name), estimatedOf(evaluation, name)];
            return (
              <tr key={name}>
                <th scope="row">
                  {title} <small>{about}</small>
                </th>
                <td class="num">{measured?.value == null ? '–' : <b>{formatNumber(measured.value, 4)}</b>}</td>
                <td class="num">{measured?.interval ? sayInterval(measured.interval) : '–'}</td>
                <td class="num estimate-cell" title={estimated?.reason ?? undefined}>
                  {estimated?.value == null ? '–' : `≈ ${formatNumber(estimated.value, 4)}`}
                </td>
                <td class="num estimate-cell">{estimated?.band ? sayInterval(estimated.band) : '–'}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
