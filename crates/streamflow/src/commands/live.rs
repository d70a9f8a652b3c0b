//! `streamflow live`: drift of live traffic, by what the servers of this data directory have stored.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use serde::Serialize;
use streamflow_live::Basis;

use super::{Context, block_on};
use crate::config::Config;
use crate::live::{
    self, Certificate, History, LiveDocument, LiveStatus, LiveVerdict, LiveVersion, LiveWindow,
};
use crate::terminal::{counted, table};
use crate::workspace::Workspace;

#[derive(Debug, Subcommand)]
pub enum Args {
    /// Tell what has drifted in the windows that end now, and why a window is not judged
    Status {
        /// The version [default: the one in production]
        #[arg(long, value_name = "VERSION")]
        version: Option<i64>,
        /// The window whose features are listed: 15m, 1h, 6h or 24h [default: the shortest that is judged]
        #[arg(long, value_name = "WINDOW", value_parser = live::WINDOWS)]
        window: Option<String>,
    },
    /// Replay the stored traffic through the rule: alarms it raises, and the smallest shift it shows
    ///
    /// What it comes to is kept for the console's page Live. Traffic that is older than an hour and a half is kept in quarters of an hour, so each of those is looked at once;
    /// a server looks every minute.
    Certify {
        /// The version [default: the one in production]
        #[arg(long, value_name = "VERSION")]
        version: Option<i64>,
    },
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let config = context.config()?;
    context.check_data_dir(&context.data_dir(&config))?;
    match args {
        Args::Status { version, window } => status(context, config, *version, window.as_deref())?,
        Args::Certify { version } => certify(context, config, *version)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The stored traffic of a version, that of production where none is named.
async fn history(workspace: &Workspace, version: Option<i64>) -> anyhow::Result<History> {
    let name = &workspace.config.model.name;
    if !workspace.config.live.enabled {
        bail!("live traffic is not looked at: set enabled = true under [live]");
    }
    let version = workspace.registry.resolve(name, version).await?;
    live::read(workspace, version).await?.with_context(|| {
        format!(
            "no traffic of {name} version {version} was looked at yet: `streamflow up` or `streamflow serve` looks at \
             it from the first minute on"
        )
    })
}

fn status(
    context: &Context,
    config: Config,
    version: Option<i64>,
    window: Option<&str>,
) -> anyhow::Result<()> {
    let false_alarms_per_month = config.live.false_alarms_per_month;
    let document = block_on(async {
        let workspace = context.workspace(config, None).await?;
        let status = LiveStatus {
            idle: live::Idle::Looking,
            versions: vec![history(&workspace, version).await?.status()],
            false_alarms_per_month,
            ..LiveStatus::default()
        };
        let mut document = LiveDocument::of(&status);
        live::add_certificates(&workspace, &mut document).await?;
        anyhow::Ok(document)
    })?;
    context.terminal.result(&document, || {
        document.versions.first().map(|version| written(version, window)).unwrap_or_default()
    })
}

fn written(version: &LiveVersion, window: Option<&str>) -> String {
    let mut text = format!(
        "Version {} against {}, as of {}.\n\n",
        version.version,
        version.source,
        version.at.as_deref().unwrap_or("now")
    );
    let mut windows = table(["WINDOW", "ENTITIES", "REQUESTS", "AGAINST", "VERDICT", "NOTE"]);
    for found in &version.windows {
        let cells = [
            found.window.to_owned(),
            found.entities.to_string(),
            found.requests.to_string(),
            against(found.basis).to_owned(),
            found.words.clone(),
            found.why.clone().unwrap_or_default(),
        ];
        windows.add_row(cells);
    }
    text.push_str(&windows.to_string());
    let shown = match window {
        Some(name) => version.windows.iter().find(|found| found.window == name),
        None => version.windows.iter().find(|found| found.is_enough),
    };
    let how = if window.is_some() { "" } else { ", the shortest that is judged (--window names another)" };
    match shown {
        Some(found) if found.is_enough => text.push_str(&features(version, found, how)),
        Some(found) => {
            let why = found.why.as_deref().unwrap_or_default();
            text.push_str(&format!("\n\nThe window of {}: {why}", found.window));
        }
        None => text.push_str("\n\nNo window is judged yet, so no feature is listed."),
    }
    text
}

fn against(basis: Basis) -> &'static str {
    match basis {
        Basis::Training => "training",
        Basis::WarmingUp => "training (warming up)",
        Basis::SameClockTime => "same time of 7 days",
    }
}

fn features(version: &LiveVersion, window: &LiveWindow, how: &str) -> String {
    let mut rows = table(["COLUMN", "STATISTIC", "EFFECT", "LARGE FROM", "Z", "DRIFTED SINCE"]);
    for (column, drift) in version.columns.iter().zip(&window.columns) {
        for statistic in &drift.statistics {
            let name =
                if column.is_feature { column.name.clone() } else { format!("prediction: {}", column.name) };
            rows.add_row([
                name,
                statistic.statistic.to_owned(),
                format!("{:.4}", statistic.effect),
                format!("{:.4}", statistic.gate),
                format!("{:.1}", statistic.z),
                statistic.detected_since.clone().unwrap_or_else(|| "–".to_owned()),
            ]);
        }
    }
    format!(
        "\n\nThe window of {}{how}: drifted is what is large and has a |z| of at least {:.2}.\n\n{rows}",
        window.window, window.threshold
    )
}

fn certify(context: &Context, config: Config, version: Option<i64>) -> anyhow::Result<()> {
    let live = config.live.clone();
    let certificate = block_on(async {
        let workspace = context.workspace(config, None).await?;
        let history = history(&workspace, version).await?;
        if history.minutes.is_empty() {
            bail!(
                "version {} has no stored traffic yet: a minute with requests has to end first",
                history.version
            );
        }
        let certificate = Certificate::of(&history, &live);
        let kept = live::keep(&workspace, &certificate).await.context("the certificate cannot be kept")?;
        Ok(Certified { certificate, verdict: kept.verdict })
    })?;
    context.terminal.result(&certificate, || certificate.text())
}

/// A certificate with what it says of the budget.
#[derive(Serialize)]
struct Certified {
    #[serde(flatten)]
    certificate: Certificate,
    verdict: Option<LiveVerdict>,
}

impl Certified {
    fn text(&self) -> String {
        let verdict = self.verdict.as_ref().map(|found| match &found.why {
            Some(why) => format!("{}: {why}", found.words),
            None => format!("{}.", found.words),
        });
        let said = verdict.map(|verdict| format!("\n\nThe budget of false alarms: {verdict}"));
        format!("{}{}", certified(&self.certificate), said.unwrap_or_default())
    }
}

fn certified(found: &Certificate) -> String {
    let mut text = format!(
        "Version {}, from {} to {}: {} of an hour with traffic.\n\n",
        found.version,
        found.from.as_deref().unwrap_or("?"),
        found.until.as_deref().unwrap_or("?"),
        counted(found.quarters, "quarter")
    );
    let mut windows = table(["WINDOW", "MEDIAN ENTITIES", "LOOKS JUDGED"]);
    for size in &found.windows {
        windows.add_row([size.window.to_owned(), size.median_entities.to_string(), size.judged.to_string()]);
    }
    text.push_str(&windows.to_string());
    if found.alarms.is_empty() {
        text.push_str("\n\nThe rule raises no alarm on this traffic.\n\n");
    } else {
        text.push_str(
            "\n\nThe rule raises alarms on this traffic, a row for each statistic, those of one column at one time being one alarm; they are \
             false where nothing had changed.\n\n",
        );
        let mut windows = BTreeMap::<_, Vec<&str>>::new();
        for alarm in &found.alarms {
            let key = (alarm.since.as_deref().unwrap_or("?"), alarm.feature.as_str(), alarm.statistic);
            windows.entry(key).or_default().push(alarm.window);
        }
        let mut rows = table(["SINCE", "COLUMN", "STATISTIC", "WINDOWS"]);
        for ((since, feature, statistic), windows) in windows {
            rows.add_row([since, feature, statistic, &windows.join(", ")]);
        }
        text.push_str(&format!("{rows}\n\n"));
    }
    text.push_str(
        "The smallest shift of a number that is seen in 95 of 100 cases, in standard deviations, with the median entities:\n\n",
    );
    let mut rows = table(["COLUMN", "WINDOW", "WITHIN 15 MIN", "WITHIN 1 H", "WITHIN 1 D"]);
    let shown = |shift: Option<f64>| shift.map_or_else(|| "none".to_owned(), |shift| format!("{shift:.2}"));
    for one in &found.sensitivity {
        rows.add_row([
            one.feature.clone(),
            one.window.to_owned(),
            shown(one.within_15m),
            shown(one.within_1h),
            shown(one.within_1d),
        ]);
    }
    text.push_str(&format!("{rows}\n\nThe console's page Live shows this beside the budget."));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::{LiveDrift, LiveStatistic};

    fn window(name: &'static str, entities: u64) -> LiveWindow {
        let is_enough = entities >= 200;
        let statistic =
            LiveStatistic { statistic: "location", effect: 0.2, gate: 0.0282, z: 9.0, detected_since: None };
        LiveWindow {
            window: name,
            entities,
            needed: 200,
            requests: entities,
            is_enough,
            basis: Basis::Training,
            why: (!is_enough).then(|| format!("Too few entities: {entities} of 200 that are needed.")),
            threshold: 5.0,
            share: is_enough.then_some(0.0),
            drifted: None,
            words: format!("words of {name}"),
            columns: vec![LiveDrift {
                live: vec![],
                basis: vec![],
                detected_since: None,
                statistics: if is_enough { vec![statistic] } else { vec![] },
            }],
            errors: vec![],
        }
    }

    fn version(entities: [u64; 4]) -> LiveVersion {
        let sizes = live::WINDOWS.into_iter().zip(entities);
        LiveVersion {
            version: "3".into(),
            is_served: true,
            source: "training".into(),
            first: None,
            at: None,
            statistics: 1,
            columns: vec![],
            windows: sizes.map(|(name, entities)| window(name, entities)).collect(),
            certificate: None,
        }
    }

    #[test]
    fn the_window_whose_features_are_listed_is_named_with_why_it_is_that_one() {
        let some = version([50, 150, 300, 900]);
        for (asked, expected) in [
            (None, "The window of 6h, the shortest that is judged (--window names another): drifted is"),
            (Some("24h"), "The window of 24h: drifted is"),
            (Some("1h"), "The window of 1h: Too few entities: 150 of 200"),
        ] {
            let text = written(&some, asked);
            assert!(text.contains(expected), "{text}");
            assert!(text.contains("words of 15m") && text.contains("words of 24h"), "{text}");
        }
        let none = written(&version([1, 2, 3, 4]), None);
        assert!(none.ends_with("No window is judged yet, so no feature is listed."), "{none}");
    }
}
