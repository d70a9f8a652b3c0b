/** A dialog with fields: it does what they say, and says what came of it. */

import { useState } from 'preact/hooks';
import type { ComponentChildren } from 'preact';
import { messageOf } from '../http';
import { Dialog } from './Dialog';

export interface FormDialogProps {
  title: string;
  verb: string;
  act: (form: HTMLFormElement) => Promise<unknown>;
  close: (done: boolean) => void;
  children: ComponentChildren;
}

export function FormDialog({ title, verb, act, close, children }: FormDialogProps) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (!(event.currentTarget instanceof HTMLFormElement)) return;
    setBusy(true);
    setError(null);
    act(event.currentTarget).then(
      () => close(true),
      (failure: unknown) => {
        setBusy(false);
        setError(messageOf(failure));
      },
    );
  };
  return (
    <Dialog title={title} close={() => close(false)}>
      <form onSubmit={submit}>
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
          <button class="primary" disabled={busy}>
            {busy ? 'Working…' : verb}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
