/** Queries that were run in this browser, newest first. */

import { readStored, store } from '../preferences';

const MOST = 50;

/** The list with this expression in front; equal ones and the oldest fall out. */
export function remember(past: readonly string[], expression: string): string[] {
  const trimmed = expression.trim();
  if (trimmed === '') return [...past];
  return [trimmed, ...past.filter((one) => one !== trimmed)].slice(0, MOST);
}

export function readHistory(): string[] {
  const stored = readStored<unknown>('history', []);
  return Array.isArray(stored) ? stored.filter((one): one is string => typeof one === 'string') : [];
}

export function addToHistory(expression: string): void {
  store('history', remember(readHistory(), expression));
}
