/** The reference distribution of a feature, with one value marked in it. */

import type { Distribution } from '../resources';
import { formatNumber } from '../units';
import { binOf } from './bins';

/** Levels beyond these are left out unless the value is among them. */
const MOST_LEVELS = 6;

export function DistributionChart({ distribution, value }: { distribution: Distribution; value: unknown }) {
  const bin = binOf(distribution, value);
  const most = Math.max(...distribution.counts, 1);
  if (distribution.kind === 'categorical') {
    const total = distribution.counts.reduce((sum, count) => sum + count, 0) || 1;
    const shown = distribution.levels
      .map((level, i) => ({ level, i, count: distribution.counts[i] ?? 0 }))
      .sort((a, b) => b.count - a.count)
      .filter(({ i }, rank) => rank < MOST_LEVELS || i === bin);
    return (
      <ul class="levels">
        {shown.map(({ level, i, count }) => (
          <li key={level} class={i === bin ? 'here' : ''}>
            <span>{level}</span>
            <i style={{ width: `${(count / most) * 100}%` }} />
            <small>{formatNumber((count / total) * 100, 2)} %</small>
          </li>
        ))}
      </ul>
    );
  }
  const { edges, counts } = distribution;
  const [low, high] = [edges[0] ?? 0, edges.at(-1) ?? 1];
  const x = (edge: number): number => (high > low ? Math.min(200, Math.max(0, ((edge - low) / (high - low)) * 200)) : 0);
  const number = typeof value === 'number' ? value : NaN;
  return (
    <figure class="histogram">
      <svg viewBox="0 0 200 56" preserveAspectRatio="none" aria-hidden="true">
        {counts.map((count, i) => {
          const [from, to] = [x(edges[i] ?? low), x(edges[i + 1] ?? high)];
          const height = (count / most) * 52;
          return <rect key={i} class={i === bin ? 'here' : ''} x={from + 0.4} width={Math.max(0.4, to - from - 0.8)} y={56 - height} height={height} />;
        })}
        {bin !== null && <line x1={x(number)} x2={x(number)} y1="0" y2="56" />}
      </svg>
      <figcaption>
        <span>{formatNumber(low)}</span>
        <span>{formatNumber(high)}</span>
      </figcaption>
    </figure>
  );
}
