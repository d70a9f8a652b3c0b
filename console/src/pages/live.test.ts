import { describe, expect, it } from 'vitest';
import type { LiveDrift, LiveVersion, LiveWindow } from '../resources';
import { rowsOf, sharesOf, shownWindow, strongest } from './live';

const drift = (effects: [number, number, boolean][]): LiveDrift => ({
  live: [1, 1],
  basis: [1, 1],
  detected_since: effects.some(([, , drifted]) => drifted) ? '2026-01-01T00:00:00Z' : null,
  statistics: effects.map(([effect, gate, drifted]) => ({ statistic: 'location', effect, gate, z: 1, detected_since: drifted ? '2026-01-01T00:00:00Z' : null })),
});
const window = (name: string, enough: boolean, columns: LiveDrift[] = []): LiveWindow => ({
  window: name, entities: 1, needed: 200, requests: 1, is_enough: enough, basis: 'training', why: null, threshold: 5, share: null, drifted: enough ? { features: 0, outputs: 0 } : null, words: '', columns, errors: [],
});
const version = (windows: LiveWindow[], names: string[] = []): LiveVersion => ({
  version: '1', is_served: true, source: 'the training snapshot', first: null, at: null, statistics: 1, windows, certificate: null,
  columns: names.map((name) => ({ name, is_feature: true, is_numerical: true, classes: ['all', 'missing'] })),
});

describe('what is shown of live traffic', () => {
  it('puts what has drifted first, then what is nearest to it', () => {
    const shown = window('15m', true, [drift([[0.01, 0.1, false]]), drift([[-0.09, 0.1, false]]), drift([[0.05, 0.1, true]]), drift([])]);
    const rows = rowsOf(version([shown], ['a', 'b', 'c', 'd']), shown);
    expect(rows.map((row) => [row.column.name, row.state])).toEqual([['c', 'Drifted'], ['b', 'No drift'], ['a', 'No drift'], ['d', 'Not judged']]);
  });
  it('names the statistic that has drifted even when another is larger', () => {
    expect(strongest(drift([[0.2, 0.1, false], [0.1, 0.1, true]]))?.statistic.effect).toBe(0.1);
    expect(strongest(drift([]))).toBeNull();
  });
  it('shows the shortest window that is judged, or the one asked for', () => {
    const all = version([window('15m', false), window('1h', true), window('6h', true)]);
    expect(shownWindow(all, null).window).toBe('1h');
    expect(shownWindow(all, '6h').window).toBe('6h');
    expect(shownWindow(all, '7h').window).toBe('1h');
    expect(shownWindow(version([window('15m', false)]), null).window).toBe('15m');
  });
  it('has shares of nothing', () => {
    expect(sharesOf([0, 0])).toEqual([0, 0]);
    expect(sharesOf([1, 3])).toEqual([0.25, 0.75]);
  });
});
