//! What the user sees: text or JSON on standard output, progress and errors on standard error.

use std::io::{self, IsTerminal as _, Write as _};

use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

/// `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum OutputFormat {
    /// Text for people.
    #[default]
    Text,
    /// One JSON document on standard output and nothing else there.
    Json,
}

/// What a command writes its result to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terminal {
    pub format: OutputFormat,
}

impl Terminal {
    /// Writes the result: `text` for people or `value` as JSON.
    pub fn result(self, value: &impl Serialize, text: impl FnOnce() -> String) -> anyhow::Result<()> {
        let output = match self.format {
            OutputFormat::Text => text(),
            OutputFormat::Json => serde_json::to_string_pretty(value)?,
        };
        self.stdout(&output)
    }

    /// Writes a line for people; silent when JSON was asked for.
    pub fn line(self, text: &str) -> anyhow::Result<()> {
        match self.format {
            OutputFormat::Text => self.stdout(text),
            OutputFormat::Json => Ok(()),
        }
    }

    /// Writes to standard output whatever the format. A reader that has gone away (`| head`) is not an error.
    pub fn stdout(self, text: &str) -> anyhow::Result<()> {
        let mut stdout = io::stdout().lock();
        match writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => Ok(other?),
        }
    }

    /// A progress bar over `total` steps; hidden unless people watch standard error.
    pub fn progress(self, total: u64, what: &str) -> ProgressBar {
        let target = if self.format == OutputFormat::Text && io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        let style = ProgressStyle::with_template("{msg:32} {wide_bar:.cyan/dim} {percent:>3} %  {elapsed}")
            .expect("the template is a constant that parses");
        bar.with_style(style).with_message(what.to_owned())
    }
}

/// Writes a warning or an error to standard error.
pub fn stderr(text: &str) {
    // Nothing is left to report to when standard error is gone.
    let _ = writeln!(io::stderr().lock(), "{}", text.trim_end());
}

/// Characters in a line of the terminal; `None` where standard output is none.
pub fn width() -> Option<usize> {
    terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0.into())
}

/// A table without borders, for a list of things. Its cells are wrapped where the terminal is too narrow for it.
pub fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    if let Some(width) = width() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
    }
    table
}

/// The text, or as much of it as so many characters hold with `…` at the end.
pub fn cut(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    let start: String = text.chars().take(characters.saturating_sub(1)).collect();
    format!("{start}…")
}

/// The error and its causes in one line. Some libraries name a cause in their own message already.
pub fn one_line(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |line, cause| match cause.to_string() {
        cause if line.is_empty() => cause,
        cause if line.ends_with(&cause) => line,
        cause => format!("{line}: {cause}"),
    })
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    #[test]
    fn a_cause_stands_in_the_line_once() {
        let denied = || std::io::Error::other("permission denied");
        let library =
            streamflow_dataset::Error::Io { action: "open", path: "data/.lock".into(), source: denied() };
        let error = Err::<(), _>(library).context("the data directory cannot be used").unwrap_err();
        let expected = "the data directory cannot be used: cannot open data/.lock: permission denied";
        assert_eq!(super::one_line(&error), expected);
    }
}
