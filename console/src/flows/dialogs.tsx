/** What is asked before a flow is run: its parameters, or the months of the past. */

import { useState } from 'preact/hooks';
import { linkTo, navigate } from '../location';
import { backfillFlow, fetchSnapshots, runFlow, type Flow, type Parameter } from '../resources';
import { useResource } from '../resource';
import { fieldText } from '../shell/fields';
import { FormDialog } from '../shell/FormDialog';
import { announcement } from '../shell/shortcuts';
import { fieldOf, isOwn, readLines, readParameters, wordsOf } from './parameters';
import { counted } from '../units';

export interface FlowDialogProps {
  flow: Flow;
  close: () => void;
}

/** What the form says of the flow's parameters. */
function given(flow: Flow, form: HTMLFormElement): Record<string, unknown> {
  return isOwn(flow) ? readLines(fieldText(form, 'lines')) : readParameters(flow.parameters, (name) => fieldText(form, name));
}

export function RunNow({ flow, close }: FlowDialogProps) {
  const act = async (form: HTMLFormElement): Promise<void> => {
    const run = await runFlow(flow.name, given(flow, form));
    announcement.value = `Run ${run.id} of ${flow.name} starts.`;
    navigate(linkTo(`runs/${run.id}`));
  };
  return (
    <FormDialog title={`Run ${flow.name}`} verb="Run" act={act} close={close}>
      <p class="about">{flow.doc}. What is left empty is as the configuration says.</p>
      <Fields flow={flow} />
    </FormDialog>
  );
}

function Fields({ flow, without }: { flow: Flow; without?: string | undefined }) {
  if (isOwn(flow)) {
    return (
      <label class="field">
        Parameters, NAME=VALUE a line
        <textarea name="lines" rows={4} spellcheck={false} />
      </label>
    );
  }
  return (
    <>
      {flow.parameters
        .filter(({ name }) => name !== without)
        .map((parameter) => (
          <Field key={parameter.name} parameter={parameter} />
        ))}
    </>
  );
}

function Field({ parameter }: { parameter: Parameter }) {
  const { name, doc, required } = parameter;
  const field = fieldOf(parameter);
  const about = `about-${name}`;
  return (
    <div class="field">
      <label for={`field-${name}`}>
        {name}
        {required && <b> (needed)</b>}
      </label>
      {field ? (
        <input id={`field-${name}`} name={name} required={required} aria-describedby={about} {...field} />
      ) : (
        <select id={`field-${name}`} name={name} required={required} aria-describedby={about}>
          <option value="">{required ? 'Choose' : 'as configured'}</option>
          {wordsOf(parameter).map((word) => (
            <option key={word} value={word}>
              {word}
            </option>
          ))}
        </select>
      )}
      <small id={about}>{doc}</small>
    </div>
  );
}

export function Backfill({ flow, close }: FlowDialogProps) {
  const months = useResource(fetchSnapshots, []);
  const dates = (months.data ?? []).map((month) => month.as_of).sort();
  const [none, setNone] = useState(false);
  const period = flow.parameters.find(({ kind }) => kind.type === 'date')?.name;
  const act = async (form: HTMLFormElement): Promise<void> => {
    setNone(false);
    const { runs } = await backfillFlow(flow.name, { from: fieldText(form, 'from'), to: fieldText(form, 'to'), failed_only: new FormData(form).has('failed_only'), parameters: given(flow, form) });
    if (runs.length === 0) {
      setNone(true);
      throw new Error('No run is needed: every month of that range has one that waits or has completed.');
    }
    announcement.value = `${counted(runs.length, 'run')} of ${flow.name} ${runs.length === 1 ? 'is' : 'are'} due.`;
    navigate(linkTo('runs', { flow: flow.name }));
  };
  return (
    <FormDialog title={`Backfill ${flow.name}`} verb={none ? 'Try again' : 'Backfill'} act={act} close={close}>
      <p class="about">A run for each ingested month of the range, oldest first.</p>
      <div class="field-pair">
        <Month name="from" title="From" dates={dates} value={dates[0]} />
        <Month name="to" title="To" dates={dates} value={dates.at(-1)} />
      </div>
      <label class="inline">
        <input type="checkbox" name="failed_only" /> Only months without a run that completed
      </label>
      <details class="more-fields">
        <summary>Other parameters</summary>
        <Fields flow={{ ...flow, parameters: flow.parameters.map((one) => ({ ...one, required: false })) }} without={period} />
      </details>
    </FormDialog>
  );
}

function Month({ name, title, dates, value }: { name: string; title: string; dates: readonly string[]; value: string | undefined }) {
  return (
    <label class="field">
      {title}
      <select name={name} required key={value}>
        {dates.map((date) => (
          <option key={date} value={date} selected={date === value}>
            {date}
          </option>
        ))}
      </select>
    </label>
  );
}
