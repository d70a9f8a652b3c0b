//! What the prediction API counts, and `GET /metrics`.
//!
//! `api_requests_total` and `api_request_latency_seconds`, their help and their buckets are read by
//! dashboards that exist: they do not change.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts};
use streamflow_exposition::{Format, Writer};
use streamflow_model::Task;
use streamflow_prometheus::render_process;

use super::features::{FileModel, VERSION};
use super::shadow::Shadow;
use super::{ApiState, bucket, live};
use crate::drift::performance::{Measures, NewestPerformance};
use crate::drift::watcher::{ColumnDrift, MonitoringStatus};
use crate::feature_store::{self, FeatureStore, PushedFeatures};
use crate::live::{Live, LiveStatus};
use crate::mlflow::Status;
use crate::performance::later::{Later, PeriodPerformance};
use crate::predictions::{Counts, Sink};
use crate::serving::Serving;
use crate::store::State as RunState;
use crate::store::labels::Added;

const LATENCY_BUCKETS_SECONDS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// What a prediction takes, from tens of microseconds on, which the contract's buckets cannot see.
const DURATION_BUCKETS_SECONDS: [f64; 18] = [
    20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];
/// Numbers that are predicted, of any unit.
const VALUE_BUCKETS: [f64; 27] = [
    -1e6, -1e5, -1e4, -1e3, -100.0, -10.0, -1.0, 0.0, 0.01, 0.1, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0,
    200.0, 500.0, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6,
];
const SCORE_BUCKETS: [f64; 10] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// Every status `POST /predict` and `POST /predict/batch` answer with; 499 is a client that left before
/// its answer. All are written from the start, so that a rate sees the first one.
const CODES: [u16; 12] = [200, 400, 401, 404, 408, 413, 415, 422, 429, 499, 500, 503];
const CLIENT_LEFT: u16 = 499;

/// The metrics of one prediction API. Entities are never labels: a label's values must be few.
pub struct Metrics {
    created_seconds: f64,
    requests: IntCounter,
    latency_seconds: Histogram,
    duration_seconds: Histogram,
    responses: Responses,
    batch_responses: Responses,
    key_responses: IntCounterVec,
    protocol_responses: IntCounterVec,
    labels: IntCounterVec,
    predictions: [IntCounter; 2],
    predictions_by_class: IntCounterVec,
    score: Histogram,
    /// Of a model of several classes, of which there are at most a hundred.
    predictions_of_classes: IntCounterVec,
    /// Of a regression.
    value: Histogram,
}

/// What is the case while the metrics are written.
#[derive(Clone, Copy, Default)]
pub struct Now<'a> {
    /// Predictions being made.
    pub in_flight: usize,
    /// How long a request waits for a thread.
    pub wait: Duration,
    /// The model files that answer.
    pub files: &'a [Arc<FileModel>],
    /// What is known of an MLflow server, where one is named.
    pub mlflow: &'a [Status],
    /// What a feature store was asked, where there is one.
    pub feature_store: Option<&'a feature_store::Counts>,
    /// What was pushed, where features are taken.
    pub pushed: Option<&'a PushedFeatures>,
    /// What becomes of answers that are kept, where they are.
    pub log: Option<&'a Counts>,
    /// What is known of live traffic, where it is looked at.
    pub live: Option<&'a LiveStatus>,
    /// How right kept answers were.
    pub later: Option<&'a Later>,
    /// Whether the database answers, where it can be away.
    pub database_up: Option<bool>,
    /// Who answers and is not heard.
    pub shadow: Option<&'a Shadow>,
    /// What the store of the data directory's bucket was asked, where it lies in one.
    pub bucket: Option<&'a streamflow_bucket::Counts>,
}

/// A counter by status code, its children looked up without a lock.
struct Responses {
    by_code: IntCounterVec,
    children: [(u16, IntCounter); CODES.len()],
}

impl Responses {
    fn new(name: &str, help: &str) -> Self {
        let by_code = counters(name, help, &["code"]);
        let children = CODES.map(|code| (code, by_code.with_label_values(&[&code.to_string()])));
        Responses { by_code, children }
    }

    fn count(&self, code: u16) {
        match self.children.iter().find(|(known, _)| *known == code) {
            Some((_, counter)) => counter.inc(),
            None => self.by_code.with_label_values(&[&code.to_string()]).inc(),
        }
    }
}

