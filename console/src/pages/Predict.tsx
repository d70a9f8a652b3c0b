/** One entity's prediction, and its features beside those of everybody the model learned from. */

import { useEffect, useState } from 'preact/hooks';
import { placeInWords } from '../chart/bins';
import { DistributionChart } from '../chart/DistributionChart';
import { isAbort, messageOf } from '../http';
import { place, setParameters } from '../location';
import { readStored, store } from '../preferences';
import { predict, type Prediction } from '../resources';
import { session } from '../session';
import { Chip } from '../shell/Chip';
import { fieldText } from '../shell/fields';
import { PageHead } from '../shell/PageHead';
import { Empty, Failure, Skeleton } from '../shell/states';
import { formatNumber } from '../units';

const MOST_RECENT = 8;

export function Predict() {
  const entity = place.value.parameters.get('entity') ?? '';
  const [answer, setAnswer] = useState<Prediction | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [turn, setTurn] = useState(0);
  const ready = session.value !== null;
  useEffect(() => {
    setAnswer(null);
    setError(null);
    if (entity === '' || !ready) return undefined;
    let wanted = true;
    predict(entity).then(
      (prediction) => {
        if (!wanted) return;
        setAnswer(prediction);
        if (prediction.status === 200) remember(entity);
      },
      (failure: unknown) => wanted && !isAbort(failure) && setError(messageOf(failure)),
    );
    return () => {
      wanted = false;
    };
  }, [entity, turn, ready]);
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const next = fieldText(event.currentTarget, 'entity');
    if (next === entity) setTurn(turn + 1);
    else setParameters({ entity: next });
  };
  return (
    <>
      <PageHead title="Predict" about="What the model says of one entity, and how its features compare with the reference." />
      <form class="tools" onSubmit={submit}>
        <input name="entity" aria-label="Entity" placeholder="Entity id" value={entity} list="recent" required autofocus />
        <datalist id="recent">
          {recent().map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
        <button class="primary">Predict</button>
      </form>
      {error && <Failure message={error} retry={() => setTurn(turn + 1)} />}
      {entity === '' && <NoEntity />}
      {entity !== '' && !answer && !error && <Skeleton />}
      {answer && (answer.status === 200 ? <Answer prediction={answer} /> : <Refused prediction={answer} />)}
    </>
  );
}

function recent(): string[] {
  return readStored<string[]>('entities', []);
}
function remember(entity: string): void {
  store('entities', [entity, ...recent().filter((one) => one !== entity)].slice(0, MOST_RECENT));
}

function NoEntity() {
  return (
    <Empty title="Whom shall the model look at?">
      <p>
        Type an id of the entity column, as in <code>POST /predict</code>, or <code>store=s1 sku=17</code> where the entity has several columns. The prediction is answered by the running service and counts in its metrics.
      </p>
      {recent().length > 0 && (
        <p>
          Before:{' '}
          {recent().map((one) => (
            <button key={one} type="button" class="link recent" onClick={() => setParameters({ entity: one })}>
              {one}
            </button>
          ))}
        </p>
      )}
    </Empty>
  );
}

function Refused({ prediction: { status, response } }: { prediction: Prediction }) {
  const missing = Array.isArray(response['missing_features']) ? response['missing_features'].map(String) : [];
  const message = typeof response['error'] === 'string' ? response['error'] : JSON.stringify(response);
  return (
    <div class="failure" role="alert">
      <p>
        <b>{status}</b> {message}
      </p>
      {missing.length > 0 && <p>Without it the service has no value for {missing.join(', ')}.</p>}
    </div>
  );
}

function Answer({ prediction: { response, distributions } }: { prediction: Prediction }) {
  const features = Object.entries((response['features_used'] ?? {}) as Record<string, unknown>);
  const model = (response['model'] ?? {}) as { name?: string; version?: string | number };
  return (
    <>
      <section class="card prediction" aria-label="Prediction" aria-live="polite">
        <Said response={response} />
        <dl class="facts">
          {response['prediction'] !== undefined && (
            <>
              <dt>Prediction</dt>
              <dd>
                <Chip tone={response['prediction'] === 1 ? 'warn' : 'plain'}>{sayValue(response['prediction'])}</Chip>
              </dd>
            </>
          )}
          <dt>Model</dt>
          <dd>
            {model.name} {model.version}
          </dd>
          <dt>Features as of</dt>
          <dd>{sayValue(response['as_of'])}</dd>
        </dl>
      </section>
      <section class="block">
        <h2>
          Features <small>bars: the reference the model was trained on; marked: this entity</small>
        </h2>
        <ul class="features">
          {features.map(([name, value]) => {
            const distribution = distributions[name];
            return (
              <li key={name} class="card">
                <h3>{name}</h3>
                <p>
                  <b>{sayValue(value)}</b> {distribution && <small>{placeInWords(distribution, value)}</small>}
                </p>
                {distribution ? <DistributionChart distribution={distribution} value={value} /> : <small>no reference is kept for it</small>}
              </li>
            );
          })}
        </ul>
      </section>
    </>
  );
}

/** The number of an answer, or the probability of each class. */
function Said({ response }: { response: Record<string, unknown> }) {
  if (typeof response['value'] === 'number') {
    return (
      <div>
        <p class="stat-value">{formatNumber(response['value'], 6)}</p>
        <p>predicted value</p>
      </div>
    );
  }
  const classes = response['probabilities'] as Record<string, number> | undefined;
  if (classes) {
    return (
      <dl class="facts">
        {Object.entries(classes).map(([name, probability]) => (
          <>
            <dt>{name}</dt>
            <dd>
              {formatNumber(probability, 4)} <Meter share={probability} />
            </dd>
          </>
        ))}
      </dl>
    );
  }
  const probability = Number(response['probability']);
  return (
    <>
      <div>
        <p class="stat-value">{formatNumber(probability, 4)}</p>
        <p>probability of the positive class</p>
      </div>
      <Meter share={probability} />
    </>
  );
}

function Meter({ share }: { share: number }) {
  return (
    <div class="meter" aria-hidden="true">
      <i style={{ width: `${Math.min(1, Math.max(0, share)) * 100}%` }} />
    </div>
  );
}

function sayValue(value: unknown): string {
  if (value === null || value === undefined) return 'missing';
  if (typeof value === 'number') return formatNumber(value, 6);
  return typeof value === 'string' || typeof value === 'boolean' ? String(value) : JSON.stringify(value);
}
