//! Names of many files: globs, and folders in Hive's layout.
//!
//! In a glob `*` stands for any text within a part of a path, `?` for one character of it, `[ab]`, `[a-z]` and `[!a]` for one
//! of a set, and the part `**` for any parts, also none. A folder that matches stands for all that lies below it. Names
//! that begin with `.` or `_` are no parts of a table unless the glob begins so itself.

use std::iter::Peekable;
use std::str::Chars;

/// A pattern with wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    base: String,
    parts: Vec<String>,
    is_of_folders: bool,
}

/// The parts of a name that Hive's layout puts in folders, by column: `as_of=2024-01-31/part-0.parquet` has one.
pub fn partitions(path: &str) -> Vec<(String, String)> {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    let column = |part: &str| {
        let (name, value) = part.split_once('=').filter(|(name, _)| !name.is_empty())?;
        Some((unescaped(name), unescaped(value)))
    };
    parts.into_iter().filter_map(column).collect()
}

/// A text in which Hive has written characters as `%3A`.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.filter(|_| byte == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

impl Glob {
    /// A pattern; none where the text has no wildcard. One that ends in `/` is of folders alone.
    pub fn parse(text: &str) -> Option<Self> {
        let named = text.trim_end_matches('/');
        let parts: Vec<String> = named.split('/').map(str::to_owned).collect();
        let first = parts.iter().position(|part| part.contains(['*', '?', '[']))?;
        let is_of_folders = named.len() < text.len();
        Some(Self { base: parts[..first].join("/"), parts: parts[first..].to_vec(), is_of_folders })
    }

    /// The folder below which everything lies that it may match.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Whether it matches a path below its base, or a folder that the path lies in.
    pub fn matches(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split('/').collect();
        // One row a part of the pattern: whether what was matched so far leads to each place in the path.
        let mut reached = vec![false; parts.len() + 1];
        reached[0] = true;
        for pattern in &self.parts {
            let mut next = vec![false; parts.len() + 1];
            for place in 0..=parts.len() {
                if pattern == "**" {
                    let is_hidden = place > 0 && hidden(parts[place - 1]);
                    next[place] = reached[place] || (place > 0 && next[place - 1] && !is_hidden);
                } else if place > 0 {
                    next[place] = reached[place - 1] && part_matches(pattern, parts[place - 1]);
                }
            }
            reached = next;
        }
        let within = parts.iter().rev().take_while(|part| !hidden(part)).count();
        let outermost = parts.len().saturating_sub(within).max(1);
        (outermost..parts.len()).any(|folder| reached[folder])
            || (reached[parts.len()] && !self.is_of_folders)
    }
}

/// Files of the writer's notes, such as `_SUCCESS`, are no parts.
pub fn is_part_of_table(path: &str) -> bool {
    !path.split('/').any(hidden)
}

/// A name of the writer's notes rather than of a table.
fn hidden(name: &str) -> bool {
    name.starts_with(['.', '_'])
}

fn part_matches(pattern: &str, text: &str) -> bool {
    if hidden(text) && !hidden(pattern) {
        return false;
    }
    let text: Vec<char> = text.chars().collect();
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    let mut pattern = pattern.chars().peekable();
    while let Some(symbol) = pattern.next() {
        let mut next = vec![false; text.len() + 1];
        if symbol == '*' {
            let mut any = false;
            for place in 0..=text.len() {
                any |= reached[place];
                next[place] = any;
            }
        } else {
            let class = if symbol == '[' { class_of(&mut pattern) } else { None };
            for place in 1..=text.len() {
                let found = text[place - 1];
                let is_meant = match (&class, symbol) {
                    (Some(class), _) => class.has(found),
                    (None, '?') => true,
                    (None, symbol) => symbol == found,
                };
                next[place] = reached[place - 1] && is_meant;
            }
        }
        reached = next;
    }
    reached[text.len()]
}

/// One character of a set, or one that is not of it.
struct Class {
    ranges: Vec<(char, char)>,
    is_inverted: bool,
}

impl Class {
    fn has(&self, found: char) -> bool {
        self.ranges.iter().any(|(from, to)| (*from..=*to).contains(&found)) != self.is_inverted
    }
}

