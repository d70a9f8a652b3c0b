/** What a form says, as the parameters of a run. */

import type { Flow, Parameter } from '../resources';

/** What a field of the kind accepts; null for a choice among words. */
export function fieldOf({ kind }: Parameter): { type: 'number'; step: string } | { type: 'text'; placeholder: string } | null {
  switch (kind.type) {
    case 'date':
      return { type: 'text', placeholder: '2024-01-31 or 2024-01-31T13:00' };
    case 'number':
      return { type: 'number', step: 'any' };
    case 'integer':
      return { type: 'number', step: '1' };
    case 'path':
      return { type: 'text', placeholder: 'drops/month_2024-01-31' };
    case 'duration':
      return { type: 'text', placeholder: '30m' };
    case 'shares':
      return { type: 'text', placeholder: '1%,10%,50%' };
    case 'flag':
    case 'word':
      return null;
  }
}

/** The words of a choice. */
export function wordsOf({ kind }: Parameter): readonly string[] {
  if (kind.type === 'flag') return ['true', 'false'];
  return kind.type === 'word' ? kind.values : [];
}

/** The parameters that were filled in, each in its kind; those that were not are left to the configuration. */
export function readParameters(table: readonly Parameter[], textOf: (name: string) => string): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const { name, kind } of table) {
    const text = textOf(name);
    if (text === '') continue;
    if (kind.type === 'number' || kind.type === 'integer') found[name] = Number(text);
    else if (kind.type === 'flag') found[name] = text === 'true';
    else found[name] = text;
  }
  return found;
}

/** `NAME=VALUE` a line, for a flow of the configuration, which takes any. Throws for a line that is none. */
export function readLines(text: string): Record<string, string> {
  const lines = text.split('\n').map((line) => line.trim());
  return Object.fromEntries(
    lines.filter(Boolean).map((line) => {
      const at = line.indexOf('=');
      if (at < 1) throw new Error(`“${line}” is no parameter; expected NAME=VALUE, such as as_of=2024-02-29`);
      return [line.slice(0, at).trim(), line.slice(at + 1).trim()];
    }),
  );
}

/** A flow of the configuration has no table: its parameters are free. */
export const isOwn = (flow: Flow): boolean => flow.steps.length > 0;

/** Whether runs of the flow are about months, so that months of the past can be run. */
export const isMonthly = (flow: Flow): boolean => isOwn(flow) || flow.parameters.some(({ kind }) => kind.type === 'date');
