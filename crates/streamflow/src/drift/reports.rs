//! The folder of drift reports: writing one, listing them, reading one.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use serde::Serialize;
use streamflow_drift::html::Addition;
use streamflow_drift::{Decision, Report, RuleSet};
use utoipa::ToSchema;

use super::settings::Rules;
use crate::files::write_aside;

/// One report as a list shows it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Report)]
pub struct ReportEntry {
    /// The report's [`ReportFolder::report_name`].
    pub name: String,
    pub reference: String,
    pub current: String,
    #[schema(value_type = String)]
    pub profile: RuleSet,
    pub drift_share: f64,
    pub threshold: f64,
    pub drifted: usize,
    pub columns: usize,
    #[schema(value_type = String)]
    pub decision: Decision,
    pub target_drift: Option<f64>,
    /// When the file was written, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// Path under which the console serves it.
    pub url: String,
    /// The last run that wrote it, where the database knows one.
    pub run_id: Option<i64>,
}

impl ReportEntry {
    pub fn new(name: &str, report: &Report, created: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            reference: report.reference.name.clone(),
            current: report.current.name.clone(),
            profile: report.profile,
            drift_share: report.drift_share,
            threshold: report.drift_share_threshold,
            drifted: report.drifted_columns,
            columns: report.judged_columns(),
            decision: report.decision,
            target_drift: super::target_difference(report),
            created,
            url: format!("reports/{name}.html"),
            run_id: None,
        }
    }
}

/// The files of one report.
#[derive(Debug, Clone)]
pub struct ReportFiles {
    /// The [`ReportFolder::report_name`].
    pub name: String,
    pub html: PathBuf,
    pub json: PathBuf,
    pub evidently_json: PathBuf,
}

/// A report folder; one that is not there yet holds no report.
#[derive(Debug, Clone)]
pub struct ReportFolder {
    dir: PathBuf,
    configured: Rules,
}

impl ReportFolder {
    /// `configured` is what the configuration says; its reports have the plain names.
    pub fn new(dir: PathBuf, configured: Rules) -> Self {
        Self { dir, configured }
    }

    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Writes a report under its [`ReportFolder::report_name`]: as HTML, as JSON and as Evidently's JSON. `addition` is what
    /// the page says beside drift.
    pub fn write(&self, report: &Report, addition: &Addition) -> anyhow::Result<ReportFiles> {
        let name = self.report_name(report);
        let write = |end: &str, contents: String| {
            let path = self.file(&name, end)?;
            write_aside(&path, contents.as_bytes())
                .with_context(|| format!("cannot write the report {}", path.display()))?;
            anyhow::Ok(path)
        };
        Ok(ReportFiles {
            html: write("html", report.to_html_with(addition))?,
            json: write("json", report.to_json())?,
            evidently_json: write("evidently.json", report.to_evidently_json())?,
            name,
        })
    }

    /// The name of a report: that of its files without the ending. Reports made otherwise than configured have profile
    /// and threshold in it, so that none takes the place of another.
    pub fn report_name(&self, report: &Report) -> String {
        let sides =
            format!("{PREFIX}{}{VERSUS}{}", plain(&report.reference.name), plain(&report.current.name));
        if self.is_configured(report) {
            return sides;
        }
        format!("{sides}.{}", judgement_word(report.profile, report.drift_share_threshold))
    }

    /// The rules of the configuration.
    pub fn configured(&self) -> Rules {
        self.configured
    }

    /// True for a report with the profile and the threshold of the configuration.
    fn is_configured(&self, report: &Report) -> bool {
        report.profile == self.configured.profile
            && report.drift_share_threshold.total_cmp(&self.configured.threshold.get()).is_eq()
    }

    /// The newest of the reports of these [`ReportFolder::names`] that was made as configured: of the last current side,
    /// and of several on that one the one against `learned`, the month that the served model learned from, else the last
    /// written. Reports on live traffic are passed over: it has metrics of its own.
    pub fn newest(
        &self,
        mut names: Vec<(String, Timestamp)>,
        learned: Option<&str>,
    ) -> anyhow::Result<Option<Report>> {
        let learned = learned.map(plain);
        let own = format!(".{}", judgement_word(self.configured.profile, self.configured.threshold.get()));
        names.retain(|(name, _)| {
            (!name.contains('.') || name.ends_with(&own)) && !sides(name).1.starts_with(LIVE_PREFIX)
        });
        let rank = |name: &str| {
            let (reference, current) = sides(name);
            // A date comes after the times of its day.
            let end = if current.contains('T') { "" } else { "T24" };
            (format!("{current}{end}"), learned.as_deref() == Some(reference))
        };
        names.sort_by_key(|(name, _)| std::cmp::Reverse(rank(name)));
        for (name, _) in names {
            let report = match self.read(&name) {
                // Deleted since it was listed.
                Err(_) if !self.file(&name, "json")?.exists() => continue,
                read => read?,
            };
            if self.is_configured(&report) {
                return Ok(Some(report));
            }
        }
        Ok(None)
    }

