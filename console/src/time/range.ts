/** Time ranges: what the address says (`now-1h`, or milliseconds since 1970), what a query needs (seconds), and the step between points. */

import { formatDuration, parseDuration } from './duration';

export interface Range {
  /** `now`, `now-6h` or milliseconds since 1970. */
  from: string;
  to: string;
}

/** Seconds since 1970, both inclusive. */
export interface Window {
  start: number;
  end: number;
}

export const PRESETS: readonly { label: string; from: string }[] = [
  { label: 'Last 5 minutes', from: 'now-5m' },
  { label: 'Last 15 minutes', from: 'now-15m' },
  { label: 'Last 30 minutes', from: 'now-30m' },
  { label: 'Last hour', from: 'now-1h' },
  { label: 'Last 3 hours', from: 'now-3h' },
  { label: 'Last 6 hours', from: 'now-6h' },
  { label: 'Last 12 hours', from: 'now-12h' },
  { label: 'Last 24 hours', from: 'now-1d' },
  { label: 'Last 2 days', from: 'now-2d' },
  { label: 'Last 7 days', from: 'now-1w' },
  { label: 'Last 30 days', from: 'now-30d' },
];

export const DEFAULT_RANGE: Range = { from: 'now-15m', to: 'now' };

/** Milliseconds since 1970 of one end, or null when it cannot be read. */
export function parseInstant(text: string, nowMs: number): number | null {
  const trimmed = text.trim();
  if (trimmed === 'now') return nowMs;
  const relative = /^now-(.+)$/.exec(trimmed);
  if (relative) {
    const seconds = parseDuration(relative[1] ?? '');
    return seconds === null ? null : nowMs - seconds * 1000;
  }
  if (/^\d{10,}$/.test(trimmed)) return Number(trimmed);
  const parsed = Date.parse(trimmed);
  return /\d{4}-\d{2}-\d{2}/.test(trimmed) && !Number.isNaN(parsed) ? parsed : null;
}

/** The window of a range at this moment; null when an end cannot be read or the end is not after the start. */
export function resolve(range: Range, nowMs: number): Window | null {
  const from = parseInstant(range.from, nowMs);
  const to = parseInstant(range.to, nowMs);
  if (from === null || to === null || to <= from) return null;
  return { start: from / 1000, end: to / 1000 };
}

export function isRelative(range: Range): boolean {
  return range.to === 'now';
}

export function absolute(window: Window): Range {
  return { from: String(Math.round(window.start * 1000)), to: String(Math.round(window.end * 1000)) };
}

/** `Last hour` for a preset, otherwise `Last 45m`, otherwise null: the caller writes absolute times in its time zone. */
export function describeRelative(range: Range): string | null {
  if (range.to !== 'now') return null;
  const preset = PRESETS.find((one) => one.from === range.from);
  if (preset) return preset.label;
  const seconds = parseDuration(range.from.replace(/^now-/, ''));
  return seconds === null ? null : `Last ${formatDuration(seconds)}`;
}

/** A window of the same length moved by this share of it (negative: earlier). */
export function shift(window: Window, share: number): Window {
  const by = (window.end - window.start) * share;
  return { start: window.start + by, end: window.end + by };
}

/** A window around the same middle, `factor` times as long; never below a second. */
export function scale(window: Window, factor: number): Window {
  const middle = (window.start + window.end) / 2;
  const half = Math.max(((window.end - window.start) * factor) / 2, 0.5);
  return { start: middle - half, end: middle + half };
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400];

/** Prometheus answers at most 11,000 points a series. */
const MAX_POINTS = 11_000;

/** A round step in seconds that gives a point about every `pixelsPerPoint` of the width, never finer than `minStep`. */
export function chooseStep(window: Window, widthPx: number, minStep = 1, pixelsPerPoint = 3): number {
  const length = window.end - window.start;
  const wanted = length / Math.min(Math.max(widthPx / pixelsPerPoint, 30), MAX_POINTS - 1);
  const least = Math.max(wanted, minStep);
  const round = STEPS.find((step) => step >= least);
  return round ?? Math.ceil(least / 86400) * 86400;
}

/** Both ends on multiples of the step, so that a refresh asks for the same points again and lines do not flicker. */
export function align(window: Window, step: number): Window {
  return { start: Math.floor(window.start / step) * step, end: Math.floor(window.end / step) * step };
}

/** Grafana's rule: long enough for four scrapes and never shorter than a step plus one scrape. */
export function rateInterval(step: number, scrapeInterval: number): number {
  return Math.max(step + scrapeInterval, 4 * scrapeInterval);
}

/** Puts durations in the place of `$__rate_interval`, `$__interval` and `$__range` (also as `${…}`). */
export function expandVariables(expression: string, step: number, scrapeInterval: number, window: Window): string {
  const durations: Record<string, number> = {
    __rate_interval: rateInterval(step, scrapeInterval),
    __interval: step,
    __range: window.end - window.start,
  };
  return expression.replace(/\$\{?(__rate_interval|__interval|__range)\b\}?/g, (_, name: string) =>
    formatDuration(Math.max(1, Math.round(durations[name] ?? step))),
  );
}
