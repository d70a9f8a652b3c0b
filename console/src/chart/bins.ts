/** Where a value falls in a distribution of reference. */

import type { Distribution } from '../resources';

/** Index of the bin or level of a value; null when it is missing or its level is unknown. Values beyond the edges are in the outer bins. */
export function binOf(distribution: Distribution, value: unknown): number | null {
  if (value === null || value === undefined) return null;
  if (distribution.kind === 'categorical') {
    const level = distribution.levels.indexOf(typeof value === 'string' ? value : JSON.stringify(value));
    const found = level < 0 ? othersOf(distribution.levels) : level;
    return found < 0 ? null : found;
  }
  const number = Number(value);
  const { edges } = distribution;
  const last = edges.length - 1;
  if (last < 1 || Number.isNaN(number)) return null;
  for (let i = 0; i < last - 1; i += 1) if (number < (edges[i + 1] ?? 0)) return i;
  return last - 1;
}

/** Index of the level that stands for the rare ones, -1 without one. */
function othersOf(levels: readonly string[]): number {
  const last = levels.length - 1;
  return /^\d+ others$/.test(levels[last] ?? '') ? last : -1;
}

/** Share of the reference at or below the value, counting half of its own bin; null when it cannot be said. */
export function rankOf(distribution: Distribution, value: unknown): number | null {
  const total = distribution.counts.reduce((sum, count) => sum + count, 0);
  const bin = binOf(distribution, value);
  if (distribution.kind !== 'numerical' || bin === null || total === 0) return null;
  const below = distribution.counts.slice(0, bin).reduce((sum, count) => sum + count, 0);
  return (below + (distribution.counts[bin] ?? 0) / 2) / total;
}

/** `higher than 93 %`, `in 18 %`, `never seen`: the value beside the reference in words. */
export function placeInWords(distribution: Distribution, value: unknown): string {
  if (value === null || value === undefined) return 'missing';
  const total = distribution.counts.reduce((sum, count) => sum + count, 0);
  const bin = binOf(distribution, value);
  if (bin === null) return distribution.kind === 'categorical' ? 'never seen' : '';
  if (total === 0) return '';
  if (distribution.kind === 'categorical' && bin === othersOf(distribution.levels)) return 'rare or never seen';
  if (distribution.kind === 'categorical') return `in ${percent((distribution.counts[bin] ?? 0) / total)}`;
  const rank = rankOf(distribution, value) ?? 0;
  return rank >= 0.5 ? `higher than ${percent(rank)}` : `lower than ${percent(1 - rank)}`;
}

function percent(share: number): string {
  return `${share > 0 && share < 0.01 ? '< 1' : Math.round(share * 100)}\u00a0%`;
}