fn counters(name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    IntCounterVec::new(Opts::new(name, help), labels).expect("a valid name and labels")
}

fn histogram(name: &str, help: &str, buckets: &[f64]) -> Histogram {
    Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec())).expect("ascending buckets")
}

impl Default for Metrics {
    fn default() -> Self {
        let by_class = || {
            let help = "Predictions made, by predicted class, single and in batches.";
            counters("predictions_total", help, &["prediction"])
        };
        let (of_two, of_several) = (by_class(), by_class());
        Metrics {
            created_seconds: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0.0, |since| since.as_secs_f64()),
            requests: IntCounter::new("api_requests_total", "Total API requests").expect("a valid name"),
            latency_seconds: histogram(
                "api_request_latency_seconds",
                "API latency",
                &LATENCY_BUCKETS_SECONDS,
            ),
            duration_seconds: histogram(
                "streamflow_request_duration_seconds",
                "Time to answer POST /predict or a request in another protocol, in buckets from 20 microseconds on.",
                &DURATION_BUCKETS_SECONDS,
            ),
            responses: Responses::new(
                "api_responses_total",
                "Answers to POST /predict and to requests in other protocols, by status code.",
            ),
            batch_responses: Responses::new(
                "api_batch_responses_total",
                "Answers to POST /predict/batch, by status code.",
            ),
            labels: counters(
                "api_labels_total",
                "Labels of earlier answers that were sent, by what they changed.",
                &["outcome"],
            ),
            key_responses: counters(
                "api_key_responses_total",
                "Answers to requests for predictions, by key and status code.",
                &["key", "code"],
            ),
            protocol_responses: counters(
                "api_protocol_responses_total",
                "Answers to requests for predictions in protocols of other model servers, by protocol and status code.",
                &["protocol", "code"],
            ),
            predictions: ["0", "1"].map(|class| of_two.with_label_values(&[class])),
            predictions_by_class: of_two,
            predictions_of_classes: of_several,
            value: histogram("prediction_value", "Predicted numbers, in units of the label.", &VALUE_BUCKETS),
            score: histogram(
                "prediction_score",
                "Predicted probability of the positive class.",
                &SCORE_BUCKETS,
            ),
        }
    }
}

