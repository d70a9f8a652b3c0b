/** The numbers behind a chart. */

import { bucketName } from '../chart/HeatmapChart';
import { zone } from '../preferences';
import { formatTime } from '../time/clock';
import { formatNumber, formatWithin, type Bounds } from '../units';

/** Rows beyond this are left out; the whole is one click away in Explore. */
const MOST_ROWS = 300;

export interface Column {
  name: string;
  values: readonly (number | null)[];
}

export function SeriesTable({ caption, times, columns, unit, bounds }: { caption: string; times: readonly number[]; columns: readonly Column[]; unit: string; bounds?: Bounds | null | undefined }) {
  const rows = times.map((_, i) => i).reverse();
  const filled = rows.filter((i) => columns.some((column) => column.values[i] != null));
  return (
    <div class="table-box" tabIndex={0} role="region" aria-label={`${caption}, table`}>
      <table class="data">
        <caption class="sr">{caption}</caption>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {columns.map((column) => (
              <th scope="col" class="num" key={column.name}>
                {column.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {filled.slice(0, MOST_ROWS).map((i) => (
            <tr key={times[i]}>
              <th scope="row">{formatTime((times[i] ?? 0) * 1000, zone.value)}</th>
              {columns.map((column) => (
                <td class="num" key={column.name}>
                  {formatWithin(column.values[i], unit, bounds, 4)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {filled.length > MOST_ROWS && <p class="after">The newest {MOST_ROWS} of {formatNumber(filled.length, 6)} moments.</p>}
    </div>
  );
}

export function bucketColumns(bounds: readonly number[], counts: readonly (readonly (number | null)[])[], unit: string): Column[] {
  return bounds.map((_, i) => ({ name: bucketName(bounds, i, unit), values: counts[i] ?? [] }));
}
