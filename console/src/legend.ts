/** Names of series: from a template `{{label}}`, or from the labels as PromQL writes them. */

export type Labels = Readonly<Record<string, string>>;

/** `up{job="api"}`; `{}` when there is no label at all. */
export function formatLabels(labels: Labels): string {
  const name = labels['__name__'] ?? '';
  const pairs = Object.entries(labels)
    .filter(([key]) => key !== '__name__')
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return pairs.length || !name ? `${name}{${pairs.join(', ')}}` : name;
}

/** The template with labels in place; an empty template, or one that gives nothing, falls back to the labels or the expression. */
export function legendOf(template: string | undefined, labels: Labels, expression = ''): string {
  const text = (template ?? '').replace(/\{\{\s*([^}\s]+)\s*\}\}/g, (_, key: string) => labels[key] ?? '').trim();
  if (text && text !== '__auto') return text;
  return Object.keys(labels).length ? formatLabels(labels) : expression || '{}';
}

/** Number of series colours in the style sheet. */
export const PALETTE = 10;

/** Which colour a series gets: outcomes have fixed meanings, all others take turns (`--series-0` …). */
export function colourOf(label: string, index: number): string {
  if (/^(5xx|5\d\d)\b|\b(error|failed|crashed|down|firing)\b/i.test(label)) return 'bad';
  if (/^(4xx|4\d\d)\b|\b(warning|pending)\b/i.test(label)) return 'warn';
  if (/^(2xx|2\d\d)\b|\b(success|completed|ok)\b/i.test(label)) return 'good';
  return String(index % PALETTE);
}
