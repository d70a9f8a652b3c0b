/** What the server answers, written by `npm run types` from openapi.json: edit neither by hand. */

/** Something that happened. */
export interface Annotation {
  at: string;
  kind: AnnotationKind;
  run_id: number | null;
  /** What it was, in words. */
  text: string;
}

export type AnnotationKind = "promotion" | "ingest" | "decision" | "live_drift";

export interface AnswerBody {
  approved: boolean;
  note?: string;
}

/** A question of a run. */
export interface Approval {
  /** `approved` or `rejected`; none while nobody has answered. */
  answer: string | null;
  answered_at: string | null;
  answered_by: string | null;
  asked_at: string;
  /** When no answer means no. */
  expires_at: string;
  /** What was said with the answer. */
  note: string;
  question: string;
  run_id: number;
  /** The step that asks. */
  task: string;
}

/** What was counted of a version. */
export interface ArmStatus {
  /** `production` or `candidate`. */
  arm: string;
  /** Errors by requests; 0 without requests. */
  error_rate: number;
  errors: number;
  /** Seconds that half of the requests take at most, and 99 of 100, rounded up by at most 19 %; none without requests. */
  latency_p50_seconds: number | null;
  latency_p99_seconds: number | null;
  /** Mean of the last score of each of at most a thousand entities. */
  mean_score: number | null;
  requests: number;
  /** Those entities. */
  scored_entities: number;
  version: number;
}

/** A change that somebody asked for. */
export interface AuditEntry {
  /** The method of a request; `command`; a word for what a run did. */
  action: string;
  /** The user, the token, or the command's user on this machine. */
  actor: string;
  /** From where a request came; none of a command or a run. */
  address: string | null;
  at: string;
  /** The body of a request, without its secrets. */
  detail: string;
  id: number;
  /** `done`, `refused: …` or `failed: …`; none where the process ended, or the client left, before it was known. */
  outcome: string | null;
  /** The trusted proxy that it came through. */
  proxy: string | null;
  run_id: number | null;
  /** The path of a request; the words of a command; what a run did it to. */
  subject: string;
}

/** The runs that a backfill has recorded. */
export interface Backfill {
  runs: number[];
}

export interface BackfillBody {
  /** Leave out months of which a run has completed. */
  failed_only?: boolean;
  /** The first month. */
  from: string;
  parameters?: Record<string, unknown>;
  /** The last month. */
  to: string;
}

export interface Build {
  os: string;
  target: string;
}

export interface CanaryBody {
  /** The share of the entities that it answers, above 0 and up to 1; needed with a version, refused with null. */
  share?: number | null;
  /** The version; null ends the canary. */
  version: number | null;
}

/** A canary and how it goes. */
export interface CanaryStatus {
  /** Who gave it this share. */
  actor: string;
  /** The version in production and the canary's, as counted since it has this share. */
  arms: ArmStatus[];
  /** The run that keeps it, where one does. */
  run_id: number | null;
  /** The share of the entities, above 0 and up to 1. */
  share: number;
  /** When it began to have this share, in UTC. */
  since: string;
  /** Why a serving process cannot load it; production answers then. */
  trouble: string | null;
  version: number;
}

/** The three colours of a state. */
export type Color = "green" | "yellow" | "red";

export interface CompareBody {
  current: string;
  profile?: string | null;
  reference: string;
  threshold?: number | null;
}

export interface Contest {
  as_of: string;
  candidate: number;
  production: number;
}

/** A dashboard: rows of panels from top to bottom. */
export interface Dashboard {
  description: string;
  rows: PanelRow[];
  title: string;
  /** Fixed for ever: links and Grafana's stars name it. */
  uid: string;
}

/** How a feature was distributed in the snapshot that the model was trained on. */
export type Distribution = {
  counts: number[];
  edges: number[];
  kind: "numerical";
  missing: number;
} | {
  counts: number[];
  kind: "categorical";
  levels: string[];
  missing: number;
};

/** What every failure has as its body. */
export interface ErrorBody {
  /** What was wrong, and what to do. */
  error: string;
}

/** What one feature contributes. */
export interface FeatureImportance {
  /** The column that it is taken from. */
  feature: string;
  /** Its share of the loss reduction by all splits; none of an imported version. */
  gain_share: number | null;
  /** The mean size of what it adds to an answer, over at most 500 rows: held-out ones of a trained version, those of the month that an imported one was checked on. */
  mean_abs_contribution: number | null;
  /** Splits on it; none of an imported version. */
  splits: number | null;
}

/** A flow as lists show it. */
export interface FlowDescription {
  doc: string;
  name: string;
  on: string[];
  parameters: Parameter[];
  /** The schedule in words. */
  schedule: string | null;
  /** Names of the steps of a flow of one's own. */
  steps: string[];
  watch: string | null;
}

