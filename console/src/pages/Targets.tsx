/** What is scraped, and whether it answers. */

import { useState } from 'preact/hooks';
import { place, setParameters } from '../location';
import { zone } from '../preferences';
import { fetchTargets, type ActiveTarget } from '../prometheus';
import { useResource } from '../resource';
import { Chip } from '../shell/Chip';
import { PageHead } from '../shell/PageHead';
import { Empty, Loaded } from '../shell/states';
import { TimeControls } from '../shell/TimeControls';
import { formatAgo, formatTime, toMillis } from '../time/clock';
import { ticks } from '../time/view';
import { formatValue } from '../units';

export function Targets() {
  const targets = useResource((signal) => fetchTargets('any', signal), [ticks.value]);
  return (
    <>
      <PageHead title="Targets" about="What is scraped for metrics, and whether it answers.">
        <TimeControls only="refresh" />
      </PageHead>
      <Loaded resource={targets}>
        {({ activeTargets, droppedTargets }) => {
          if (activeTargets.length === 0) {
            return (
              <Empty title="Nothing is scraped yet">
                <p>
                  Name a service under <code>scrape_configs</code> of <code>prometheus.yml</code> and reload with <code>POST /-/reload</code>. The prediction API of <code>streamflow up</code> is scraped
                  without configuration.
                </p>
              </Empty>
            );
          }
          return (
            <>
              <Pools targets={activeTargets} />
              {droppedTargets.length > 0 && <p class="after">{droppedTargets.length} discovered targets were dropped by relabeling.</p>}
            </>
          );
        }}
      </Loaded>
    </>
  );
}

function Pools({ targets }: { targets: ActiveTarget[] }) {
  const only = place.value.parameters.get('health') ?? '';
  const [search, setSearch] = useState(place.value.parameters.get('search') ?? '');
  const down = targets.filter((target) => target.health !== 'up').length;
  const matching = targets.filter(
    (target) => (only !== 'down' || target.health !== 'up') && JSON.stringify([target.labels, target.scrapeUrl, target.lastError]).toLowerCase().includes(search.toLowerCase()),
  );
  const pools = [...new Set(targets.map((target) => target.scrapePool))].sort();
  return (
    <>
      <div class="tools">
        <div class="segments" role="group" aria-label="Health">
          <button type="button" aria-pressed={only !== 'down'} onClick={() => setParameters({ health: '' })}>
            All {targets.length}
          </button>
          <button type="button" aria-pressed={only === 'down'} onClick={() => setParameters({ health: 'down' })}>
            Not up {down}
          </button>
        </div>
        <input
          type="search"
          aria-label="Filter targets"
          placeholder="Filter by address, label, error"
          value={search}
          onInput={(event) => {
            setSearch(event.currentTarget.value);
            setParameters({ search: event.currentTarget.value }, true);
          }}
        />
      </div>
      {matching.length === 0 && <p class="nothing">No target matches.</p>}
      {pools.map((pool) => {
        const all = targets.filter((target) => target.scrapePool === pool);
        const shown = matching.filter((target) => target.scrapePool === pool);
        return shown.length ? <Pool key={pool} name={pool} total={all.length} up={all.filter((one) => one.health === 'up').length} targets={shown} /> : null;
      })}
    </>
  );
}

function Pool({ name, total, up, targets }: { name: string; total: number; up: number; targets: ActiveTarget[] }) {
  return (
    <section class="block">
      <h2>
        {name} <small>{`${up} of ${total} up`}</small>
      </h2>
      <div class="table-box" tabIndex={0} role="region" aria-label={`Targets of ${name}`}>
        <table class="data stacking targets">
          <thead>
            <tr>
              <th scope="col">State</th>
              <th scope="col">Address</th>
              <th scope="col">Labels</th>
              <th scope="col">Last scrape</th>
              <th scope="col" class="num">
                Duration
              </th>
              <th scope="col" class="num">
                Every
              </th>
            </tr>
          </thead>
          <tbody>
            {targets.map((target) => (
              <TargetRow key={target.scrapeUrl + JSON.stringify(target.labels)} target={target} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function TargetRow({ target }: { target: ActiveTarget }) {
  const last = toMillis(target.lastScrape);
  const tone = target.health === 'up' ? 'good' : target.health === 'down' ? 'bad' : 'plain';
  return (
    <tr>
      <td data-label="State">
        <Chip tone={tone}>{target.health.toUpperCase()}</Chip>
      </td>
      <td data-label="Address">
        <a href={target.globalUrl ?? target.scrapeUrl} target="_blank" rel="noreferrer">
          {target.scrapeUrl}
        </a>
        {target.lastError && <p class="row-error">{target.lastError}</p>}
      </td>
      <td data-label="Labels">
        <span class="labels">
          {Object.entries(target.labels).map(([name, value]) => (
            <code key={name}>
              {name}="{value}"
            </code>
          ))}
        </span>
      </td>
      <td class="when" data-label="Last scrape" title={formatTime(last, zone.value)}>
        {formatAgo(last, Date.now())}
      </td>
      <td data-label="Duration" class="num">
        {formatValue(target.lastScrapeDuration, 'seconds')}
      </td>
      <td data-label="Every" class="num">
        {target.scrapeInterval ?? '–'}
      </td>
    </tr>
  );
}
