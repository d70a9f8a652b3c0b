/** Where in a query an error message points. */

export interface Position {
  /** Index into the text, in UTF-16 units, within it. */
  index: number;
  line: number;
  /** The line it is in, and the column in it, from zero. */
  text: string;
  column: number;
  /** The message without the position. */
  reason: string;
}

/** Reads `1:5: parse error: unclosed left parenthesis`: line and column from one, the column in bytes of UTF-8. Null when there is none. */
export function findPosition(message: string, query: string): Position | null {
  const match = /(?:^|[\s:])(\d+):(\d+): (parse error: )?([^]*)$/.exec(message);
  if (!match) return null;
  const line = Number(match[1]);
  const lines = query.split('\n');
  const text = lines[line - 1];
  if (text === undefined) return null;
  const column = columnOfByte(text, Number(match[2]) - 1);
  const before = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  return { index: before + column, line, text, column, reason: (match[4] ?? '').trim() };
}

function columnOfByte(text: string, byte: number): number {
  let bytes = 0;
  let column = 0;
  for (const character of text) {
    if (bytes >= byte) break;
    bytes += new TextEncoder().encode(character).length;
    column += character.length;
  }
  return column;
}

/** The word at an index, so that more than a point can be marked: at least one character unless the text ends there. */
export function wordAt(query: string, index: number): [from: number, to: number] {
  const word = /^[\w:]+/.exec(query.slice(index))?.[0] ?? '';
  const to = Math.min(query.length, index + Math.max(word.length, 1));
  return index >= query.length ? [Math.max(0, query.length - 1), query.length] : [index, to];
}
