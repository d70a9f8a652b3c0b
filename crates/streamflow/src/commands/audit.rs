//! `streamflow audit`: who changed what, and commands that change something, told to the audit trail.

use std::process::ExitCode;

use clap::Subcommand;
use jiff::Timestamp;
use jiff::civil::Date;

use super::{Context, actor, block_on};
use crate::store::Store;
use crate::store::audit::{AuditEntry, AuditFilter, DONE, NewEntry, Secrets};
use crate::terminal::{cut, one_line, table};

/// What the trail calls a command, where it has the method of a request.
const COMMAND: &str = "command";
/// Longest text of one cell of the list.
const CELL_CHARACTERS: usize = 200;

#[derive(Debug, Subcommand)]
pub enum Args {
    /// List the changes, the newest first
    Ls {
        /// Only changes from this date or time on, such as 2024-01-31 or 2024-01-31T08:00:00Z
        #[arg(long, value_name = "TIME", value_parser = moment)]
        since: Option<Timestamp>,
        /// At most this many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
}

/// A date begins at midnight UTC.
fn moment(text: &str) -> Result<Timestamp, String> {
    let of_date = || {
        text.get(..10)
            .filter(|date| *date == text)?
            .parse::<Date>()
            .ok()?
            .to_zoned(jiff::tz::TimeZone::UTC)
            .ok()
            .map(|day| day.timestamp())
    };
    text.parse().ok().or_else(of_date).ok_or_else(|| {
        "expected a date or a time with its zone, such as 2024-01-31 or 2024-01-31T08:00:00Z".to_owned()
    })
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let Args::Ls { since, limit } = args;
    let filter = AuditFilter { since: since.map(|since| format!("{since:.3}")), limit: (*limit).into() };
    let config = context.config()?;
    let data_dir = context.data_dir(&config);
    context.check_data_dir(&data_dir)?;
    let entries = block_on(async {
        let store = Store::of(&config.store, &data_dir).await?;
        Ok(store.audit_entries(&filter).await?)
    })?;
    context.terminal.result(&entries, || list(&entries))?;
    Ok(ExitCode::SUCCESS)
}

fn list(entries: &[AuditEntry]) -> String {
    if entries.is_empty() {
        return "Nothing was changed yet.".to_owned();
    }
    let mut table = table(["AT", "WHO", "FROM", "WHAT", "OUTCOME"]);
    for entry in entries {
        let AuditEntry { at, actor, action, subject, detail, .. } = entry;
        let from = match (&entry.address, &entry.proxy, entry.run_id) {
            (Some(address), Some(proxy), _) => format!("{address} through {proxy}"),
            (Some(address), None, _) => address.clone(),
            (None, _, Some(run)) => format!("run {run}"),
            (None, _, None) => "this machine".to_owned(),
        };
        let what = format!("{action} {subject} {detail}");
        let outcome = entry.outcome.as_deref().unwrap_or("not known: it was broken off");
        // The whole of it is there with --format json.
        let (what, outcome) = (cut(what.trim_end(), CELL_CHARACTERS), cut(outcome, CELL_CHARACTERS));
        table.add_row([at.as_str(), actor, &from, &what, &outcome]);
    }
    table.to_string()
}

/// Runs a command that changes something, with an entry in the trail of the data directory that it works on. Where there
/// is no database yet the command makes it, and the entry is added afterwards.
///
/// # Errors
/// What the command returns; a trail that cannot be written to, and then nothing is changed.
pub fn audited(
    context: &Context,
    words: &[String],
    run: impl FnOnce() -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    // Without a configuration the command says so.
    let Ok(config) = context.config() else { return run() };
    let data_dir = context.data_dir(&config);
    let has_store = || crate::store::inspect::is_there(&config.store, &data_dir);
    let mut secrets = Secrets::default();
    let (actor, subject) = (actor(), secrets.hide_in_words(words));
    let entry = NewEntry { actor: &actor, action: COMMAND, subject: &subject, ..NewEntry::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let begin = async || {
        let store = Store::of(&config.store, &data_dir).await?;
        let begun = store.begin_change(&entry).await?;
        anyhow::Ok((store, begun))
    };
    let begun = if has_store() { Some(runtime.block_on(begin())?) } else { None };
    let result = run();
    let failed = |error| secrets.hide_again(&format!("failed: {}", one_line(error)));
    let outcome = result.as_ref().map_or_else(failed, |_| DONE.to_owned());
    let ended = runtime.block_on(async {
        match begun {
            Some((store, begun)) => store.end_change(begun, &outcome).await?,
            None if has_store() => Store::of(&config.store, &data_dir).await?.audit(&entry, &outcome).await?,
            None => {}
        }
        anyhow::Ok(())
    });
    if let Err(error) = ended {
        tracing::error!("the outcome of this command is missing in the audit trail: {}", one_line(&error));
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_date_or_a_time() {
        for (text, expected) in [
            ("2024-01-31", "2024-01-31T00:00:00Z"),
            ("2024-01-31T08:00:00Z", "2024-01-31T08:00:00Z"),
            ("2024-01-31T08:00:00+02:00", "2024-01-31T06:00:00Z"),
        ] {
            assert_eq!(moment(text).unwrap().to_string(), expected);
        }
        for bad in ["", "yesterday", "2024-01-31T08:00:00", "2024-02-30"] {
            assert!(moment(bad).is_err(), "{bad}");
        }
    }
}
