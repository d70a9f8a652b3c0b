/** Keys that work anywhere but in a field. */

import { signal } from '@preact/signals';
import { linkTo, navigate } from '../location';
import { theme } from '../preferences';
import { refreshNow, shiftView, zoomOut } from '../time/view';
import { PAGES } from './pages';

export const helpShown = signal(false);
/** Read out by screen readers. */
export const announcement = signal('');

export interface Shortcut {
  keys: string;
  does: string;
  act: () => void;
}

export const SHORTCUTS: readonly Shortcut[] = [
  { keys: '?', does: 'Show this help', act: () => (helpShown.value = true) },
  { keys: 'r', does: 'Refresh now', act: () => refreshAloud() },
  { keys: '[', does: 'Half a range earlier', act: () => shiftView(-0.5) },
  { keys: ']', does: 'Half a range later', act: () => shiftView(0.5) },
  { keys: 'z', does: 'Zoom out', act: zoomOut },
  { keys: 'd', does: 'Light or dark', act: toggleTheme },
  ...PAGES.map((page) => ({ keys: `g ${page.key}`, does: `Go to ${page.title}`, act: () => goTo(page.path) })),
];

function goTo(path: string): void {
  navigate(linkTo(path));
  document.getElementById('main')?.focus({ preventScroll: true });
}

function refreshAloud(): void {
  refreshNow();
  announcement.value = `Refreshed at ${new Date().toLocaleTimeString()}`;
}

export function isDark(): boolean {
  return theme.value === 'dark' || (theme.value === 'system' && window.matchMedia('(prefers-color-scheme: dark)').matches);
}
export function toggleTheme(): void {
  theme.value = isDark() ? 'light' : 'dark';
}

/** How long the second key of `g o` may take. */
const PREFIX_MS = 1500;

export function watchKeys(): void {
  let prefix = { key: '', until: 0 };
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || inField(event) || document.querySelector('dialog[open]')) return;
    const chord = Date.now() < prefix.until ? `${prefix.key} ${event.key}` : event.key;
    prefix = { key: '', until: 0 };
    const found = SHORTCUTS.find((shortcut) => shortcut.keys === chord);
    if (found) {
      event.preventDefault();
      found.act();
    } else if (event.key === 'g') {
      prefix = { key: 'g', until: Date.now() + PREFIX_MS };
    }
  });
}

/** Also within the shadow tree of the query editor. */
function inField(event: KeyboardEvent): boolean {
  return event.composedPath().some((node) => node instanceof HTMLElement && (node.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName)));
}
