/** Numbers with their unit, short enough for an axis and precise enough for a reading. */

const SI: readonly (readonly [number, string])[] = [
  [1e15, 'P'],
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
];
const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
/** No-break space between number and unit. */
const GAP = '\u00a0';

/** At most `digits` significant digits, integers whole, no trailing zeros. */
export function formatNumber(value: number, digits = 4): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+∞' : '−∞';
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-5 || size >= 1e15)) return value.toExponential(2).replace(/\.?0+e/, 'e').replace('e+', 'e').replace('-', '−');
  const places = size === 0 ? 0 : Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  const text = value.toFixed(Math.min(places, 12));
  const short = text.includes('.') ? text.replace(/\.?0+$/, '') : text;
  return (short === '-0' ? '0' : short).replace('-', '−');
}

function withPrefix(value: number, unit: string, digits: number): string {
  const size = Math.abs(value);
  for (const [factor, prefix] of SI) {
    if (size >= factor * 0.99995) return formatNumber(value / factor, digits) + GAP + prefix + unit;
  }
  return formatNumber(value, digits) + (unit ? GAP + unit : '');
}

function bytes(value: number, digits: number): string {
  let power = 0;
  let scaled = value;
  while (Math.abs(scaled) >= 1023.95 && power < BINARY.length - 1) {
    scaled /= 1024;
    power += 1;
  }
  return formatNumber(scaled, digits) + GAP + (BINARY[power] ?? 'B');
}

function seconds(value: number, digits: number): string {
  const size = Math.abs(value);
  if (size === 0) return `0${GAP}s`;
  if (size < 1e-6) return formatNumber(value * 1e9, digits) + GAP + 'ns';
  if (size < 1e-3) return formatNumber(value * 1e6, digits) + GAP + 'µs';
  if (size < 1) return formatNumber(value * 1e3, digits) + GAP + 'ms';
  if (size < 120) return formatNumber(value, digits) + GAP + 's';
  if (size < 7200) return formatNumber(value / 60, digits) + GAP + 'min';
  if (size < 172800) return formatNumber(value / 3600, digits) + GAP + 'h';
  return formatNumber(value / 86400, digits) + GAP + 'd';
}

const UNITS: Record<string, (value: number, digits: number) => string> = {
  short: (value, digits) => withPrefix(value, '', digits),
  reqps: (value, digits) => withPrefix(value, 'req/s', digits),
  ops: (value, digits) => withPrefix(value, 'ops/s', digits),
  percent: (value, digits) => formatNumber(value, digits) + GAP + '%',
  percentunit: (value, digits) => formatNumber(value * 100, digits) + GAP + '%',
  seconds,
  s: seconds,
  ms: (value, digits) => seconds(value / 1000, digits),
  minutes: (value, digits) => seconds(value * 60, digits),
  m: (value, digits) => seconds(value * 60, digits),
  bytes,
  decbytes: (value, digits) => withPrefix(value, 'B', digits),
  Bps: (value, digits) => bytes(value, digits) + '/s',
};

/** The value in its unit; a unit unknown here is written behind the number as it is, `none` not at all. */
export function formatValue(value: number | null | undefined, unit = 'short', digits = 3): string {
  if (value === null || value === undefined) return '–';
  if (!Number.isFinite(value)) return formatNumber(value);
  const write = UNITS[unit];
  if (write) return write(value, digits);
  if (unit === 'none' || unit === 'string' || unit === '') return formatNumber(value, Math.max(digits, 6));
  return formatNumber(value, digits) + GAP + unit;
}

/** `1 row`, `12 rows`; `plural` where it is another word than with an s. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${formatNumber(count, 9)} ${count === 1 ? noun : plural}`;
}

/** Lowest and highest value that can be told apart. */
export type Bounds = readonly [low: number, high: number];

/** The value; at or beyond the bounds only on which side of them it lies. */
export function formatWithin(value: number | null | undefined, unit: string, bounds?: Bounds | null, digits = 3): string {
  if (bounds && value != null && value <= bounds[0]) return `<${GAP}${formatValue(bounds[0], unit)}`;
  if (bounds && value != null && value >= bounds[1]) return `>${GAP}${formatValue(bounds[1], unit)}`;
  return formatValue(value, unit, digits);
}

/** The texts of an axis, with as many digits as it takes to tell neighbours apart. */
export function formatTicks(ticks: readonly number[], unit: string): string[] {
  for (let digits = 2; digits <= 8; digits += 1) {
    const texts = ticks.map((tick) => formatValue(tick, unit, digits));
    if (new Set(texts).size === ticks.length && ticks.every((tick, i) => i === 0 || sameDistance(tick, texts[i]))) return texts;
    if (digits >= 3 && new Set(texts).size === ticks.length) return texts;
  }
  return ticks.map((tick) => formatValue(tick, unit, 9));
}

/** Two digits are enough only where they say the tick exactly. */
function sameDistance(tick: number, text: string | undefined): boolean {
  const mantissa = Number.parseFloat((text ?? '').replace('−', '-'));
  if (tick === 0 || mantissa === 0) return tick === mantissa;
  const ratio = Math.abs(tick / mantissa);
  const known = [1, 1e-9, 1e-6, 1e-3, 1e-2, 60, 3600, 86400, 1e3, 1e6, 1e9, 1e12, 1024, 1024 ** 2, 1024 ** 3, 1024 ** 4];
  return known.some((factor) => Math.abs(ratio / factor - 1) < 1e-9);
}
