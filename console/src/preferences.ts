/** What a viewer chose for this browser: theme and time zone. Not part of addresses. */

import { effect, signal } from '@preact/signals';
import type { Zone } from './time/clock';

export type Theme = 'system' | 'light' | 'dark';

export function readStored<T>(key: string, fallback: T): T {
  try {
    const text = localStorage.getItem(`streamflow.${key}`);
    return text === null ? fallback : (JSON.parse(text) as T);
  } catch {
    return fallback;
  }
}

/** Storage can be full or forbidden; the console works without. */
export function store(key: string, value: unknown): void {
  try {
    localStorage.setItem(`streamflow.${key}`, JSON.stringify(value));
  } catch {
    return;
  }
}

export const theme = signal<Theme>('system');
export const zone = signal<Zone>('local');
/** Counts changes of the colours in force, for charts painted on a canvas. */
export const paint = signal(0);

export function watchPreferences(): void {
  theme.value = readStored<Theme>('theme', 'system');
  zone.value = readStored<Zone>('zone', 'local');
  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  dark.addEventListener('change', () => (paint.value += 1));
  effect(() => {
    store('theme', theme.value);
    if (theme.value === 'system') document.documentElement.removeAttribute('data-theme');
    else document.documentElement.setAttribute('data-theme', theme.value);
    paint.value = paint.peek() + 1;
  });
  effect(() => store('zone', zone.value));
}
