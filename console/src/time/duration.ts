/** Durations as Prometheus writes them: `1h30m`, `15s`, `250ms`; bare numbers are seconds. */

const UNITS: readonly (readonly [unit: string, seconds: number])[] = [
  ['y', 365 * 86400],
  ['w', 7 * 86400],
  ['d', 86400],
  ['h', 3600],
  ['m', 60],
  ['s', 1],
  ['ms', 0.001],
];

/** Seconds of a duration, or null when the text is none or not positive. */
export function parseDuration(text: string): number | null {
  const trimmed = text.trim();
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Number(trimmed) || null;
  if (!/^(\d+(ms|[ywdhms]))+$/.test(trimmed)) return null;
  let seconds = 0;
  for (const [, count, unit] of trimmed.matchAll(/(\d+)(ms|[ywdhms])/g)) {
    seconds += Number(count) * (UNITS.find(([name]) => name === unit)?.[1] ?? 0);
  }
  return seconds > 0 ? seconds : null;
}

/** The shortest text that `parseDuration` reads back: `5400` is `1h30m`. Weeks and years only when whole. */
export function formatDuration(seconds: number): string {
  if (!(seconds > 0) || !Number.isFinite(seconds)) return '0s';
  let left = Math.round(seconds * 1000);
  let text = '';
  for (const [unit, size] of UNITS) {
    const milliseconds = size * 1000;
    const whole = Math.floor(left / milliseconds);
    const rest = left - whole * milliseconds;
    if (whole === 0 || ((unit === 'y' || unit === 'w') && rest !== 0)) continue;
    text += `${whole}${unit}`;
    left = rest;
  }
  return text || '0s';
}
