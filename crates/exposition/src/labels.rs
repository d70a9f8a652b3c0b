//! Label sets: what is between braces.
//!
//! [`check`] reads a set once and says where it ends; [`LabelPairs`] reads the same bytes again when the labels are
//! wanted, which for a known series is never.

use std::borrow::Cow;
use std::iter;

use crate::scan::{Fault, Scan, unescape};

/// How strictly a set is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rules {
    /// Blanks between tokens, line ends in values, commas optional: the text format as Prometheus takes it.
    Text,
    /// No blanks, no line ends, commas required.
    OpenMetrics,
    /// As `OpenMetrics`, and nothing but pairs.
    Exemplar,
}

/// Steps over a set whose `{` was read, up to and including its `}`. `named` says whether the metric has its name
/// from before the brace; the answer says whether it has one now.
pub(crate) fn check(scan: &mut Scan, rules: Rules, mut named: bool) -> Result<bool, Fault> {
    let blanks = |scan: &mut Scan| rules == Rules::Text && scan.skip_blanks();
    loop {
        blanks(scan);
        if scan.take(b'}') {
            return Ok(named);
        }
        let quoted = scan.peek() == Some(b'"');
        if quoted {
            scan.quoted(rules == Rules::Text).ok_or("expected a closing quote")?;
        } else if scan.label_name().is_empty() {
            return Err("expected a label name".into());
        }
        blanks(scan);
        if quoted && matches!(scan.peek(), Some(b',' | b'}')) && rules != Rules::Exemplar {
            if named {
                return Err("the metric name is already set".into());
            }
            named = true;
            scan.take(b',');
            continue;
        }
        if !scan.take(b'=') {
            return Err("expected = after the label name".into());
        }
        blanks(scan);
        scan.quoted(rules == Rules::Text).ok_or("expected a label value in quotes")?;
        blanks(scan);
        if !scan.take(b',') && rules != Rules::Text && scan.peek() != Some(b'}') {
            return Err("expected a comma or } after the label".into());
        }
    }
}

/// The labels of a series text or of an exemplar, escapes read.
#[derive(Debug, Clone)]
pub struct LabelPairs<'a> {
    text: &'a str,
    at: usize,
    /// The metric's name as written, until it was given.
    name: Option<&'a str>,
}

impl<'a> LabelPairs<'a> {
    /// Of a text that [`check`] accepted.
    pub(crate) fn of_series(text: &'a str) -> Self {
        let mut scan = Scan { bytes: text.as_bytes(), at: 0 };
        scan.skip_blanks();
        let start = scan.at;
        let name = &text[start..start + scan.metric_name().len()];
        scan.skip_blanks();
        scan.take(b'{');
        let mut pairs = LabelPairs { text, at: scan.at, name: Some(name) };
        if name.is_empty() {
            // The name is one of the pieces between the braces.
            let mut pieces = pairs.clone();
            pairs.name =
                iter::from_fn(|| pieces.piece()).find_map(|(name, value)| value.is_none().then_some(name));
        }
        pairs
    }

    /// Of a set without a name.
    pub(crate) fn of_set(text: &'a str) -> Self {
        LabelPairs { text, at: 1, name: None }
    }

    /// The next name with its value, or the metric's quoted name without one; escapes as written.
    fn piece(&mut self) -> Option<(&'a str, Option<&'a str>)> {
        let mut scan = Scan { bytes: self.text.as_bytes(), at: self.at };
        let skip = |byte| matches!(byte, b' ' | b'\t' | b',');
        scan.take_while(skip);
        let quoted = scan.peek()? == b'"';
        let length = if quoted { scan.quoted(true)?.len() } else { scan.label_name().len() };
        let name_end = scan.at - usize::from(quoted);
        let name = self.text.get(name_end - length..name_end)?;
        scan.skip_blanks();
        let mut value = None;
        if scan.take(b'=') {
            scan.skip_blanks();
            let length = scan.quoted(true)?.len();
            value = Some(self.text.get(scan.at - 1 - length..scan.at - 1)?);
        } else if !quoted {
            // The closing brace.
            return None;
        }
        self.at = scan.at;
        Some((name, value))
    }
}

impl<'a> Iterator for LabelPairs<'a> {
    type Item = (Cow<'a, str>, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(name) = self.name.take() {
            return Some((Cow::Borrowed("__name__"), unescape(name, true)));
        }
        loop {
            if let (name, Some(value)) = self.piece()? {
                return Some((unescape(name, true), unescape(value, true)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(text: &str, rules: Rules, expected: Result<bool, &str>) {
        let mut scan = Scan { bytes: text.as_bytes(), at: 0 };
        let found = check(&mut scan, rules, true);
        assert_eq!(found.as_ref().map(|&named| named).map_err(AsRef::as_ref), expected, "{text}");
        assert!(found.is_err() || scan.at == text.len(), "{text}");
    }

    #[test]
    fn sets() {
        for text in ["}", r#"a="b"}"#, r#"a="b",}"#, r#"a="b",c="d"}"#, r#""a.b"="c"}"#, r#"a="}"}"#] {
            for rules in [Rules::Text, Rules::OpenMetrics, Rules::Exemplar] {
                check_text(text, rules, Ok(true));
            }
        }
        for (text, strict) in [
            (" a = \"b\" , c=\"d\"\t}", "expected a label name"),
            (r#"a="b"c="d"}"#, "expected a comma or } after the label"),
            ("a=\"b\nc\"}", "expected a label value in quotes"),
        ] {
            check_text(text, Rules::Text, Ok(true));
            check_text(text, Rules::OpenMetrics, Err(strict));
        }
        for text in [",}", r#"a="b",,}"#, "1a=\"b\"}", ""] {
            check_text(text, Rules::Text, Err("expected a label name"));
        }
        check_text("a:b=\"c\"}", Rules::Text, Err("expected = after the label name"));
        check_text("a}", Rules::Text, Err("expected = after the label name"));
        check_text("a=b}", Rules::Text, Err("expected a label value in quotes"));
        check_text("\"a}", Rules::Text, Err("expected a closing quote"));
        check_text("\"a\"}", Rules::Text, Err("the metric name is already set"));
        check_text("\"a\"}", Rules::Exemplar, Err("expected = after the label name"));
    }

    #[test]
    fn pairs_of_a_series() {
        for (text, expected) in [
            ("up", vec![("__name__", "up")]),
            ("a:b{}", vec![("__name__", "a:b")]),
            (r#"m{a="1",b=""}"#, vec![("__name__", "m"), ("a", "1"), ("b", "")]),
            ("m { a = \"x\\\"\\n\" ,b=\"y\", }", vec![("__name__", "m"), ("a", "x\"\n"), ("b", "y")]),
            (r#"m{a="1"b="2"}"#, vec![("__name__", "m"), ("a", "1"), ("b", "2")]),
            (r#"{"a.b",c="d"}"#, vec![("__name__", "a.b"), ("c", "d")]),
            (r#"{c="d","a.\"b"}"#, vec![("__name__", "a.\"b"), ("c", "d")]),
            (r#"{"",""="x"}"#, vec![("__name__", ""), ("", "x")]),
            (r#"m{"l.ü"="ö"}"#, vec![("__name__", "m"), ("l.ü", "ö")]),
        ] {
            let found: Vec<_> = LabelPairs::of_series(text).collect();
            let found: Vec<_> = found.iter().map(|(name, value)| (&**name, &**value)).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