/** A flow: what it is, and how it stands with its schedule. */
export type FlowEntry = FlowDescription & {
  last: RunSummary | null;
  /** The times that come next by the schedule. */
  next: string[];
  paused: boolean;
  skipped: SkippedTime[];
};

/** What a certificate came to, as it is kept and shown beside the budget. */
export interface LiveCertificate {
  /** Alarms that the rule raises on that traffic: one a column and moment, whichever windows show it. */
  alarms: number;
  /** When it was made, RFC 3339. */
  at: string;
  /** The budget of then. */
  false_alarms_per_month: number;
  /** When the first began and the last ended. */
  from: string | null;
  /** Those in which a window had enough entities. */
  judged: number;
  /** Quarters of an hour with traffic that were looked at. */
  quarters: number;
  /** The smallest shift of each numerical column that any window shows. */
  shifts: LiveShift[];
  until: string | null;
  verdict: LiveVerdict | null;
}

/** A feature, or what the model says. */
export interface LiveColumn {
  /** What each class of values holds; the last is `missing`. */
  classes: string[];
  /** False of what the model says. */
  is_feature: boolean;
  is_numerical: boolean;
  name: string;
}

/** Drift of live traffic as of the last minute. */
export interface LiveDocument {
  /** False alarms in 30 days that are expected at most. */
  false_alarms_per_month: number;
  /** The served version first; then one that was served in the last hour. */
  versions: LiveVersion[];
  /** Why there is nothing to see, and what to do; null while traffic is looked at. */
  why: string | null;
}

/** A column in a window. */
export interface LiveDrift {
  /** What they are compared with, by class. */
  basis: number[];
  /** Since when it has drifted, RFC 3339; null where it has not. */
  detected_since: string | null;
  /** Entities by class. */
  live: number[];
  /** None where the window is not judged. */
  statistics: LiveStatistic[];
}

/** How many columns of a window have drifted. */
export interface LiveDrifted {
  features: number;
  /** Of what the model says. */
  outputs: number;
}

/** The share of one kind of error. */
export interface LiveErrors {
  /** At the same clock time of the last seven days. */
  before: number;
  detected_since: string | null;
  /** `unknown` (404) or `invalid` (400, 422). */
  kind: string;
  share: number;
  z: number;
}

/** The smallest shift of a column that is seen in 95 of 100 cases, in standard deviations; null where none is. */
export interface LiveShift {
  column: string;
  within_15m: number | null;
  within_1d: number | null;
  within_1h: number | null;
}

/** One number that a column is judged by. */
export interface LiveStatistic {
  detected_since: string | null;
  effect: number;
  /** From which effect on the difference is large. */
  gate: number;
  /** `location`, `spread`, `categories` or `missing`. */
  statistic: string;
  z: number;
}

/** A verdict with its words. */
export interface LiveVerdict {
  verdict: Verdict;
  /** Why, in a sentence; null where it holds. */
  why: string | null;
  /** `Holds`, `Not yet known (12 of 96)`, `Exceeded` or `Outdated`. */
  words: string;
}

/** The traffic of one version. */
export interface LiveVersion {
  /** When the last minute that was looked at ended. */
  at: string | null;
  certificate: LiveCertificate | null;
  /** Features, then what the model says. */
  columns: LiveColumn[];
  /** When the first minute with traffic began, RFC 3339. */
  first: string | null;
  is_served: boolean;
  /** Which rows traffic is compared with. */
  source: string;
  /** Statistics of each window, which share the budget of false alarms. */
  statistics: number;
  version: string;
  /** 15m, 1h, 6h and 24h; none before the first minute has ended. */
  windows: LiveWindow[];
}

/** A window that ends with the last minute. */
export interface LiveWindow {
  /** `training`, `warming_up` (training, until there are seven days) or `same_clock_time` (of the last seven days). */
  basis: string;
  /** In the order of the columns. */
  columns: LiveDrift[];
  drifted: LiveDrifted | null;
  /** Distinct entities, as many as the window keeps. */
  entities: number;
  errors: LiveErrors[];
  is_enough: boolean;
  /** Entities from which on it is judged. */
  needed: number;
  requests: number;
  /** Share of the features that have drifted; null where the window is not judged. */
  share: number | null;
  /** From which |z| on a difference is significant for the number of looks. */
  threshold: number;
  /** Why it is not judged, or is judged in another way than later on. */
  why: string | null;
  /** `15m`, `1h`, `6h` or `24h`. */
  window: string;
  /** `13 of 14 features drifted`, with the outputs of the model where some have, or `Too few: 77 of 200`. */
  words: string;
}

