import { zone } from '../preferences';
import { formatAgo, formatTime, isoTime, toMillis } from '../time/clock';
import type { Column } from './DataTable';

/** A column of moments: shown as how long ago, on hover as the time, sorted by and saved in ISO 8601. */
export function timeColumn<Row>(key: string, title: string, momentOf: (row: Row) => string | number | null | undefined): Column<Row> {
  return {
    key,
    title,
    className: 'when',
    value: (row) => isoTime(momentOf(row)),
    cell: (row) => formatAgo(toMillis(momentOf(row)), Date.now()),
    hint: (row) => formatTime(toMillis(momentOf(row)), zone.value),
  };
}
