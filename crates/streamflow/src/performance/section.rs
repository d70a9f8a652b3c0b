//! How right the model was, for people: the part of the report, and the text of a command.

use std::fmt::Write as _;

use streamflow_drift::html::{Addition, Size, escape, framed};
use streamflow_model::Task;
use streamflow_performance::{
    CalibrationBin, Condition, Interval, Metric, OperatingPoint, ScoreBin, Segment, Segments, significant,
};

use super::evaluation::Evaluation;
use super::judged::loss_words;
use super::realised::{Details, Realised};
use super::{Estimate, section_of_task};
use crate::terminal::table;

pub(super) const SIZE: Size = Size { width: 240.0, height: 160.0 };
/// The metrics of two classes that a reader sees first; the others stand in the JSON.
const SHOWN: [Metric; 12] = [
    Metric::RocAuc,
    Metric::AveragePrecision,
    Metric::LogLoss,
    Metric::Brier,
    Metric::EceQuantile10,
    Metric::F1,
    Metric::Precision,
    Metric::Recall,
    Metric::Specificity,
    Metric::Accuracy,
    Metric::BalancedAccuracy,
    Metric::Mcc,
];

const STYLE: &str = ".drawings{display:flex;flex-wrap:wrap;gap:24px 32px;margin-top:20px}.drawings figure{margin:0}.drawings figcaption{font-size:13px;color:var(--muted);margin-bottom:8px}.chance{stroke:var(--muted);stroke-dasharray:3 3;fill:none}.c-dot{fill:var(--cur)}.measured{max-width:620px}.estimate{color:var(--muted)}";

/// What the report's page says of the performance.
pub fn addition(evaluation: &Evaluation) -> Addition {
    Addition {
        retraining: evaluation.has_fallen().then(|| evaluation.verdict.reason().to_owned()),
        section: html(evaluation),
        style: STYLE.to_owned(),
    }
}