/** A line of a log. */
export interface LogLine {
  /** Rises from line to line. */
  id: number;
  level: string;
  message: string;
  time: string;
}

/** Lines of a log, and how its run stands. */
export interface LogPage {
  lines: LogLine[];
  state: string;
  state_name: string;
}

export interface Login {
  password: string;
  user: string;
}

/** A version of the model. */
export interface ModelVersion {
  created: string;
  /** How it came to be, in a few words: `trained, 327 trees, sigmoid`, or `imported XGBoost UBJSON`. */
  how: string;
  metrics: Record<string, unknown>;
  origin: Origin | null;
  production: boolean;
  /** The run that trained it, where one did. */
  run_id: number | null;
  seed: number;
  /** What it predicts: `binary`, `multiclass` or `regression`. */
  task: string;
  /** The snapshot it was trained on; of an imported one the last date of its training data, where that is known. */
  trained_on: string | null;
  version: number;
}

/** Versions of the model, the newest first. */
export interface Models {
  canary: CanaryStatus | null;
  name: string;
  production: number | null;
  /** The version that answers and is not heard, where one was named. */
  shadow: number | null;
  versions: ModelVersion[];
}

/** Where an imported version comes from. */
export interface Origin {
  /** The name of the file. */
  file: string;
  /** The format of the file. */
  format: string;
  /** The last date of its training data, where somebody has said it. */
  trained_until: string | null;
}

/** One drawing. */
export interface Panel {
  /** PromQL for whether a `stat` is red, where that is more than a matter of its value: red where it gives anything but 0. */
  alarm: string | null;
  /** Lowest and highest value that can be told apart, such as the outer bounds of a histogram's buckets: at or beyond them `< bound` and `> bound` are shown. */
  bounds: [number, number] | null;
  /** What it shows; whole sentences. */
  description: string;
  /** What stands in its place without data: what is absent, and the command that brings it. */
  empty: string;
  /** A series that is zero throughout is left out. */
  hide_zeros: boolean;
  kind: PanelKind;
  /** PromQL for the value from which on a `stat` is red, where it is a setting and no constant. */
  limit: string | null;
  /** Horizontal lines. */
  lines: PanelLine[];
  /** Series are drawn on top of each other. */
  stacked: boolean;
  targets: PanelTarget[];
  /** Colours and the value from which each holds; ascending, the first without a value. */
  thresholds: Threshold[];
  title: string;
  unit: Unit;
  /** Width in the grid of 24 columns. */
  width: number;
}

/** How a panel is drawn. `stat` and `bar` show the present value alone. */
export type PanelKind = "stat" | "timeseries" | "heatmap" | "bar";

/** A horizontal line. */
export interface PanelLine {
  label: string;
  value: number;
}

/** Panels under one heading, from left to right on 24 columns, wrapped. */
export interface PanelRow {
  panels: Panel[];
  title: string;
}

/** One expression of a panel. */
export interface PanelTarget {
  /** PromQL; `$__rate_interval` stands for four scrape intervals or more. */
  expression: string;
  /** `{{label}}` is the label's value. */
  legend: string;
}

/** The dashboards of the overview. */
export interface Panels {
  dashboards: Dashboard[];
}

/** A parameter of a flow. */
export interface Parameter {
  doc: string;
  kind: ParameterKind;
  name: string;
  /** True where there is no run without it. */
  required: boolean;
}

/** What values a parameter takes. */
export type ParameterKind = {
  type: "date";
} | {
  type: "path";
} | {
  type: "number";
} | {
  type: "integer";
} | {
  type: "flag";
} | {
  type: "duration";
} | {
  type: "shares";
} | {
  type: "word";
  /** One of these. */
  values: string[];
};

export interface PauseBody {
  paused: boolean;
}

export interface PredictBody {
  /** A value of the entity's column; `store=s1 sku=17` where the entity has several columns. */
  entity: string;
}

/** What the prediction API answered, and how each feature was distributed where the model learned. */
export interface Prediction {
  distributions: Record<string, Distribution>;
  response: Record<string, unknown>;
  status: number;
}

/** A promotion or a rollback. */
export interface ProductionChange {
  /** `promote` or `rollback`. */
  action: string;
  actor: string;
  at: string;
  id: number;
  run_id: number | null;
  /** The version that is in production since then. */
  subject: string;
}

export interface Promotion {
  version: number;
}

/** One report as a list shows it. */
export interface Report {
  columns: number;
  /** When the file was written, RFC 3339. */
  created: string;
  current: string;
  decision: string;
  drift_share: number;
  drifted: number;
  /** The report's [`ReportFolder::report_name`]. */
  name: string;
  profile: string;
  reference: string;
  /** The last run that wrote it, where the database knows one. */
  run_id: number | null;
  target_drift: number | null;
  threshold: number;
  /** Path under which the console serves it. */
  url: string;
}

