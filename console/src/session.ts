/** Who looks at the console and what they may do. */

import { signal } from '@preact/signals';
import { HttpError, messageOf, whenUnauthorized } from './http';
import { fetchSession, type Session } from './resources';

export const session = signal<Session | null>(null);
export const sessionError = signal<string | null>(null);
/** Set when the server refused a request for want of a login. */
export const mustLogIn = signal(false);

export async function loadSession(): Promise<void> {
  try {
    const loaded = await fetchSession();
    session.value = loaded;
    sessionError.value = null;
    mustLogIn.value = loaded.login_required && loaded.user === null;
  } catch (error) {
    if (error instanceof HttpError && error.status === 401) mustLogIn.value = true;
    else sessionError.value = messageOf(error);
  }
}

whenUnauthorized(() => (mustLogIn.value = true));

/** Actions are shown only to those who may take them: all of the console's need the role of an operator. */
export function mayChange(): boolean {
  const who = session.value;
  return who !== null && !who.read_only && (who.role === 'operator' || who.role === 'admin');
}
