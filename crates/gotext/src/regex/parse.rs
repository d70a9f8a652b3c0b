//! A pattern of Go's dialect becomes one of the engine's.

use super::class::{self, Class};
use crate::Error;

/// How deep a pattern may nest, groups, repetitions, alternatives and sequences counted.
pub(super) const HEIGHT_MAX: u32 = 250;

/// How often a part may be repeated, over all repetitions around it.
const REPEAT_MAX: u32 = 1_000;

/// A pattern in the engine's dialect.
pub(super) struct Parsed {
    pub text: String,
    /// The name of each group, empty where it has none.
    pub names: Vec<String>,
}

/// Reads a pattern with Go's flag `Perl`, and `DotNL` if `dot_matches_line_end`.
pub(super) fn parse(pattern: &str, dot_matches_line_end: bool) -> Result<Parsed, Error> {
    let flags = Flags { dot_matches_line_end, ..Flags::default() };
    let mut parser = Parser { pattern, flags, frames: vec![Frame::default()], names: Vec::new() };
    let (mut rest, mut repeated): (&str, Option<&str>) = (pattern, None);
    while let Some(c) = rest.chars().next() {
        let before = rest;
        let is_repetition;
        (rest, is_repetition) = parser.step(c, rest, repeated)?;
        repeated = is_repetition.then_some(before);
    }
    parser.finish()
}

pub(super) fn refused<T>(reason: &'static str, part: &str) -> Result<T, Error> {
    Err(Error::Regex { reason, part: part.to_owned() })
}

/// What `(?imsU)` sets.
#[derive(Clone, Copy, Default)]
struct Flags {
    ignores_case: bool,
    multi_line: bool,
    dot_matches_line_end: bool,
    ungreedy: bool,
}

/// A part that has been read.
struct Item {
    text: String,
    /// Whether `text` still has to be told to ignore case.
    ignores_case: bool,
    height: u32,
    /// How often its most repeated part is.
    repeats: u32,
}

impl Item {
    fn leaf(text: impl Into<String>, ignores_case: bool) -> Self {
        Self { text: text.into(), ignores_case, height: 1, repeats: 1 }
    }

    fn own_text(&self) -> String {
        if self.ignores_case { format!("(?i:{})", self.text) } else { self.text.clone() }
    }
}

/// A group that is open, or the whole pattern.
#[derive(Default)]
struct Frame {
    /// The flags to go back to.
    outside: Flags,
    captures: bool,
    alternatives: Vec<Item>,
    sequence: Vec<Item>,
}

struct Parser<'a> {
    pattern: &'a str,
    flags: Flags,
    frames: Vec<Frame>,
    names: Vec<String>,
}

impl<'a> Parser<'a> {
    /// Reads what begins with `c`: what follows it, and whether it was a repetition. `repeated` is the text from the
    /// repetition just before on.
    fn step(&mut self, c: char, rest: &'a str, repeated: Option<&str>) -> Result<(&'a str, bool), Error> {
        let after = &rest[c.len_utf8()..];
        match c {
            '(' if after.starts_with('?') => return Ok((self.open_with_flags(rest)?, false)),
            '(' => self.open(true, ""),
            ')' => self.close()?,
            '|' => self.end_alternative(),
            '^' => self.push(Item::leaf(if self.flags.multi_line { "(?m:^)" } else { r"\A" }, false)),
            '$' => self.push(Item::leaf(if self.flags.multi_line { "(?m:$)" } else { r"\z" }, false)),
            '.' if self.flags.dot_matches_line_end => self.push(Item::leaf("(?s:.)", false)),
            '.' => self.push(Item::leaf(r"[^\n]", false)),
            '[' => {
                let (class, after) = class::bracketed(rest)?;
                self.class(&class);
                return Ok((after, false));
            }
            '*' => return Ok((self.repeat(0, None, rest, after, repeated)?, true)),
            '+' => return Ok((self.repeat(1, None, rest, after, repeated)?, true)),
            '?' => return Ok((self.repeat(0, Some(1), rest, after, repeated)?, true)),
            '{' => {
                if let Some((min, max, after)) = counts(after) {
                    return Ok((self.counted(min, max, rest, after, repeated)?, true));
                }
                self.literal('{');
            }
            '\\' => return Ok((self.escape(rest)?, false)),
            literal => self.literal(literal),
        }
        Ok((after, false))
    }

    fn push(&mut self, item: Item) {
        if let Some(frame) = self.frames.last_mut() {
            frame.sequence.push(item);
        }
    }

