//! Regular expressions as Go's package `regexp` reads them (RE2), run by the engine of the `regex` crate.
//!
//! A pattern is read by Go's rules and written anew in the engine's dialect: `\w`, `\d`, `\s` and `\b` know ASCII
//! alone, `&&` in a class is two characters, `{,2}` is five, and what Go refuses is refused with Go's reason. Two
//! bounds are the engine's: a pattern that nests deeper than 250 levels, where Go allows 1,000, and one that needs more
//! than 10 MiB compiled are refused.

mod class;
mod expand;
mod parse;

use crate::Error;
pub use expand::Captures;

/// A compiled pattern; matching takes time linear in the text.
#[derive(Debug, Clone)]
pub struct Regex {
    source: String,
    engine: regex::Regex,
    /// The names of groups in their order; the empty text names a group that has none.
    names: Vec<String>,
}

impl PartialEq for Regex {
    fn eq(&self, other: &Self) -> bool {
        self.engine.as_str() == other.engine.as_str() && self.source == other.source
    }
}

impl Regex {
    /// Go's `regexp.Compile`: the pattern is searched for, `.` stops at line ends.
    ///
    /// # Errors
    /// What Go refuses, with its reason, and what is beyond the bounds of this module.
    pub fn new(pattern: &str) -> Result<Self, Error> {
        let parsed = parse::parse(pattern, false)?;
        Self::compiled(pattern, &parsed.text, parsed.names)
    }

    /// The pattern in `^(?s:…)$`, as relabelling and `label_replace` anchor theirs: by its text, so that `a)|(b` is
    /// one.
    ///
    /// # Errors
    /// Those of [`Self::new`]; Go's reason names the anchored text.
    pub fn anchored(pattern: &str) -> Result<Self, Error> {
        let parsed = parse::parse(&format!("^(?s:{pattern})$"), false)?;
        Self::compiled(pattern, &parsed.text, parsed.names)
    }

    /// The pattern as a matcher of labels has it: read by itself, then anchored at both ends, `.` matches line ends.
    ///
    /// # Errors
    /// Those of [`Self::new`].
    pub fn matcher(pattern: &str) -> Result<Self, Error> {
        let parsed = parse::parse(pattern, true)?;
        Self::compiled(pattern, &format!(r"\A(?:{})\z", parsed.text), parsed.names)
    }

    fn compiled(source: &str, text: &str, names: Vec<String>) -> Result<Self, Error> {
        let engine = regex::RegexBuilder::new(text).nest_limit(4 * parse::HEIGHT_MAX).build();
        // What is written here is valid in the engine's dialect; only its size can be refused.
        let engine = engine.map_err(|error| {
            debug_assert!(matches!(error, regex::Error::CompiledTooBig(_)), "{source:?}: {error}");
            Error::Regex { reason: "expression too large", part: source.to_owned() }
        })?;
        Ok(Self { source: source.to_owned(), engine, names })
    }

    /// The pattern as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether the pattern matches.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.engine.is_match(text)
    }

    /// How often the pattern matches, one match behind the other.
    #[must_use]
    pub fn count(&self, text: &str) -> usize {
        self.engine.find_iter(text).count()
    }

    /// The first match with its groups.
    #[must_use]
    pub fn captures<'a>(&'a self, text: &'a str) -> Option<Captures<'a>> {
        Some(Captures { names: &self.names, groups: self.engine.captures(text)? })
    }

    /// Go's `ReplaceAllString`: every match becomes the template, expanded by its groups.
    #[must_use]
    pub fn replace_all(&self, text: &str, template: &str) -> String {
        let expand = |groups: &regex::Captures<'_>| expand::expand(&self.names, groups, template);
        self.engine.replace_all(text, expand).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // tests/regexes.rs has what a real Prometheus answers.
    #[test]
    fn anchors_stand_around_the_text_or_around_the_pattern() {
        assert!(Regex::anchored("a)|(b").unwrap().is_match("xb"));
        let refused = Regex::matcher("a)|(b").unwrap_err().to_string();
        assert_eq!(refused, "error parsing regexp: unexpected ): `a)|(b`");
        assert!(!Regex::matcher("a|b").unwrap().is_match("ab"));
        assert!(!Regex::new("^.$").unwrap().is_match("\n") && Regex::anchored(".").unwrap().is_match("\n"));
        assert_eq!(Regex::anchored("a|b").unwrap().as_str(), "a|b");
    }

    #[test]
    fn what_is_too_deep_or_too_large_is_refused() {
        let deep = |levels: usize| format!("{}a{}", "(".repeat(levels), ")".repeat(levels));
        assert!(Regex::new(&deep(100)).unwrap().is_match("a"));
        for pattern in [deep(300), deep(100_000), "(?:a|".repeat(200) + &")*".repeat(200)] {
            let refused = Regex::new(&pattern).unwrap_err().to_string();
            assert!(
                refused.starts_with("error parsing regexp: expression nests too deeply"),
                "{refused:.80}"
            );
        }
        let refused = Regex::new(r"(?:\pL{1000})(?:\pL{1000})(?:\pL{1000})").unwrap_err().to_string();
        assert!(refused.starts_with("error parsing regexp: expression too large"), "{refused}");
    }
}
