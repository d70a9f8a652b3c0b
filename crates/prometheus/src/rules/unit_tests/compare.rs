//! What is expected of alerts and expressions, held against what came.

use std::collections::BTreeMap;

use streamflow_gotext::{format_duration_ms, quote, shortest};
use streamflow_promql::{Query, Value, VectorSample, script};
use streamflow_tsdb::{Labels, Value as Sample};

use super::super::alert::ALERT_NAME;
use super::super::group::{Context, Group};
use super::super::status::{AlertState, RuleStatus};
use super::file::{AlertTest, ExpectedAlert, ExpectedSample, ExprTest};

/// Why the alerts that fire are not those that are expected.
pub fn alerts(test: &AlertTest, groups: &[Group]) -> Option<String> {
    let mut found = Vec::new();
    for rule in groups.iter().flat_map(|group| group.status().rules) {
        let RuleStatus::Alerting { name, alerts, .. } = rule else { continue };
        let firing =
            alerts.into_iter().filter(|alert| name == test.alertname && alert.state == AlertState::Firing);
        let found_alerts = firing
            .map(|alert| ExpectedAlert { exp_labels: alert.labels, exp_annotations: alert.annotations });
        found.extend(found_alerts);
    }
    let mut expected = test.exp_alerts.clone();
    for alert in &mut expected {
        alert.exp_labels.insert(ALERT_NAME.to_owned(), test.alertname.clone());
    }
    expected.sort();
    found.sort();
    (found != expected).then(|| {
        let time = format_duration_ms(test.eval_time_ms);
        let (expected, found) = (told_alerts(&expected), told_alerts(&found));
        format!("alertname: {}, time: {time}\n  expected: {expected}\n  found:    {found}", test.alertname)
    })
}

/// # Errors
/// Why the expression does not give what is expected.
pub fn expression(test: &ExprTest, context: &Context, is_fuzzy: bool) -> Result<(), String> {
    let place = format!("expr: {}, time: {}", quote(&test.expr), format_duration_ms(test.eval_time_ms));
    let fault = |reason: String| format!("{place}, error: {reason}");
    let answer = Query::parse(&context.engine, &test.expr)
        .and_then(|query| query.instant(&context.engine, &context.db, test.eval_time_ms, &|| None))
        .map_err(|error| fault(error.to_string()))?;
    let mut found: Vec<(Labels, Sample)> = match answer.value {
        Value::Vector(samples) => samples.into_iter().map(found_sample).collect(),
        Value::Scalar(value) => vec![(Labels::default(), Sample::Float(value))],
        Value::String(_) | Value::Matrix(_) => {
            return Err(fault("the result is neither a vector nor a scalar".to_owned()));
        }
    };
    let mut expected = Vec::with_capacity(test.exp_samples.len());
    for sample in &test.exp_samples {
        let labels = script::metric(&sample.labels);
        let labels = labels.map_err(|reason| fault(format!("labels {}: {reason}", quote(&sample.labels))))?;
        let value = expected_sample(sample)
            .map_err(|reason| fault(format!("histogram {}: {reason}", quote(&sample.histogram))))?;
        expected.push((labels, value));
    }
    for samples in [&mut found, &mut expected] {
        samples.sort_by(|(a, _), (b, _)| a.iter().cmp(b.iter()));
    }
    let is_same = found.len() == expected.len()
        && found.iter().zip(&expected).all(|((labels, value), (expected_labels, expected_value))| {
            labels == expected_labels && is_equal(value, expected_value, is_fuzzy)
        });
    if is_same {
        return Ok(());
    }
    Err(format!("{place}\n  expected: {}\n  found:    {}", told_samples(&expected), told_samples(&found)))
}

fn found_sample(sample: VectorSample) -> (Labels, Sample) {
    let value = sample.histogram.map_or(Sample::Float(sample.value), Sample::Histogram);
    (sample.labels, value)
}

fn expected_sample(sample: &ExpectedSample) -> Result<Sample, String> {
    if sample.histogram.is_empty() {
        return Ok(Sample::Float(sample.value));
    }
    if sample.value != 0.0 {
        return Err(format!("beside it stands the value {}, set one of both", shortest(sample.value)));
    }
    match script::values(&sample.histogram)?.as_slice() {
        [Some(histogram @ Sample::Histogram(_))] => Ok(histogram.clone()),
        _ => {
            Err("expected one native histogram, such as {{schema:0 sum:5 count:4 buckets:[1 2 1]}}"
                .to_owned())
        }
    }
}

/// A number that is none equals nothing, and histograms are the same where they are spelled so, as in promtool.
#[allow(clippy::float_cmp)]
fn is_equal(found: &Sample, expected: &Sample, is_fuzzy: bool) -> bool {
    match (found, expected) {
        (Sample::Float(found), Sample::Float(expected)) => {
            found == expected
                || (is_fuzzy && (found.next_up() == *expected || found.next_down() == *expected))
        }
        (Sample::Histogram(_), Sample::Histogram(_)) => told(found) == told(expected),
        _ => false,
    }
}

fn told(sample: &Sample) -> String {
    match sample {
        Sample::Float(value) => shortest(*value).to_string(),
        Sample::Histogram(histogram) => histogram.as_ref().clone().compacted().to_script(),
    }
}

fn told_samples(samples: &[(Labels, Sample)]) -> String {
    or_nothing(samples.iter().map(|(labels, value)| format!("{labels} {}", told(value))).collect())
}

fn told_alerts(alerts: &[ExpectedAlert]) -> String {
    let set = |labels: &BTreeMap<String, String>| {
        let pairs: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}={}", quote(value))).collect();
        format!("{{{}}}", pairs.join(", "))
    };
    let told = alerts.iter().map(|alert| {
        format!("labels {} annotations {}", set(&alert.exp_labels), set(&alert.exp_annotations))
    });
    or_nothing(told.collect())
}

fn or_nothing(told: Vec<String>) -> String {
    if told.is_empty() { "nothing".to_owned() } else { told.join("\n            ") }
}
