/** Who changed what lately, and what came of it. */

import { zone } from '../preferences';
import { fetchAudit, type AuditEntry } from '../resources';
import { useResource } from '../resource';
import { RunLink } from '../runs/state';
import { formatTime, toMillis } from '../time/clock';

const MOST = 50;

/** `shown` changes when it is time to look again. */
export function Trail({ shown }: { shown: unknown }) {
  const entries = useResource((signal) => fetchAudit(MOST, signal), [shown]).data ?? [];
  if (entries.length === 0) return null;
  return (
    <section class="block">
      <h2>
        Who changed what <small>the newest {MOST}</small>
      </h2>
      <div class="table-box changes" tabIndex={0} role="region" aria-label="Changes">
        <table class="data">
          <thead>
            <tr>
              <th scope="col">At</th>
              <th scope="col">Who</th>
              <th scope="col">From</th>
              <th scope="col">What</th>
              <th scope="col">Outcome</th>
            </tr>
          </thead>
          <tbody>
            {entries.map((entry) => (
              <tr key={entry.id}>
                <td class="when">{formatTime(toMillis(entry.at), zone.value)}</td>
                <td>{entry.actor}</td>
                <td>{origin(entry)}</td>
                <td>
                  {entry.action} {entry.subject} {entry.detail}
                </td>
                <td>{entry.outcome ?? 'not known: it was broken off'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function origin({ address, proxy, run_id: run }: AuditEntry) {
  if (address !== null) return proxy === null ? address : `${address} through ${proxy}`;
  return run === null ? 'this machine' : <RunLink id={run} />;
}
