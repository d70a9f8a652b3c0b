/** StreamFlow's own resources under `/api/streamflow/`. */

import type * as api from './api';
import { requestJson } from './http';
import type { PromotionReport, StoredEvaluation } from './performance/evaluation';

export type { Annotation, Approval, AuditEntry, Dashboard, Distribution, LiveCertificate, LiveColumn, LiveDrift, LiveShift, LiveStatistic, LiveVersion, LiveWindow, LogLine, Models, ModelVersion, Panel, Parameter, Prediction, ProductionChange, Report, RunTask, Session, Status, Threshold, Transition } from './api';

/** A run of a list; one that was asked for by itself has its steps and log too. */
export type Run = api.RunSummary & Partial<Pick<api.RunDetail, 'tasks' | 'logs' | 'transitions' | 'approvals'>>;
export type Flow = api.FlowEntry;
export type Live = api.LiveDocument;
export type Kind = api.ParameterKind;
export type Snapshot = Omit<api.Snapshot, 'tables'> & { tables: SnapshotTable[] };
/** With its validation results in the form that Great Expectations gives them. */
export type SnapshotTable = Omit<api.SnapshotTable, 'expectations'> & { expectations: Expectation[] };

/** What of a report's JSON is shown beside its page. */
export interface ReportDetail {
  not_tested?: { column: string; reason: string }[];
}

/** A validation result in Great Expectations' form. */
export interface Expectation {
  success?: boolean;
  expectation_config?: { type?: string; kwargs?: Record<string, unknown> };
  result?: { unexpected_count?: number; observed_value?: unknown };
}

async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await requestJson(`api/streamflow/${path}`, signal ? { signal } : {})) as T;
}

let token = '';

/** A state-changing request carries the token of the session, which another site cannot read. */
async function post<T>(path: string, body: unknown): Promise<T> {
  const headers = { 'Content-Type': 'application/json', 'X-StreamFlow-Token': token };
  return (await requestJson(`api/streamflow/${path}`, { method: 'POST', headers, body: JSON.stringify(body) })) as T;
}

