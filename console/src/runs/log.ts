/** The lines of a run's log that are shown. */

import type { LogLine } from '../resources';

export type Level = 'all' | 'warnings' | 'errors';

/** Lines that are in the page at most; the whole log is a file. */
export const MOST_LINES = 2000;

export function toneOfLevel(level: string): 'bad' | 'warn' | 'plain' {
  if (/err|crit|fatal/i.test(level)) return 'bad';
  return /warn/i.test(level) ? 'warn' : 'plain';
}

/** What was known, and the lines after it; a line that was known is not repeated. */
export function joined(known: readonly LogLine[], next: readonly LogLine[]): readonly LogLine[] {
  const last = lastId(known);
  const added = next.filter(({ id }) => id > last);
  return added.length === 0 ? known : [...known, ...added];
}

/** Number of the last line; 0 without any. */
export function lastId(lines: readonly LogLine[]): number {
  return lines.at(-1)?.id ?? 0;
}

/** The last lines of a level and above, and how many of them are not shown. */
export function shownLines(lines: readonly LogLine[], level: Level): { lines: readonly LogLine[]; hidden: number } {
  const wanted = level === 'all' ? lines : lines.filter((line) => toneOfLevel(line.level) === 'bad' || (level === 'warnings' && toneOfLevel(line.level) === 'warn'));
  return { lines: wanted.slice(-MOST_LINES), hidden: Math.max(0, wanted.length - MOST_LINES) };
}