impl Metrics {
    /// Counts a `POST /predict`, or a request in another protocol, now, and its latency and status when the value is dropped: also when the
    /// client leaves and the handler with it.
    pub fn observe_request(&self) -> Observation<'_> {
        self.requests.inc();
        Observation { metrics: self, start: Instant::now(), code: CLIENT_LEFT }
    }

    /// Counts the answer to a `POST /predict/batch`.
    pub fn count_batch(&self, code: u16) {
        self.batch_responses.count(code);
    }

    /// Counts the answer to a request with a key.
    pub fn count_key(&self, name: &str, code: u16) {
        self.key_responses.with_label_values(&[name, &code.to_string()]).inc();
    }

    /// Counts what labels changed, and those of forgotten entities.
    pub fn count_labels(&self, added: &Added, forgotten: u64) {
        let Added { new, corrected, unchanged } = *added;
        for (outcome, count) in
            [("new", new), ("corrected", corrected), ("unchanged", unchanged), ("forgotten", forgotten)]
        {
            self.labels.with_label_values(&[outcome]).inc_by(count);
        }
    }

    /// Counts the answer to a request in a protocol of other model servers.
    pub fn count_protocol(&self, protocol: &str, code: u16) {
        self.protocol_responses.with_label_values(&[protocol, &code.to_string()]).inc();
    }

    /// Counts a prediction.
    pub fn count_prediction(&self, probability: f64, is_positive: bool) {
        self.predictions[usize::from(is_positive)].inc();
        self.score.observe(probability);
    }

    /// Counts a prediction of one of several classes.
    pub fn count_class(&self, class: &str) {
        self.predictions_of_classes.with_label_values(&[class]).inc();
    }

    /// Counts a prediction of a number.
    pub fn count_value(&self, value: f64) {
        self.value.observe(value);
    }

    /// Counts a prediction of one of several classes of a model file.
    pub fn count_class_of_file(&self, class: &str) {
        match class {
            "0" => self.predictions[0].inc(),
            "1" => self.predictions[1].inc(),
            _ => self.count_class(class),
        }
    }

    /// What was predicted: of one task, or of all those that model files have.
    fn answered(&self, task: Option<Task>) -> Vec<MetricFamily> {
        match task {
            Some(Task::Multiclass) => return self.predictions_of_classes.collect(),
            Some(Task::Regression) => return self.value.collect(),
            Some(Task::Binary) | None => {}
        }
        let mut of_two = self.predictions_by_class.collect();
        if let (None, Some(family)) = (task, of_two.first_mut()) {
            let of_several = self.predictions_of_classes.collect().into_iter();
            family.mut_metric().extend(of_several.flat_map(|mut family| family.take_metric()));
        }
        of_two.extend(self.score.collect());
        if task.is_none() && self.value.get_sample_count() > 0 {
            of_two.extend(self.value.collect());
        }
        of_two
    }

    /// Everything as text.
    pub fn render(
        &self,
        format: Format,
        now: Now<'_>,
        serving: Option<&Serving>,
        monitoring: &MonitoringStatus,
    ) -> String {
        let mut text = Writer::new(format);
        let created = Some(self.created_seconds);
        let own: [&dyn Collector; 8] = [
            &self.requests,
            &self.latency_seconds,
            &self.duration_seconds,
            &self.responses.by_code,
            &self.batch_responses.by_code,
            &self.key_responses,
            &self.protocol_responses,
            &self.labels,
        ];
        let shadow = now.shadow.filter(|shadow| shadow.version().is_some());
        let of_shadow = shadow.into_iter().flat_map(Shadow::collectors);
        let of_store = now.feature_store.into_iter().flat_map(feature_store::Counts::collectors);
        let of_pushed = now.pushed.into_iter().flat_map(PushedFeatures::collectors);
        let of_others = of_shadow.chain(of_store).chain(of_pushed);
        let own = own.into_iter().chain(of_others).flat_map(|collector| collector.collect());
        let canary = serving.and_then(|serving| serving.canary.load_full());
        let own = own.chain(canary.iter().flat_map(|canary| canary.families()));
        for family in own.chain(self.answered(serving.map(|serving| serving.model.task()))) {
            if !family.get_metric().is_empty() {
                text.family(&family, created);
            }
        }
        text.gauge("api_requests_in_flight", "Predictions being answered now.", &[], now.in_flight as f64);
        let help = "Time that a request waits for a thread now, measured while more connections than max_in_flight are open.";
        text.gauge("api_request_wait_seconds", help, &[], now.wait.as_secs_f64());
        if !now.mlflow.is_empty() {
            let backlog: i64 = now.mlflow.iter().map(|status| status.backlog).sum();
            let is_up = now.mlflow.iter().all(|status| status.trouble.is_none());
            let help = "Trained versions that the MLflow server was not told of yet.";
            text.gauge("streamflow_mlflow_backlog", help, &[], backlog as f64);
            let help = "Whether the MLflow server answers and what is to be served of it is served.";
            text.gauge("streamflow_mlflow_up", help, &[], f64::from(u8::from(is_up)));
        }
        if let Some(is_up) = now.database_up {
            let help = "Whether the database of runs and the registry answers.";
            text.gauge("streamflow_database_up", help, &[], f64::from(u8::from(is_up)));
        }
        if let Some(counts) = now.bucket {
            bucket::write(counts, &mut text);
        }
        let files = now.files.iter();
        let files = files.map(|file| (vec![("name", file.name.as_str()), ("version", VERSION)], 1.0));
        text.gauges("model_info", "The served model; the value is always 1.", files);
        if let Some(serving) = serving {
            let labels = [("name", serving.model_name.as_str()), ("version", serving.model_version.as_str())];
            text.gauge("model_info", "The served model; the value is always 1.", &labels, 1.0);
            let help = "Time of the snapshot the served features were read from; of a date its midnight UTC.";
            if let Some(time) = serving.as_of.timestamp() {
                text.gauge("features_as_of_timestamp_seconds", help, &[], time.as_second() as f64);
            }
            let entities = serving.features.len() as f64;
            text.gauge("features_entities", "Entities whose features are served.", &[], entities);
        }
        if let Some(canary) = &canary {
            let is_loaded = canary.loaded.is_ok();
            let labels = [("version", canary.version.as_str())];
            let help = "Share of the entities that the canary answers; 0 where its version is not loaded, and production answers.";
            let share = if is_loaded { canary.share.value() } else { 0.0 };
            text.gauge("canary_share", help, &labels, share);
            let help = "Whether the version of the canary is loaded.";
            text.gauge("canary_up", help, &labels, f64::from(u8::from(is_loaded)));
        }
        if let Some(log) = now.log {
            render_log(&mut text, log);
        }
        if let Some(status) = now.live {
            live::render(&mut text, status);
        }
        if let Some(later) = now.later {
            render_later(&mut text, later);
        }
        render_monitoring(&mut text, monitoring);
        render_process(&mut text);
        text.finish()
    }
}

