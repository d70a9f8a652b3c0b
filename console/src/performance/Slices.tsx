/** Where a version is most wrong: the slices of a month whose loss is higher than that of all other rows. */

import { formatNumber, formatValue } from '../units';
import { sayInterval } from './MetricChart';
import { saySegment, type Segments } from './evaluation';

export function Slices({ segments: { mean_loss: mean, tested, worst }, loss }: { segments: Segments; loss: string }) {
  if (tested === 0) return null;
  return (
    <section class="slices">
      <h3>Where it is most wrong</h3>
      <p class="after">
        {loss} of {formatNumber(tested, 9)} slices of the month against all its other rows{mean !== null && <>, whose mean is {formatNumber(mean, 3)}</>}. {worst.length === 0 && 'None is worse by more than chance.'}
      </p>
      {worst.length > 0 && (
        <div class="table-box" tabIndex={0} role="region" aria-label="Worst slices">
          <table class="data">
            <thead>
              <tr>
                <th scope="col">Slice</th>
                <th scope="col" class="num">
                  Rows
                </th>
                <th scope="col" class="num">
                  {loss}
                </th>
                <th scope="col" class="num">
                  Above the others
                </th>
                <th scope="col" class="num">
                  95 % interval
                </th>
              </tr>
            </thead>
            <tbody>
              {worst.map((segment) => (
                <tr key={saySegment(segment)}>
                  <th scope="row">{saySegment(segment)}</th>
                  <td class="num">
                    {formatNumber(segment.rows, 9)} <small>{formatValue(segment.share, 'percentunit')}</small>
                  </td>
                  <td class="num">{formatNumber(segment.mean_loss, 3)}</td>
                  <td class="num">
                    <b>+{formatNumber(segment.excess, 3)}</b>
                  </td>
                  <td class="num">{sayInterval(segment.interval)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
