//! The `[flows.NAME]` sections of the configuration: when a flow runs by itself, how often it is tried, and flows of one's
//! own.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use streamflow_gotext::parse_duration_ms;
use streamflow_schedule::ScheduleText;

/// `[runs]`: how long runs are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunsConfig {
    /// Age after which an ended run is deleted.
    pub keep_days: NonZeroU32,
    /// Runs of a flow over which the oldest are deleted.
    pub keep_of_flow: NonZeroU32,
}

impl Default for RunsConfig {
    fn default() -> Self {
        Self {
            keep_days: NonZeroU32::new(90).expect("a default is not zero"),
            keep_of_flow: NonZeroU32::new(1_000).expect("a default is not zero"),
        }
    }
}

/// `[flows.NAME]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FlowConfig {
    /// What a flow of one's own does, in a line.
    pub doc: Option<String>,
    /// The steps of a flow of one's own; a flow that is built in has its own.
    pub steps: Vec<StepConfig>,
    /// When it runs by itself.
    pub schedule: Option<ScheduleText>,
    /// What else starts it: `snapshot`, `decision`, `alert:NAME`, `flow:NAME`, `webhook`.
    pub on: Vec<String>,
    /// Folder whose new subfolders are drops; each starts the flow. Relative to the configuration file.
    pub watch: Option<PathBuf>,
    /// Parameters of runs that nobody gives others; `{date}`, `{month_end}` and `{last_month_end}` stand for days.
    pub parameters: Map<String, Value>,
    /// How often a run that failed goes on from the step that failed.
    pub retries: u32,
    /// How often a step that failed is tried again at once.
    pub step_retries: u32,
    /// Waits before each further try; the last one repeats.
    pub retry_delays: Vec<String>,
    /// Longest time of one try of a step.
    pub timeout: Option<String>,
    /// Age under which the result of a step is taken over from another run that had the same inputs; none: steps run.
    pub cache_for: Option<String>,
    /// What happens when it is due while a run of it is active.
    pub overlap: Overlap,
    /// Age of the last success over which the flow counts as late.
    pub max_age_of_success: Option<String>,
}

/// What happens to a run that is due while another of its flow is active.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It waits.
    #[default]
    Queue,
    /// It is cancelled.
    Skip,
    /// The active run is cancelled, and it follows.
    CancelRunning,
}

/// A step of a flow of one's own: a flow that is built in, or a command.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StepConfig {
    /// Its name in the run; the flow's or the program's where it has none.
    pub name: Option<String>,
    pub flow: Option<String>,
    /// Program and arguments; `{name}` stands for a parameter of the run.
    pub run: Vec<String>,
    /// Variables of the program beside those of the server.
    pub env: BTreeMap<String, String>,
    /// Parameters of the flow.
    pub parameters: Map<String, Value>,
    /// Files that the program reads, relative to the configuration file: where the flow has `cache_for`, it runs again
    /// when one of them, the program's words or its environment changed.
    pub inputs: Vec<PathBuf>,
}

impl StepConfig {
    pub fn name(&self) -> &str {
        let program = self.run.first().map(String::as_str);
        self.name.as_deref().or(self.flow.as_deref()).or(program).unwrap_or("step")
    }
}

/// What starts a flow beside its schedule and its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// A month was ingested.
    Snapshot,
    /// A monitoring run ended with RETRAINING_TRIGGERED.
    Decision,
    /// An alert of that name fires.
    Alert(String),
    /// A run of that flow completed.
    Flow(String),
    /// Somebody posts to the flow's hook.
    Webhook,
}

impl Trigger {
    fn parse(text: &str) -> anyhow::Result<Self> {
        match text.split_once(':') {
            Some(("alert", name)) if !name.is_empty() => Ok(Trigger::Alert(name.to_owned())),
            Some(("flow", name)) if !name.is_empty() => Ok(Trigger::Flow(name.to_owned())),
            None if text == "snapshot" => Ok(Trigger::Snapshot),
            None if text == "decision" => Ok(Trigger::Decision),
            None if text == "webhook" => Ok(Trigger::Webhook),
            _ => bail!(
                "{text:?} starts no flow; expected snapshot, decision, webhook, alert:NAME or flow:NAME"
            ),
        }
    }
}

