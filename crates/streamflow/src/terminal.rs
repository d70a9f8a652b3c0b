//! What the user sees: text or JSON on standard output, progress and errors on standard error.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::ops::{Deref, DerefMut};

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
        match self.format {
            OutputFormat::Text => self.text(&text()),
            OutputFormat::Json => self.stdout(&serde_json::to_string_pretty(value)?),
        }
    }

    /// Writes a line for people; silent when JSON was asked for.
    pub fn line(self, text: &str) -> anyhow::Result<()> {
        match self.format {
            OutputFormat::Text => self.text(text),
            OutputFormat::Json => Ok(()),
        }
    }

    /// Writes text for people, in which no name or value can act on their terminal.
    pub fn text(self, text: &str) -> anyhow::Result<()> {
        self.stdout(&escaped(text, Keep::LinesAndColors))
    }

    /// Writes a document to standard output as it is, whatever the format. A reader that has gone away (`| head`) is not an error.
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
    let _ = writeln!(io::stderr().lock(), "{}", escaped(text.trim_end(), Keep::LinesAndColors));
}

/// Which control characters stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// None: the text is a part of a line.
    Nothing,
    /// Line feeds, tabs and the colours of our own charts.
    LinesAndColors,
}

/// The text with its control characters spelled out, and with them those that turn the direction of writing: what a file
/// or a client names must not move a cursor, set a title or hide what follows.
pub fn escaped(text: &str, keep: Keep) -> Cow<'_, str> {
    let acts = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(acts) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for (at, character) in text.char_indices() {
        let stays = keep == Keep::LinesAndColors
            && (matches!(character, '\n' | '\t') || character == '\u{1b}' && is_color(&text[at..]));
        if acts(character) && !stays {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown.into()
}

/// Whether the text begins with one of the colours of a chart, or with the end of one.
fn is_color(text: &str) -> bool {
    text.starts_with("\u{1b}[0m") || text.starts_with("\u{1b}[3") && text[3..].find('m') == Some(1)
}

/// Characters in a line of the terminal; `None` where standard output is none.
pub fn width() -> Option<usize> {
    terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0.into())
}

/// A table whose cells hold no control characters, so that none breaks its row.
pub struct Rows(Table);

impl Rows {
    pub fn add_row<C: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = C>) {
        let cells = cells.into_iter().map(|cell| escaped(cell.as_ref(), Keep::Nothing).into_owned());
        self.0.add_row(cells.collect::<Vec<_>>());
    }
}

impl Deref for Rows {
    type Target = Table;

    fn deref(&self) -> &Table {
        &self.0
    }
}

impl DerefMut for Rows {
    fn deref_mut(&mut self) -> &mut Table {
        &mut self.0
    }
}

impl fmt::Display for Rows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// `1 row`, `12 rows`.
pub fn counted(count: impl TryInto<u64> + fmt::Display + Copy, noun: &str) -> String {
    format!("{count} {noun}{}", if is_one(count) { "" } else { "s" })
}

/// `1 row is`, `12 rows are`: a number of things with its verb, in the form for one and for several.
pub fn counted_with(
    count: impl TryInto<u64> + fmt::Display + Copy,
    noun: &str,
    [one, several]: [&str; 2],
) -> String {
    format!("{} {}", counted(count, noun), if is_one(count) { one } else { several })
}

fn is_one(count: impl TryInto<u64>) -> bool {
    count.try_into().is_ok_and(|count| count == 1)
}

/// A table without borders, for a list of things. Its cells are wrapped where the terminal is too narrow for it.
pub fn table<const N: usize>(header: [&str; N]) -> Rows {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    if let Some(width) = width() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
    }
    Rows(table)
}

/// The text, or as much of it as so many characters hold with `…` at the end.
pub fn cut(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    let start: String = text.chars().take(characters.saturating_sub(1)).collect();
    format!("{start}…")
}

/// A number of bytes for people.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if count < 1000 {
        return format!("{count} bytes");
    }
    let (mut value, mut unit) = (count as f64 / 1000.0, UNITS[0]);
    for next in &UNITS[1..] {
        if value < 999.5 {
            break;
        }
        (value, unit) = (value / 1000.0, next);
    }
    format!("{value:.1} {unit}")
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

    use super::{Keep, escaped, table};

    #[test]
    fn what_acts_on_a_terminal_is_spelled_out() {
        for (text, in_lines, in_a_cell) in [
            ("plain, ünï", "plain, ünï", "plain, ünï"),
            ("a\n\tb", "a\n\tb", "a\\n\\tb"),
            ("a\r\u{7f}", "a\\r\\u{7f}", "a\\r\\u{7f}"),
            ("\u{1b}[2J", "\\u{1b}[2J", "\\u{1b}[2J"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("\u{1b}[36m●\u{1b}[0m", "\u{1b}[36m●\u{1b}[0m", "\\u{1b}[36m●\\u{1b}[0m"),
            ("\u{1b}[38;5;1m", "\\u{1b}[38;5;1m", "\\u{1b}[38;5;1m"),
            ("\u{9b}2J", "\\u{9b}2J", "\\u{9b}2J"),
            ("a\u{202e}b", "a\\u{202e}b", "a\\u{202e}b"),
            ("\u{1b}", "\\u{1b}", "\\u{1b}"),
        ] {
            assert_eq!(escaped(text, Keep::LinesAndColors), in_lines);
            assert_eq!(escaped(text, Keep::Nothing), in_a_cell);
        }
        let mut rows = table(["NAME"]);
        rows.add_row(["a\nevil"]);
        assert_eq!(rows.lines().count(), 2);
    }

    #[test]
    fn bytes_are_told_in_the_unit_that_suits_them() {
        for (count, expected) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1000, "1.0 kB"),
            (1_234_567, "1.2 MB"),
            (999_999, "1.0 MB"),
            (5_000_000_000_000_000, "5000.0 TB"),
        ] {
            assert_eq!(super::bytes(count), expected);
        }
    }

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