    fn literal(&mut self, c: char) {
        self.push(Item::leaf(class::character(c), self.flags.ignores_case));
    }

    fn class(&mut self, class: &Class) {
        self.push(Item::leaf(class.text(), self.flags.ignores_case));
    }

    /// What begins with a backslash.
    fn escape(&mut self, rest: &'a str) -> Result<&'a str, Error> {
        let assertion = match rest.as_bytes().get(1) {
            Some(b'A') => Some(r"\A"),
            Some(b'z') => Some(r"\z"),
            Some(b'b') => Some(r"(?-u:\b)"),
            Some(b'B') => Some(r"(?-u:\B)"),
            Some(b'C') => return refused("invalid escape sequence", &rest[..2]),
            Some(b'Q') => {
                let (literal, after) = rest[2..].split_once(r"\E").unwrap_or((&rest[2..], ""));
                literal.chars().for_each(|c| self.literal(c));
                return Ok(after);
            }
            _ => None,
        };
        if let Some(text) = assertion {
            self.push(Item::leaf(text, false));
            return Ok(&rest[2..]);
        }
        if let Some((class, after)) = class::escaped(rest)? {
            self.class(&class);
            return Ok(after);
        }
        let (code, after) = class::escaped_character(rest)?;
        match char::from_u32(code) {
            Some(c) => self.literal(c),
            // Half of a surrogate pair is in no text.
            None => self.push(Item::leaf(class::NOTHING, false)),
        }
        Ok(after)
    }

    fn open(&mut self, captures: bool, name: &str) {
        if captures {
            self.names.push(name.to_owned());
        }
        self.frames.push(Frame { outside: self.flags, captures, ..Frame::default() });
    }

    /// `(?P<name>`, `(?<name>`, `(?flags:` or `(?flags)`.
    fn open_with_flags(&mut self, rest: &'a str) -> Result<&'a str, Error> {
        let named = rest.strip_prefix("(?P<").or_else(|| rest.strip_prefix("(?<"));
        if let Some(inner) = named.filter(|inner| !inner.is_empty()) {
            let Some((name, after)) = inner.split_once('>') else {
                return refused("invalid named capture", rest);
            };
            let written = &rest[..rest.len() - after.len()];
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                return refused("invalid named capture", written);
            }
            self.open(true, name);
            return Ok(after);
        }
        let (flags, after, opens) = flags_of(self.flags, rest)?;
        if opens {
            self.open(false, "");
        }
        self.flags = flags;
        Ok(after)
    }

    fn end_alternative(&mut self) {
        if let Some(frame) = self.frames.last_mut() {
            let sequence = std::mem::take(&mut frame.sequence);
            frame.alternatives.push(concatenated(sequence));
        }
    }

    fn close(&mut self) -> Result<(), Error> {
        self.end_alternative();
        let frame = self.frames.pop().filter(|_| !self.frames.is_empty());
        let Some(frame) = frame else { return refused("unexpected )", self.pattern) };
        self.flags = frame.outside;
        let mut item = alternated(&frame.alternatives);
        item.text = format!("{}{})", if frame.captures { "(" } else { "(?:" }, item.text);
        item.height += 1;
        self.bounded(&item)?;
        self.push(item);
        Ok(())
    }

    fn counted(
        &mut self,
        min: Option<u32>,
        max: Max,
        rest: &'a str,
        after: &'a str,
        repeated: Option<&str>,
    ) -> Result<&'a str, Error> {
        let written = &rest[..rest.len() - after.len()];
        let within = |count: u32| count <= REPEAT_MAX;
        match (min.filter(|min| within(*min)), max) {
            (Some(min), Max::None) => self.repeat(min, None, rest, after, repeated),
            (Some(min), Max::Same) => self.repeat(min, Some(min), rest, after, repeated),
            (Some(min), Max::Count(max)) if within(max) && min <= max => {
                self.repeat(min, Some(max), rest, after, repeated)
            }
            _ => refused("invalid repeat count", written),
        }
    }

