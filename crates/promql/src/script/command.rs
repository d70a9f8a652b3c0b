//! The lines of a script as commands.

use std::collections::HashMap;

use streamflow_gotext::Regex;
use streamflow_gotext::{parse_duration_ms, parse_float};
use streamflow_tsdb::Labels;

use super::series::{Item, parse_metric, parse_quoted, parse_series, parse_starts};
use crate::eval::grid::Grid;
use crate::parser::number;

/// Times and durations of scripts: 285,000 years, and ten times that is a time still.
const MAX_TIME_MS: u64 = 1 << 53;
/// The most steps of a range query.
const MAX_STEPS: usize = 1_000_000;

/// A command and the line it begins at, from 1.
pub(super) enum Command {
    Clear,
    Load(Load),
    Eval(Box<Eval>),
}

/// `load STEP` and its series.
pub(super) struct Load {
    pub(super) step_ms: i64,
    /// Native histograms are made of classic ones too.
    pub(super) with_native: bool,
    pub(super) series: Vec<(Labels, Vec<Item>)>,
    /// Start timestamps of samples of these series, from their times.
    pub(super) starts: HashMap<Labels, Vec<Option<i64>>>,
}

/// `eval …` and what is expected.
pub(super) struct Eval {
    pub(super) line: usize,
    pub(super) query: String,
    pub(super) at: When,
    pub(super) ordered: bool,
    pub(super) fails: bool,
    pub(super) failure: Option<Text>,
    pub(super) warnings: Remarks,
    pub(super) infos: Remarks,
    /// Expected times of an instant query that gives a range vector.
    pub(super) range_vector: Option<Grid>,
    pub(super) result: Expected,
}

/// When a query is evaluated.
pub(super) enum When {
    At(i64),
    Over(Grid),
}

/// What a message must be.
pub(super) enum Text {
    Exactly(String),
    Matches(Regex),
}

impl Text {
    pub(super) fn fits(&self, message: &str) -> bool {
        match self {
            Text::Exactly(text) => text == message,
            Text::Matches(regex) => regex.is_match(message),
        }
    }

    pub(super) fn shown(&self) -> &str {
        match self {
            Text::Exactly(text) => text,
            Text::Matches(regex) => regex.as_str(),
        }
    }
}

/// What is expected of warnings or of infos.
#[derive(Default)]
pub(super) struct Remarks {
    pub(super) any: bool,
    pub(super) none: bool,
    pub(super) texts: Vec<Text>,
}

/// The expected value.
pub(super) enum Expected {
    Series(Vec<(Labels, Vec<Item>)>),
    Scalar(f64),
    String(String),
}

/// A line that is no command.
#[derive(Debug)]
pub(super) struct BadLine {
    pub(super) line: usize,
    pub(super) reason: String,
}

/// The commands of a script; a command that cannot be read is reported, and the script goes on at the next one.
pub(super) fn parse(text: &str) -> Vec<Result<Command, BadLine>> {
    let lines: Vec<&str> = text
        .lines()
        .map(|line| match line.trim() {
            comment if comment.starts_with('#') => "",
            line => line,
        })
        .collect();
    let mut commands = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        let block_end = (at + 1..lines.len()).find(|&next| lines[next].is_empty()).unwrap_or(lines.len());
        let word = line.split_whitespace().next().unwrap_or_default().to_lowercase();
        let block = &lines[at + 1..block_end];
        let number = at + 1;
        at += 1;
        let command = match word.as_str() {
            "" => continue,
            "clear" => Ok(Command::Clear),
            _ if word.starts_with("load") => {
                at = block_end;
                parse_load(line, block).map(Command::Load)
            }
            _ if word.starts_with("eval") => {
                let (eval, used) = parse_eval(line, number, block);
                at += used;
                eval.map(|eval| Command::Eval(Box::new(eval)))
            }
            _ => Err(format!("unknown command {word:?}")),
        };
        commands.push(command.map_err(|reason| BadLine { line: number, reason }));
    }
    commands
}

