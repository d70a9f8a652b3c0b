//! The alerts of one rule: from inactive over pending to firing, and back.
//!
//! Times are milliseconds since 1970. A new result of the rule's expression is all that moves an alert, so the same
//! series, rules and times always give the same alerts.

use std::collections::BTreeMap;
use std::sync::Arc;

use streamflow_gotext::exponential;
use streamflow_prometheus_yml::{AlertRule, Rule};
use streamflow_template::{Data, Environment, LabelMap};
use streamflow_tsdb::{Labels, METRIC_NAME, Value};

use super::status::{AlertState, AlertStatus, label_map};
use crate::go_json::rfc3339;

/// How long a resolved alert is kept, to be told again to whoever missed it.
const RESOLVED_RETENTION_MS: i64 = 15 * 60_000;
/// The label with the alert's name.
pub const ALERT_NAME: &str = "alertname";

/// One alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// Labels with `alertname`, without a metric name.
    pub labels: Labels,
    /// Expanded.
    pub annotations: BTreeMap<String, String>,
    /// How far it is.
    pub state: AlertState,
    /// The expression's, when it last held.
    pub value: f64,
    /// Since when the expression holds.
    pub active_at_ms: i64,
    /// Since when it fires.
    pub fired_at_ms: Option<i64>,
    /// Since when it no longer fires.
    pub resolved_at_ms: Option<i64>,
    /// Since when it only fires on because of `keep_firing_for`.
    pub keep_firing_since_ms: Option<i64>,
    last_sent_ms: Option<i64>,
    /// Until when who was told may believe it.
    pub valid_until_ms: i64,
}

impl Alert {
    fn needs_sending(&self, now_ms: i64, resend_delay_ms: i64) -> bool {
        let Some(sent) = self.last_sent_ms else { return self.state != AlertState::Pending };
        match self.state {
            AlertState::Pending => false,
            _ => {
                self.resolved_at_ms.is_some_and(|resolved| resolved > sent) || sent + resend_delay_ms < now_ms
            }
        }
    }

    fn status(&self) -> AlertStatus {
        AlertStatus {
            labels: label_map(&self.labels),
            annotations: self.annotations.clone(),
            state: self.state,
            active_at: rfc3339(Some(self.active_at_ms)),
            keep_firing_since: self.keep_firing_since_ms.map(|since| rfc3339(Some(since))),
            value: exponential(self.value, None),
        }
    }
}

/// What the templates of labels and annotations are expanded with, beside the alert.
pub struct Expansion<'e> {
    /// The value of `$externalLabels`.
    pub external_labels: &'e Arc<LabelMap>,
    /// Functions of templates.
    pub environment: Environment<'e>,
}

/// A series to write: labels and value.
pub type Written = (Labels, Value);

/// The alerts of one rule.
#[derive(Debug, Clone, Default)]
pub struct Alerts {
    /// Whether the state of before the start is known, from when on it is written.
    pub restored: bool,
    active: BTreeMap<Labels, Alert>,
}

impl Alerts {
    /// None yet; with `restored` there was nothing before the start.
    pub fn new(restored: bool) -> Self {
        Self { restored, active: BTreeMap::new() }
    }

    /// Takes the result of the rule's expression at a time; gives the series `ALERTS` and `ALERTS_FOR_STATE` to write.
    ///
    /// # Errors
    /// Where two alerts have the same labels or there are more than `limit` (if positive): the reason.
    pub fn evaluate(
        &mut self,
        rule: &Rule,
        alert_rule: &AlertRule,
        result: Vec<Written>,
        now_ms: i64,
        limit: i64,
        expansion: &Expansion<'_>,
    ) -> Result<Vec<Written>, String> {
        let mut found = BTreeMap::new();
        for (labels, value) in result {
            let alert = new_alert(rule, alert_rule, (&labels, &value), now_ms, expansion);
            if found.insert(alert.labels.clone(), alert).is_some() {
                return Err(
                    "vector contains metrics with the same labelset after applying alert labels".to_owned()
                );
            }
        }
        let holds: std::collections::BTreeSet<Labels> = found.keys().cloned().collect();
        for (labels, alert) in found {
            match self.active.get_mut(&labels) {
                Some(known) if known.state != AlertState::Inactive => {
                    known.value = alert.value;
                    known.annotations = alert.annotations;
                }
                _ => {
                    self.active.insert(labels, alert);
                }
            }
        }
        let restored = self.restored;
        let (mut written, mut count) = (Vec::new(), 0_i64);
        self.active.retain(|labels, alert| {
            let keep = step(alert, holds.contains(labels), alert_rule, now_ms);
            if keep && alert.state != AlertState::Inactive {
                count += 1;
                if restored {
                    written.extend(series(rule, alert));
                }
            }
            keep
        });
        if limit > 0 && count > limit {
            self.active.clear();
            return Err(format!("exceeded limit of {limit} with {count} alerts"));
        }
        Ok(written)
    }

    /// The alerts that whoever is told about them must now hear of, with how long that is valid.
    pub fn due(&mut self, now_ms: i64, resend_delay_ms: i64, interval_ms: i64) -> Vec<Alert> {
        let mut alerts = Vec::new();
        for alert in self.active.values_mut() {
            if alert.needs_sending(now_ms, resend_delay_ms) {
                alert.last_sent_ms = Some(now_ms);
                // Two evaluations or deliveries may fail.
                alert.valid_until_ms = now_ms + 4 * resend_delay_ms.max(interval_ms);
                alerts.push(alert.clone());
            }
        }
        alerts
    }