export interface RetryBody {
  all?: boolean;
  /** The step from which on all run again. */
  from?: string | null;
}

/** What a caller of the console may do. Each role may do what those before it may. */
export type Role = "viewer" | "operator" | "admin";

export interface RunBody {
  parameters?: Record<string, unknown>;
}

/** A run with all that is known of it. */
export type RunDetail = RunSummary & {
  approvals: Approval[];
  logs: LogLine[];
  tasks: RunTask[];
  transitions: Transition[];
};

/** A run as lists show it. */
export interface RunSummary {
  /** 1 for a run that nobody had to try again. */
  attempt: number;
  /** Who or what started it. */
  cause: string;
  /** When it is to start; none for at once. */
  due: string | null;
  ended: string | null;
  flow: string;
  id: number;
  message: string;
  parameters: Record<string, unknown>;
  /** The month it is about. */
  period: string | null;
  /** Name of the report it wrote. */
  report: string | null;
  /** When it was started, or asked for while it has not begun. */
  started: string;
  state: string;
  /** What the run itself says it came to, such as NO_ACTION. */
  state_name: string;
}

/** A step of a run. */
export interface RunTask {
  /** The attempt of the run in which it ran. */
  attempt: number;
  duration_ms: number | null;
  error: string;
  name: string;
  started: string;
  state: string;
  state_name: string;
}

/** The size of the sample store. */
export interface SampleStore {
  block_bytes: number;
  blocks: number;
  head_chunks: number;
  head_samples: number;
  head_series: number;
  wal_bytes: number;
}

/** Who is asking, and what they may do. */
export interface Session {
  login_required: boolean;
  /** Whether a proxy names the user, who then cannot log out here. */
  named_by_proxy: boolean;
  path_prefix: string;
  read_only: boolean;
  /** Why the caller is not known although a proxy names them. */
  refusal: string | null;
  role: Role | null;
  /** Goes with every request that changes something; none before a login. */
  token: string | null;
  user: string | null;
  version: string;
}

/** A time at which a flow was due and was not started. */
export interface SkippedTime {
  due_at: string;
  flow: string;
  reason: string;
}

/** An ingested month. */
export interface Snapshot {
  as_of: string;
  /** When it was committed. */
  ingested: string | null;
  revision: number;
  rows: number;
  tables: SnapshotTable[];
}

/** A table of a month. */
export interface SnapshotTable {
  bytes: number;
  /** Validation results in the form of Great Expectations. */
  expectations: Record<string, unknown>[];
  failed: number;
  name: string;
  passed: number;
  rows: number;
  sha256: string;
  /** The file it was read from. */
  source: string;
}

/** What this server is, how it is configured and how much it stores. */
export interface Status {
  build: Build;
  /** The effective configuration, without secrets. */
  config: Record<string, unknown>;
  /** The same as TOML. */
  config_text: string;
  /** What is damaged in the sample store. */
  damage: string[];
  storage: Stored[];
  tsdb: SampleStore;
  uptime_seconds: number;
  version: string;
  warnings: string[];
}

/** A part of what is stored. */
export interface Stored {
  bytes: number;
  name: string;
  path: string;
}

/** One measurement of a version on a period. */
export interface StoredEvaluation {
  at: string;
  evaluation: Record<string, unknown>;
  id: number;
  /** `realised` from labels, `estimated` without. */
  kind: string;
  model: string;
  period: string;
  run_id: number | null;
  version: number;
}

/** A colour from a value on. */
export interface Threshold {
  color: Color;
  value: number | null;
}

/** A line of the log. */
export interface Transition {
  /** Who asked for it; empty where nobody did. */
  actor: string;
  at: string;
  message: string;
  state: string;
  state_name: string;
  /** Name of the task; none for the run itself. */
  task: string | null;
}

export interface Unheard {
  /** The version; null ends it. */
  version: number | null;
}

/** What a panel's numbers are. */
export type Unit = "short" | "reqps" | "ops" | "percentunit" | "seconds" | "bytes" | "string";

/** Whether the budget of false alarms holds. */
export type Verdict = "holds" | "not_yet_known" | "exceeded" | "outdated";

/** What the features of a version contribute. */
export interface VersionImportance {
  /** The features, the one that contributes most first. */
  features: FeatureImportance[];
  /** What `mean_abs_contribution` is in: `log_odds`, `log`, `value` or `margin`. */
  scale: string;
  /** Why no mean contributions are known; none where they are. */
  unexplained: string | null;
}
