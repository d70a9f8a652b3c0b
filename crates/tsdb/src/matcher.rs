//! Which values of a label are meant.

use streamflow_gotext::{Error, Regex};

/// How a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

/// A condition on one label; a missing label has the empty value. Regular expressions are Go's
/// ([`Regex::matcher`]), anchored at both ends, `.` matches line ends; compiled once, here.
#[derive(Debug, Clone)]
pub struct Matcher {
    name: String,
    op: MatchOp,
    value: String,
    pattern: Pattern,
}

/// What the value says, in the form that is fastest to ask.
#[derive(Debug, Clone)]
enum Pattern {
    /// One of these texts, sorted: an equality, or alternatives without anything special.
    Texts(Vec<String>),
    /// `.*`
    Anything,
    /// `.+`
    Something,
    /// What begins with `prefix`, ends with `suffix`, and matches.
    Regex { prefix: String, suffix: String, regex: Regex },
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

impl Matcher {
    /// # Errors
    /// When `op` is a regular expression's and `value` is none: the reason.
    pub fn new(name: impl Into<String>, op: MatchOp, value: impl Into<String>) -> Result<Self, Error> {
        let (name, value) = (name.into(), value.into());
        let pattern = match op {
            MatchOp::Equal | MatchOp::NotEqual => Pattern::Texts(vec![value.clone()]),
            MatchOp::Regex | MatchOp::NotRegex => pattern(&value)?,
        };
        Ok(Self { name, op, value, pattern })
    }

    /// The label's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it is compared.
    #[must_use]
    pub fn op(&self) -> MatchOp {
        self.op
    }

    /// What it is compared with, as written.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Tells whether a label with this value meets the condition.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        let found = match &self.pattern {
            Pattern::Texts(texts) if texts.len() < 8 => texts.iter().any(|text| text == value),
            Pattern::Texts(texts) => texts.binary_search_by(|text| text.as_str().cmp(value)).is_ok(),
            Pattern::Anything => true,
            Pattern::Something => !value.is_empty(),
            Pattern::Regex { prefix, suffix, regex } => {
                ends_with(value, suffix) && value.starts_with(prefix.as_str()) && regex.is_match(value)
            }
        };
        found != self.is_negative()
    }

    fn is_negative(&self) -> bool {
        matches!(self.op, MatchOp::NotEqual | MatchOp::NotRegex)
    }

    /// The only texts that match, when they are known.
    pub(crate) fn texts(&self) -> Option<&[String]> {
        match &self.pattern {
            Pattern::Texts(texts) if !self.is_negative() => Some(texts),
            _ => None,
        }
    }

    /// What everything that matches begins with.
    pub(crate) fn prefix(&self) -> &str {
        match &self.pattern {
            Pattern::Regex { prefix, .. } if !self.is_negative() => prefix,
            _ => "",
        }
    }
}

/// Most texts differ in their last byte, which takes no call.
#[inline]
fn ends_with(text: &str, suffix: &str) -> bool {
    match suffix.as_bytes().last() {
        None => true,
        last => text.as_bytes().last() == last && text.ends_with(suffix),
    }
}

fn pattern(value: &str) -> Result<Pattern, Error> {
    match value {
        ".*" => return Ok(Pattern::Anything),
        ".+" => return Ok(Pattern::Something),
        _ => {}
    }
    let inner =
        value.strip_prefix("(?:").or_else(|| value.strip_prefix('(')).and_then(|rest| rest.strip_suffix(')'));
    let inner = inner.filter(|inner| !inner.contains(is_special)).unwrap_or(value);
    if !inner.contains(is_special) {
        let mut texts: Vec<String> = inner.split('|').map(str::to_owned).collect();
        texts.sort();
        return Ok(Pattern::Texts(texts));
    }
    let regex = Regex::matcher(value)?;
    let (prefix, suffix) = (prefix_of(value).to_owned(), suffix_of(value).to_owned());
    Ok(Pattern::Regex { prefix, suffix, regex })
}

/// Anything with a meaning of its own in a regular expression, but for the alternative.
fn is_special(c: char) -> bool {
    matches!(
        c,
        '\\' | '.' | '+' | '*' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '^' | '$' | '#' | '&' | '-' | '~'
    )
}

/// The texts before the first special character, less the last if a repetition follows it; empty if there is an
/// alternative anywhere.
fn prefix_of(value: &str) -> &str {
    if value.contains('|') {
        return "";
    }
    let end = value.find(is_special).unwrap_or(value.len());
    let plain = &value[..end];
    if value[end..].starts_with(['*', '?', '{', '+']) {
        let last = plain.chars().next_back().map_or(0, char::len_utf8);
        return &plain[..end - last];
    }
    plain
}

/// The text behind the last special character, with which everything that matches ends; empty where it could mean more than
/// itself: behind an alternative, a flag or a backslash.
fn suffix_of(value: &str) -> &str {
    if value.contains('|') || value.contains("(?") {
        return "";
    }
    let last = value.char_indices().rfind(|(_, c)| is_special(*c));
    last.filter(|(_, c)| *c != '\\').map_or("", |(at, c)| &value[at + c.len_utf8()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortcuts_agree_with_the_regular_expression() {
        let patterns = [
            "",
            "a",
            "a|b",
            "(a|b)",
            "(?:a|bc)",
            "a.*",
            "ab*",
            "ab?",
            "ab+c",
            "a{2}",
            "a|b.*",
            ".*",
            ".+",
            "a|",
            "(|b)",
            "[ab]",
            "a\\.b",
            "(?i)A",
            "a b",
            "x|y|z|a|b|c|d|e|f|ab",
            "é*",
            "^a$",
            "a-b",
            "(a)|(b)",
            "(ab)c",
            "ab{",
            "a{,2}|b",
            "\\Qa\\E.*",
            "a(?i)B",
            "(?i)B",
            ".*b",
            ".*[ab]b",
            ".*\\.b",
            "a.*\\x62",
            "\\Q.\\Eb",
            "\\Q.*b",
            "[^b]b",
            "a{1}b",
            "a{b",
            "(a)b",
            ".*é",
            "a$b",
            "a[|]?b",
        ];
        let values =
            ["", "a", "b", "ab", "abb", "bc", "aa", "a\nb", "a.b", "A", "abc", "é", "éé", "a b", "a-b"];
        for pattern in patterns {
            let regex = Regex::matcher(pattern).unwrap();
            let matcher = Matcher::new("l", MatchOp::Regex, pattern).unwrap();
            let negative = Matcher::new("l", MatchOp::NotRegex, pattern).unwrap();
            for value in values {
                assert_eq!(matcher.matches(value), regex.is_match(value), "{pattern} on {value:?}");
                assert_eq!(negative.matches(value), !regex.is_match(value), "{pattern} on {value:?}");
                if matcher.matches(value) {
                    assert!(value.starts_with(matcher.prefix()), "{pattern} on {value:?}");
                    assert!(matcher.texts().is_none_or(|texts| texts.iter().any(|text| text == value)));
                }
            }
        }
        assert!(Matcher::new("l", MatchOp::Regex, "(").is_err());
        assert_eq!(Matcher::new("l", MatchOp::Regex, "abc.*").unwrap().prefix(), "abc");
    }
}
