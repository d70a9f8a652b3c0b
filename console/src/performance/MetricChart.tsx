/** The deciding metric by month and version: what was measured as a line in its interval, what was estimated dashed and hollow. */

import { Fragment } from 'preact';
import { useWidth } from '../chart/useWidth';
import { PALETTE } from '../legend';
import { linkTo } from '../location';
import { counted, formatNumber } from '../units';
import { decidingOf, isError, rangeOf, stepOf, type Line, type Point as MetricPoint, type Task } from './evaluation';

const HEIGHT = 268;
const LEFT = 44;
const RIGHT = 20;
const TOP = 10;
const BOTTOM = 26;

interface Scale {
  x: (time: number) => number;
  y: (value: number) => number;
}

export function MetricChart({ lines, task, selected }: { lines: readonly Line[]; task: Task; selected: string | null }) {
  const { box, width } = useWidth<HTMLDivElement>();
  const [low, high] = rangeOf(lines, task);
  const { title } = decidingOf(task);
  const times = [...new Set(lines.flatMap(({ realised, estimated }) => [...realised, ...estimated].map(({ time }) => time)))].sort((a, b) => a - b);
  const [first = 0, last = 0] = [times[0], times.at(-1)];
  const inner = Math.max(40, width - LEFT - RIGHT);
  const scale: Scale = {
    // One month lies in the middle, several keep off the axis.
    x: (time) => LEFT + (last > first ? inner * (0.04 + (0.92 * (time - first)) / (last - first)) : inner / 2),
    y: (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - low) / (high - low)),
  };
  const step = isError(task) ? stepOf(high) : 0.1;
  const ticks = Array.from({ length: Math.round((high - low) / step) + 1 }, (_, i) => (Math.ceil(low / step - 1e-9) + i) * step).filter((tick) => tick <= high + step * 1e-9);
  const chance = !isError(task);
  return (
    <div class="auc-chart" ref={box}>
      {width > 0 && (
        <svg width={width} height={HEIGHT} role="group" aria-label={`${title} of ${counted(lines.length, 'version')} over ${counted(times.length, 'month')}`}>
          {ticks.map((tick) => (
            <Fragment key={tick}>
              <line class={chance && Math.abs(tick - 0.5) < 1e-9 ? 'chance' : 'grid-line'} x1={LEFT} x2={width - RIGHT} y1={scale.y(tick)} y2={scale.y(tick)} />
              <text x={LEFT - 8} y={scale.y(tick) + 4} text-anchor="end">
                {chance ? tick.toFixed(1) : formatNumber(tick, 3)}
              </text>
            </Fragment>
          ))}
          {chance && low < 0.5 && (
            <text x={width - RIGHT} y={scale.y(0.5) - 5} text-anchor="end" class="quiet-text">
              0.5 is chance
            </text>
          )}
          <MonthTexts times={times} scale={scale} />
          {lines.map((line, i) => (
            <VersionLine key={line.version} line={line} title={title} colour={i % PALETTE} scale={scale} selected={selected} />
          ))}
        </svg>
      )}
      <Legend lines={lines} task={task} />
    </div>
  );
}

/** As many months as have room, the last always. */
function MonthTexts({ times, scale }: { times: readonly number[]; scale: Scale }) {
  let edge = Infinity;
  const shown: number[] = [];
  for (const time of [...times].reverse()) {
    if (scale.x(time) > edge) continue;
    shown.push(time);
    edge = scale.x(time) - 84;
  }
  return (
    <>
      {shown.map((time) => (
        <text key={time} x={scale.x(time)} y={HEIGHT - 7} text-anchor="middle">
          {time % 86_400_000 === 0 ? new Date(time).toISOString().slice(0, 10) : new Date(time).toISOString().slice(5, 16)}
        </text>
      ))}
    </>
  );
}

