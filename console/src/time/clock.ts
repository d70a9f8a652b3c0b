/** Times as text, in the viewer's time zone or in UTC. */

export type Zone = 'local' | 'utc';

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: Zone, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = zone + JSON.stringify(options);
  let found = formats.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat('sv-SE', { ...options, ...(zone === 'utc' ? { timeZone: 'UTC' } : {}), hourCycle: 'h23' });
    formats.set(key, found);
  }
  return found;
}

const DATE: Intl.DateTimeFormatOptions = { year: 'numeric', month: '2-digit', day: '2-digit' };
const TIME: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', second: '2-digit' };

/** `2026-01-31 14:05:09`, with milliseconds when the moment has some and they are asked for. */
export function formatTime(ms: number, zone: Zone, milliseconds = false): string {
  if (!Number.isFinite(ms) || Math.abs(ms) > 8.64e15) return '–';
  const text = format(zone, { ...DATE, ...TIME }).format(ms).replace(',', '');
  const rest = ((Math.round(ms) % 1000) + 1000) % 1000;
  return milliseconds && rest ? `${text}.${String(rest).padStart(3, '0')}` : text;
}

/** `14:05:09`. */
export function formatClock(ms: number, zone: Zone): string {
  return Number.isFinite(ms) ? format(zone, TIME).format(ms) : '–';
}

/** `3 min ago`, `in 2 h`; below five seconds `now`, beyond sixty days the date. */
export function formatAgo(ms: number, nowMs: number): string {
  if (!Number.isFinite(ms)) return 'never';
  const seconds = Math.round((nowMs - ms) / 1000);
  const size = Math.abs(seconds);
  if (size < 5) return 'now';
  if (size > 60 * 86400) return formatTime(ms, 'utc').slice(0, 10);
  const [count, unit] =
    size < 90 ? [size, 's'] : size < 5400 ? [Math.round(size / 60), 'min'] : size < 129600 ? [Math.round(size / 3600), 'h'] : [Math.round(size / 86400), 'd'];
  return seconds < 0 ? `in ${count} ${unit}` : `${count} ${unit} ago`;
}

/** Milliseconds of an RFC 3339 text or a number of seconds; NaN for nothing, and for Go's zero time. */
export function toMillis(value: string | number | null | undefined): number {
  if (value === null || value === undefined) return NaN;
  if (typeof value === 'number') return value > 1e11 ? value : value * 1000;
  const ms = Date.parse(value);
  return ms < -6e13 ? NaN : ms;
}

/** RFC 3339 in UTC, as files want it; null for no time. */
export function isoTime(value: string | number | null | undefined): string | null {
  const ms = toMillis(value);
  return Number.isFinite(ms) && Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : null;
}

/** `14:05:09 – 14:20:09` of one day, with dates when the days differ. */
export function describeWindow(start: number, end: number, zone: Zone): string {
  const [from, to] = [formatTime(start * 1000, zone), formatTime(end * 1000, zone)];
  return from.slice(0, 10) === to.slice(0, 10) ? `${from} – ${to.slice(11)}` : `${from} – ${to}`;
}