    /// Repeats the last item; `rest` begins with the operator, `after` is behind it.
    fn repeat(
        &mut self,
        min: u32,
        max: Option<u32>,
        rest: &'a str,
        after: &'a str,
        repeated: Option<&str>,
    ) -> Result<&'a str, Error> {
        let (switched, after) = after.strip_prefix('?').map_or((false, after), |after| (true, after));
        if let Some(previous) = repeated {
            return refused("invalid nested repetition operator", &previous[..previous.len() - after.len()]);
        }
        let written = &rest[..rest.len() - after.len()];
        let Some(item) = self.frames.last_mut().and_then(|frame| frame.sequence.pop()) else {
            return refused("missing argument to repetition operator", written);
        };
        let counts = match (min, max) {
            (0, None) => "*".to_owned(),
            (1, None) => "+".to_owned(),
            (0, Some(1)) if !written.starts_with('{') => "?".to_owned(),
            (min, None) => format!("{{{min},}}"),
            (min, Some(max)) => format!("{{{min},{max}}}"),
        };
        let lazy = if switched != self.flags.ungreedy { "?" } else { "" };
        let repeats = if written.starts_with('{') { factor(min, max) } else { 1 };
        let repeats = if max == Some(0) { 1 } else { item.repeats.saturating_mul(repeats) };
        if repeats > REPEAT_MAX && (min >= 2 || max.is_some_and(|max| max >= 2)) {
            return refused("invalid repeat count", written);
        }
        let text = format!("(?:{}){counts}{lazy}", item.own_text());
        let item = Item { text, ignores_case: false, height: item.height + 1, repeats };
        self.bounded(&item)?;
        self.push(item);
        Ok(after)
    }

    fn bounded(&self, item: &Item) -> Result<(), Error> {
        if item.height > HEIGHT_MAX || self.frames.len() as u64 > u64::from(HEIGHT_MAX) {
            return refused("expression nests too deeply", self.pattern);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Parsed, Error> {
        if self.frames.len() > 1 {
            return refused("missing closing )", self.pattern);
        }
        self.end_alternative();
        let whole = alternated(&self.frames.pop().unwrap_or_default().alternatives);
        self.bounded(&whole)?;
        Ok(Parsed { text: whole.text, names: self.names })
    }
}

fn concatenated(sequence: Vec<Item>) -> Item {
    let mut all = Item::leaf("", false);
    let mut ignores_case = false;
    for item in sequence {
        if item.ignores_case != ignores_case {
            all.text.push_str(if item.ignores_case { "(?i:" } else { ")" });
            ignores_case = item.ignores_case;
        }
        all.text.push_str(&item.text);
        all.height = all.height.max(item.height + 1);
        all.repeats = all.repeats.max(item.repeats);
    }
    if ignores_case {
        all.text.push(')');
    }
    all
}

fn alternated(alternatives: &[Item]) -> Item {
    let texts: Vec<&str> = alternatives.iter().map(|item| item.text.as_str()).collect();
    let height = alternatives.iter().map(|item| item.height).max().unwrap_or(1);
    Item {
        text: texts.join("|"),
        ignores_case: false,
        height: height + u32::from(alternatives.len() > 1),
        repeats: alternatives.iter().map(|item| item.repeats).max().unwrap_or(1),
    }
}

/// How many copies a counted repetition makes at least of what it repeats, by Go's count.
fn factor(min: u32, max: Option<u32>) -> u32 {
    max.unwrap_or(min).max(1)
}

/// The flags after `(?`, what follows their `:` or `)`, and whether a group is open.
fn flags_of(mut flags: Flags, rest: &str) -> Result<(Flags, &str, bool), Error> {
    let (mut on, mut seen, mut end) = (true, true, 2);
    for c in rest[2..].chars() {
        end += c.len_utf8();
        match c {
            'i' => flags.ignores_case = on,
            'm' => flags.multi_line = on,
            's' => flags.dot_matches_line_end = on,
            'U' => flags.ungreedy = on,
            '-' if on => {
                (on, seen) = (false, false);
                continue;
            }
            ':' | ')' if seen => return Ok((flags, &rest[end..], c == ':')),
            _ => return refused("invalid or unsupported Perl syntax", &rest[..end]),
        }
        seen = true;
    }
    refused("invalid or unsupported Perl syntax", rest)
}

/// The upper count of `{2,5}`.
enum Max {
    Same,
    None,
    Count(u32),
}

/// The counts of a repetition behind its `{` and what follows it; `None` says that the brace stands for itself. A
/// lower count of `None` is too large to be read.
fn counts(text: &str) -> Option<(Option<u32>, Max, &str)> {
    let (min, rest) = count(text)?;
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((min, Max::Same, rest));
    }
    let rest = rest.strip_prefix(',')?;
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((min, Max::None, rest));
    }
    let (max, rest) = count(rest)?;
    Some((min, Max::Count(max.unwrap_or(u32::MAX)), rest.strip_prefix('}')?))
}

fn count(text: &str) -> Option<(Option<u32>, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
        return None;
    }
    Some((digits.parse().ok(), rest))
}
