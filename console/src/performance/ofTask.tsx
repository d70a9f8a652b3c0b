/** What is drawn and listed of classes and of numbers, where ROC and calibration do not apply. */

import { counted, formatNumber, formatValue } from '../units';
import type { ClassTable, ErrorDrawings } from './evaluation';

/** Classes up to which the whole matrix is shown. */
const MATRIX = 12;

export function ClassTables({ table }: { table: ClassTable }) {
  const unknown = table.names.slice(table.known);
  const rows = table.classes.slice(table.known).reduce((sum, one) => sum + one.rows, 0);
  return (
    <>
      {unknown.length > 0 && (
        <p class="note">
          {counted(rows, 'row')} {rows === 1 ? 'is' : 'are'} of a class that the version was not trained with ({unknown.join(', ')}): it is always wrong about them.
        </p>
      )}
      <div class="table-box" tabIndex={0} role="region" aria-label="Classes">
        <table class="data">
          <thead>
            <tr>
              <th scope="col">Class</th>
              {['Rows', 'Precision', 'Recall', 'F1', 'AUC against the others'].map((title) => (
                <th key={title} scope="col" class="num">
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {table.names.map((name, i) => {
              const one = table.classes[i];
              return (
                <tr key={name}>
                  <th scope="row">{name}</th>
                  <td class="num">{one ? formatNumber(one.rows, 9) : '–'}</td>
                  {[one?.precision, one?.recall, one?.f1, one?.roc_auc].map((value, column) => (
                    <td key={column} class="num">
                      {value == null ? '–' : formatNumber(value, 3)}
                    </td>
                  ))}
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      {table.names.length <= MATRIX && <Matrix table={table} />}
    </>
  );
}

function Matrix({ table: { names, confusion } }: { table: ClassTable }) {
  return (
    <div class="curves">
      <figure class="card">
        <figcaption>Right and wrong predictions</figcaption>
        <table class="confusion">
          <thead>
            <tr>
              <td />
              {names.map((name) => (
                <th key={name} scope="col">
                  predicted {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {names.map((name, i) => {
              const counts = confusion[i] ?? [];
              const total = counts.reduce((sum, count) => sum + count, 0) || 1;
              return (
                <tr key={name}>
                  <th scope="row">is {name}</th>
                  {counts.map((count, j) => (
                    <td key={j} class={i === j ? 'right' : 'wrong'} style={{ '--share': String(count / total) }}>
                      <b>{formatNumber(count, 9)}</b> <small>{formatValue(count / total, 'percentunit')}</small>
                    </td>
                  ))}
                </tr>
              );
            })}
          </tbody>
        </table>
      </figure>
    </div>
  );
}

const WIDTH = 260;
const HEIGHT = 200;
const LEFT = 48;
const BOTTOM = 34;
const TOP = 8;

export function ErrorCharts({ drawings: { errors, deciles } }: { drawings: ErrorDrawings }) {
  return (
    <div class="curves">
      <figure class="card">
        <figcaption>Errors: prediction less label</figcaption>
        <Errors bins={errors} />
      </figure>
      <figure class="card">
        <figcaption>Label against prediction, by tenths</figcaption>
        <Deciles deciles={deciles} />
      </figure>
    </div>
  );
}

function Frame({ said, across, up, x, y, children }: { said: string; across: string; up: string; x: [number, number]; y: [number, number]; children: preact.ComponentChildren }) {
  return (
    <svg class="square" viewBox={`0 0 ${LEFT + WIDTH + 10} ${TOP + HEIGHT + BOTTOM}`} role="img" aria-label={said}>
      <line class="grid-line" x1={LEFT} x2={LEFT + WIDTH} y1={TOP + HEIGHT} y2={TOP + HEIGHT} />
      <line class="grid-line" x1={LEFT} x2={LEFT} y1={TOP} y2={TOP + HEIGHT} />
      <text x={LEFT} y={TOP + HEIGHT + 13}>
        {formatNumber(x[0], 3)}
      </text>
      <text x={LEFT + WIDTH} y={TOP + HEIGHT + 13} text-anchor="end">
        {formatNumber(x[1], 3)}
      </text>
      <text x={LEFT - 5} y={TOP + HEIGHT} text-anchor="end">
        {formatNumber(y[0], 3)}
      </text>
      <text x={LEFT - 5} y={TOP + 9} text-anchor="end">
        {formatNumber(y[1], 3)}
      </text>
      <text class="quiet-text" x={LEFT + WIDTH / 2} y={TOP + HEIGHT + 28} text-anchor="middle">
        {across}
      </text>
      <text class="quiet-text" transform={`translate(9 ${TOP + HEIGHT / 2}) rotate(-90)`} text-anchor="middle">
        {up}
      </text>
      {children}
    </svg>
  );
}

function Errors({ bins }: { bins: ErrorDrawings['errors'] }) {
  const [first, last] = [bins[0], bins.at(-1)];
  if (!first || !last || first.low >= last.high) return <p class="nothing">All errors are the same.</p>;
  const peak = Math.max(1, ...bins.map(({ rows }) => rows));
  const x = (value: number): number => LEFT + ((value - first.low) / (last.high - first.low)) * WIDTH;
  return (
    <Frame said={`Histogram of errors in ${bins.length} bins`} across="prediction less label" up="rows" x={[first.low, last.high]} y={[0, peak]}>
      {first.low < 0 && last.high > 0 && <line class="diagonal" x1={x(0)} x2={x(0)} y1={TOP} y2={TOP + HEIGHT} />}
      {bins.map(({ low, high, rows }) => (
        <rect key={low} class="errors" x={x(low)} width={Math.max(0, x(high) - x(low) - 1)} y={TOP + HEIGHT * (1 - rows / peak)} height={(HEIGHT * rows) / peak}>
          <title>{`${formatNumber(low, 3)} to ${formatNumber(high, 3)}: ${counted(rows, 'row')}`}</title>
        </rect>
      ))}
    </Frame>
  );
}

function Deciles({ deciles }: { deciles: ErrorDrawings['deciles'] }) {
  const values = deciles.flatMap(({ mean_prediction: predicted, mean_truth: actual }) => [predicted, actual]);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (deciles.length === 0 || low >= high) return <p class="nothing">All predictions and labels are the same.</p>;
  const share = (value: number): number => (value - low) / (high - low);
  const x = (value: number): number => LEFT + share(value) * WIDTH;
  const y = (value: number): number => TOP + (1 - share(value)) * HEIGHT;
  return (
    <Frame said={`Mean label against mean prediction of ${deciles.length} groups`} across="mean prediction" up="mean label" x={[low, high]} y={[low, high]}>
      <path class="diagonal" d={`M${x(low)} ${y(low)}L${x(high)} ${y(high)}`} />
      <path class="curve" d={deciles.map(({ mean_prediction: p, mean_truth: t }, i) => `${i ? 'L' : 'M'}${x(p).toFixed(1)} ${y(t).toFixed(1)}`).join('')} />
      {deciles.map(({ mean_prediction: p, mean_truth: t, rows }) => (
        <circle key={p} cx={x(p)} cy={y(t)} r="3.5" class="dot">
          <title>{`${counted(rows, 'row')} predicted ${formatNumber(p, 3)} on average ${rows === 1 ? 'is' : 'are'} ${formatNumber(t, 3)}`}</title>
        </circle>
      ))}
    </Frame>
  );
}