fn html(evaluation: &Evaluation) -> String {
    let class = if evaluation.has_fallen() { "alarm" } else { "calm" };
    let realised = evaluation.realised.as_ref();
    let estimated = evaluation.estimated.as_ref();
    format!(
        r#"<section aria-labelledby="performance"><h2 id="performance">Performance</h2><p><span class="chip {class}">{decision}</span> {reason}</p><p class="over">{subject}</p>{usual}{why}{metrics}{note}{drawings}{segments}</section>"#,
        why = evaluation
            .why
            .as_ref()
            .map(|why| format!("<p>{}</p>", escape(&why.sentence)))
            .unwrap_or_default(),
        usual = evaluation
            .usual
            .map(|usual| format!("<p>{}</p>", usual.words(evaluation.task.metric())))
            .unwrap_or_default(),
        segments = evaluation
            .segments
            .as_ref()
            .map(|found| segments(found, loss_words(evaluation.task)))
            .unwrap_or_default(),
        decision = evaluation.decision(),
        reason = escape(evaluation.verdict.reason()),
        subject = escape(&subject(evaluation)),
        metrics = metrics(evaluation),
        note = match estimated {
            Some(estimated) => estimate_note(estimated, evaluation.task),
            None => format!(r#"<p class="estimate">{NO_ESTIMATE}</p>"#),
        },
        drawings = realised.map(drawings).unwrap_or_default(),
    )
}

/// Who was measured on what.
fn subject(evaluation: &Evaluation) -> String {
    let Evaluation { model, version, trained_on, left_out, .. } = evaluation;
    let labelled = match &evaluation.realised {
        Some(realised) => {
            format!("measured on {} labelled rows of {}", realised.measured.labelled, realised.measured.rows)
        }
        None => "no row has a label, so nothing was measured".to_owned(),
    };
    if evaluation.imported.is_some() || evaluation.may_know {
        return format!("{model} version {version}, imported: {labelled}; {}", of_import(evaluation));
    }
    format!(
        "{model} version {version}, trained on {trained_on}: {labelled}; {left_out} rows that it was trained on are left out"
    )
}

/// What is known of the rows that an imported version was trained on.
fn of_import(evaluation: &Evaluation) -> String {
    let said = evaluation.imported.as_ref();
    let until = said.and_then(|said| said.trained_until);
    let left_out = evaluation.left_out;
    match (said.and_then(|said| said.entities), until) {
        (Some(1), _) => {
            format!("{left_out} rows of the one entity that it is said to have been trained on are left out")
        }
        (Some(entities), _) => format!(
            "{left_out} rows of the {entities} entities that it is said to have been trained on are left out"
        ),
        (None, Some(until)) if evaluation.may_know => format!(
            "it is said to have been trained until {until}, so these rows are not unseen, and what is measured may be too good"
        ),
        (None, Some(until)) => {
            format!("it is said to have been trained until {until}, so these rows are new to it")
        }
        (None, None) => {
            "nobody has said that it was not trained on these rows, so what is measured may be too good"
                .to_owned()
        }
    }
}

/// What stands where there is no estimate.
const NO_ESTIMATE: &str = "No estimate is made without labels: it needs labelled rows that the version was validated on, which an \
     imported version has only where unseen rows judged it, and no version whose month is gone or has too few labels.";

/// The metrics of the table: the business value is one where the configuration says what predictions are worth.
fn shown(evaluation: &Evaluation) -> Vec<Metric> {
    match evaluation.task {
        Task::Multiclass => Metric::MULTICLASS.to_vec(),
        Task::Regression => Metric::REGRESSION.to_vec(),
        Task::Binary => {
            let measured = evaluation.realised.as_ref().map(|realised| &realised.measured.metrics);
            let worth = measured.and_then(|metrics| metrics.get(&Metric::BusinessValue));
            let worth = worth.filter(|worth| worth.value.is_some()).map(|_| Metric::BusinessValue);
            SHOWN.into_iter().chain(worth).collect()
        }
    }
}

fn estimate_note(estimate: &Estimate, task: Task) -> String {
    let what = match task {
        Task::Regression => {
            "An estimate is made of the features and the predictions alone, by what errors they had before"
        }
        _ => "An estimate is made of the scores alone and takes each for the truth",
    };
    format!(
        r#"<p class="estimate">{what}: it sees changed inputs and is blind to a changed relation of inputs and label. {}</p>"#,
        escape(&estimate.calibration)
    )
}

fn metrics(evaluation: &Evaluation) -> String {
    let mut rows = String::new();
    for metric in shown(evaluation) {
        let [measured, guessed] = cells(metric, evaluation);
        let about = metric.about();
        let _ = write!(
            rows,
            r#"<tr><th scope="row">{}<small>{}</small></th><td>{}</td><td class="estimate">{}</td></tr>"#,
            about.name,
            escape(about.help),
            escape(&measured),
            escape(&guessed),
        );
    }
    format!(
        r#"<table class="plain measured"><thead><tr><th scope="col">Metric</th><th scope="col">Measured, 95 % interval</th><th scope="col">Estimate</th></tr></thead><tbody>{rows}</tbody></table>"#
    )
}

/// A number of a metric: shares to three digits, what has the label's unit to four significant ones.
fn number(metric: Metric, value: f64) -> String {
    match metric {
        Metric::Rmse | Metric::Mae | Metric::Medae | Metric::MeanError | Metric::MaxError => {
            significant(value)
        }
        _ => format!("{value:.3}"),
    }
}

/// The measured and the estimated value of a metric, with their intervals.
fn cells(metric: Metric, evaluation: &Evaluation) -> [String; 2] {
    let Evaluation { realised, estimated, .. } = evaluation;
    let number = |value: f64| number(metric, value);
    let shown = |value: Option<f64>, interval: Option<Interval>| match (value, interval) {
        (None, _) => "–".to_owned(),
        (Some(value), None) => number(value),
        (Some(value), Some(Interval { low, high })) => {
            format!("{} ({} to {})", number(value), number(low), number(high))
        }
    };
    let measured = realised.as_ref().and_then(|realised| realised.measured.metrics.get(&metric));
    let guessed = estimated.as_ref().and_then(|estimate| estimate.estimated.metrics.get(&metric));
    [
        measured.map_or_else(|| "–".to_owned(), |found| shown(found.value, found.interval)),
        guessed.map_or_else(|| "–".to_owned(), |found| shown(found.value, found.band)),
    ]
}

impl Evaluation {
    /// The measured deciding metric and its estimate, in words.
    pub fn deciding_words(&self) -> [String; 2] {
        cells(self.task.metric(), self)
    }
}

fn drawings(realised: &Realised) -> String {
    match &realised.details {
        None => drawings_of_scores(realised),
        Some(Details::Multiclass(table)) => section_of_task::classes(table),
        Some(Details::Regression(drawings)) => section_of_task::errors(drawings),
    }
}

fn drawings_of_scores(realised: &Realised) -> String {
    let figures = [
        ("ROC: positives found against negatives flagged", roc(&realised.curve)),
        ("Precision against recall", precision_recall(&realised.curve)),
        ("Calibration: share of positives against mean score", calibration(&realised.calibration)),
        ("Scores of positives and negatives", histogram(&realised.histogram)),
    ];
    let figures = figures.map(|(title, body)| figure(title, &body));
    format!(r#"<div class="drawings">{}{}</div>"#, figures.concat(), confusion(realised))
}

pub(super) fn figure(title: &str, body: &str) -> String {
    let title = escape(title);
    format!("<figure><figcaption>{title}</figcaption>{}</figure>", framed(SIZE, 0.0, &title, body))
}

/// The slices with the largest loss.
fn segments(segments: &Segments, loss: &str) -> String {
    if segments.worst.is_empty() {
        return String::new();
    }
    let mut rows = String::new();
    for segment in &segments.worst {
        let interval =
            segment.interval.map_or_else(String::new, |i| format!(" ({:.3} to {:.3})", i.low, i.high));
        let _ = write!(
            rows,
            r#"<tr><th scope="row"><bdi>{}</bdi></th><td>{}</td><td>{:.3}{interval}</td></tr>"#,
            escape(&conditions(segment)),
            segment.rows,
            segment.excess
        );
    }
    format!(
        r#"<h3>Where it is most wrong</h3><table class="plain measured"><thead><tr><th scope="col">Slice</th><th scope="col">Rows</th><th scope="col">{} above the others (95 %)</th></tr></thead><tbody>{rows}</tbody></table>"#,
        capitalised(loss)
    )
}

fn capitalised(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// `contract_type is Two year and skips_7d is over 3`.
fn conditions(segment: &Segment) -> String {
    let one = |condition: &Condition| {
        format!("{} is {}", condition.column, condition.level.as_deref().unwrap_or("missing"))
    };
    segment.conditions.iter().map(one).collect::<Vec<_>>().join(" and ")
}

/// A path through points of the unit square.
pub(super) fn path(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    for (x, y) in points {
        let step = if path.is_empty() { 'M' } else { 'L' };
        let _ = write!(path, "{step}{:.1} {:.1}", x * SIZE.width, (1.0 - y) * SIZE.height);
    }
    path
}

pub(super) fn chance() -> String {
    format!(r#"<path class="chance" d="{}"/>"#, path([(0.0, 0.0), (1.0, 1.0)].into_iter()))
}

fn roc(curve: &[OperatingPoint]) -> String {
    let line = path(curve.iter().map(|point| (point.false_positive_rate, point.true_positive_rate)));
    format!(r#"{}<path class="c-line" d="{line}"/>"#, chance())
}

fn precision_recall(curve: &[OperatingPoint]) -> String {
    let points = curve.iter().filter_map(|point| Some((point.true_positive_rate, point.precision?)));
    format!(r#"<path class="c-line" d="{}"/>"#, path(points))
}

fn calibration(bins: &[CalibrationBin]) -> String {
    let line = path(bins.iter().map(|bin| (bin.mean_score, bin.positive_rate)));
    format!(r#"{}<path class="c-line" d="{line}"/>"#, chance())
}

fn histogram(bins: &[ScoreBin]) -> String {
    let share = |count: fn(&ScoreBin) -> u64| {
        let total = bins.iter().map(count).sum::<u64>().max(1) as f64;
        bins.iter().map(|bin| count(bin) as f64 / total).collect::<Vec<f64>>()
    };
    let (positives, negatives) = (share(|bin| bin.positives), share(|bin| bin.negatives));
    let peak = positives.iter().chain(&negatives).fold(f64::MIN_POSITIVE, |a, &b| a.max(b));
    let steps = |shares: &[f64]| {
        let corners = bins
            .iter()
            .zip(shares)
            .flat_map(|(bin, share)| [(bin.low, share / peak * 0.98), (bin.high, share / peak * 0.98)]);
        path(corners)
    };
    format!(
        r#"<path class="r-line" d="{}"/><path class="c-line" d="{}"/>"#,
        steps(&negatives),
        steps(&positives)
    )
}

fn confusion(realised: &Realised) -> String {
    let Some(counts) = &realised.measured.confusion else { return String::new() };
    format!(
        r#"<figure><figcaption>Right and wrong predictions</figcaption><table class="plain"><thead><tr><td></td><th scope="col">predicted 1</th><th scope="col">predicted 0</th></tr></thead><tbody><tr><th scope="row">was 1</th><td>{}</td><td>{}</td></tr><tr><th scope="row">was 0</th><td>{}</td><td>{}</td></tr></tbody></table></figure>"#,
        counts.true_positive, counts.false_negative, counts.false_positive, counts.true_negative
    )
}

/// The evaluation as a command prints it.
pub fn text(evaluation: &Evaluation) -> String {
    let mut table = table(["METRIC", "MEASURED (95 %)", "ESTIMATE"]);
    for metric in shown(evaluation) {
        let [measured, guessed] = cells(metric, evaluation);
        table.add_row([metric.name(), &measured, &guessed]);
    }
    let line = evaluation.line().unwrap_or_else(|| {
        format!("[performance] not measured: no row of {} has a label", evaluation.period)
    });
    let mut text = format!("{}\n\n{table}\n", subject(evaluation));
    if evaluation.estimated.is_none() {
        text.push_str(&format!("\n{NO_ESTIMATE}\n"));
    }
    if let Some(segments) = evaluation.segments.as_ref().filter(|found| !found.worst.is_empty()) {
        let loss = loss_words(evaluation.task);
        text.push_str(&format!("\nWhere it is most wrong ({loss} above the other rows):\n"));
        for segment in &segments.worst {
            let excess = match evaluation.task {
                Task::Regression => significant(segment.excess),
                _ => format!("{:.3}", segment.excess),
            };
            text.push_str(&format!("  +{excess}  {} rows  {}\n", segment.rows, conditions(segment)));
        }
    }
    if let Some(unknown) = evaluation.realised.as_ref().and_then(section_of_task::unknown) {
        text.push_str(&format!("\n{unknown}\n"));
    }
    if let Some(usual) = &evaluation.usual {
        text.push_str(&format!("\n{}\n", usual.words(evaluation.task.metric())));
    }
    if let Some(why) = &evaluation.why {
        text.push_str(&format!("\n{}\n", why.sentence));
    }
    format!("{text}\n{line}")
}