/// What the newest evaluations of the version in production say.
fn render_performance(text: &mut Writer, performance: &NewestPerformance) {
    let NewestPerformance {
        model,
        version,
        realised,
        estimated,
        has_fallen,
        usual_lower,
        usual_upper,
        deciding,
    } = performance;
    let kinds = [("realised", realised), ("estimated", estimated)];
    let values = kinds.iter().filter_map(|(kind, measures)| Some((*kind, measures.as_ref()?)));
    let values = values.flat_map(|(kind, Measures { period, values })| {
        values.iter().map(move |(metric, value)| {
            let labels = [
                ("metric", metric.as_str()),
                ("model", model.as_str()),
                ("version", version.as_str()),
                ("period", period.as_str()),
                ("kind", kind),
            ];
            (labels.to_vec(), *value)
        })
    });
    let help = "Metrics of the version in production on the newest month: realised by its labels, estimated without.";
    let values: Vec<(Vec<(&str, &str)>, f64)> = values.collect();
    let of_deciding: Vec<_> = values.iter().filter(|(labels, _)| labels[0].1 == *deciding).cloned().collect();
    text.gauges("streamflow_model_performance", help, values.into_iter());
    let help =
        "Of those metrics the one that decides: AUC, RMSE of a regression, log loss of several classes.";
    text.gauges("streamflow_model_performance_deciding", help, of_deciding.into_iter());
    if let Some(Measures { period, .. }) = realised {
        let labels = [("model", model.as_str()), ("version", version.as_str()), ("period", period.as_str())];
        let help = "1 when the performance on the newest month that has labels has fallen below that of the validation, else 0.";
        text.gauge("streamflow_model_performance_fallen", help, &labels, f64::from(u8::from(*has_fallen)));
        if let Some(lower) = usual_lower {
            let help = "AUC from which on the month is usual, by at least six labelled months before it.";
            text.gauge("streamflow_model_performance_usual_lower", help, &labels, *lower);
        }
        if let Some(upper) = usual_upper {
            let help = "Error (RMSE, or log loss of several classes) up to which the month is usual, by at least six labelled months before it.";
            text.gauge("streamflow_model_performance_usual_upper", help, &labels, *upper);
        }
    }
}

fn render_log(text: &mut Writer, log: &Counts) {
    let of = |count: &AtomicU64| count.load(Ordering::Relaxed) as f64;
    let help = "Answers that were written to the log of predictions.";
    text.counters("prediction_log_rows_total", help, [(Vec::new(), of(&log.written))].into_iter());
    let dropped = [("queue", of(&log.dropped_by_queue)), ("disk", of(&log.dropped_by_disk))];
    text.counters(
        "prediction_log_dropped_total",
        "Answers that the log of predictions lacks: the queue was full, or the disk took nothing.",
        dropped.into_iter().map(|(reason, count)| (vec![("reason", reason)], count)),
    );
    let help = "Bytes of the log of predictions, as of the last look a minute ago at most.";
    text.gauge("prediction_log_size_bytes", help, &[], of(&log.size_bytes));
}

