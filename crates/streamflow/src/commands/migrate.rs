//! `streamflow migrate`: all that is in SQLite into Postgres, and the way back.

use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;
use clap::ValueEnum;
use serde_json::json;

use super::{Context, block_on};
use crate::config::{StoreConfig, StoreKind};
use crate::store::inspect::is_there;
use crate::store::transfer::{CopiedTable, transfer};
use crate::store::{DATABASE, Store};
use crate::terminal::table;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where everything is to be: postgres is the server of [store] in the configuration, sqlite the file streamflow.db of
    /// the data directory. What is there must be empty, and no server may run
    #[arg(long, value_name = "KIND")]
    to: To,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum To {
    Postgres,
    Sqlite,
}

impl To {
    fn kind(self) -> StoreKind {
        match self {
            To::Postgres => StoreKind::Postgres,
            To::Sqlite => StoreKind::Sqlite,
        }
    }

    fn word(self) -> &'static str {
        match self {
            To::Postgres => "postgres",
            To::Sqlite => "sqlite",
        }
    }

    fn other(self) -> Self {
        match self {
            To::Postgres => To::Sqlite,
            To::Sqlite => To::Postgres,
        }
    }
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let config = context.config()?;
    let data_dir = context.data_dir(&config);
    context.check_data_dir(&data_dir)?;
    let of = |to: To| {
        let mut store = config.store.clone();
        store.kind = to.kind();
        store
    };
    let (from, to) = (of(args.to.other()), of(args.to));
    let copied = block_on(migrate(&from, &to, &data_dir))?;
    let is_set = config.store.kind == to.kind;
    let value = json!({ "to": args.to.word(), "tables": copied, "kind_is_set": is_set });
    context.terminal.result(&value, || text(&copied, args.to, is_set, &data_dir))?;
    Ok(ExitCode::SUCCESS)
}

async fn migrate(from: &StoreConfig, to: &StoreConfig, data_dir: &Path) -> anyhow::Result<Vec<CopiedTable>> {
    if !is_there(from, data_dir) {
        bail!(
            "there is nothing to migrate: {} has no {DATABASE}; is --data-dir right? A new Postgres store needs no \
             migration, only store.kind = \"postgres\"",
            data_dir.display()
        );
    }
    let from = Store::of(from, data_dir).await?;
    from.refuse_in_use().await?;
    let to = Store::of(to, data_dir).await?;
    to.refuse_in_use().await?;
    let copied = transfer(&from, &to).await?;
    from.close().await;
    to.close().await;
    Ok(copied)
}

fn text(copied: &[CopiedTable], to: To, is_set: bool, data_dir: &Path) -> String {
    let mut shown = table(["TABLE", "ROWS", "SHA-256"]);
    for CopiedTable { table, rows, sha256, .. } in copied.iter().filter(|table| table.rows > 0) {
        shown.add_row([*table, &rows.to_string(), &sha256[..16]]);
    }
    let rows: u64 = copied.iter().map(|table| table.rows).sum();
    let mended: u64 = copied.iter().map(|table| table.mended).sum();
    let mut text = format!("{shown}\n{rows} rows were copied, and both sides sum up to the same.");
    if mended > 0 {
        text += &format!(
            "\n{mended} texts held a NUL, which Postgres cannot keep: a replacement character stands in its place."
        );
    }
    if !is_set {
        text += &format!(
            "\nSet kind = \"{}\" in [store], then start the servers: until then nothing uses the copy.",
            to.word()
        );
    }
    let file = data_dir.join(DATABASE);
    text += &match to {
        To::Postgres => format!(
            "\nThe way back: {} is as it was. Once something was written to Postgres, move it away and run `streamflow \
             migrate --to sqlite`.",
            file.display()
        ),
        To::Sqlite => "\nThe way back: the schema in Postgres is as it was.".to_owned(),
    };
    text
}
