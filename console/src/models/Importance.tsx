/** What the features of a version contribute to its answers. */

import { fetchImportance, type ModelVersion } from '../resources';
import { useResource } from '../resource';
import { Loaded } from '../shell/states';
import { formatNumber } from '../units';

/** What contributions are in, as the end of a sentence. */
const SCALES: Record<string, string> = {
  log_odds: 'log-odds',
  log: 'the logarithm of the value',
  value: 'units of the label',
  margin: 'the model’s own margin',
};

export function Importance({ version }: { version: ModelVersion }) {
  const importance = useResource((signal) => fetchImportance(version.version, signal), [version.version]);
  return (
    <section class="card" aria-label={`What features of version ${version.version} contribute`}>
      <h2>What features contribute to version {version.version}</h2>
      <Loaded resource={importance}>
        {({ scale, unexplained, features }) => {
          const most = Math.max(...features.map((one) => one.mean_abs_contribution ?? 0), 0);
          return unexplained != null ? (
            <p>What features add to an answer is not known: {unexplained}.</p>
          ) : (
            <>
              <p>Mean size of what each feature adds to an answer (TreeSHAP), in {SCALES[scale] ?? scale}.</p>
              <ul class="bars" tabIndex={0} aria-label="Features, the one that contributes most first">
                {features.map((one) => (
                  <li key={one.feature}>
                    <span class="bar-label">{one.feature}</span>
                    <b>{formatNumber(one.mean_abs_contribution ?? 0, 3)}</b>
                    <span class="bar" style={{ width: `${most > 0 ? (100 * (one.mean_abs_contribution ?? 0)) / most : 0}%` }} />
                  </li>
                ))}
              </ul>
            </>
          );
        }}
      </Loaded>
    </section>
  );
}