/// The newest day with labels and the newest day at all, of every version that answered then.
fn render_later(text: &mut Writer, later: &Later) {
    let newest = |with_labels: bool| {
        let days = later.periods.iter().filter(|found| !with_labels || found.labelled > 0);
        days.map(|found| found.period.as_str()).max().unwrap_or_default()
    };
    let of = |day: &str| later.periods.iter().filter(move |found| found.period == day).collect::<Vec<_>>();
    let labels = |found: &PeriodPerformance, kind: &'static str| {
        [
            ("metric", found.metric.to_owned()),
            ("version", found.version.clone()),
            ("period", found.period.clone()),
            ("kind", kind.to_owned()),
        ]
    };
    let (labelled, last) = (of(newest(true)), of(newest(false)));
    let realised = labelled.iter().filter_map(|found| {
        let value = found.realised.iter().find(|(metric, _)| metric.name() == found.metric)?.1.value?;
        Some((labels(found, "realised"), value))
    });
    let estimated =
        last.iter().filter_map(|found| Some((labels(found, "estimated"), found.estimated.as_ref()?.value?)));
    let values: Vec<_> = realised.chain(estimated).collect();
    text.gauges(
        "streamflow_answers_performance",
        "How right kept answers were: realised on the newest day with labels, estimated on the newest day.",
        values.iter().map(|(labels, value)| {
            (labels.iter().map(|(name, text)| (*name, text.as_str())).collect(), *value)
        }),
    );
    text.gauges(
        "streamflow_answers_labelled_share",
        "Share of the entities of the kept answers that have a label, of the newest day with labels.",
        labelled.iter().map(|found| {
            let by = vec![("version", found.version.as_str()), ("period", found.period.as_str())];
            (by, found.counted_labelled as f64 / found.counted.max(1) as f64)
        }),
    );
}

/// What the newest drift report, the newest evaluation and the recorded runs say.
fn render_monitoring(text: &mut Writer, monitoring: &MonitoringStatus) {
    if let Some(drift) = &monitoring.drift {
        let sides = [("reference", drift.reference.as_str()), ("current", drift.current.as_str())];
        let help = "Share of drifted columns in the newest drift report.";
        text.gauge("streamflow_drift_share", help, &sides, drift.share);
        let help = "Drift share at or over which the newest report triggers retraining.";
        text.gauge("streamflow_drift_share_threshold", help, &[], drift.threshold);
        let help = "Columns without a test in the newest drift report; counted: those that count as drifted.";
        let [counted, listed] = drift.not_tested.map(|columns| columns as f64);
        let by_verdict = [("true", counted), ("false", listed)];
        text.gauges(
            "streamflow_drift_columns_not_tested",
            help,
            by_verdict.into_iter().map(|(word, columns)| (vec![("counted", word)], columns)),
        );
        let of_columns = |value: fn(&ColumnDrift) -> Option<f64>| {
            drift
                .columns
                .iter()
                .filter_map(move |column| Some((vec![("column", column.name.as_str())], value(column)?)))
        };
        let help = "Score of the column in the newest drift report: a p-value or a distance, by its method.";
        text.gauges("streamflow_drift_column_score", help, of_columns(|column| column.score));
        let help = "1 when the column has drifted in the newest drift report, else 0.";
        text.gauges(
            "streamflow_drift_column_drifted",
            help,
            of_columns(|column| Some(f64::from(u8::from(column.drifted)))),
        );
        let help = "Effect size of the column over its threshold in the newest drift report; 1 is at it.";
        text.gauges("streamflow_drift_column_effect_ratio", help, of_columns(|column| column.effect_ratio));
    }
    if let Some(performance) = &monitoring.performance {
        render_performance(text, performance);
    }
    if let Some(seconds) = monitoring.last_success_seconds {
        let help = "When the monitoring flow last succeeded on the newest month, by the configured profile and threshold.";
        text.gauge("streamflow_monitor_last_success_timestamp_seconds", help, &[], seconds);
    }
    render_flows(text, monitoring);
}

