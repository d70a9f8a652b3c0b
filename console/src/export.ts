/** Files that a page makes of what it shows: tables as CSV, charts as PNG. */

import { FONT, readColours } from './chart/plot';

export type Cell = string | number | null | undefined;

/** RFC 4180. A text that a spreadsheet would take for a formula is kept a text by an apostrophe. */
export function csvOf(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return [header, ...rows].map((row) => row.map(csvCell).join(',') + '\r\n').join('');
}

function csvCell(cell: Cell): string {
  if (cell === null || cell === undefined) return '';
  if (typeof cell === 'number') return String(cell);
  const text = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** `Latency p95` as `latency-p95`. */
export function fileName(title: string, ending: string): string {
  const words = title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-').slice(0, 80).replace(/^-|-$/g, '');
  return `${words || 'streamflow'}.${ending}`;
}

function save(name: string, blob: Blob): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export function saveCsv(title: string, header: readonly string[], rows: readonly (readonly Cell[])[]): void {
  save(fileName(title, 'csv'), new Blob([csvOf(header, rows)], { type: 'text/csv;charset=utf-8' }));
}

/** A column of times in UTC and one for each line. */
export function saveSeriesCsv(title: string, times: readonly number[], columns: readonly { name: string; values: readonly (number | null)[] }[]): void {
  const rows = times.map((time, i) => [new Date(time * 1000).toISOString(), ...columns.map(({ values }) => values[i])]);
  saveCsv(title, ['time', ...columns.map(({ name }) => name)], rows);
}

const MARGIN = 14;
const LINE = 18;

/** The chart in this element on the page's colours, with its title above and its legend below. */
export function savePng(title: string, element: Element): void {
  const chart = element.querySelector('canvas');
  if (!chart) return;
  const ratio = chart.width / chart.clientWidth || 1;
  const width = chart.clientWidth + 2 * MARGIN;
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d');
  if (!context) return;
  const legend = layLegend(context, element, width - 2 * MARGIN);
  const below = chart.clientHeight + 3 * MARGIN + LINE;
  canvas.width = width * ratio;
  canvas.height = (below + (legend.at(-1)?.row ?? -1) * LINE + LINE + MARGIN) * ratio;
  context.scale(ratio, ratio);
  const colours = readColours();
  context.fillStyle = colours.panel;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = colours.ink;
  context.textBaseline = 'middle';
  context.font = `600 ${FONT.replace('11px', '13px')}`;
  context.fillText(title, MARGIN, MARGIN + LINE / 2, width - 2 * MARGIN);
  context.drawImage(chart, MARGIN, 2 * MARGIN + LINE, chart.clientWidth, chart.clientHeight);
  context.font = FONT;
  for (const { text, colour, left, row } of legend) {
    const y = below + row * LINE + LINE / 2;
    context.fillStyle = colour;
    context.fillRect(MARGIN + left, y - 1.5, 10, 3);
    context.fillStyle = colours.ink;
    context.fillText(text, MARGIN + left + 16, y);
  }
  canvas.toBlob((blob) => blob && save(fileName(title, 'png'), blob));
}

/** The entries of the legend that are shown, from left to right and wrapped. */
function layLegend(context: CanvasRenderingContext2D, element: Element, width: number): { text: string; colour: string; left: number; row: number }[] {
  context.font = FONT;
  let [left, row] = [0, 0];
  return [...element.querySelectorAll('.legend-item[aria-pressed="true"]')].map((item) => {
    const swatch = item.querySelector('.swatch');
    const text = `${item.querySelector('.legend-label')?.textContent ?? ''}  ${item.querySelector('.legend-value')?.textContent ?? ''}`;
    const long = 16 + context.measureText(text).width + 18;
    if (left > 0 && left + long > width) [left, row] = [0, row + 1];
    const entry = { text, colour: swatch ? getComputedStyle(swatch).backgroundColor : '', left, row };
    left += long;
    return entry;
  });
}
