//! Samples as an exposition in the text format: what a federation endpoint answers.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use streamflow_gotext::{Escaping, shortest};

use crate::line::{family_name, series};

/// Collects samples by family and writes the families in the order of their names, each under
/// `# TYPE name untyped`; within a family the order of [`TextEncoder::sample`] is kept.
#[derive(Debug, Default)]
pub struct TextEncoder {
    escaping: Escaping,
    families: BTreeMap<String, String>,
}

impl TextEncoder {
    /// Without a sample; names of any text are written in quotes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same for a reader who wants names spelled so.
    #[must_use]
    pub fn with_escaping(escaping: Escaping) -> Self {
        Self { escaping, ..Self::default() }
    }

    /// Adds a value of the series `name{labels}`; `labels` are written in the order given, a pair `__name__` among them
    /// is left out. A name that needs quotes is written as Prometheus 3 does, inside of the braces.
    pub fn sample<'a>(
        &mut self,
        name: &str,
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
        value: f64,
        timestamp_ms: Option<i64>,
    ) {
        let name = &*self.escaping.escape(name);
        let labels = labels.into_iter().map(|(label, value)| (self.escaping.escape(label), value));
        let labels: Vec<(Cow<str>, &str)> = labels.collect();
        let labels = labels.iter().map(|(label, value)| (&**label, *value));
        if !self.families.contains_key(name) {
            let mut head = "# TYPE ".to_owned();
            family_name(name, &mut head);
            head.push_str(" untyped\n");
            self.families.insert(name.to_owned(), head);
        }
        let out = self.families.get_mut(name).expect("inserted above");
        series(name, labels, out);
        // Writing to a string cannot fail.
        let _ = write!(out, " {}", shortest(value));
        if let Some(timestamp_ms) = timestamp_ms {
            let _ = write!(out, " {timestamp_ms}");
        }
        out.push('\n');
    }

    /// The text; empty without samples.
    #[must_use]
    pub fn finish(self) -> String {
        self.families.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_sorted_and_typed() {
        let mut encoder = TextEncoder::new();
        encoder.sample("up", [("__name__", "up"), ("job", "api")], 1.0, Some(1_700_000_000_000));
        encoder.sample("a:b", [], f64::NAN, None);
        encoder.sample("up", [("job", "a\"\\\n")], 1e6, Some(-5));
        encoder.sample("a.b", [("c", "d"), ("e.f", "")], f64::NEG_INFINITY, None);
        encoder.sample("ü", [], 0.25, None);
        let expected = concat!(
            "# TYPE \"a.b\" untyped\n{\"a.b\",c=\"d\",\"e.f\"=\"\"} -Inf\n",
            "# TYPE a:b untyped\na:b NaN\n",
            "# TYPE up untyped\nup{job=\"api\"} 1 1700000000000\nup{job=\"a\\\"\\\\\\n\"} 1e+06 -5\n",
            "# TYPE \"ü\" untyped\n{\"ü\"} 0.25\n",
        );
        assert_eq!(encoder.finish(), expected);
        assert_eq!(TextEncoder::new().finish(), "");
        let mut encoder = TextEncoder::with_escaping(Escaping::Underscores);
        encoder.sample("a.b", [("c", "d"), ("e.f", "g.h")], 1.0, None);
        assert_eq!(encoder.finish(), "# TYPE a_b untyped\na_b{c=\"d\",e_f=\"g.h\"} 1\n");
    }
}
