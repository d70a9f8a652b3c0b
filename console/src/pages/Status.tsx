/** The server itself: build, effective configuration, storage, the sample store, and what is wrong with it. */

import { fetchStatus, type Status as StatusData } from '../resources';
import { useResource } from '../resource';
import { PageHead } from '../shell/PageHead';
import { Loaded } from '../shell/states';
import { Trail } from '../shell/Trail';
import { TimeControls } from '../shell/TimeControls';
import { formatTime } from '../time/clock';
import { zone } from '../preferences';
import { ticks } from '../time/view';
import { formatNumber, formatValue } from '../units';

export function Status() {
  const status = useResource(fetchStatus, [ticks.value]);
  return (
    <>
      <PageHead title="Status">
        <TimeControls only="refresh" />
      </PageHead>
      <Loaded resource={status}>{(data) => <Body status={data} />}</Loaded>
      <Trail shown={ticks.value} />
    </>
  );
}

function Body({ status }: { status: StatusData }) {
  const storage = status.storage;
  const total = storage.reduce((sum, one) => sum + one.bytes, 0);
  const most = Math.max(1, ...storage.map((one) => one.bytes));
  return (
    <>
      {status.damage.map((one, i) => (
        <p key={i} class="failure" role="alert">
          {typeof one === 'string' ? one : say(one)}
        </p>
      ))}
      {status.warnings.map((warning) => (
        <p key={warning} class="note">
          {warning}
        </p>
      ))}
      <div class="columns">
        <section class="card">
          <h2>Build</h2>
          <Facts facts={{ version: status.version, uptime: formatValue(status.uptime_seconds, 'seconds'), ...status.build }} />
        </section>
        <section class="card">
          <h2>
            Storage <small>{formatValue(total, 'bytes')}</small>
          </h2>
          <ul class="bars">
            {storage.map((one) => (
              <li key={one.name}>
                <span class="bar-label" title={one.path}>
                  {one.name} <small>{one.path}</small>
                </span>
                <b>{formatValue(one.bytes, 'bytes')}</b>
                <i class="bar" style={{ width: `${(one.bytes / most) * 100}%` }} />
              </li>
            ))}
          </ul>
        </section>
        <section class="card">
          <h2>Sample store</h2>
          <Facts facts={{ ...status.tsdb }} />
        </section>
      </div>
      <section class="block">
        <h2>
          Effective configuration <small>without secrets</small>
        </h2>
        <div class="code" tabIndex={0} role="region" aria-label="Effective configuration">
          <pre>{status.config_text || JSON.stringify(status.config, null, 2)}</pre>
        </div>
      </section>
    </>
  );
}

/** Names as the server gives them, values by what their names say they are. Lists and objects below as lines. */
function Facts({ facts }: { facts: Record<string, unknown> }) {
  return (
    <dl class="facts">
      {Object.entries(facts)
        .filter(([, value]) => value !== null && value !== undefined && !(Array.isArray(value) && value.length === 0))
        .map(([name, value]) => (
          <>
            <dt>{name.replace(/_(ms|seconds)$/, '').replace(/_/g, ' ')}</dt>
            <dd>{typeof value === 'number' ? sayNumber(name, value) : typeof value === 'string' ? value : say(value)}</dd>
          </>
        ))}
    </dl>
  );
}

function sayNumber(name: string, value: number): string {
  if (/bytes/.test(name)) return formatValue(value, 'bytes');
  if (/seconds$/.test(name)) return formatValue(value, 'seconds');
  if (/(_time|time_ms|timestamp|_ms)$/.test(name) && value > 1e11) return formatTime(value, zone.value);
  return formatNumber(value, 12);
}

function say(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return value.map(say).join('\n');
  return Object.entries(value)
    .map(([name, one]) => `${name} ${say(one)}`)
    .join(', ');
}
