/** Prometheus's HTTP API: the calls the console makes and the shapes they answer with. */

import { requestJson } from './http';
import type { Labels } from './legend';
import type { Window } from './time/range';

export type Sample = readonly [timeS: number, value: number];
/** A native histogram: observations above `lower` up to `upper`, not added up. */
export interface NativeHistogram {
  time: number;
  count: number;
  sum: number;
  buckets: { lower: number; upper: number; count: number }[];
}
export interface RangeSeries {
  labels: Labels;
  /** Numbers; of a series of native histograms how many observations each has. */
  samples: Sample[];
  histograms?: NativeHistogram[];
}
export interface InstantSample {
  labels: Labels;
  time: number;
  /** A number; of a native histogram how many observations it has. */
  value: number;
  histogram?: NativeHistogram;
}
export type InstantAnswer = { notes: string[] } & (
  | { kind: 'vector'; samples: InstantSample[] }
  | { kind: 'matrix'; series: RangeSeries[] }
  | { kind: 'scalar' | 'string'; time: number; text: string }
);
export interface RangeAnswer {
  series: RangeSeries[];
  notes: string[];
}

interface Envelope<T> {
  status: string;
  data: T;
  warnings?: string[];
  infos?: string[];
}
type RawSample = [number, string];
type RawBucket = [rule: number, lower: string, upper: string, count: string];
type RawHistogram = [number, { count: string; sum: string; buckets?: RawBucket[] }];
interface RawSeries {
  metric: Record<string, string>;
  value?: RawSample;
  values?: RawSample[];
  histogram?: RawHistogram;
  histograms?: RawHistogram[];
}
interface RawResult {
  resultType: string;
  result: RawSeries[] | RawSample;
}

/** Above this many characters a query goes into a form instead of the address. */
const LONG_QUERY = 1500;

async function call<T>(path: string, parameters: Record<string, string>, signal?: AbortSignal): Promise<Envelope<T>> {
  const form = new URLSearchParams(parameters).toString();
  const init: RequestInit = signal ? { signal } : {};
  const long = form.length > LONG_QUERY;
  const answer = long
    ? await requestJson(`api/v1/${path}`, { ...init, method: 'POST', body: new URLSearchParams(parameters) })
    : await requestJson(`api/v1/${path}${form ? `?${form}` : ''}`, init);
  return answer as Envelope<T>;
}

function notesOf(envelope: Envelope<unknown>): string[] {
  return [...(envelope.warnings ?? []), ...(envelope.infos ?? [])];
}

/** Go's text of a float. */
export function parseSample(text: string): number {
  if (text === '+Inf') return Infinity;
  if (text === '-Inf') return -Infinity;
  return Number(text);
}

function readSamples(values: readonly RawSample[] | undefined): Sample[] {
  return (values ?? []).map(([time, text]) => [time, parseSample(text)]);
}

function readHistogram([time, { count, sum, buckets }]: RawHistogram): NativeHistogram {
  const read = ([, lower, upper, inside]: RawBucket) => ({ lower: parseSample(lower), upper: parseSample(upper), count: parseSample(inside) });
  return { time, count: parseSample(count), sum: parseSample(sum), buckets: (buckets ?? []).map(read) };
}

function readSeries(one: RawSeries): RangeSeries {
  const samples = readSamples(one.values);
  if (!one.histograms) return { labels: one.metric, samples };
  const histograms = one.histograms.map(readHistogram);
  const all = [...samples, ...histograms.map(({ time, count }): Sample => [time, count])];
  return { labels: one.metric, samples: all.sort(([a], [b]) => a - b), histograms };
}

export async function queryRange(expression: string, window: Window, step: number, signal?: AbortSignal): Promise<RangeAnswer> {
  const parameters = { query: expression, start: String(window.start), end: String(window.end), step: String(step) };
  const answer = await call<RawResult>('query_range', parameters, signal);
  const result = answer.data.result as RawSeries[];
  return { series: result.map(readSeries), notes: notesOf(answer) };
}

export async function queryInstant(expression: string, time: number, signal?: AbortSignal): Promise<InstantAnswer> {
  const answer = await call<RawResult>('query', { query: expression, time: String(time) }, signal);
  const notes = notesOf(answer);
  const { resultType, result } = answer.data;
  if (resultType === 'scalar' || resultType === 'string') {
    const [at, text] = result as RawSample;
    return { kind: resultType, time: at, text, notes };
  }
  const series = result as RawSeries[];
  if (resultType === 'matrix') {
    return { kind: 'matrix', series: series.map(readSeries), notes };
  }
  const samples = series.map((one): InstantSample => {
    if (one.histogram) {
      const histogram = readHistogram(one.histogram);
      return { labels: one.metric, time: histogram.time, value: histogram.count, histogram };
    }
    const [at, text] = one.value ?? [time, 'NaN'];
    return { labels: one.metric, time: at, value: parseSample(text) };
  });
  return { kind: 'vector', samples, notes };
}

export interface ActiveTarget {
  discoveredLabels: Record<string, string>;
  labels: Record<string, string>;
  scrapePool: string;
  scrapeUrl: string;
  globalUrl?: string;
  lastError: string;
  lastScrape: string;
  lastScrapeDuration: number;
  health: 'up' | 'down' | 'unknown';
  scrapeInterval?: string;
  scrapeTimeout?: string;
}
export interface Targets {
  activeTargets: ActiveTarget[];
  droppedTargets: { discoveredLabels: Record<string, string> }[];
}

export async function fetchTargets(state: 'active' | 'any', signal?: AbortSignal): Promise<Targets> {
  return (await call<Targets>('targets', { state }, signal)).data;
}

export interface Alert {
  labels: Record<string, string>;
  annotations: Record<string, string>;
  state: 'firing' | 'pending' | 'inactive';
  activeAt?: string;
  value: string;
}
export interface Rule {
  name: string;
  query: string;
  type: 'alerting' | 'recording';
  health: string;
  lastError?: string;
  lastEvaluation?: string;
  evaluationTime?: number;
  state?: Alert['state'];
  duration?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  alerts?: Alert[];
}
export interface RuleGroup {
  name: string;
  file: string;
  interval: number;
  lastEvaluation?: string;
  evaluationTime?: number;
  rules: Rule[];
}

export async function fetchRules(signal?: AbortSignal): Promise<RuleGroup[]> {
  return (await call<{ groups: RuleGroup[] }>('rules', {}, signal)).data.groups;
}

export async function formatQuery(expression: string): Promise<string> {
  return (await call<string>('format_query', { query: expression })).data;
}