fn render_flows(text: &mut Writer, monitoring: &MonitoringStatus) {
    let runs = &monitoring.runs;
    let counts = runs.iter().map(|count| {
        (vec![("flow", count.flow.as_str()), ("state", count.state.as_str())], count.runs as f64)
    });
    text.counters("streamflow_flow_runs_total", "Runs of flows by flow and state.", counts);
    let successes = || runs.iter().filter(|count| count.state == RunState::Completed);
    let ages = || monitoring.success_ages.iter();
    let never = ages().filter(|(flow, _)| successes().all(|count| count.flow != *flow));
    let times = successes().filter_map(|count| Some((count.flow.as_str(), count.last_ended_seconds?)));
    text.gauges(
        "streamflow_flow_last_success_timestamp_seconds",
        "When a run of the flow last completed; 0 for a flow with max_age_of_success of which none has.",
        times
            .chain(never.map(|(flow, _)| (flow.as_str(), 0.0)))
            .map(|(flow, time)| (vec![("flow", flow)], time)),
    );
    text.gauges(
        "streamflow_flow_max_age_of_success_seconds",
        "Age of its last success over which the flow is late, where the configuration says one.",
        ages().map(|(flow, age)| (vec![("flow", flow.as_str())], *age)),
    );
    let late =
        |flow: &str| monitoring.late_runs.iter().find(|(late, _)| late == flow).map_or(0, |found| found.1);
    let mut flows: Vec<&str> = runs.iter().map(|count| count.flow.as_str()).collect();
    flows.dedup();
    text.gauges(
        "streamflow_flow_run_late",
        "Runs of the flow that wait although they were due more than 15 seconds ago.",
        flows.into_iter().map(|flow| (vec![("flow", flow)], late(flow) as f64)),
    );
}

/// All metrics, in the format the client prefers.
#[utoipa::path(get, path = "/metrics", tag = "service", responses(
    (status = 200, body = String, content_type = "text/plain", description = "Prometheus text, or OpenMetrics when accepted"),
))]
pub async fn metrics(State(state): State<ApiState>, headers: HeaderMap) -> impl IntoResponse {
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    let format = Format::accepted(&accept.collect::<Vec<_>>().join(","));
    let (files, mlflow) = (state.0.models.loaded(), state.0.mlflow.load());
    let live = state.0.live.get().map(Live::status);
    let later = state.0.later.load();
    let text = state.0.metrics.render(
        format,
        Now {
            in_flight: state.in_flight(),
            wait: state.0.load.wait(),
            files: &files,
            mlflow: &mlflow,
            feature_store: state.feature_store().map(FeatureStore::counts),
            pushed: state.0.intake.get().map(|intake| &intake.features),
            log: state.0.log.get().map(Sink::counts),
            live: live.as_deref(),
            later: later.as_deref(),
            database_up: state.distant_store().map(|store| store.away().is_none()),
            shadow: state.0.shadow.get().map(Arc::as_ref),
            bucket: state.0.bucket.get().map(Arc::as_ref),
        },
        state.0.served.load().as_deref(),
        &state.0.monitoring.load(),
    );
    ([(header::CONTENT_TYPE, format.content_type())], text)
}

/// A request being measured; see [`Metrics::observe_request`].
pub struct Observation<'a> {
    metrics: &'a Metrics,
    start: Instant,
    /// The status it was answered with.
    pub code: u16,
}

impl Drop for Observation<'_> {
    fn drop(&mut self) {
        let seconds = self.start.elapsed().as_secs_f64();
        self.metrics.latency_seconds.observe(seconds);
        self.metrics.duration_seconds.observe(seconds);
        self.metrics.responses.count(self.code);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_metrics_are_written_as_by_python() {
        let metrics = Metrics { created_seconds: 1_700_000_000.25, ..Metrics::default() };
        for seconds in [0.001, 0.005, 0.02, 0.75, 1.0, 20.0] {
            metrics.requests.inc();
            metrics.latency_seconds.observe(seconds);
        }
        for (format, expected) in [
            (Format::Text, include_str!("../../tests/golden/api_metrics.classic.txt")),
            (Format::OpenMetrics, include_str!("../../tests/golden/api_metrics.openmetrics.txt")),
        ] {
            let text = metrics.render(format, Now::default(), None, &MonitoringStatus::default());
            let expected = expected.trim_end_matches("# EOF\n");
            assert_eq!(&text[..expected.len()], expected);
        }
    }

    #[test]
    fn a_request_whose_handler_is_dropped_is_still_counted() {
        let metrics = Metrics::default();
        drop(metrics.observe_request());
        metrics.observe_request().code = 418;
        let text = metrics.render(Format::Text, Now::default(), None, &MonitoringStatus::default());
        for line in [
            "api_requests_total 2.0",
            "api_request_latency_seconds_count 2.0",
            "streamflow_request_duration_seconds_count 2.0",
            "api_responses_total{code=\"499\"} 1.0",
            "api_responses_total{code=\"418\"} 1.0",
            "api_responses_total{code=\"200\"} 0.0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
