import { useState } from 'preact/hooks';
import { messageOf } from '../http';
import { login } from '../resources';
import { loadSession, session } from '../session';
import { fieldText } from './fields';

export function Login() {
  const [error, setError] = useState<string | null>(session.value?.refusal ?? null);
  const [busy, setBusy] = useState(false);
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    setBusy(true);
    login(fieldText(event.currentTarget, 'user'), fieldText(event.currentTarget, 'password'))
      .then(loadSession)
      .catch((failure: unknown) => setError(messageOf(failure)))
      .finally(() => setBusy(false));
  };
  return (
    <main id="main" class="login" tabIndex={-1}>
      <form onSubmit={submit}>
        <h1>StreamFlow</h1>
        <label>
          User
          <input name="user" autocomplete="username" required autofocus />
        </label>
        <label>
          Password
          <input name="password" type="password" autocomplete="current-password" required />
        </label>
        {error && (
          <p class="failure" role="alert">
            {error}
          </p>
        )}
        <button class="primary" disabled={busy}>
          {busy ? 'Signing in…' : 'Sign in'}
        </button>
      </form>
    </main>
  );
}
