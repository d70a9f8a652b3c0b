/** What can be done about a run: tried again, stopped, repeated, answered. */

import { useState } from 'preact/hooks';
import { messageOf } from '../http';
import { linkTo, navigate } from '../location';
import { zone } from '../preferences';
import { answerRun, cancelRun, retryRun, runFlow, type Approval, type Run } from '../resources';
import { mayChange } from '../session';
import { Confirm } from '../shell/Confirm';
import { fieldText } from '../shell/fields';
import { FormDialog } from '../shell/FormDialog';
import { announcement } from '../shell/shortcuts';
import { formatTime, toMillis } from '../time/clock';
import { hasEnded, mayCancel, mayRetry, parametersOf, Parameters } from './state';

export interface ActionsProps {
  run: Run;
  /** Reads the run anew. */
  changed: () => void;
}

type Intent = 'retry' | 'cancel' | 'again' | null;

export function Actions({ run, changed }: ActionsProps) {
  const [intent, setIntent] = useState<Intent>(null);
  if (!mayChange()) return null;
  const close = (said: string) => (done: boolean): void => {
    setIntent(null);
    if (!done) return;
    announcement.value = said;
    changed();
  };
  return (
    <div class="actions">
      {mayRetry(run.state) && (
        <button type="button" class="primary" onClick={() => setIntent('retry')}>
          Retry
        </button>
      )}
      {mayCancel(run.state) && (
        <button type="button" onClick={() => setIntent('cancel')}>
          Cancel the run
        </button>
      )}
      {hasEnded(run.state) && (
        <button type="button" onClick={() => setIntent('again')}>
          Run again
        </button>
      )}
      {intent === 'retry' && <Retry run={run} close={close(`Run ${run.id} is tried again.`)} />}
      {intent === 'cancel' && (
        <Confirm title={`Cancel run ${run.id}?`} verb="Cancel the run" act={() => cancelRun(run.id)} close={close(`Run ${run.id} is being cancelled.`)}>
          <p>What has not begun is cancelled at once; a step that runs stops at its next safe point. The run can be tried again later.</p>
        </Confirm>
      )}
      {intent === 'again' && <Again run={run} close={() => setIntent(null)} />}
    </div>
  );
}

/** Values of the choice that name no step. */
const OPEN = ' open';
const ALL = ' all';

function Retry({ run, close }: { run: Run; close: (done: boolean) => void }) {
  const names = [...new Set((run.tasks ?? []).map((task) => task.name))];
  const act = (form: HTMLFormElement): Promise<unknown> => {
    const from = new FormData(form).get('from');
    if (from === ALL) return retryRun(run.id, { all: true });
    return retryRun(run.id, typeof from === 'string' && from !== OPEN ? { from } : {});
  };
  return (
    <FormDialog title={`Retry run ${run.id}?`} verb="Retry" act={act} close={close}>
      <p>The next attempt takes over the results of the steps that are not run again.</p>
      <label class="field">
        Runs again
        <select name="from">
          <option value={OPEN}>what has not completed</option>
          <option value={ALL}>all steps</option>
          {names.map((name) => (
            <option key={name} value={name}>
              from {name} on
            </option>
          ))}
        </select>
      </label>
    </FormDialog>
  );
}

function Again({ run, close }: { run: Run; close: () => void }) {
  const act = async (): Promise<void> => {
    const next = await runFlow(run.flow, parametersOf(run.parameters));
    navigate(linkTo(`runs/${next.id}`));
  };
  return (
    <Confirm title={`Run ${run.flow} again?`} verb="Run again" act={act} close={close}>
      <p>A new run with the same parameters:</p>
      <p>
        <Parameters value={run.parameters} />
      </p>
    </Confirm>
  );
}

/** What a paused run asks, and the ways to answer. */
export function Question({ run, approval, changed }: ActionsProps & { approval: Approval }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const approved = event.submitter instanceof HTMLButtonElement && event.submitter.value === 'yes';
    setBusy(true);
    setError(null);
    answerRun(run.id, approved, fieldText(event.currentTarget, 'note'))
      .then(() => {
        announcement.value = approved ? 'Approved: the run goes on.' : 'Rejected: the run goes on without it.';
        changed();
      })
      .catch((failure: unknown) => setError(messageOf(failure)))
      .finally(() => setBusy(false));
  };
  return (
    <form class="card question" onSubmit={submit} aria-label="Answer the run">
      <h2>{approval.question}</h2>
      <p class="after">
        Asked by the step {approval.task} at {formatTime(toMillis(approval.asked_at), zone.value)}; without an answer until {formatTime(toMillis(approval.expires_at), zone.value)} it means no.
      </p>
      {mayChange() && (
        <>
          <label class="field">
            Note
            <input name="note" maxLength={500} placeholder="Why, for those who ask later" />
          </label>
          <div class="buttons">
            <button value="no" disabled={busy}>
              Reject
            </button>
            <button value="yes" class="primary" disabled={busy}>
              Approve
            </button>
          </div>
        </>
      )}
      {error && (
        <p class="failure" role="alert">
          {error}
        </p>
      )}
    </form>
  );
}
