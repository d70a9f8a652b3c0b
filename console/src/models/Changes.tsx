/** Who made which version the one in production, and when. */

import { zone } from '../preferences';
import { fetchPromotions } from '../resources';
import { useResource } from '../resource';
import { RunLink } from '../runs/state';
import { formatTime, toMillis } from '../time/clock';

const MOST = 50;

/** `shown` changes with what is in production. */
export function Changes({ shown }: { shown: unknown }) {
  const entries = useResource((signal) => fetchPromotions(MOST, signal), [shown]).data ?? [];
  if (entries.length === 0) return null;
  return (
    <section class="block">
      <h2>Who promoted what</h2>
      <div class="table-box changes" tabIndex={0} role="region" aria-label="Promotions">
        <table class="data">
          <thead>
            <tr>
              <th scope="col">At</th>
              <th scope="col">What</th>
              <th scope="col">By</th>
              <th scope="col">Run</th>
            </tr>
          </thead>
          <tbody>
            {entries.map(({ id, at, action, subject, actor, run_id: run }) => (
              <tr key={id}>
                <td class="when">{formatTime(toMillis(at), zone.value)}</td>
                <td>
                  {action === 'promote' ? 'Promoted' : 'Rolled back to'} {subject}
                </td>
                <td>{actor}</td>
                <td>{run === null ? '–' : <RunLink id={run} />}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
