//! Classes of characters and escapes.

use std::fmt::Write as _;

use super::parse::refused;
use crate::Error;

/// A class that no character is in.
pub(super) const NOTHING: &str = r"[^\x{0}-\x{10FFFF}]";

const DIGIT: &str = "0-9";
const SPACE: &str = r"\t\n\x{C}\r\x{20}";
const WORD: &str = "0-9A-Za-z_";

/// The classes in `[[:name:]]`, in the engine's spelling.
const POSIX: [(&str, &str); 14] = [
    ("alnum", "0-9A-Za-z"),
    ("alpha", "A-Za-z"),
    ("ascii", r"\x{0}-\x{7F}"),
    ("blank", r"\t\x{20}"),
    ("cntrl", r"\x{0}-\x{1F}\x{7F}"),
    ("digit", DIGIT),
    ("graph", r"\x{21}-\x{7E}"),
    ("lower", "a-z"),
    ("print", r"\x{20}-\x{7E}"),
    ("punct", r"\x{21}-\x{2F}\x{3A}-\x{40}\x{5B}-\x{60}\x{7B}-\x{7E}"),
    ("space", r"\t\n\x{B}\x{C}\r\x{20}"),
    ("upper", "A-Z"),
    ("word", WORD),
    ("xdigit", "0-9A-Fa-f"),
];

/// A class in the engine's spelling, without its brackets.
#[derive(Default)]
pub(super) struct Class {
    negated: bool,
    members: String,
}

impl Class {
    fn of(members: impl Into<String>, negated: bool) -> Self {
        Self { negated, members: members.into() }
    }

    /// The class with its brackets.
    pub fn text(&self) -> String {
        match (self.members.is_empty(), self.negated) {
            (true, false) => NOTHING.to_owned(),
            (true, true) => "(?s:.)".to_owned(),
            (false, negated) => format!("[{}{}]", if negated { "^" } else { "" }, self.members),
        }
    }

    fn add(&mut self, other: &Self) {
        if other.negated {
            self.members.push_str(&other.text());
        } else {
            self.members.push_str(&other.members);
        }
    }

    /// Adds the characters of a range; halves of surrogate pairs are in no text.
    fn add_range(&mut self, low: u32, high: u32) {
        for (low, high) in [(low, high.min(0xD7FF)), (low.max(0xE000), high)] {
            if low <= high {
                let _ = write!(self.members, r"\x{{{low:X}}}-\x{{{high:X}}}");
            }
        }
    }
}

/// One character in the engine's spelling.
pub(super) fn character(c: char) -> String {
    if c.is_ascii_alphanumeric() { c.to_string() } else { format!(r"\x{{{:X}}}", u32::from(c)) }
}

/// Reads `[…]` at the beginning of the text: the class and what follows it.
pub(super) fn bracketed(text: &str) -> Result<(Class, &str), Error> {
    let mut rest = &text[1..];
    let mut class = Class::default();
    if let Some(after) = rest.strip_prefix('^') {
        (class.negated, rest) = (true, after);
    }
    let mut first = true;
    while first || !rest.starts_with(']') {
        first = false;
        if let Some((named, after)) = posix(rest)? {
            class.add(&named);
            rest = after;
        } else if let Some((escaped, after)) = escaped(rest)? {
            class.add(&escaped);
            rest = after;
        } else {
            rest = range(&mut class, rest, text)?;
        }
    }
    Ok((class, &rest[1..]))
}

/// Adds one character or a range of them; a `-` before the closing bracket stands for itself.
fn range<'a>(class: &mut Class, text: &'a str, whole: &str) -> Result<&'a str, Error> {
    let (low, mut rest) = class_character(text, whole)?;
    let mut high = low;
    if rest.len() >= 2 && rest.starts_with('-') && !rest.starts_with("-]") {
        (high, rest) = class_character(&rest[1..], whole)?;
        if high < low {
            return refused("invalid character class range", &text[..text.len() - rest.len()]);
        }
    }
    class.add_range(low, high);
    Ok(rest)
}

fn class_character<'a>(text: &'a str, whole: &str) -> Result<(u32, &'a str), Error> {
    match text.chars().next() {
        None => refused("missing closing ]", whole),
        Some('\\') => escaped_character(text),
        Some(c) => Ok((c.into(), &text[c.len_utf8()..])),
    }
}

/// `[:name:]` or `[:^name:]`
fn posix(text: &str) -> Result<Option<(Class, &str)>, Error> {
    let Some((name, after)) = text.strip_prefix("[:").and_then(|inner| inner.split_once(":]")) else {
        return Ok(None);
    };
    let (negated, plain) = name.strip_prefix('^').map_or((false, name), |plain| (true, plain));
    let Some((_, members)) = POSIX.iter().find(|(known, _)| *known == plain) else {
        return refused("invalid character class range", &text[..text.len() - after.len()]);
    };
    Ok(Some((Class::of(*members, negated), after)))
}

/// Reads `\d`, `\pL` and the like at the beginning of the text; `None` says that it is no class.
pub(super) fn escaped(text: &str) -> Result<Option<(Class, &str)>, Error> {
    let Some(kind) = text.strip_prefix('\\').and_then(|after| after.chars().next()) else { return Ok(None) };
    let members = match kind.to_ascii_lowercase() {
        'd' => DIGIT,
        's' => SPACE,
        'w' => WORD,
        'p' => return unicode(text, kind == 'P').map(Some),
        _ => return Ok(None),
    };
    Ok(Some((Class::of(members, kind.is_ascii_uppercase()), &text[2..])))
}

