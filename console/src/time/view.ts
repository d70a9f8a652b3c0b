/** The time range and refresh of a page, kept in its address, and the moment the charts show. */

import { computed, effect, signal } from '@preact/signals';
import { pendingRequests } from '../http';
import { place, setParameters } from '../location';
import { parseDuration } from './duration';
import { absolute, DEFAULT_RANGE, isRelative, resolve, scale, shift, type Range, type Window } from './range';

export const REFRESH_CHOICES = ['', '5s', '10s', '30s', '1m', '5m'] as const;
const DEFAULT_REFRESH = '10s';

export const range = computed<Range>(() => {
  const { parameters } = place.value;
  return { from: parameters.get('from') ?? DEFAULT_RANGE.from, to: parameters.get('to') ?? DEFAULT_RANGE.to };
});

/** `10s`; empty when off. The address says `off` for off. */
export const refresh = computed<string>(() => {
  const text = place.value.parameters.get('refresh') ?? DEFAULT_REFRESH;
  return text === 'off' || parseDuration(text) === null ? '' : text;
});

const now = signal(Date.now());
/** Counts refreshes, by hand and by clock. */
export const ticks = signal(0);

/** The window shown; an address that makes no sense shows the default range. */
export const view = computed<Window>(() => {
  const fallback: Window = { start: now.value / 1000 - 900, end: now.value / 1000 };
  return resolve(range.value, now.value) ?? fallback;
});

export function refreshNow(): void {
  now.value = Date.now();
  ticks.value += 1;
}

export function setRange(next: Range): void {
  now.value = Date.now();
  setParameters({ from: next.from, to: next.to === 'now' ? '' : next.to });
}
export function setRefresh(text: string): void {
  setParameters({ refresh: text === '' ? 'off' : text }, true);
}
export const zoomTo = (window: Window): void => setRange(absolute(window));
export const zoomOut = (): void => zoomTo(scale(view.value, 2));
export const shiftView = (share: number): void => zoomTo(shift(view.value, share));

/** Runs the refresh clock; it stands still while the tab is hidden and catches up when it is shown again. */
export function watchRefresh(): void {
  effect(() => {
    const seconds = parseDuration(refresh.value);
    if (seconds === null || !isRelative(range.value)) return undefined;
    let due = Date.now() + seconds * 1000;
    const tick = (): void => {
      if (document.hidden || Date.now() < due || pendingRequests() > 0) return;
      due = Date.now() + seconds * 1000;
      refreshNow();
    };
    const timer = window.setInterval(tick, Math.min(seconds * 1000, 1000));
    document.addEventListener('visibilitychange', tick);
    return () => {
      window.clearInterval(timer);
      document.removeEventListener('visibilitychange', tick);
    };
  });
}
