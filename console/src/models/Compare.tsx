/** Any two versions on the same rows of a month, which neither was trained on. */

import { useState } from 'preact/hooks';
import { messageOf } from '../http';
import type { Interval, PromotionReport } from '../performance/evaluation';
import { compareVersions, fetchSnapshots, type Models } from '../resources';
import { useResource } from '../resource';
import { session } from '../session';
import { Chip } from '../shell/Chip';
import { fieldText } from '../shell/fields';
import { sayState, toneOf } from '../shell/verdicts';
import { counted, formatNumber } from '../units';

interface Answer {
  production: string;
  candidate: string;
  month: string;
  report: PromotionReport;
}

export function Compare({ list }: { list: Models }) {
  const months = useResource(fetchSnapshots, []);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const [answer, setAnswer] = useState<Answer | null>(null);
  const dates = (months.data ?? []).map((month) => month.as_of).sort();
  const versions = list.versions.map(({ version }) => String(version));
  if (versions.length < 2 || dates.length === 0 || session.value?.token == null) return null;
  const served = String(list.production ?? versions[1]);
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const read = (name: string): string => fieldText(event.currentTarget, name);
    const [production, candidate, month] = [read('production'), read('candidate'), read('month')];
    setBusy(true);
    setError(null);
    compareVersions({ production: Number(production), candidate: Number(candidate), as_of: month })
      .then((report) => setAnswer({ production, candidate, month, report }))
      .catch((failure: unknown) => {
        setAnswer(null);
        setError(messageOf(failure));
      })
      .finally(() => setBusy(false));
  };
  return (
    <section class="block">
      <h2>
        Compare two versions <small>on the same labelled rows, without those that either was trained on</small>
      </h2>
      <form class="card compare" onSubmit={submit} aria-label="Compare two versions">
        <Choice name="production" title="Version" values={versions} value={served} />
        <Choice name="candidate" title="Candidate" values={versions} value={versions.find((version) => version !== served)} />
        <Choice name="month" title="Month" values={dates} value={dates.at(-1)} />
        <button class="primary" disabled={busy}>
          {busy ? 'Comparing…' : 'Compare versions'}
        </button>
        {error && (
          <p class="failure" role="alert">
            {error}
          </p>
        )}
      </form>
      {answer && <Outcome {...answer} />}
    </section>
  );
}

function Choice({ name, title, values, value }: { name: string; title: string; values: readonly string[]; value: string | undefined }) {
  return (
    <label>
      {title}
      <select name={name}>
        {values.map((one) => (
          <option key={one} value={one} selected={one === value}>
            {one}
          </option>
        ))}
      </select>
    </label>
  );
}

interface Line {
  name: string;
  /** What a positive difference speaks for stands in its name. */
  difference: number | null;
  interval: Interval | null;
  p: number | null;
  values: string;
}

function linesOf({ auc, mcnemar, log_loss: logLoss, brier, loss }: PromotionReport): Line[] {
  const digits = (value: number): string => formatNumber(value, 4);
  const accuracy: Line[] = mcnemar
    ? [
        {
          name: 'Accuracy',
          difference: mcnemar.accuracy_difference,
          interval: mcnemar.interval,
          p: mcnemar.p_value,
          values: `${formatNumber(mcnemar.only_candidate, 9)} right by the candidate alone, ${formatNumber(mcnemar.only_production, 9)} by the other alone`,
        },
      ]
    : [];
  if (loss) {
    const name = loss.metric === 'rmse' ? 'RMSE, saved' : 'Log loss, saved';
    return [{ name, difference: loss.difference, interval: loss.interval, p: loss.paired.p_two_sided, values: `${digits(loss.production)} → ${digits(loss.candidate)}` }, ...accuracy];
  }
  return [
    { name: 'AUC', difference: auc?.difference ?? null, interval: auc?.interval ?? null, p: auc?.p_two_sided ?? null, values: auc ? `${digits(auc.production)} → ${digits(auc.candidate)}` : '' },
    ...accuracy,
    { name: 'Log loss, saved', difference: logLoss?.difference ?? null, interval: logLoss?.interval ?? null, p: logLoss?.p_two_sided ?? null, values: '' },
    { name: 'Brier score, saved', difference: brier?.difference ?? null, interval: brier?.interval ?? null, p: brier?.p_two_sided ?? null, values: '' },
  ];
}

const signed = (value: number): string => `${value > 0 ? '+' : value < 0 ? '−' : ''}${formatNumber(Math.abs(value), 3)}`;

function Outcome({ production, candidate, month, report }: Answer) {
  return (
    <div class="card outcome" role="status">
      <p class="verdict">
        <Chip tone={toneOf(report.promotion)}>{sayState(report.promotion)}</Chip> <b>Version {candidate} against version {production} on {month}.</b> {report.reason}
      </p>
      <div class="table-box" tabIndex={0} role="region" aria-label="Differences">
        <table class="data">
          <thead>
            <tr>
              <th scope="col">Metric</th>
              <th scope="col" class="num">
                Difference
              </th>
              <th scope="col">95 % interval</th>
              <th scope="col" class="num">
                p
              </th>
              <th scope="col">Values</th>
            </tr>
          </thead>
          <tbody>
            {linesOf(report).map(({ name, difference, interval, p, values }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td class="num">{difference === null ? '–' : <b>{signed(difference)}</b>}</td>
                <td class="when">{interval ? `${signed(interval.low)} to ${signed(interval.high)}` : '–'}</td>
                <td class="num">{p === null ? '–' : p < 1e-4 ? '< 0.0001' : formatNumber(p, 2)}</td>
                <td>{values}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="after">
        {counted(report.used, 'row')} {report.used === 1 ? 'was' : 'were'} compared; {formatNumber(report.unlabelled, 9)} {report.unlabelled === 1 ? 'has' : 'have'} no label. A positive difference speaks for the candidate.
        {report.rows_needed !== null && <> About {formatNumber(report.rows_needed, 3)} rows like these would decide it.</>}
      </p>
    </div>
  );
}
