//! The features of kept answers against the month that the served model learned from.

use anyhow::bail;
use jiff::Timestamp;
use serde::Serialize;
use streamflow_dataset::{Frame, Period, PointInTime, Values};
use streamflow_drift::html::{Addition, escape};
use streamflow_drift::{DriftSettings, Report};

use super::blocking;
use super::monitor_month::{MonitorOutcome, importance};
use crate::config::Config;
use crate::drift::{self, Rules};
use crate::predictions::{self, Asked, Window};
use crate::terminal::{counted_with, one_line};
use crate::workspace::Workspace;

/// Who was asked about, and when, for reports and their readers.
#[derive(Debug, Clone, Serialize)]
pub struct LiveSide {
    pub from: Timestamp,
    pub to: Timestamp,
    pub answers: u64,
    /// Rows of the table: an entity counts once, with its last values.
    pub entities: usize,
    /// Answers of versions with other features, which are not in the table.
    pub left_out: u64,
    pub versions: Vec<String>,
    /// One entity of so many is in the table.
    pub one_of: u64,
}

/// What the comparison of live traffic came to.
#[derive(Debug, Serialize)]
pub struct LiveOutcome {
    #[serde(flatten)]
    pub outcome: MonitorOutcome,
    pub live: LiveSide,
}

/// Reads who was asked about in the time up to now.
///
/// # Errors
/// No kept answer, each reason with its own sentence; fewer entities than live drift is judged from; a damaged file.
pub fn read(config: &Config, data_dir: &std::path::Path, span_us: i64) -> anyhow::Result<(Asked, LiveSide)> {
    let to = Timestamp::now();
    let from =
        Timestamp::from_microsecond(to.as_microsecond().saturating_sub(span_us)).unwrap_or(Timestamp::MIN);
    let window = Window { from_us: from.as_microsecond(), to_us: i64::MAX };
    let folder = predictions::folder(data_dir);
    let asked = predictions::asked(&folder, window, &config.model.name)?;
    let side = LiveSide {
        from,
        to,
        answers: asked.answers,
        entities: asked.entities(),
        left_out: asked.left_out,
        versions: asked.versions.iter().cloned().collect(),
        one_of: asked.one_of,
    };
    if asked.answers == 0 {
        bail!("{}", nothing(config, &side, predictions::files(&folder, Window::ALL)?.is_empty()));
    }
    let needed = config.live.min_entities;
    if u64::try_from(side.entities).is_ok_and(|found| found < needed) {
        bail!(
            "{} were about {} entities; expected at least {needed} (live.min_entities), since fewer do not say how all are: \
             name a longer time with --last",
            side.answers_words(),
            side.entities
        );
    }
    Ok((asked, side))
}

fn nothing(config: &Config, side: &LiveSide, is_empty: bool) -> String {
    if !config.log.enabled && is_empty {
        return "answers are not kept, so there is no live traffic to compare: [log] enabled = true keeps them from the \
                server's next start on"
            .to_owned();
    }
    let off = if config.log.enabled { "" } else { ", and [log] enabled is false by now" };
    let older = if is_empty { "none at all is" } else { "older ones or those of other models are" };
    format!(
        "no answer of {} is kept from {} to {} ({older}{off}); name a longer time with --last, or wait for requests",
        config.model.name,
        minute(side.from),
        minute(side.to)
    )
}

impl LiveSide {
    /// The name of the side in reports: the time in UTC.
    pub fn name(&self) -> String {
        format!("{}{}_to_{}", drift::LIVE_PREFIX, minute(self.from), minute(self.to))
    }

    fn answers_words(&self) -> String {
        format!("the {} answers from {} to {} UTC", self.answers, minute(self.from), minute(self.to))
    }

    /// What the table is, in sentences.
    pub fn words(&self) -> String {
        let mut words = format!(
            "The current side is the features of {}, by version {}, about {} entities; one entity counts once, with its \
             last values.",
            self.answers_words(),
            self.versions.join(", "),
            self.entities
        );
        if self.one_of > 1 {
            words.push_str(&format!(" It is a sample: one entity of {}.", self.one_of));
        }
        if self.left_out > 0 {
            let are = ["of versions with other features is", "of versions with other features are"];
            words.push_str(&format!(" {} left out.", counted_with(self.left_out, "answer", are)));
        }
        words
    }
}

fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M").to_string()
}

/// Compares the kept answers of the time up to now with a month, and writes the report beside the others.
///
/// # Errors
/// As [`read`]; a month that is not there; no column that could be tested.
pub async fn monitor_live(
    workspace: &Workspace,
    reference: Option<Period>,
    span_us: i64,
    rules: Rules,
) -> anyhow::Result<LiveOutcome> {
    let of = workspace.clone();
    let (asked, live) = blocking(move || read(&of.config, &of.data_dir, span_us)).await?;
    let reference = match reference {
        Some(month) => month,
        None => learned(workspace).await?,
    };
    let weights = importance(workspace).await;
    let workspace = workspace.clone();
    blocking(move || {
        let known = asked.frame(|_| false);
        let reference_table = features_of(&workspace, reference, &known)?;
        let is_boolean = |name: &str| {
            matches!(reference_table.column(name).map(|column| &column.values), Some(Values::Boolean(_)))
        };
        let current = asked.frame(is_boolean);
        let config = &workspace.config;
        let settings = DriftSettings {
            reference_name: reference.to_string(),
            current_name: live.name(),
            target: None,
            ..drift::settings(&config.dataset, &reference_table, rules, &config.monitor.columns)
        };
        let mut report = streamflow_compare::compare_frames(reference_table, current, settings)?;
        match &weights {
            Ok(known) => known.iter().for_each(|(model, known)| report.weigh(model, known)),
            Err(error) => tracing::warn!("drift is not weighted by importance: {}", one_line(error)),
        }
        if let Some(reasons) = report.nothing_tested() {
            bail!("no column could be tested, so there is no verdict: {reasons}");
        }
        let files = workspace.reports.write(&report, &addition(&report, &live))?;
        Ok(LiveOutcome { outcome: MonitorOutcome::new(&report, &files, None), live })
    })
    .await
}

/// The month that the version in production learned from.
async fn learned(workspace: &Workspace) -> anyhow::Result<Period> {
    let name = &workspace.config.model.name;
    let Some(version) = workspace.registry.production(name).await? else {
        bail!(
            "no version of {name} is in production, so no month is what it learned from; name one with --reference"
        );
    };
    version.as_of.parse().map_err(|_| {
        anyhow::anyhow!(
            "version {} learned from {:?}, which is no month; name one with --reference",
            version.version,
            version.as_of
        )
    })
}

/// The columns of a month that the log has too.
fn features_of(workspace: &Workspace, month: Period, known: &Frame) -> anyhow::Result<Frame> {
    let mut frame = workspace.snapshots.point_in_time(month, PointInTime { labels: false, exact: true })?;
    frame.columns.retain(|column| known.column(&column.name).is_some());
    Ok(frame)
}

fn addition(report: &Report, live: &LiveSide) -> Addition {
    let words = format!("{} The reference is {}.", live.words(), report.reference.name);
    let section = format!(
        r#"<section aria-labelledby="live"><h2 id="live">Live traffic</h2><p>{}</p></section>"#,
        escape(&words)
    );
    Addition { retraining: None, section, style: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_for_no_traffic_is_told_apart() {
        let mut config = Config::example().unwrap();
        let side = |from: &str| LiveSide {
            from: from.parse().unwrap(),
            to: "2024-03-02T07:30:00Z".parse().unwrap(),
            answers: 5,
            entities: 3,
            left_out: 1,
            versions: vec!["1".into(), "2".into()],
            one_of: 2,
        };
        let side = side("2024-03-01T07:30:00Z");
        config.log.enabled = false;
        assert!(nothing(&config, &side, true).starts_with("answers are not kept"));
        let off = nothing(&config, &side, false);
        assert!(off.contains("enabled is false by now") && off.contains("older ones"), "{off}");
        config.log.enabled = true;
        let empty = nothing(&config, &side, true);
        assert!(empty.contains("from 2024-03-01T07:30 to 2024-03-02T07:30 (none at all is)"), "{empty}");
        assert_eq!(side.name(), "live_2024-03-01T07:30_to_2024-03-02T07:30");
        let words = side.words();
        for part in [
            "the 5 answers",
            "version 1, 2",
            "3 entities",
            "one entity of 2",
            "1 answer of versions with other features is left out",
        ] {
            assert!(words.contains(part), "{part} is not in {words}");
        }
    }
}
