/** The version that answers a share of the entities: how it does beside the one in production, and its beginning. */

import type { CanaryStatus, ModelVersion } from '../resources';
import { startCanary } from '../resources';
import { mayChange } from '../session';
import { Chip } from '../shell/Chip';
import { FormDialog } from '../shell/FormDialog';
import { zone } from '../preferences';
import { RunLink } from '../runs/state';
import { formatTime, toMillis } from '../time/clock';
import { formatNumber, formatValue } from '../units';

const percent = (share: number): string => `${formatNumber(share * 100, 4)} %`;

interface CanaryProps {
  canary: CanaryStatus;
  grow: () => void;
  end: () => void;
}

export function Canary({ canary, grow, end }: CanaryProps) {
  const { version, share, since, actor, run_id: run, trouble, arms } = canary;
  return (
    <section class="block" aria-label={`Canary of version ${version}`}>
      <h2>Canary</h2>
      <p>
        Version {version} answers <b>{percent(share)}</b> of the entities since {formatTime(toMillis(since), zone.value)}, by {run == null ? actor : <RunLink id={run} />}.
      </p>
      {trouble != null && (
        <p class="failure" role="alert">
          It is not loaded, and the version in production answers everybody: {trouble}
        </p>
      )}
      <div class="table-box" tabIndex={0} role="region" aria-label="What both versions answered">
        <table class="data">
          <thead>
            <tr>
              <th scope="col">Version</th>
              <th scope="col" class="num">Requests</th>
              <th scope="col" class="num">Error rate</th>
              <th scope="col" class="num">p50</th>
              <th scope="col" class="num">p99</th>
              <th scope="col" class="num">Mean score</th>
              <th scope="col" class="num">Entities scored</th>
            </tr>
          </thead>
          <tbody>
            {arms.map((arm) => (
              <tr key={arm.arm}>
                <td>
                  <b>{arm.version}</b> {arm.arm === 'production' ? <Chip tone="good">Production</Chip> : <Chip tone="plain">Canary</Chip>}
                </td>
                <td class="num">{arm.requests}</td>
                <td class="num">{arm.requests === 0 ? '–' : percent(arm.error_rate)}</td>
                <td class="num">{formatValue(arm.latency_p50_seconds, 's')}</td>
                <td class="num">{formatValue(arm.latency_p99_seconds, 's')}</td>
                <td class="num">{arm.mean_score == null ? '–' : formatNumber(arm.mean_score, 4)}</td>
                <td class="num">{arm.scored_entities}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {mayChange() && (
        <p class="buttons">
          {run == null && (
            <button type="button" onClick={grow}>
              Change share
            </button>
          )}
          <button type="button" onClick={end}>
            End canary
          </button>
        </p>
      )}
    </section>
  );
}

/** Asks for the share that a version is to answer. */
export function StartCanary({ version, share, close }: { version: ModelVersion; share: number | null; close: (done: boolean) => void }) {
  const act = (form: HTMLFormElement): Promise<unknown> => startCanary(version.version, Number(new FormData(form).get('share')) / 100);
  return (
    <FormDialog title={`Canary of version ${version.version}`} verb="Begin" act={act} close={close}>
      <p>Version {version.version} answers this share of the entities in the place of the one in production, the same ones each time. A larger share keeps those who are in it.</p>
      <label class="field">
        Share of the entities in percent
        <input name="share" type="number" min="0.01" max="100" step="any" required value={share === null ? 10 : share * 100} />
      </label>
    </FormDialog>
  );
}
