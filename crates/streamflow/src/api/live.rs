//! Tells live drift of what was answered, and writes what is known of it as metrics.

use streamflow_exposition::Writer;
use streamflow_live::{FeatureLook, WindowLook};

use super::observed::{Asked, ObservedRow, Observer};
use crate::live::{Live, LiveStatus, VersionStatus};

impl Observer for Live {
    fn row(&self, row: &ObservedRow<'_>) {
        if let (Some(features), Some(answer)) = (row.features, row.answer) {
            Live::row(self, row.serving, row.entity, features, answer);
        }
    }

    fn request(&self, _: &Asked, status: u16) {
        Live::request(self, status);
    }
}

type Samples<'a> = Vec<(Vec<(&'a str, &'a str)>, f64)>;

/// Everything that is known of live traffic. What a window with too few entities would say is left out: a gauge of 0
/// would be a verdict.
pub fn render(text: &mut Writer, live: &LiveStatus) {
    if live.versions.is_empty() {
        return;
    }
    let help = "False alarms of live drift in 30 days that are expected at most.";
    text.gauge("streamflow_live_false_alarms_per_month", help, &[], live.false_alarms_per_month);
    let help = "Minutes of live traffic that have ended and wait for the database to be stored there.";
    text.gauge("streamflow_live_minutes_waiting", help, &[], live.waiting as f64);
    let mut all = Families::default();
    for version in &live.versions {
        for window in version.look.iter().flat_map(|look| &look.windows) {
            all.add(version, window);
        }
    }
    all.write(text);
    let age = |of: &'_ VersionStatus| of.reference_age_seconds(jiff::Timestamp::now());
    let ages = live.versions.iter().filter_map(|of| Some((vec![("version", of.version.as_str())], age(of)?)));
    text.gauges(
        "streamflow_live_drift_reference_age_seconds",
        "Time since the end of the snapshot that live traffic of a version is compared with.",
        ages,
    );
    let begun =
        live.alerts.iter().map(|(feature, count)| (vec![("feature", feature.as_str())], *count as f64));
    let help = "Times that a feature has begun to drift since the server was started.";
    text.counters("streamflow_live_drift_alerts_total", help, begun);
}

#[derive(Default)]
struct Families<'a> {
    features: Drift<'a>,
    outputs: Drift<'a>,
    share: Samples<'a>,
    entities: Samples<'a>,
    requests: Samples<'a>,
    error_share: Samples<'a>,
    error_detected: Samples<'a>,
}

#[derive(Default)]
struct Drift<'a> {
    effect: Samples<'a>,
    z: Samples<'a>,
    detected: Samples<'a>,
}

impl<'a> Drift<'a> {
    fn add(&mut self, labels: &[(&'a str, &'a str)], look: &FeatureLook) {
        for statistic in &look.statistics {
            let measured = statistic.judged.measured;
            let labels = [labels, &[("statistic", measured.kind.name())]].concat();
            self.effect.push((labels.clone(), measured.effect));
            self.z.push((labels, measured.z));
        }
        if !look.statistics.is_empty() {
            self.detected.push((labels.to_vec(), f64::from(u8::from(look.is_detected()))));
        }
    }
}

impl<'a> Families<'a> {
    fn add(&mut self, of: &'a VersionStatus, look: &'a WindowLook) {
        let labels = [("version", of.version.as_str()), ("window", look.window.name())];
        self.entities.push((labels.to_vec(), look.entities as f64));
        if of.is_served {
            self.requests.push((labels.to_vec(), look.requests as f64));
        }
        let number = of.reference.features();
        if let Some(share) = look.share(number) {
            self.share.push((labels.to_vec(), share));
        }
        for (at, (column, feature)) in of.reference.columns().iter().zip(&look.features).enumerate() {
            if at < number {
                self.features.add(&[&[("feature", column.name.as_str())][..], &labels].concat(), feature);
            } else if of.is_served {
                self.outputs.add(&[&[("output", column.name.as_str())][..], &labels].concat(), feature);
            }
        }
        for error in &look.errors {
            let labels = [&[("kind", error.kind)][..], &labels].concat();
            self.error_share.push((labels.clone(), error.judged.measured.effect));
            self.error_detected.push((labels, f64::from(u8::from(error.detected_since.is_some()))));
        }
    }

    fn write(self, text: &mut Writer) {
        let Self { features, outputs, share, entities, requests, error_share, error_detected } = self;
        let families = [
            (
                "streamflow_live_drift_effect",
                "How far live traffic is from its reference, by statistic.",
                features.effect,
            ),
            (
                "streamflow_live_drift_z",
                "How significant that is: standard normal without drift.",
                features.z,
            ),
            (
                "streamflow_live_drift_detected",
                "1 when the feature has drifted in the window, else 0.",
                features.detected,
            ),
            ("streamflow_live_drift_share", "Share of the features that have drifted in the window.", share),
            (
                "streamflow_live_prediction_drift_effect",
                "How far the model's answers are from those to its training snapshot, by statistic.",
                outputs.effect,
            ),
            (
                "streamflow_live_prediction_drift_z",
                "How significant that is: standard normal without drift.",
                outputs.z,
            ),
            (
                "streamflow_live_prediction_drift_detected",
                "1 when the model's answers have drifted in the window, else 0.",
                outputs.detected,
            ),
            (
                "streamflow_live_errors_effect",
                "Change of the share of requests for unknown entities (404) and invalid ones (422) against the same clock time of seven days.",
                error_share,
            ),
            (
                "streamflow_live_errors_detected",
                "1 when that share has changed in the window, else 0.",
                error_detected,
            ),
            (
                "streamflow_live_window_entities",
                "Distinct entities in the window, as many as it keeps.",
                entities,
            ),
            ("streamflow_live_window_requests", "Requests in the window.", requests),
        ];
        for (name, help, samples) in families {
            text.gauges(name, help, samples.into_iter());
        }
    }
}
