//! What a comparison is written as, and where to.

use std::path::Path;

use anyhow::Context as _;
use streamflow_drift::{NotTested, Report, Status};

use super::super::{Context, Usage};
use super::Args;
use crate::files::write_aside;
use crate::terminal::{OutputFormat, table};

/// What a comparison is written as.
#[derive(Debug, Clone, Copy)]
pub enum Document {
    Html,
    Json,
    EvidentlyJson,
    Markdown,
}

/// What to write where. Standard output holds one document only.
pub fn outputs(args: &Args, format: OutputFormat) -> anyhow::Result<Vec<(&Path, Document)>> {
    let rows = [
        (&args.html, Document::Html),
        (&args.json, Document::Json),
        (&args.evidently_json, Document::EvidentlyJson),
        (&args.markdown, Document::Markdown),
    ];
    let outputs: Vec<(&Path, Document)> = rows
        .into_iter()
        .filter_map(|(path, document)| path.as_deref().map(|path| (path, document)))
        .collect();
    if outputs.iter().filter(|(path, _)| *path == Path::new("-")).count() > 1 {
        return Err(Usage::error(
            "only one of --html, --json, --evidently-json and --markdown can go to standard output (-)",
        ));
    }
    let is_json = |document: &Document| matches!(document, Document::Json | Document::EvidentlyJson);
    let to_stdout = outputs.iter().find(|(path, _)| *path == Path::new("-"));
    if format == OutputFormat::Json && to_stdout.is_some_and(|(_, document)| !is_json(document)) {
        return Err(Usage::error(
            "--format json has JSON on standard output and nothing else; give --html and --markdown a file",
        ));
    }
    Ok(outputs)
}

pub fn write(
    outputs: &[(&Path, Document)],
    render: impl Fn(Document) -> String,
    text: impl FnOnce() -> String,
    context: &Context,
) -> anyhow::Result<()> {
    let mut to_stdout = false;
    for &(path, document) in outputs {
        let contents = render(document);
        if path == Path::new("-") {
            to_stdout = true;
            context.terminal.stdout(&contents)?;
        } else {
            write_aside(path, contents.as_bytes())
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    match context.terminal.format {
        _ if to_stdout => Ok(()),
        OutputFormat::Json => context.terminal.stdout(&render(Document::Json)),
        OutputFormat::Text => context.terminal.text(&text()),
    }
}

pub fn text(report: &Report) -> String {
    let mut table = table(["COLUMN", "TYPE", "METHOD", "SCORE", "EFFECT", "ADJUSTED P", "DRIFTED"]);
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    for column in &report.columns {
        table.add_row([
            column.name.clone(),
            column.column_type.as_str().to_owned(),
            column.method.clone().unwrap_or_else(|| "-".to_owned()),
            number(column.score),
            number(column.effect_size.as_ref().and_then(|effect| effect.value)),
            number(column.adjusted_p_value),
            match (column.status, column.drifted) {
                (Status::Tested, true) => "yes".to_owned(),
                (Status::Tested, false) => "no".to_owned(),
                (Status::NotComputable | Status::Ignored, true) => "yes, not tested".to_owned(),
                (Status::NotComputable | Status::Ignored, false) => "not tested".to_owned(),
            },
        ]);
    }
    let untested: Vec<String> = report.not_tested.iter().map(not_tested).collect();
    format!(
        "{table}\n\n{}drift_share={:.2} -> {} (threshold {:.2})",
        untested.concat(),
        report.drift_share,
        report.decision.as_str(),
        report.drift_share_threshold
    )
}

fn not_tested(column: &NotTested) -> String {
    let counted = if column.counted { ", counts as drifted" } else { "" };
    format!("not tested{counted}: {} ({})\n", column.column, column.reason)
}
