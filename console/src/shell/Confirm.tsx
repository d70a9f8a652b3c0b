/** Asks before something changes, does it, and says what came of it. */

import { useState } from 'preact/hooks';
import type { ComponentChildren } from 'preact';
import { messageOf } from '../http';
import { Dialog } from './Dialog';

export interface ConfirmProps {
  title: string;
  verb: string;
  act: () => Promise<unknown>;
  close: (done: boolean) => void;
  children: ComponentChildren;
}

export function Confirm({ title, verb, act, close, children }: ConfirmProps) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const go = (): void => {
    setBusy(true);
    setError(null);
    act().then(
      () => close(true),
      (failure: unknown) => {
        setBusy(false);
        setError(messageOf(failure));
      },
    );
  };
  return (
    <Dialog title={title} close={() => close(false)}>
      {children}
      {error && (
        <p class="failure" role="alert">
          {error}
        </p>
      )}
      <footer class="buttons">
        <button type="button" onClick={() => close(false)}>
          Cancel
        </button>
        <button type="button" class="primary" disabled={busy} onClick={go}>
          {busy ? 'Working…' : verb}
        </button>
      </footer>
    </Dialog>
  );
}