    /// Every report that can be read, newest first, and what is wrong with the others.
    pub fn list(&self) -> anyhow::Result<(Vec<ReportEntry>, Vec<String>)> {
        let (mut entries, mut damaged) = (Vec::new(), Vec::new());
        for (name, created) in self.names()? {
            match self.read(&name) {
                // Deleted since it was listed.
                Err(_) if !self.file(&name, "json")?.exists() => {}
                Ok(report) => entries.push(ReportEntry::new(&name, &report, created)),
                Err(error) => damaged.push(format!("{error:#}")),
            }
        }
        Ok((entries, damaged))
    }

    /// The names of the reports and when each was written, newest first.
    pub fn names(&self) -> anyhow::Result<Vec<(String, Timestamp)>> {
        let files = match std::fs::read_dir(&self.dir) {
            Ok(files) => files,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot list the reports in {}", self.dir.display()));
            }
        };
        let mut names = Vec::new();
        for file in files {
            let file = file?;
            let name = file.file_name().to_string_lossy().into_owned();
            let Some(name) = name.strip_suffix(".json").filter(|name| is_name(name)) else { continue };
            let Ok(metadata) = file.metadata() else { continue };
            let written = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
            names.push((name.to_owned(), Timestamp::from_millisecond(written.as_millis() as i64)?));
        }
        names.sort_by(|a, b| (b.1, &b.0).cmp(&(a.1, &a.0)));
        Ok(names)
    }

    /// The report of that name.
    pub fn read(&self, name: &str) -> anyhow::Result<Report> {
        let path = self.file(name, "json")?;
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Report::from_json(&text).with_context(|| format!("{} is not a drift report", path.display()))
    }

    /// Deletes a report. The file that lists know it by goes last: a removal that is cut off is seen and made again.
    pub fn remove(&self, name: &str) -> anyhow::Result<()> {
        for file in self.files(name)? {
            match std::fs::remove_file(&file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot remove {}", file.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The files of a report, the one that lists know it by the last.
    pub fn files(&self, name: &str) -> anyhow::Result<[PathBuf; 3]> {
        Ok([self.file(name, "html")?, self.file(name, "evidently.json")?, self.file(name, "json")?])
    }

    /// The file of a report, without looking whether it is there.
    pub fn file(&self, name: &str, end: &str) -> anyhow::Result<PathBuf> {
        if !is_name(name) {
            bail!("{name:?} names no report; expected drift_REFERENCE_vs_CURRENT");
        }
        Ok(self.dir.join(format!("{name}.{end}")))
    }
}

const PREFIX: &str = "drift_";
/// How the names of current sides begin that are live traffic and no month.
pub const LIVE_PREFIX: &str = "live_";
const VERSUS: &str = "_vs_";

/// True for a name that [`ReportFolder::report_name`] makes and that can lead nowhere else.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let (sides, judgement) = name.split_once('.').map_or((name, None), |(sides, rest)| (sides, Some(rest)));
    let is_judgement = |text: &str| {
        text.split_once('-').is_some_and(|(profile, threshold)| {
            profile.parse::<RuleSet>().is_ok()
                && threshold.parse::<f64>().is_ok()
                && threshold.chars().all(|c| c.is_ascii_digit() || c == '.')
        })
    };
    sides.starts_with(PREFIX)
        && sides.contains(VERSUS)
        && sides.chars().all(plain)
        && judgement.is_none_or(is_judgement)
}

/// Profile and threshold in a report's name: at least two decimal places, and as many as tell it from others.
fn judgement_word(profile: RuleSet, threshold: f64) -> String {
    let rounded = format!("{threshold:.2}");
    let exact = if rounded.parse() == Ok(threshold) { rounded } else { threshold.to_string() };
    format!("{}-{exact}", profile.as_str())
}

/// A side as names of files have it, which have no colons: `2026-01-05T1300`.
fn plain(side: &str) -> String {
    side.replace(':', "")
}

/// The reference and the current side in a report's name. Dates written year first are in the order of time.
fn sides(name: &str) -> (&str, &str) {
    let sides = name.split('.').next().unwrap_or(name);
    sides.strip_prefix(PREFIX).and_then(|sides| sides.split_once(VERSUS)).unwrap_or(("", ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::MonitorConfig;

    #[test]
    fn a_name_leads_nowhere_else() {
        for (name, expected) in [
            ("drift_2024-01-31_vs_2024-02-29", true),
            ("drift_2024-01-31_vs_2024-02-29.evidently", false),
            ("drift_2024-01-31_vs_2024-02-29.evidently-0.30", true),
            ("drift_2024-01-31_vs_2024-02-29.evidently-0.30.evidently", false),
            ("drift_2024-01-31_vs_2024-02-29.evidently-../x", false),
            ("drift_../../etc_vs_passwd", false),
            ("notes", false),
            ("", false),
        ] {
            assert_eq!(is_name(name), expected, "{name}");
        }
    }

    #[test]
    fn reports_are_named_by_what_identifies_them() {
        let configured = Rules::from(&MonitorConfig::default());
        let folder = ReportFolder::new("drift".into(), configured);
        let column = [streamflow_drift::Column::float("hours", vec![1.0, 2.0])];
        for (profile, threshold, expected) in [
            (RuleSet::Calibrated, 0.3, "drift_a_vs_b"),
            (RuleSet::Evidently, 0.3, "drift_a_vs_b.evidently-0.30"),
            (RuleSet::Calibrated, 0.5, "drift_a_vs_b.calibrated-0.50"),
            (RuleSet::Calibrated, 0.305, "drift_a_vs_b.calibrated-0.305"),
        ] {
            let settings = streamflow_drift::DriftSettings {
                profile,
                drift_share_threshold: streamflow_drift::Share::new("threshold", threshold).unwrap(),
                reference_name: "a".into(),
                current_name: "b".into(),
                ..Default::default()
            };
            let name = folder.report_name(&streamflow_drift::compare(&column, &column, &settings).unwrap());
            assert_eq!((name.as_str(), is_name(&name), sides(&name)), (expected, true, ("a", "b")));
        }
    }

    #[test]
    fn the_newest_report_is_that_of_the_newest_period_as_configured() {
        let dir = tempfile::tempdir().unwrap();
        let configured = Rules::from(&MonitorConfig::default());
        let folder = ReportFolder::new(dir.path().into(), configured);
        let write_from = |reference: &str, current: &str, profile, threshold| {
            let column = [streamflow_drift::Column::float("hours", vec![1.0, 2.0])];
            let settings = streamflow_drift::DriftSettings {
                profile,
                drift_share_threshold: streamflow_drift::Share::new("threshold", threshold).unwrap(),
                reference_name: reference.into(),
                current_name: current.into(),
                ..Default::default()
            };
            folder
                .write(&streamflow_drift::compare(&column, &column, &settings).unwrap(), &Addition::default())
                .unwrap();
            folder.newest(folder.names().unwrap(), Some("2024-01-31")).unwrap()
        };
        let write = |current: &str, profile, threshold| {
            write_from("2024-01-31", current, profile, threshold).map(|report| report.current.name)
        };
        assert_eq!(write("2024-05-31", RuleSet::Evidently, 0.3), None);
        for (current, profile, threshold) in [
            ("2024-03-31", RuleSet::Calibrated, 0.3),
            ("2024-02-29", RuleSet::Calibrated, 0.3),
            ("2024-04-30", RuleSet::Calibrated, 0.5),
        ] {
            assert_eq!(write(current, profile, threshold).as_deref(), Some("2024-03-31"));
        }
        assert_eq!(folder.names().unwrap().len(), 4);
        // A comparison with another month than the model learned from says nothing of the model.
        let newest = write_from("2024-02-29", "2024-03-31", RuleSet::Calibrated, 0.3).unwrap();
        assert_eq!(newest.reference.name, "2024-01-31");
        // A date comes after its times, and no name of a file has a colon.
        for (current, expected) in [
            ("2024-06-30T13:00", "2024-06-30T13:00"),
            ("2024-06-30T09:00", "2024-06-30T13:00"),
            ("2024-06-30", "2024-06-30"),
            ("2024-06-30T23:59", "2024-06-30"),
            ("2024-07-01T00:00", "2024-07-01T00:00"),
            ("live_2024-07-02T00:00_to_2024-07-03T00:00", "2024-07-01T00:00"),
        ] {
            assert_eq!(write(current, RuleSet::Calibrated, 0.3).as_deref(), Some(expected));
        }
        assert!(
            folder.names().unwrap().iter().any(|(name, _)| name == "drift_2024-01-31_vs_2024-06-30T1300")
        );
    }

    #[test]
    fn a_damaged_report_is_named_and_the_others_are_listed() {
        let dir = tempfile::tempdir().unwrap();
        let configured = Rules::from(&MonitorConfig::default());
        let folder = ReportFolder::new(dir.path().join("drift"), configured);
        assert!(folder.list().unwrap().0.is_empty());
        let column = |values: &[f64]| streamflow_drift::Column {
            name: "hours".into(),
            values: streamflow_drift::Values::Float(values.to_vec()),
        };
        let settings = streamflow_drift::DriftSettings::default();
        let report =
            streamflow_drift::compare(&[column(&[1.0, 2.0, 3.0])], &[column(&[1.0, 2.0, 4.0])], &settings)
                .unwrap();
        let write = |name: &str, text: &str| {
            write_aside(&folder.file(name, "json").unwrap(), text.as_bytes()).unwrap();
        };
        write("drift_a_vs_b", &report.to_json());
        write("drift_a_vs_c", "{}");
        let (entries, damaged) = folder.list().unwrap();
        assert_eq!(entries.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["drift_a_vs_b"]);
        assert!(damaged.len() == 1 && damaged[0].contains("drift_a_vs_c"), "{damaged:?}");
    }
}