function VersionLine({ line, title, colour, scale, selected }: { line: Line; title: string; colour: number; scale: Scale; selected: string | null }) {
  const { version, realised, estimated } = line;
  const path = (points: readonly MetricPoint[]): string => points.map(({ time, value }, i) => `${i ? 'L' : 'M'}${scale.x(time).toFixed(1)} ${scale.y(value).toFixed(1)}`).join('');
  return (
    <g class={`auc-line s-${colour}`}>
      <path class="band" d={bandOf(realised, scale)} />
      <path class="usual" d={usualOf(realised, scale)} />
      <path class="estimate" d={path(estimated)} />
      <path class="measured" d={path(realised)} />
      {estimated.map((point) => (
        <Point key={point.period} point={point} title={title} version={version} kind="estimate" scale={scale} selected={selected} />
      ))}
      {realised.map((point) => (
        <Point key={point.period} point={point} title={title} version={version} kind="measured" scale={scale} selected={selected} />
      ))}
    </g>
  );
}

/** The intervals as one area; a month alone is an area of some width. */
function bandOf(points: readonly MetricPoint[], { x, y }: Scale): string {
  const known = points.flatMap(({ time, interval }) => (interval ? [{ left: x(time), ...interval }] : []));
  const [only] = known;
  if (!only) return '';
  const edges = known.length === 1 ? [{ ...only, left: only.left - 9 }, { ...only, left: only.left + 9 }] : known;
  const upper = edges.map(({ left, high }) => `${left.toFixed(1)} ${y(high).toFixed(1)}`);
  const lower = edges.map(({ left, low }) => `${left.toFixed(1)} ${y(low).toFixed(1)}`).reverse();
  return `M${[...upper, ...lower].join('L')}Z`;
}

/** A tick under each month that has enough months before it to say what is usual. */
function usualOf(points: readonly MetricPoint[], { x, y }: Scale): string {
  return points.map(({ time, usual }) => (usual === null ? '' : `M${(x(time) - 12).toFixed(1)} ${y(usual).toFixed(1)}h24`)).join('');
}

export function sayInterval(interval: { low: number; high: number } | null): string {
  return interval ? `${formatNumber(interval.low, 3)} to ${formatNumber(interval.high, 3)}` : 'no interval';
}

interface PointProps {
  point: MetricPoint;
  title: string;
  version: number;
  kind: 'measured' | 'estimate';
  scale: Scale;
  selected: string | null;
}

function Point({ point: { period, time, value, interval }, title, version, kind, scale, selected }: PointProps) {
  const here = selected === `${period}/${version}`;
  const said = `Version ${version} on ${period}: ${title} ${formatNumber(value, 3)} ${kind === 'measured' ? 'by its labels' : 'estimated, without labels'}, ${sayInterval(interval)}`;
  return (
    <a href={linkTo(`performance/${period}/${version}`)} aria-label={said} aria-current={here ? 'true' : undefined}>
      <title>{said}</title>
      <circle class="touch" cx={scale.x(time)} cy={scale.y(value)} r="11" />
      <circle class={kind} cx={scale.x(time)} cy={scale.y(value)} r={here ? 6 : 4} />
    </a>
  );
}

function Legend({ lines, task }: { lines: readonly Line[]; task: Task }) {
  return (
    <ul class="auc-legend">
      {lines.map(({ version }, i) => (
        <li key={version}>
          <i class={`swatch c-${i % PALETTE}`} /> version {version}
        </li>
      ))}
      <li>
        <Sample kind="measured" /> measured by labels, with its 95 % interval
      </li>
      {lines.some(({ realised }) => realised.some(({ usual }) => usual !== null)) && (
        <li>
          <svg width="30" height="12" class="auc-line sample" aria-hidden="true">
            <path class="usual" d="M3 6H27" />
          </svg>{' '}
          {isError(task) ? 'up to here usual: the mean of at least six months before and three standard deviations' : 'from here on usual: the mean of at least six months before, less three standard deviations'}
        </li>
      )}
      <li>
        <Sample kind="estimate" /> estimate without labels: no label stands behind it
      </li>
    </ul>
  );
}

function Sample({ kind }: { kind: 'measured' | 'estimate' }) {
  return (
    <svg width="30" height="12" class="auc-line sample" aria-hidden="true">
      {kind === 'measured' && <rect class="band" x="0" y="1" width="30" height="10" />}
      <path class={kind} d="M0 6H30" />
      <circle class={kind} cx="15" cy="6" r="3.5" />
    </svg>
  );
}
