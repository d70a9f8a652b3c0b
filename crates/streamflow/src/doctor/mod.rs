//! `streamflow doctor`: is everything as it should be around a project? Nothing is changed.
//!
//! `CHECKS` is the table of what is looked at; a file has those of one kind.

mod bucket;
mod features;
mod log;
mod machine;
mod network;
mod secrets;
mod stored;

use std::path::PathBuf;
use std::pin::Pin;

use serde::Serialize;

use crate::config::{Config, Place};

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    /// It works, and may not for long, or was not looked at.
    Warn,
    /// It does not work, or will fail when it is needed.
    Wrong,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Wrong => "wrong",
        }
    }
}

/// One line of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Name of the check.
    pub check: &'static str,
    pub verdict: Verdict,
    /// What was found and what it means.
    pub what: String,
    /// What to do, where something is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// What a check says, before it has its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    verdict: Verdict,
    what: String,
    remedy: Option<String>,
}

impl Found {
    fn ok(what: impl Into<String>) -> Self {
        Self { verdict: Verdict::Ok, what: what.into(), remedy: None }
    }

    fn warn(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warn, what: what.into(), remedy: Some(remedy.into()) }
    }

    fn wrong(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Wrong, what: what.into(), remedy: Some(remedy.into()) }
    }
}

/// What is looked at.
pub struct Project {
    pub config: Config,
    pub data_dir: PathBuf,
    pub report_dir: PathBuf,
    /// The data directory with the bucket that it is the working copy of, where it is one.
    pub place: Place,
    /// Every stored byte is read.
    pub deep: bool,
}

/// What a check gives: a line or more.
type Answer<'a> = Pin<Box<dyn Future<Output = Vec<Found>> + 'a>>;

/// Something to look at.
struct Check {
    name: &'static str,
    look: for<'a> fn(&'a Project) -> Answer<'a>,
}

/// Everything that is looked at, in the order of the answer.
static CHECKS: &[Check] = &[
    Check { name: "configuration", look: |project| Box::pin(async { secrets::configuration(project) }) },
    Check { name: "data directory", look: |project| Box::pin(async { machine::data_directory(project) }) },
    Check { name: "disk", look: |project| Box::pin(async { machine::disk(project) }) },
    Check { name: "clock", look: |project| Box::pin(machine::clock(project)) },
    Check { name: "open files", look: |project| Box::pin(async { machine::open_files(project) }) },
    Check { name: "ports", look: |project| Box::pin(network::ports(project)) },
    Check { name: "feature store", look: |project| Box::pin(features::feature_store(project)) },
    Check { name: "tables", look: |project| Box::pin(network::tables(project)) },
    Check { name: "bucket", look: |project| Box::pin(bucket::bucket(project)) },
    Check { name: "secrets", look: |project| Box::pin(async { secrets::files(project) }) },
    Check { name: "database", look: |project| Box::pin(stored::database(project)) },
    Check { name: "runs", look: |project| Box::pin(stored::runs(project)) },
    Check { name: "snapshots", look: |project| Box::pin(stored::snapshots(project)) },
    Check { name: "models", look: |project| Box::pin(stored::models(project)) },
    Check { name: "metrics", look: |project| Box::pin(async { stored::metrics(project) }) },
    Check { name: "prediction log", look: |project| Box::pin(async { log::log(project) }) },
    Check { name: "reports", look: |project| Box::pin(async { stored::reports(project) }) },
    Check { name: "left over", look: |project| Box::pin(async { stored::left_over(project) }) },
];

/// Looks at everything.
pub async fn look(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for check in CHECKS {
        let found = (check.look)(project).await;
        findings.extend(found.into_iter().map(|Found { verdict, what, remedy }| Finding {
            check: check.name,
            verdict,
            what,
            remedy,
        }));
    }
    findings
}

/// The only line where there is no configuration to look around from.
pub fn no_configuration(error: &str) -> Finding {
    Finding {
        check: CHECKS[0].name,
        verdict: Verdict::Wrong,
        what: error.to_owned(),
        remedy: Some("mend it, or name another file with --config; the rest was not looked at".to_owned()),
    }
}
