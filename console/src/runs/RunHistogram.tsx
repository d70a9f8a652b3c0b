/** How many runs there were when, and how they went. */

import { useMemo } from 'preact/hooks';
import { useWidth } from '../chart/useWidth';
import { zone } from '../preferences';
import type { Run } from '../resources';
import { formatTime } from '../time/clock';
import { binsOf, OUTCOMES, totalOf, type Bin, type Outcome } from './histogram';
import { counted } from '../units';

const HEIGHT = 72;
/** Pixels of the bar of one step, however few there are. */
const WIDEST = 48;

const NAMES: Record<Outcome, string> = { completed: 'completed', open: 'active or waiting', cancelled: 'cancelled', failed: 'failed or crashed' };

export function RunHistogram({ runs }: { runs: readonly Run[] }) {
  const { box, width } = useWidth<HTMLElement>();
  const bins = useMemo(() => binsOf(runs), [runs]);
  const most = Math.max(1, ...bins.map(totalOf));
  const inner = Math.max(0, width - 34);
  const slot = bins.length > 0 ? inner / bins.length : 0;
  const seen = OUTCOMES.filter((outcome) => bins.some((bin) => bin.counts[outcome] > 0));
  const [first, last] = [bins[0], bins.at(-1)];
  return (
    <figure class="run-histogram card" ref={box} aria-label={`Runs over time: ${counted(bins.length, 'bar')}, at most ${counted(most, 'run')} each`}>
      <svg width={inner} height={HEIGHT} aria-hidden="true">
        {bins.map((bin, i) => (
          <Bar key={bin.start} bin={bin} left={i * slot} width={slot} most={most} />
        ))}
      </svg>
      <figcaption>
        <span>{first && formatTime(first.start, zone.value).slice(0, 16)}</span>
        <span class="outcomes">
          {seen.map((outcome) => (
            <span key={outcome}>
              <i class={`swatch o-${outcome}`} /> {NAMES[outcome]}
            </span>
          ))}
        </span>
        <span>{last && bins.length > 1 && formatTime(last.end, zone.value).slice(0, 16)}</span>
      </figcaption>
    </figure>
  );
}

function Bar({ bin, left, width, most }: { bin: Bin; left: number; width: number; most: number }) {
  let top = HEIGHT;
  const bar = Math.max(1, Math.min(width - 1, WIDEST));
  const said = OUTCOMES.filter((outcome) => bin.counts[outcome] > 0).map((outcome) => `${bin.counts[outcome]} ${NAMES[outcome]}`);
  return (
    <g>
      <title>{`${formatTime(bin.start, zone.value).slice(0, 16)} – ${formatTime(bin.end, zone.value).slice(0, 16)}: ${said.join(', ') || 'no run'}`}</title>
      <rect class="slot" x={left} width={width} y="0" height={HEIGHT} />
      {OUTCOMES.map((outcome) => {
        const height = (bin.counts[outcome] / most) * (HEIGHT - 2);
        top -= height;
        return height > 0 ? <rect key={outcome} class={`o-${outcome}`} x={left + (width - bar) / 2} width={bar} y={top} height={height} /> : null;
      })}
    </g>
  );
}