/// `\pL`, `\p{Greek}`, `\p{^Greek}`
fn unicode(text: &str, negated: bool) -> Result<(Class, &str), Error> {
    let inner = &text[2..];
    let (name, after) = if let Some(inner) = inner.strip_prefix('{') {
        let Some(found) = inner.split_once('}') else {
            return refused("invalid character class range", text);
        };
        found
    } else {
        inner.split_at(inner.chars().next().map_or(0, char::len_utf8))
    };
    let (negated, plain) = name.strip_prefix('^').map_or((negated, name), |plain| (!negated, plain));
    let Some(members) = property(plain) else {
        return refused("invalid character class range", &text[..text.len() - after.len()]);
    };
    Ok((Class::of(members, negated), after))
}

/// A general category or a script of Unicode in the engine's spelling, by its name in Go's tables.
fn property(name: &str) -> Option<String> {
    match name {
        "Any" => return Some(r"\x{0}-\x{10FFFF}".to_owned()),
        // No text holds surrogates.
        "Cs" => return Some("[a&&b]".to_owned()),
        _ => {}
    }
    let kind = if is_category(name) { "gc" } else { "sc" };
    let class = format!(r"\p{{{kind}={name}}}");
    let may_be_known = is_category(name) || is_script(name);
    (may_be_known && regex::Regex::new(&class).is_ok()).then_some(class)
}

/// Whether a name is written as categories are: `L`, `Lu`, `LC`.
fn is_category(name: &str) -> bool {
    let mut bytes = name.bytes();
    let letters = (bytes.next(), bytes.next(), bytes.next());
    match letters {
        (Some(first), None, None) => first.is_ascii_uppercase(),
        _ if name == "LC" => true,
        (Some(first), Some(second), None) => {
            first.is_ascii_uppercase() && second.is_ascii_lowercase() && name != "Yi"
        }
        _ => false,
    }
}

/// Whether a name is written as scripts are: words with a capital, joined by `_`. The engine knows codes of four
/// letters as well, Go only names.
fn is_script(name: &str) -> bool {
    const OF_FOUR: [&str; 8] = ["Ahom", "Cham", "Kawi", "Lisu", "Modi", "Newa", "Thai", "Toto"];
    let is_word = |word: &str| {
        let rest = word.strip_prefix(|c: char| c.is_ascii_uppercase());
        rest.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_lowercase()))
    };
    let is_name = name == "SignWriting" || name.split('_').all(is_word);
    is_name && (name.len() != 4 || OF_FOUR.contains(&name))
}

/// Reads an escape of one character at the beginning of the text: its code, which may be half of a surrogate pair,
/// and what follows.
pub(super) fn escaped_character(text: &str) -> Result<(u32, &str), Error> {
    let after = &text[1..];
    let Some(c) = after.chars().next() else {
        return refused("trailing backslash at end of expression", "");
    };
    let rest = &after[c.len_utf8()..];
    let code = match c {
        'a' => 0x07,
        'f' => 0x0C,
        'n' => 0x0A,
        'r' => 0x0D,
        't' => 0x09,
        'v' => 0x0B,
        '0' => return Ok(octal(after)),
        '1'..='7' if rest.starts_with(|c| matches!(c, '0'..='7')) => return Ok(octal(after)),
        'x' => return hexadecimal(text, rest),
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => c.into(),
        _ => return refused("invalid escape sequence", &text[..text.len() - rest.len()]),
    };
    Ok((code, rest))
}

/// Up to three octal digits.
fn octal(text: &str) -> (u32, &str) {
    let digits = text.bytes().take(3).take_while(|byte| matches!(byte, b'0'..=b'7'));
    let (code, length) = digits.fold((0, 0), |(code, n), byte| (code * 8 + u32::from(byte - b'0'), n + 1));
    (code, &text[length..])
}

/// `\x41` or `\x{41}`; `rest` is behind the `x`.
fn hexadecimal<'a>(text: &str, rest: &'a str) -> Result<(u32, &'a str), Error> {
    let mut characters = rest.chars();
    let refuse = |characters: &std::str::Chars<'_>| {
        refused("invalid escape sequence", &text[..text.len() - characters.as_str().len()])
    };
    let Some(first) = characters.next() else { return refuse(&characters) };
    if first != '{' {
        let second = characters.next();
        return match (first.to_digit(16), second.and_then(|c| c.to_digit(16))) {
            (Some(high), Some(low)) => Ok((high * 16 + low, characters.as_str())),
            _ => refuse(&characters),
        };
    }
    let (mut code, mut digits) = (0, 0);
    loop {
        match characters.next() {
            Some('}') if digits > 0 => return Ok((code, characters.as_str())),
            Some(c) if c.is_ascii_hexdigit() => code = code * 16 + c.to_digit(16).unwrap_or_default(),
            _ => return refuse(&characters),
        }
        digits += 1;
        if code > u32::from(char::MAX) {
            return refuse(&characters);
        }
    }
}
