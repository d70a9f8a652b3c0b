/** The address bar as state: a path below the base address and its parameters. */

import { signal } from '@preact/signals';

export interface Place {
  /** Without the prefix and without slashes around: `graph`, `runs/7`, or empty for the Overview. */
  path: string;
  parameters: URLSearchParams;
}

/** The place that an address names, given the base address of the page. */
export function placeOf(href: string, base: string): Place {
  const url = new URL(href);
  const prefix = new URL(base).pathname.replace(/[^/]*$/, '');
  const below = url.pathname.startsWith(prefix) ? url.pathname.slice(prefix.length) : url.pathname;
  return { path: decodeURI(below).replace(/^\/+|\/+$/g, ''), parameters: url.searchParams };
}

/** `graph?g0.expr=up`, relative to the base address. */
export function hrefOf(path: string, parameters?: URLSearchParams | Record<string, string>): string {
  const query = new URLSearchParams(parameters).toString();
  return (path === '' ? './' : encodeURI(path)) + (query ? `?${query}` : '');
}

/** What stays when the page changes: the stretch of time, and how often it is asked anew. */
const KEPT = ['from', 'to', 'refresh'] as const;

/** The address of a page of the console, which goes on showing the time that is shown now. */
export function linkTo(path: string, parameters: URLSearchParams | Record<string, string> = {}): string {
  const all = new URLSearchParams(parameters);
  for (const name of KEPT) {
    const value = place.value.parameters.get(name);
    if (value !== null && !all.has(name)) all.set(name, value);
  }
  return hrefOf(path, all);
}

const current = (): Place => placeOf(window.location.href, document.baseURI);

export const place = signal<Place>({ path: '', parameters: new URLSearchParams() });

export function watchAddress(): void {
  place.value = current();
  window.addEventListener('popstate', () => (place.value = current()));
  document.addEventListener('click', followLink);
}

export function navigate(href: string, replace = false): void {
  const url = new URL(href, document.baseURI).href;
  if (url === window.location.href) return;
  if (replace) window.history.replaceState(null, '', url);
  else window.history.pushState(null, '', url);
  place.value = current();
}

/** The same page with some parameters changed; an empty value takes the parameter away. */
export function setParameters(changes: Record<string, string>, replace = false): void {
  const parameters = new URLSearchParams(place.value.parameters);
  for (const [name, value] of Object.entries(changes)) {
    if (value === '') parameters.delete(name);
    else parameters.set(name, value);
  }
  navigate(hrefOf(place.value.path, parameters), replace);
}

/** Links inside the console change the page without loading it again. */
function followLink(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  if (!link || link.target || link.hasAttribute('download') || link.origin !== window.location.origin) return;
  if (link.getAttribute('href')?.startsWith('#')) return;
  const { path } = placeOf(link.href, document.baseURI);
  if (/^(api|reports|metrics|-|federate)(\/|$)/.test(path)) return;
  event.preventDefault();
  navigate(link.href);
  window.scrollTo(0, 0);
  document.getElementById('main')?.focus({ preventScroll: true });
}