fn parse_load(line: &str, block: &[&str]) -> Result<Load, String> {
    let mut words = line.split_whitespace();
    let with_native = match words.next() {
        Some("load") => false,
        Some("load_with_nhcb") => true,
        other => return Err(format!("unknown command {other:?}")),
    };
    let step_ms = parse_duration(words.next().unwrap_or_default())?;
    let (mut series, mut starts) = (Vec::new(), HashMap::new());
    for line in block {
        match parse_metric(line)? {
            (labels, rest) if rest.starts_with("@st") => {
                starts.insert(labels, parse_starts(&rest["@st".len()..])?);
            }
            _ => series.push(parse_series(line)?),
        }
    }
    Ok(Load { step_ms, with_native, series, starts })
}

/// The command, and how many lines of the block belong to it.
fn parse_eval(line: &str, number: usize, block: &[&str]) -> (Result<Eval, String>, usize) {
    let mut eval = match parse_head(line, number) {
        Ok(eval) => eval,
        Err(reason) => return (Err(reason), block.len()),
    };
    for (index, line) in block.iter().enumerate() {
        match parse_expectation(&mut eval, line) {
            Ok(true) => {}
            Ok(false) => return (Ok(eval), index + 1),
            Err(reason) => return (Err(format!("{reason} in {line:?}")), block.len()),
        }
    }
    (Ok(eval), block.len())
}

/// `eval[_MODE] instant [at T] QUERY`, `eval[_MODE] range from T to T step D QUERY`
fn parse_head(line: &str, number: usize) -> Result<Eval, String> {
    let (word, rest) = next_word(line);
    let mode = word.strip_prefix("eval").unwrap_or_default().trim_start_matches('_');
    let (kind, rest) = next_word(rest);
    let (at, query) = match kind {
        "instant" => match rest.strip_prefix("at ") {
            Some(rest) => {
                let (time, query) = next_word(rest.trim_start());
                (When::At(parse_duration(time)?), query)
            }
            None => (When::At(0), rest),
        },
        "range" => {
            let mut rest = rest;
            let mut times = [0; 3];
            for (time, keyword) in times.iter_mut().zip(["from", "to", "step"]) {
                let (word, after) = next_word(rest);
                if word != keyword {
                    return Err(format!("expected {keyword:?}, got {word:?}"));
                }
                let (text, after) = next_word(after);
                *time = parse_duration(text)?;
                rest = after;
            }
            let [start, end, step] = times;
            (When::Over(grid(start, end, step)?), rest)
        }
        other => return Err(format!("expected \"instant\" or \"range\", got {other:?}")),
    };
    Ok(Eval {
        line: number,
        query: query.to_owned(),
        at,
        ordered: mode == "ordered",
        fails: mode == "fail",
        failure: None,
        warnings: Remarks { any: mode == "warn", ..Remarks::default() },
        infos: Remarks { any: mode == "info", ..Remarks::default() },
        range_vector: None,
        result: Expected::Series(Vec::new()),
    })
}

fn grid(start_ms: i64, end_ms: i64, step_ms: i64) -> Result<Grid, String> {
    if step_ms <= 0 || end_ms < start_ms {
        return Err(format!(
            "expected an end after the start and a positive step, got {start_ms} to {end_ms} step {step_ms} ms"
        ));
    }
    let grid = Grid::every(step_ms, start_ms, end_ms);
    if grid.steps > MAX_STEPS {
        return Err(format!("expected at most {MAX_STEPS} steps, got {}", grid.steps));
    }
    Ok(grid)
}

fn next_word(text: &str) -> (&str, &str) {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (word, rest.trim_start())
}

