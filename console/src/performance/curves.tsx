/** Pictures of scores against labels, on the unit square. */

import type { ComponentChildren } from 'preact';
import { counted, formatNumber } from '../units';
import type { CalibrationBin, OperatingPoint, ScoreBin } from './evaluation';

const SIZE = 200;
const LEFT = 42;
const BOTTOM = 32;
const TOP = 8;
const RIGHT = 10;

const x = (share: number): number => LEFT + share * SIZE;
const y = (share: number): number => TOP + (1 - share) * SIZE;

/** The unit square with its axes. */
function Square({ said, across, up, upTexts = ['0', '0.5', '1'], children }: { said: string; across: string; up: string; upTexts?: readonly string[]; children: ComponentChildren }) {
  return (
    <svg class="square" viewBox={`0 0 ${LEFT + SIZE + RIGHT} ${TOP + SIZE + BOTTOM}`} role="img" aria-label={said}>
      {[0, 0.5, 1].map((tick, i) => (
        <g key={tick}>
          <line class="grid-line" x1={x(0)} x2={x(1)} y1={y(tick)} y2={y(tick)} />
          <line class="grid-line" x1={x(tick)} x2={x(tick)} y1={y(0)} y2={y(1)} />
          <text x={x(0) - 5} y={y(tick) + 4} text-anchor="end">
            {upTexts[i]}
          </text>
          <text x={x(tick)} y={y(0) + 13} text-anchor="middle">
            {tick}
          </text>
        </g>
      ))}
      <text class="quiet-text" x={x(0.5)} y={y(0) + 27} text-anchor="middle">
        {across}
      </text>
      <text class="quiet-text" transform={`translate(9 ${y(0.5)}) rotate(-90)`} text-anchor="middle">
        {up}
      </text>
      {children}
    </svg>
  );
}

export function RocChart({ points }: { points: readonly OperatingPoint[] }) {
  if (points.length === 0) return <p class="nothing">The labels of this month are all of one class.</p>;
  const path = points.map(({ false_positive_rate: across, true_positive_rate: up }, i) => `${i ? 'L' : 'M'}${x(across).toFixed(1)} ${y(up).toFixed(1)}`).join('');
  return (
    <Square said={`ROC curve of ${points.length} thresholds`} across="false positive rate" up="true positive rate">
      <path class="diagonal" d={`M${x(0)} ${y(0)}L${x(1)} ${y(1)}`} />
      <path class="curve" d={path} />
    </Square>
  );
}

export function CalibrationChart({ bins }: { bins: readonly CalibrationBin[] }) {
  if (bins.length === 0) return <p class="nothing">No scored row has a label.</p>;
  return (
    <Square said={`Calibration in ${bins.length} bins: share of positives by mean score`} across="mean score" up="share of positives">
      <path class="diagonal" d={`M${x(0)} ${y(0)}L${x(1)} ${y(1)}`} />
      <path class="curve thin" d={bins.map((bin, i) => `${i ? 'L' : 'M'}${x(bin.mean_score).toFixed(1)} ${y(bin.positive_rate).toFixed(1)}`).join('')} />
      {bins.map((bin) => (
        <g key={bin.mean_score} class="calibration-bin">
          <title>{`scores around ${formatNumber(bin.mean_score, 3)}: ${formatNumber(bin.positive_rate * 100, 3)} % positive of ${counted(bin.rows, 'row')}`}</title>
          {bin.interval && <line x1={x(bin.mean_score)} x2={x(bin.mean_score)} y1={y(bin.interval.low)} y2={y(bin.interval.high)} />}
          <circle cx={x(bin.mean_score)} cy={y(bin.positive_rate)} r="3" />
        </g>
      ))}
    </Square>
  );
}

export function ScoreHistogram({ bins }: { bins: readonly ScoreBin[] }) {
  const most = Math.max(1, ...bins.map(({ positives, negatives }) => positives + negatives));
  return (
    <>
      <Square said="Histogram of scores, positive rows on negative ones" across="score" up="rows" upTexts={['0', formatNumber(most / 2, 3), formatNumber(most, 3)]}>
        {bins.map(({ low, high, positives, negatives }) => {
          const width = Math.max(1, (high - low) * SIZE - 1);
          return (
            <g key={low}>
              <title>{`scores from ${formatNumber(low, 3)} to ${formatNumber(high, 3)}: ${positives} positive, ${negatives} negative rows`}</title>
              <rect class="negatives" x={x(low) + 0.5} width={width} y={y(negatives / most)} height={(negatives / most) * SIZE} />
              <rect class="positives" x={x(low) + 0.5} width={width} y={y((negatives + positives) / most)} height={(positives / most) * SIZE} />
            </g>
          );
        })}
      </Square>
      <p class="class-legend">
        <i class="swatch positives" /> is 1 <i class="swatch negatives" /> is 0
      </p>
    </>
  );
}