impl FlowConfig {
    /// Refuses what would only fail when the flow is due.
    pub(super) fn check(&self, name: &str) -> anyhow::Result<()> {
        let of = |key: &str| format!("flows.{name}.{key}");
        if let Some(schedule) = &self.schedule {
            schedule.parse().with_context(|| of("schedule"))?;
            schedule.policy().with_context(|| of("schedule"))?;
        }
        self.triggers().with_context(|| of("on"))?;
        self.delays().with_context(|| of("retry_delays"))?;
        self.timeout().with_context(|| of("timeout"))?;
        self.cache_for().with_context(|| of("cache_for"))?;
        let age = self.max_age_of_success().with_context(|| of("max_age_of_success"))?;
        if age.is_some_and(|age| age.is_zero()) {
            bail!(
                "{} is no time at all: the flow would always be late; expected such as 35d",
                of("max_age_of_success")
            );
        }
        let mut names = BTreeSet::new();
        if let Some(twice) = self.steps.iter().map(StepConfig::name).find(|name| !names.insert(*name)) {
            bail!("{} has two steps {twice:?}; give each a name of its own (name = \"…\")", of("steps"));
        }
        for step in &self.steps {
            if step.flow.is_some() != step.run.is_empty() {
                bail!("{} has a step that names not exactly one of flow and run", of("steps"));
            }
            if !step.inputs.is_empty() && (step.flow.is_some() || self.cache_for.is_none()) {
                bail!(
                    "{} has inputs without use; they belong to a command of a flow with cache_for",
                    of("steps")
                );
            }
            if !step.parameters.is_empty() && step.flow.is_none() {
                bail!(
                    "{} has a command with parameters; a command takes them as {{name}} in run",
                    of("steps")
                );
            }
        }
        Ok(())
    }

    pub fn triggers(&self) -> anyhow::Result<Vec<Trigger>> {
        self.on.iter().map(|text| Trigger::parse(text)).collect()
    }

    pub fn delays(&self) -> anyhow::Result<Vec<Duration>> {
        self.retry_delays.iter().map(|text| length(text)).collect()
    }

    pub fn timeout(&self) -> anyhow::Result<Option<Duration>> {
        self.timeout.as_deref().map(length).transpose()
    }

    pub fn cache_for(&self) -> anyhow::Result<Option<Duration>> {
        self.cache_for.as_deref().map(length).transpose()
    }

    pub fn max_age_of_success(&self) -> anyhow::Result<Option<Duration>> {
        self.max_age_of_success.as_deref().map(length).transpose()
    }
}

pub(super) fn length(text: &str) -> anyhow::Result<Duration> {
    let ms = parse_duration_ms(text).ok().and_then(|ms| u64::try_from(ms).ok());
    ms.map(Duration::from_millis)
        .with_context(|| format!("{text:?} is no length of time; expected such as 30s or 2h"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_fail_later_is_refused_at_once() {
        for (toml, expected) in [
            ("schedule = { cron = \"0 6 1 * *\", zone = \"Europe/Paris\" }", ""),
            ("schedule = { cron = \"0 0 31 2 *\" }", "flows.monthly.schedule"),
            ("schedule = { cron = \"0 6 1 * *\", zone = \"Mars/North\" }", "Mars/North"),
            ("on = [\"snapshot\", \"alert:Slow\", \"flow:monthly\", \"decision\", \"webhook\"]", ""),
            ("on = [\"moon\"]", "\"moon\" starts no flow"),
            ("retry_delays = [\"30s\", \"soon\"]", "\"soon\" is no length of time"),
            ("timeout = \"-1s\"", "flows.monthly.timeout"),
            ("steps = [{ run = [\"true\"] }, { flow = \"monthly\" }]", ""),
            ("steps = [{ name = \"nothing\" }]", "not exactly one"),
            ("steps = [{ run = [\"true\"], flow = \"monthly\" }]", "not exactly one"),
            ("steps = [{ run = [\"true\"], parameters = { a = 1 } }]", "a command with parameters"),
            ("cache_for = \"1d\"\nsteps = [{ run = [\"true\"], inputs = [\"a.sql\"] }]", ""),
            ("max_age_of_success = \"0d\"", "flows.monthly.max_age_of_success is no time at all"),
            ("steps = [{ run = [\"true\"] }, { run = [\"true\"] }]", "two steps \"true\""),
            ("steps = [{ run = [\"true\"] }, { run = [\"true\"], name = \"again\" }]", ""),
            ("cache_for = \"soon\"", "flows.monthly.cache_for"),
            ("steps = [{ run = [\"true\"], inputs = [\"a.sql\"] }]", "inputs without use"),
        ] {
            let config: FlowConfig = toml::from_str(toml).unwrap();
            let error = config.check("monthly").err().map(|error| format!("{error:#}")).unwrap_or_default();
            assert!(error.contains(expected) && error.is_empty() == expected.is_empty(), "{toml}: {error}");
        }
    }
}
