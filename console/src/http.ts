/** Requests to the server that served this page, relative to its `<base href>`. */

import { signal } from '@preact/signals';

export class HttpError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** When the server stopped answering, in milliseconds since 1970; null while it answers. */
export const goneSince = signal<number | null>(null);
/** Counts how often it answered again after that. */
export const returns = signal(0);

function answered(yes: boolean): void {
  if (!yes) goneSince.value ??= Date.now();
  else if (goneSince.value !== null) {
    goneSince.value = null;
    returns.value += 1;
  }
}

/** Nobody answered: not an error of what was asked for, so what is shown of it stays. */
export function isGone(error: unknown): boolean {
  return error instanceof HttpError && error.status === 0;
}

const NO_ANSWER = 'The server does not answer. Is StreamFlow still running?';

/** Told when the server asks for a login (401), so that the shell shows the form. */
let onUnauthorized: () => void = () => undefined;
export function whenUnauthorized(handler: () => void): void {
  onUnauthorized = handler;
}

export function address(path: string): string {
  return new URL(path.replace(/^\//, ''), document.baseURI).href;
}

let pending = 0;
/** Requests on their way; the refresh clock waits for them instead of piling up more. */
export function pendingRequests(): number {
  return pending;
}

/** The JSON body of a good answer; otherwise an HttpError with the server's own words. */
export async function requestJson(path: string, init: RequestInit = {}): Promise<unknown> {
  let response: Response;
  let text: string;
  pending += 1;
  try {
    response = await fetch(address(path), { credentials: 'same-origin', ...init });
    text = await response.text();
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    answered(false);
    throw new HttpError(0, NO_ANSWER);
  } finally {
    pending -= 1;
  }
  let body: unknown = null;
  try {
    body = text === '' ? null : JSON.parse(text);
  } catch {
    if (response.ok) throw new HttpError(response.status, `${path.split('?')[0] ?? path} did not answer with JSON`);
  }
  // A proxy that finds nobody behind it speaks for the server.
  const gone = [502, 503, 504].includes(response.status) && errorText(body) === null;
  answered(!gone);
  if (gone) throw new HttpError(0, NO_ANSWER);
  if (!response.ok) {
    if (response.status === 401) onUnauthorized();
    throw new HttpError(response.status, errorText(body) ?? `${response.status} ${response.statusText || text.slice(0, 200)}`.trim());
  }
  return body;
}

function errorText(body: unknown): string | null {
  if (typeof body !== 'object' || body === null || !('error' in body)) return null;
  return typeof body.error === 'string' ? body.error : JSON.stringify(body.error);
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
