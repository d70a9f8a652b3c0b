//! Names of metrics and labels for those who know letters, digits, `_` and `:` alone, as Prometheus's `EscapeName` spells
//! them.

use std::borrow::Cow;
use std::fmt::Write as _;

/// How a name is spelled that is not of the old kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Escaping {
    /// As it is, in quotes.
    #[default]
    AllowUtf8,
    /// With `_` for everything that is not allowed.
    Underscores,
    /// With `_dot_` for a dot, `__` for `_` and for everything else that is not allowed.
    Dots,
    /// With `U__` in front and the number of each character that is not allowed: nothing is lost.
    Values,
}

impl Escaping {
    const ALL: [Self; 4] = [Self::AllowUtf8, Self::Underscores, Self::Dots, Self::Values];

    /// The word that headers and configurations have for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllowUtf8 => "allow-utf-8",
            Self::Underscores => "underscores",
            Self::Dots => "dots",
            Self::Values => "values",
        }
    }

    /// What a word means; `None` where it means nothing.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == word)
    }

    /// The name in this spelling; a name of the old kind stays as it is.
    #[must_use]
    pub fn escape(self, name: &str) -> Cow<'_, str> {
        if self == Self::AllowUtf8 || is_legacy_name(name) || name.is_empty() {
            return Cow::Borrowed(name);
        }
        let mut escaped = if self == Self::Values { "U__".to_owned() } else { String::new() };
        for (at, c) in name.char_indices() {
            match (self, c) {
                (Self::Dots | Self::Values, '_') => escaped.push_str("__"),
                (Self::Dots, '.') => escaped.push_str("_dot_"),
                (_, c) if is_legacy(c, at == 0) => escaped.push(c),
                (Self::Dots, _) => escaped.push_str("__"),
                (Self::Values, c) => {
                    // Writing to a string cannot fail.
                    let _ = write!(escaped, "_{:x}_", u32::from(c));
                }
                _ => escaped.push('_'),
            }
        }
        Cow::Owned(escaped)
    }
}

/// Whether a name is `[a-zA-Z_:][a-zA-Z0-9_:]*`, as all names of metrics were before Prometheus 3.
#[must_use]
pub fn is_legacy_name(name: &str) -> bool {
    !name.is_empty() && name.char_indices().all(|(at, c)| is_legacy(c, at == 0))
}

fn is_legacy(c: char, first: bool) -> bool {
    c.is_ascii_alphabetic() || matches!(c, '_' | ':') || (c.is_ascii_digit() && !first)
}

#[cfg(test)]
mod tests {
    use super::*;

    // What /federate of a Prometheus 3.5 answers.
    #[test]
    fn names_are_escaped() {
        for (name, underscores, dots, values) in [
            ("http.requests", "http_requests", "http_dot_requests", "U__http_2e_requests"),
            ("1x_a.bé", "_x_a_b_", "__x__a_dot_b__", "U___31_x__a_2e_b_e9_"),
            ("a_b", "a_b", "a_b", "a_b"),
            ("c:d", "c:d", "c:d", "c:d"),
            ("", "", "", ""),
        ] {
            assert_eq!(Escaping::Underscores.escape(name), underscores, "{name}");
            assert_eq!(Escaping::Dots.escape(name), dots, "{name}");
            assert_eq!(Escaping::Values.escape(name), values, "{name}");
            assert_eq!(Escaping::AllowUtf8.escape(name), name);
        }
        for escaping in Escaping::ALL {
            assert_eq!(Escaping::of(escaping.as_str()), Some(escaping));
        }
        assert_eq!(Escaping::of("nonsense"), None);
    }
}
