//! `streamflow promql check`: rule files and configurations before a server takes them.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};
use streamflow_prometheus::checks::{self, Checked, LintCheck};

use crate::commands::Context;

/// What promtool ends with where likely mistakes are failures.
const LINT_FAILED: u8 = 3;

#[derive(Debug, Subcommand)]
pub enum Args {
    /// Check rule files
    Rules {
        /// Rule files; standard input without any
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        lint: LintArgs,
    },
    /// Check files like prometheus.yml with the files that they name
    Config {
        /// Configurations
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Open no file that a configuration names
        #[arg(long)]
        syntax_only: bool,
        #[command(flatten)]
        lint: LintArgs,
    },
}

#[derive(Debug, clap::Args)]
pub struct LintArgs {
    /// Likely mistakes that are looked for
    #[arg(long, value_enum, default_value_t = Linted::DuplicateRules)]
    lint: Linted,
    /// End with 3 where there is a likely mistake
    #[arg(long)]
    lint_fatal: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Linted {
    All,
    DuplicateRules,
    TooLongScrapeInterval,
    None,
}

impl Linted {
    fn looks_for(self, check: LintCheck) -> bool {
        match self {
            Linted::All => true,
            Linted::DuplicateRules => check == LintCheck::DuplicateRules,
            Linted::TooLongScrapeInterval => check == LintCheck::TooLongScrapeInterval,
            Linted::None => false,
        }
    }
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let (mut checked, lint) = match args {
        Args::Rules { files, lint } if files.is_empty() => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("cannot read rules from standard input")?;
            (vec![checks::rules(Path::new("standard input"), &text)], lint)
        }
        Args::Rules { files, lint } => {
            let checked = files.iter().map(|file| {
                let text = std::fs::read_to_string(file);
                let text =
                    text.with_context(|| format!("cannot read {}; expected a rule file", file.display()))?;
                Ok(checks::rules(file, &text))
            });
            (checked.collect::<anyhow::Result<_>>()?, lint)
        }
        Args::Config { files, syntax_only, lint } => {
            (files.iter().flat_map(|file| checks::config(file, syntax_only)).collect(), lint)
        }
    };
    for one in &mut checked {
        one.lint.retain(|found| lint.lint.looks_for(found.check));
    }
    context.terminal.result(&checked, || text(&checked))?;
    let code = match () {
        () if checked.iter().any(|one| !one.problems.is_empty()) => 1,
        () if lint.lint_fatal && checked.iter().any(|one| !one.lint.is_empty()) => LINT_FAILED,
        () => 0,
    };
    Ok(ExitCode::from(code))
}

fn text(checked: &[Checked]) -> String {
    let mut text = String::new();
    for one in checked {
        let verdict = if one.problems.is_empty() { "good" } else { "refused" };
        text.push_str(&format!("{}: {verdict}\n", one.file.display()));
        let problems = one.problems.iter().map(|problem| ("", problem));
        let lint = one.lint.iter().map(|found| ("likely a mistake: ", &found.message));
        let warnings = one.warnings.iter().map(|warning| ("warning: ", warning));
        for (kind, line) in problems.chain(lint).chain(warnings) {
            text.push_str(&format!("  {kind}{}\n", line.replace('\n', "\n  ")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use streamflow_prometheus::checks::Lint;

    use super::*;

    #[test]
    fn verdicts_are_told_with_what_was_found() {
        let lint = Lint { check: LintCheck::DuplicateRules, message: "r is there twice".to_owned() };
        let checked = Checked {
            file: "a.yml".into(),
            found: 2,
            problems: Vec::new(),
            lint: vec![lint],
            warnings: vec!["left out".to_owned()],
        };
        assert_eq!(
            text(&[checked]),
            "a.yml: good\n  likely a mistake: r is there twice\n  warning: left out\n"
        );
        assert!(Linted::All.looks_for(LintCheck::TooLongScrapeInterval));
        assert!(!Linted::DuplicateRules.looks_for(LintCheck::TooLongScrapeInterval));
        assert!(!Linted::None.looks_for(LintCheck::DuplicateRules));
    }
}
