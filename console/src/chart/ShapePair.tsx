/** Two distributions over the same classes, one laid over the other: live as bars, the reference as a line of steps. */

import type { LiveColumn } from '../resources';
import { sharesOf } from '../pages/live';
import { formatNumber } from '../units';

const WIDTH = 200;
const HEIGHT = 44;

/** Classes of values; missing is the last and stands apart where either side has any. */
export function ShapePair({ column, live, reference }: { column: LiveColumn; live: readonly number[]; reference: readonly number[] }) {
  const [of, against] = [sharesOf(live), sharesOf(reference)];
  const shown = column.classes.map((name, i) => ({ name, live: of[i] ?? 0, reference: against[i] ?? 0 })).filter((one) => one.live > 0 || one.reference > 0);
  if (shown.length === 0) return <small>no values</small>;
  const most = Math.max(...shown.flatMap((one) => [one.live, one.reference]));
  const step = WIDTH / shown.length;
  const y = (share: number): number => HEIGHT - (share / most) * (HEIGHT - 2);
  const line = shown.map((one, i) => `${i === 0 ? 'M' : 'L'}${i * step} ${y(one.reference)}H${(i + 1) * step}`).join('');
  const percent = (share: number): string => `${formatNumber(share * 100, 3)} %`;
  return (
    <svg class="shape-pair" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={sayLargest(shown)}>
      {shown.map((one, i) => (
        <g key={one.name}>
          <title>{`${one.name}: live ${percent(one.live)}, reference ${percent(one.reference)}`}</title>
          <rect class="slot" x={i * step} width={step} y="0" height={HEIGHT} />
          <rect class="live" x={i * step + step * 0.08} width={step * 0.84} y={y(one.live)} height={HEIGHT - y(one.live)} />
        </g>
      ))}
      <path d={line} />
    </svg>
  );
}

/** The class whose share has changed most, in words. */
function sayLargest(shown: readonly { name: string; live: number; reference: number }[]): string {
  const by = (one: { live: number; reference: number }): number => Math.abs(one.live - one.reference);
  const largest = shown.reduce((best, one) => (by(one) > by(best) ? one : best));
  const percent = (share: number): string => `${formatNumber(share * 100, 3)} %`;
  return `Largest difference: ${largest.name}, live ${percent(largest.live)}, reference ${percent(largest.reference)}`;
}