    /// Sets back the time since which alerts hold to that of before a restart. `before` gives for an alert's labels
    /// the last sample of its `ALERTS_FOR_STATE` series: its time and its value in seconds.
    ///
    /// An alert that would fire within the grace period is given all of it, so that a service that came back with us
    /// can recover first; the time we were down does not count as time that the expression held.
    pub fn restore(
        &mut self,
        alert_rule: &AlertRule,
        now_ms: i64,
        grace_ms: i64,
        before: impl Fn(&Labels) -> Option<(i64, f64)>,
    ) {
        self.restored = true;
        if alert_rule.for_ms < grace_ms {
            return;
        }
        for (labels, alert) in &mut self.active {
            let Some((down_at_ms, active_at_s)) = before(labels).filter(|(_, value)| value.is_finite())
            else {
                continue;
            };
            let active_at_ms = (active_at_s as i64).saturating_mul(1000);
            let remaining_ms = alert_rule.for_ms - (down_at_ms - active_at_ms);
            alert.active_at_ms = if remaining_ms <= 0 {
                active_at_ms
            } else if remaining_ms < grace_ms {
                now_ms + grace_ms - alert_rule.for_ms
            } else {
                active_at_ms + now_ms - down_at_ms
            };
        }
    }

    /// The alerts that are pending or firing.
    pub fn status(&self) -> Vec<AlertStatus> {
        let alerts = self.active.values().filter(|alert| alert.state != AlertState::Inactive);
        alerts.map(Alert::status).collect()
    }
}

fn new_alert(
    rule: &Rule,
    alert_rule: &AlertRule,
    (series, value): (&Labels, &Value),
    now_ms: i64,
    expansion: &Expansion<'_>,
) -> Alert {
    // The number of a histogram is 0, as Prometheus has it; templates see the histogram.
    let (value, histogram) = match value {
        Value::Float(value) => (*value, None),
        Value::Histogram(histogram) => (0.0, Some(histogram.to_string())),
    };
    let data = Data {
        labels: Arc::new(label_map(series)),
        external_labels: expansion.external_labels.clone(),
        external_url: expansion.environment.external_url.to_owned(),
        value,
        histogram,
    };
    let mut labels = series.without(&[METRIC_NAME]);
    for (name, template) in &alert_rule.label_templates {
        labels = labels.with(name, &template.expand_or_error(data.clone(), &expansion.environment));
    }
    let annotations = alert_rule.annotation_templates.iter().map(|(name, template)| {
        (name.clone(), template.expand_or_error(data.clone(), &expansion.environment))
    });
    Alert {
        annotations: annotations.collect(),
        labels: labels.with(ALERT_NAME, &rule.name),
        state: AlertState::Pending,
        value,
        active_at_ms: now_ms,
        fired_at_ms: None,
        resolved_at_ms: None,
        keep_firing_since_ms: None,
        last_sent_ms: None,
        valid_until_ms: 0,
    }
}

/// Moves an alert on; false where it is to be forgotten.
fn step(alert: &mut Alert, holds: bool, rule: &AlertRule, now_ms: i64) -> bool {
    if holds {
        alert.keep_firing_since_ms = None;
    } else {
        let mut fires_on = false;
        if alert.state == AlertState::Firing && rule.keep_firing_for_ms > 0 {
            let since = *alert.keep_firing_since_ms.get_or_insert(now_ms);
            fires_on = now_ms - since < rule.keep_firing_for_ms;
        }
        if alert.state == AlertState::Pending {
            return false;
        }
        if alert.resolved_at_ms.is_some_and(|resolved| now_ms - resolved > RESOLVED_RETENTION_MS) {
            return false;
        }
        if alert.state != AlertState::Inactive && !fires_on {
            alert.state = AlertState::Inactive;
            alert.resolved_at_ms = Some(now_ms);
        }
    }
    if alert.state == AlertState::Pending && now_ms - alert.active_at_ms >= rule.for_ms {
        alert.state = AlertState::Firing;
        alert.fired_at_ms = Some(now_ms);
    }
    true
}

fn series(rule: &Rule, alert: &Alert) -> [Written; 2] {
    let named = |name: &str| alert.labels.with(METRIC_NAME, name).with(ALERT_NAME, &rule.name);
    [
        (named("ALERTS").with("alertstate", alert.state.name()), Value::Float(1.0)),
        // Whole seconds, as Prometheus writes them.
        (named("ALERTS_FOR_STATE"), Value::Float(alert.active_at_ms.div_euclid(1000) as f64)),
    ]
}

#[cfg(test)]
impl Alert {
    /// One of that name that fires.
    pub fn firing(name: &str) -> Self {
        Self {
            labels: Labels::new([(ALERT_NAME, name), ("job", "api")]),
            annotations: BTreeMap::new(),
            state: AlertState::Firing,
            value: 1.0,
            active_at_ms: 0,
            fired_at_ms: Some(0),
            resolved_at_ms: None,
            keep_firing_since_ms: None,
            last_sent_ms: None,
            valid_until_ms: 0,
        }
    }
}
