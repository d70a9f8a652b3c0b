/** Is it up, how fast, how many errors, what does the model say, has the data drifted. */

import { useState } from 'preact/hooks';
import { Events, useEvents } from '../chart/events';
import { place, setParameters } from '../location';
import { PanelView } from '../panels/PanelView';
import { readStored, store } from '../preferences';
import { fetchTargets } from '../prometheus';
import { useResource } from '../resource';
import { fetchPanels, type Dashboard } from '../resources';
import { Icon } from '../shell/Icon';
import { PageHead } from '../shell/PageHead';
import { Empty, Loaded } from '../shell/states';
import { TimeControls } from '../shell/TimeControls';
import { parseDuration } from '../time/duration';
import { view } from '../time/view';

const DEFAULT_SCRAPE_INTERVAL = 15;

/** The longest interval of a target: a rate over four of it finds two samples of every series. */
async function fetchScrapeInterval(signal: AbortSignal): Promise<number> {
  const { activeTargets } = await fetchTargets('active', signal);
  const intervals = activeTargets.map((target) => parseDuration(target.scrapeInterval ?? '') ?? 0);
  return Math.max(...intervals) > 0 ? Math.max(...intervals) : DEFAULT_SCRAPE_INTERVAL;
}

export function Overview() {
  const panels = useResource(fetchPanels, []);
  const interval = useResource(fetchScrapeInterval, []);
  const scrapeInterval = interval.data ?? (interval.error ? DEFAULT_SCRAPE_INTERVAL : null);
  const wanted = place.value.parameters.get('dashboard') ?? '';
  const events = useEvents(view.value);
  return (
    <Events.Provider value={events}>
      <PageHead title="Overview">
        <TimeControls />
      </PageHead>
      <Loaded resource={panels}>
        {(dashboards) => {
          if (dashboards.length === 0) return <Empty title="No panels">This build carries no dashboards.</Empty>;
          const shown = dashboards.filter((dashboard) => dashboard.uid === wanted);
          return (
            <>
              {dashboards.length > 1 && <Tabs dashboards={dashboards} wanted={shown.length ? wanted : ''} />}
              {scrapeInterval !== null && (shown.length ? shown : dashboards).map((dashboard) => <Rows key={dashboard.uid} dashboard={dashboard} scrapeInterval={scrapeInterval} />)}
            </>
          );
        }}
      </Loaded>
    </Events.Provider>
  );
}

function Tabs({ dashboards, wanted }: { dashboards: Dashboard[]; wanted: string }) {
  const choices = [{ uid: '', title: 'All' }, ...dashboards];
  return (
    <div class="segments" role="group" aria-label="Dashboard">
      {choices.map(({ uid, title }) => (
        <button key={uid} type="button" aria-pressed={uid === wanted} onClick={() => setParameters({ dashboard: uid })}>
          {title}
        </button>
      ))}
    </div>
  );
}

function Rows({ dashboard, scrapeInterval }: { dashboard: Dashboard; scrapeInterval: number }) {
  return (
    <>
      {dashboard.rows.map((row) => (
        <Row key={row.title} id={`${dashboard.uid}/${row.title}`} row={row} scrapeInterval={scrapeInterval} />
      ))}
    </>
  );
}

function Row({ id, row, scrapeInterval }: { id: string; row: Dashboard['rows'][number]; scrapeInterval: number }) {
  const [closed, setClosed] = useState(() => readStored<string[]>('closedRows', []).includes(id));
  const toggle = (): void => {
    const others = readStored<string[]>('closedRows', []).filter((one) => one !== id);
    store('closedRows', closed ? others : [...others, id]);
    setClosed(!closed);
  };
  return (
    <section class="row">
      <h2>
        <button type="button" class="row-title" aria-expanded={!closed} onClick={toggle}>
          <Icon name={closed ? 'right' : 'down'} />
          <span>{row.title}</span>
        </button>
      </h2>
      {!closed && (
        <div class="grid">
          {row.panels.map((panel, n) => (
            <PanelView key={panel.title} id={`${id}/${n}`.replace(/\W+/g, '-')} panel={panel} scrapeInterval={scrapeInterval} />
          ))}
        </div>
      )}
    </section>
  );
}