export async function fetchSession(): Promise<api.Session> {
  const session = await get<api.Session>('session');
  token = session.token ?? '';
  return session;
}
export const login = (user: string, password: string): Promise<unknown> => post('login', { user, password });
export const logout = (): Promise<unknown> => post('logout', {});
export const fetchPanels = async (signal?: AbortSignal): Promise<api.Dashboard[]> => (await get<{ dashboards: api.Dashboard[] }>('panels', signal)).dashboards;
export const fetchReports = (signal?: AbortSignal): Promise<api.Report[]> => get('reports', signal);
export const fetchReport = (name: string, signal?: AbortSignal): Promise<ReportDetail> => get(`reports/${encodeURIComponent(name)}`, signal);
export const runReport = (request: { reference: string; current: string; profile?: string; threshold?: number }): Promise<api.Report> => post('reports', request);
export const fetchLive = (signal?: AbortSignal): Promise<Live> => get('live', signal);
export const fetchModels = (signal?: AbortSignal): Promise<api.Models> => get('models', signal);
export const fetchImportance = (version: number, signal?: AbortSignal): Promise<api.VersionImportance> => get(`models/${version}/importance`, signal);
/** How right kept answers of a version were on a day. */
export interface AnswersPeriod {
  period: string;
  version: string;
  rows: number;
  labelled: number;
  /** Different entities that the answers name. */
  entities: number;
  /** Answers that count: one of each entity, and those that name none. */
  counted: number;
  counted_labelled: number;
  state: 'pending' | 'partial' | 'assumed' | 'final';
  /** `pending`, `partial 12 %`, `assumed` or `final`. */
  state_words: string;
  metric: string;
  realised: Record<string, { value: number | null; interval: { low: number; high: number } | null } | undefined>;
  estimated: { value: number | null } | null;
  notes: string[];
}
export interface AnswersOfDays {
  periods: AnswersPeriod[];
  unknown_labels: number;
  /** Sentences on other labels that do not count. */
  notes: string[];
}
export const fetchAnswers = (signal?: AbortSignal): Promise<AnswersOfDays> => get('performance/answers', signal);
export const setShadow = (version: number | null): Promise<unknown> => post('models/shadow', { version });
export type CanaryStatus = api.CanaryStatus;
export const startCanary = (version: number, share: number): Promise<unknown> => post('models/canary', { version, share });
export const endCanary = (): Promise<unknown> => post('models/canary', { version: null });
export const promote = (version: string | number): Promise<unknown> => post('models/promote', { version });
export const rollBack = (): Promise<unknown> => post('models/rollback', {});
export const fetchSnapshots = (signal?: AbortSignal): Promise<Snapshot[]> => get('snapshots', signal);
export interface RunFilter {
  flow: string;
  state: string;
  period: string;
}
/** The newest runs; an empty text of the filter lets all pass. */
export function fetchRuns(limit: number, filter: RunFilter, signal?: AbortSignal): Promise<Run[]> {
  const chosen = Object.entries(filter).filter(([, value]) => value !== '');
  return get(`runs?${new URLSearchParams([['limit', String(limit)], ...chosen]).toString()}`, signal);
}
const runPath = (id: string | number): string => `runs/${encodeURIComponent(id)}`;
export const fetchRun = (id: string, signal?: AbortSignal): Promise<Run> => get(runPath(id), signal);
/** The lines after one, and the state of the run. */
export const fetchLog = (id: string, after: number, signal?: AbortSignal): Promise<{ state: string; state_name: string; lines: api.LogLine[] }> => get(`${runPath(id)}/logs?after=${after}`, signal);
export const logAddress = (id: string | number): string => `api/streamflow/${runPath(id)}/log.txt`;
export const retryRun = (id: string | number, again: { from?: string; all?: boolean }): Promise<Run> => post(`${runPath(id)}/retry`, again);
export const cancelRun = (id: string | number): Promise<Run> => post(`${runPath(id)}/cancel`, {});
export const answerRun = (id: string | number, approved: boolean, note: string): Promise<Run> => post(`${runPath(id)}/answer`, { approved, note });
const flowPath = (name: string): string => `flows/${encodeURIComponent(name)}`;
export const fetchFlows = (signal?: AbortSignal): Promise<Flow[]> => get('flows', signal);
export const runFlow = (name: string, parameters: Record<string, unknown>): Promise<Run> => post(`${flowPath(name)}/run`, { parameters });
export const pauseFlow = (name: string, paused: boolean): Promise<Flow> => post(`${flowPath(name)}/schedule`, { paused });
export const backfillFlow = (name: string, months: { from: string; to: string; failed_only: boolean; parameters: Record<string, unknown> }): Promise<{ runs: number[] }> => post(`${flowPath(name)}/backfill`, months);
export const fetchEvaluations = (signal?: AbortSignal): Promise<StoredEvaluation[]> => get('performance', signal);
export const compareVersions = (contest: { production: number; candidate: number; as_of: string }): Promise<PromotionReport> => post('models/compare', contest);
export const fetchAudit = (limit: number, signal?: AbortSignal): Promise<api.AuditEntry[]> => get(`audit?limit=${limit}`, signal);
export const fetchPromotions = (limit: number, signal?: AbortSignal): Promise<api.ProductionChange[]> => get(`promotions?limit=${limit}`, signal);
export const fetchAnnotations = (start: number, end: number, signal?: AbortSignal): Promise<api.Annotation[]> => get(`annotations?start=${Math.floor(start)}&end=${Math.ceil(end)}`, signal);
export const predict = (entity: string): Promise<api.Prediction> => post('predict', { entity });
export const fetchStatus = (signal?: AbortSignal): Promise<api.Status> => get('status', signal);