/// The set after `[`, which is taken from the pattern; none, and nothing is taken, where no `]` closes it.
fn class_of(pattern: &mut Peekable<Chars<'_>>) -> Option<Class> {
    let mut ahead = pattern.clone();
    let is_inverted = matches!(ahead.peek(), Some('!' | '^'));
    if is_inverted {
        ahead.next();
    }
    let mut symbols = Vec::new();
    loop {
        match ahead.next()? {
            // The first is of the set itself, as in `[]]`.
            ']' if !symbols.is_empty() => break,
            symbol => symbols.push(symbol),
        }
    }
    *pattern = ahead;
    let (mut ranges, mut place) = (Vec::new(), 0);
    while place < symbols.len() {
        if place + 2 < symbols.len() && symbols[place + 1] == '-' {
            ranges.push((symbols[place], symbols[place + 2]));
            place += 3;
        } else {
            ranges.push((symbols[place], symbols[place]));
            place += 1;
        }
    }
    Some(Class { ranges, is_inverted })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn globs_match_as_a_shell_matches() {
        for (pattern, path, expected) in [
            ("a/*.parquet", "x.parquet", true),
            ("a/*.parquet", "b/x.parquet", false),
            ("a/*.parquet", ".x.parquet", false),
            ("a/*.parquet", "_x.parquet", false),
            ("a/_*.parquet", "_x.parquet", true),
            ("a/**/*.csv", "x.csv", true),
            ("a/**/*.csv", "b/c/x.csv", true),
            ("a/**/*.csv", "b/_c/x.csv", false),
            ("a/**", "b/c", true),
            ("a/as_of=*", "as_of=1/part.csv", true),
            ("a/as_of=*/", "as_of=1/hour=2/part.csv", true),
            ("a/as_of=*", "as_of=1/_SUCCESS", false),
            ("a/as_of=*", "as_of=1/_temporary/part.csv", false),
            ("a/as_of=*/", "as_of=1", false),
            ("a/*", "_old/part.csv", false),
            ("a/_*", "_old/part.csv", true),
            ("a/*/b", "x/c/part.csv", false),
            ("as_of=2024-0[13]-*/p?.csv", "as_of=2024-01-31/p1.csv", true),
            ("as_of=2024-0[13]-*/p?.csv", "as_of=2024-02-29/p1.csv", false),
            ("[!a-c]x", "dx", true),
            ("[!a-c]x", "bx", false),
            ("[]]*", "]a", true),
            ("[a", "[a", true),
            ("a*b*c", "axxbxxc", true),
            ("a*b*c", "axxbxx", false),
            ("ü?", "üß", true),
        ] {
            assert_eq!(Glob::parse(pattern).unwrap().matches(path), expected, "{pattern} {path}");
        }
        let glob = Glob::parse("data/usage/as_of=*/part.csv").unwrap();
        assert_eq!(glob.base(), "data/usage");
        assert_eq!(Glob::parse("*.csv").unwrap().base(), "");
        assert_eq!(Glob::parse("data/usage"), None);
    }

    #[test]
    fn hive_names_columns_in_folders() {
        let expected = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        for (path, found) in [
            ("as_of=2024-01-31/part-0.parquet", expected(&[("as_of", "2024-01-31")])),
            ("c=DE/as_of=2026-01-05T13%3A00/p", expected(&[("c", "DE"), ("as_of", "2026-01-05T13:00")])),
            ("plain/a=b", expected(&[])),
            ("=x/a%zz=%/p", expected(&[("a%zz", "%")])),
        ] {
            assert_eq!(partitions(path), found, "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_pattern_panics_and_a_text_without_wildcards_matches_itself(
            pattern in "[*?\\[\\]!a-c/^-]{0,24}",
            path in "[a-c/\\]-]{0,24}",
        ) {
            if let Some(glob) = Glob::parse(&pattern) {
                glob.matches(&path);
            }
            let parts = path.split('/').map(str::to_owned).collect();
            let glob = Glob { base: String::new(), parts, is_of_folders: false };
            prop_assert!(glob.matches(&path));
        }

        #[test]
        fn stars_alone_match_every_part_that_is_not_hidden(path in "[a-z=]{1,8}(/[a-z=]{1,8}){0,4}") {
            let stars = vec!["*"; path.split('/').count()].join("/");
            prop_assert!(Glob::parse(&stars).unwrap().matches(&path));
            prop_assert!(Glob::parse("**").unwrap().matches(&path));
        }
    }
}
