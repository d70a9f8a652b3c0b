/** Filtering and sorting of the rows of a list. */

export type CellValue = string | number | null | undefined;

/** `-created`: by that column, descending; empty: as the server gave them. */
export interface Sort {
  key: string;
  descending: boolean;
}

export function readSort(text: string): Sort | null {
  const key = text.replace(/^-/, '');
  return key === '' ? null : { key, descending: text.startsWith('-') };
}

/** What a click on a column's head leads to: ascending, then descending, then as it was. */
export function nextSort(sort: Sort | null, key: string): string {
  if (sort?.key !== key) return key;
  return sort.descending ? '' : `-${key}`;
}

/** The places of the texts in which every word of the search occurs, in any order and case. */
export function matching(texts: readonly string[], search: string): number[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const found: number[] = [];
  texts.forEach((text, i) => {
    if (words.every((word) => text.includes(word))) found.push(i);
  });
  return found;
}

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });

/** Numbers before texts; what is missing, or is no number, always last. */
export function compare(a: CellValue, b: CellValue, descending: boolean): number {
  const [first, second] = [isMissing(a), isMissing(b)];
  if (first || second) return Number(first) - Number(second);
  const order = typeof a === 'number' && typeof b === 'number' ? a - b : typeof a === typeof b ? collator.compare(String(a), String(b)) : typeof a === 'number' ? -1 : 1;
  return descending ? -order : order;
}

function isMissing(value: CellValue): boolean {
  return value === null || value === undefined || value === '' || Number.isNaN(value);
}
