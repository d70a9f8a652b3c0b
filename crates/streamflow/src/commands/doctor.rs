//! `streamflow doctor`: looks at everything around a project and says what to do.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::{Context, block_on};
use crate::doctor::{Finding, Project, Verdict, look, no_configuration};
use crate::terminal::one_line;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Read every stored byte too: snapshots, models, the database, and metrics that no server has open
    #[arg(long)]
    deep: bool,
    /// Folder of the drift reports [default: from the configuration, reports/drift]
    #[arg(long, env = "REPORT_DIR", value_name = "DIR")]
    report_dir: Option<PathBuf>,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let findings = match context.config() {
        Err(error) => vec![no_configuration(&one_line(&error))],
        Ok(config) => {
            let (data_dir, report_dir) =
                (context.data_dir(&config), config.report_dir(args.report_dir.as_deref()));
            let place = config.place(context.data_dir.as_deref());
            let project = Project { config, data_dir, report_dir, place, deep: args.deep };
            block_on(async { Ok(look(&project).await) })?
        }
    };
    let worst = findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok);
    let value = json!({ "verdict": worst, "findings": findings });
    context.terminal.result(&value, || text(&findings))?;
    Ok(if worst == Verdict::Wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let Finding { check, verdict, what, remedy } = finding;
        text.push_str(&format!("{:<6} {check:<17} {what}\n", verdict.as_str()));
        if let Some(remedy) = remedy {
            text.push_str(&format!("{:<6} {:<17} → {remedy}\n", "", ""));
        }
    }
    let count = |verdict: Verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let [ok, warn, wrong] = [Verdict::Ok, Verdict::Warn, Verdict::Wrong].map(count);
    text.push_str(&format!("{ok} ok, {warn} to be looked at, {wrong} wrong."));
    text
}