/// Takes one line below an `eval`; `false` ends the command.
fn parse_expectation(eval: &mut Eval, line: &str) -> Result<bool, String> {
    if eval.fails {
        if let Some(message) = line.strip_prefix("expected_fail_message") {
            eval.failure = Some(Text::Exactly(message.trim().into()));
            return Ok(false);
        }
        if let Some(pattern) = line.strip_prefix("expected_fail_regexp") {
            eval.failure =
                Some(Text::Matches(Regex::new(pattern.trim()).map_err(|error| error.to_string())?));
            return Ok(false);
        }
    }
    if let Some(times) = line.strip_prefix("expect range vector from ") {
        let words: Vec<&str> = times.split_whitespace().collect();
        let [start, "to", end, "step", step] = words.as_slice() else {
            return Err("expected \"from T to T step D\"".into());
        };
        let [start, end, step] = [start, end, step].map(|text| parse_duration(text));
        eval.range_vector = Some(grid(start?, end?, step?)?);
        return Ok(true);
    }
    if let Some(text) = line.strip_prefix("expect string ") {
        eval.result = Expected::String(parse_quoted(text.trim_start())?.0);
        return Ok(true);
    }
    if let Some(expectation) = line.strip_prefix("expect ") {
        return parse_expect(eval, expectation.trim()).map(|()| true);
    }
    if let Ok(number) = number(line) {
        eval.result = Expected::Scalar(number);
        return Ok(false);
    }
    let series = parse_series(line)?;
    if let Expected::Series(expected) = &mut eval.result {
        expected.push(series);
    }
    Ok(true)
}

/// `fail|warn|no_warn|info|no_info|ordered [msg:TEXT|regex:PATTERN]`
fn parse_expect(eval: &mut Eval, expectation: &str) -> Result<(), String> {
    let (kind, rest) = next_word(expectation);
    let text = if let Some(message) = rest.strip_prefix("msg:") {
        Some(Text::Exactly(message.trim().into()))
    } else if let Some(pattern) = rest.strip_prefix("regex:") {
        Some(Text::Matches(Regex::new(pattern.trim()).map_err(|error| error.to_string())?))
    } else {
        None
    };
    match kind {
        "fail" => (eval.fails, eval.failure) = (true, text),
        "ordered" => eval.ordered = true,
        "warn" => {
            eval.warnings.any = true;
            eval.warnings.texts.extend(text);
        }
        "info" => {
            eval.infos.any = true;
            eval.infos.texts.extend(text);
        }
        "no_warn" => eval.warnings.none = true,
        "no_info" => eval.infos.none = true,
        other => return Err(format!("unknown expectation {other:?}")),
    }
    Ok(())
}

/// Milliseconds of `1h30m` or `-5m`. A bare number is seconds.
pub(super) fn parse_duration(text: &str) -> Result<i64, String> {
    let ms = if let Ok(seconds) = parse_float(text) {
        (seconds * 1000.0) as i64
    } else {
        let (sign, unsigned) = text.strip_prefix('-').map_or((1, text), |unsigned| (-1, unsigned));
        sign * parse_duration_ms(unsigned).map_err(|_| format!("invalid duration {text:?}"))?
    };
    within_limit(ms).ok_or_else(|| format!("the duration {text:?} is longer than {MAX_TIME_MS} ms"))
}

/// The time, unless it is so far from 1970 that other times are no longer reckoned from it.
pub(super) fn within_limit(ms: i64) -> Option<i64> {
    Some(ms).filter(|ms| ms.unsigned_abs() <= MAX_TIME_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check =
            |text: &str, expected: Option<i64>| assert_eq!(parse_duration(text).ok(), expected, "{text}");
        check("0", Some(0));
        check("1h30m", Some(5_400_000));
        check("5ms", Some(5));
        check("-10s", Some(-10_000));
        check("5 m", None);
        check("", None);
        check("99999999999999y", None);
        check("9007199254740.992", Some(1 << 53));
        check("9007199254741", None);
        check("-1e300", None);
        check("Inf", None);
        check("NaN", Some(0));
    }

    #[test]
    fn a_script() {
        let commands = parse(
            "# comment\nload 5m\n  m 1\n\neval instant at 5m m\n  expect no_warn\n  m 1\n\neval range from 0 to 5m step 1m m\n\nclear\nfoo\n",
        );
        assert_eq!(commands.len(), 5);
        assert!(matches!(&commands[0], Ok(Command::Load(load)) if load.series.len() == 1));
        assert!(matches!(&commands[1], Ok(Command::Eval(eval)) if eval.line == 5 && eval.query == "m"));
        assert!(matches!(&commands[3], Ok(Command::Clear)));
        assert!(matches!(&commands[4], Err(bad) if bad.line == 12));
    }
}
