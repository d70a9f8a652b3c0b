/** The text of a form's field, trimmed unless it is a secret; empty when there is none. */
export function fieldText(form: EventTarget | null, name: string): string {
  const value = form instanceof HTMLFormElement ? new FormData(form).get(name) : null;
  if (typeof value !== 'string') return '';
  return name === 'password' ? value : value.trim();
}
