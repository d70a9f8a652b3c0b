//! The folder of drift reports: writing one, listing them, reading one.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use serde::Serialize;
use streamflow_drift::{Decision, Report, RuleSet};

use crate::files::write_aside;

/// One report as a list shows it.
#[derive(Debug, Clone, Serialize)]
pub struct ReportEntry {
    /// The report's [`report_name`].
    pub name: String,
    pub reference: String,
    pub current: String,
    pub profile: RuleSet,
    pub drift_share: f64,
    pub threshold: f64,
    pub drifted: usize,
    pub columns: usize,
    pub decision: Decision,
    pub target_drift: Option<f64>,
    /// When the file was written, RFC 3339.
    pub created: Timestamp,
    /// Path under which the console serves it.
    pub url: String,
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
            columns: report.tested_columns,
            decision: report.decision,
            target_drift: report.target_drift.as_ref().map(|target| target.difference),
            created,
            url: format!("reports/{name}.html"),
        }
    }
}

/// The files of one report.
#[derive(Debug, Clone)]
pub struct ReportFiles {
    pub html: PathBuf,
    pub json: PathBuf,
    pub evidently_json: PathBuf,
}

/// A report folder; one that is not there yet holds no report.
#[derive(Debug, Clone)]
pub struct ReportFolder {
    dir: PathBuf,
}

impl ReportFolder {
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Writes a report under its [`report_name`]: as HTML, as JSON and as Evidently's JSON.
    pub fn write(&self, report: &Report) -> anyhow::Result<ReportFiles> {
        let name = report_name(&report.reference.name, &report.current.name);
        let write = |end: &str, contents: String| {
            let path = self.file(&name, end)?;
            write_aside(&path, contents.as_bytes())
                .with_context(|| format!("cannot write the report {}", path.display()))?;
            anyhow::Ok(path)
        };
        Ok(ReportFiles {
            html: write("html", report.to_html())?,
            json: write("json", report.to_json())?,
            evidently_json: write("evidently.json", report.to_evidently_json())?,
        })
    }

    /// Every report that can be read, newest first, and what is wrong with the others.
    pub fn list(&self) -> anyhow::Result<(Vec<ReportEntry>, Vec<String>)> {
        let (mut entries, mut damaged) = (Vec::new(), Vec::new());
        for (name, created) in self.names()? {
            match self.read(&name) {
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
            let written = file.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
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

    /// The file of a report, without looking whether it is there.
    pub fn file(&self, name: &str, end: &str) -> anyhow::Result<PathBuf> {
        if !is_name(name) {
            bail!("{name:?} names no report; expected drift_REFERENCE_vs_CURRENT");
        }
        Ok(self.dir.join(format!("{name}.{end}")))
    }
}

/// The name of the report of `current` against `reference`: that of its files without the ending.
pub fn report_name(reference: impl Display, current: impl Display) -> String {
    format!("{PREFIX}{reference}{VERSUS}{current}")
}

const PREFIX: &str = "drift_";
const VERSUS: &str = "_vs_";

/// True for a name that [`report_name`] makes and that can lead nowhere else.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    name.starts_with(PREFIX) && name.contains(VERSUS) && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_else() {
        for (name, expected) in [
            ("drift_2024-01-31_vs_2024-02-29", true),
            ("drift_2024-01-31_vs_2024-02-29.evidently", false),
            ("drift_../../etc_vs_passwd", false),
            ("notes", false),
            ("", false),
        ] {
            assert_eq!(is_name(name), expected, "{name}");
        }
    }

    #[test]
    fn a_damaged_report_is_named_and_the_others_are_listed() {
        let dir = tempfile::tempdir().unwrap();
        let folder = ReportFolder::new(dir.path().join("drift"));
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
