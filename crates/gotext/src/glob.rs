//! Patterns of file names, as Go's `filepath.Match` reads them on Unix.

use crate::Error;

/// A pattern: `*` stands for any characters but `/`, `?` for one of them, `[a-z]` for one of a class, `[^a-z]` for one
/// outside of it, and `\` takes the meaning from the character after it.
#[derive(Debug, Clone)]
pub struct Glob(Vec<Item>);

impl Glob {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When a class is not closed or has a bare `-`, or nothing follows a `\`. A class whose ends are reversed, which
    /// matches nothing in Go, is refused too: it is a mistake.
    pub fn new(pattern: &str) -> Result<Self, Error> {
        let mut items = Vec::new();
        let mut characters = pattern.chars().peekable();
        while let Some(c) = characters.next() {
            items.push(match c {
                '*' => Item::Star,
                '?' => Item::Any,
                '\\' => Item::Literal(characters.next().ok_or(Error::Pattern)?),
                '[' => {
                    let negated = characters.next_if_eq(&'^').is_some();
                    Item::Class { negated, ranges: class(&mut characters)? }
                }
                literal => Item::Literal(literal),
            });
        }
        Ok(Self(items))
    }

    /// Whether a text holds a character that makes it more than a name.
    #[must_use]
    pub fn is_pattern(text: &str) -> bool {
        text.contains(['*', '?', '[', '\\'])
    }

    /// Whether the whole name matches. The time is at most that of the product of both lengths.
    #[must_use]
    pub fn is_match(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let (mut item, mut at) = (0, 0);
        // Where to go on when the rest does not match: behind the last star, one character later.
        let mut retry: Option<(usize, usize)> = None;
        loop {
            match self.0.get(item) {
                Some(Item::Star) => {
                    item += 1;
                    retry = Some((item, at));
                    continue;
                }
                Some(one) if name.get(at).is_some_and(|c| one.matches(*c)) => {
                    (item, at) = (item + 1, at + 1);
                    continue;
                }
                None if at == name.len() => return true,
                _ => {}
            }
            match retry {
                Some((after_star, from)) if name.get(from).is_some_and(|c| *c != '/') => {
                    (item, at) = (after_star, from + 1);
                    retry = Some((item, at));
                }
                _ => return false,
            }
        }
    }
}

/// One part of a pattern.
#[derive(Debug, Clone)]
enum Item {
    /// Any characters.
    Star,
    /// Any one character.
    Any,
    /// This character.
    Literal(char),
    /// One character within (or, negated, outside of) these ranges.
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl Item {
    fn matches(&self, c: char) -> bool {
        match self {
            Self::Star => false,
            Self::Any => c != '/',
            Self::Literal(literal) => c == *literal,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (low..=high).contains(&&c)) != *negated
            }
        }
    }
}

/// The ranges up to the closing bracket, at least one.
fn class(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Vec<(char, char)>, Error> {
    let mut ranges = Vec::new();
    while ranges.is_empty() || characters.next_if_eq(&']').is_none() {
        let low = bound(characters)?;
        let high = if characters.next_if_eq(&'-').is_some() { bound(characters)? } else { low };
        if high < low {
            return Err(Error::Pattern);
        }
        ranges.push((low, high));
    }
    Ok(ranges)
}

/// One end of a range; a bare `-` or `]` is none.
fn bound(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<char, Error> {
    match characters.next() {
        Some('\\') => characters.next().ok_or(Error::Pattern),
        Some('-' | ']') | None => Err(Error::Pattern),
        Some(c) => Ok(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // tests/golden.rs has what Go gives.
    #[test]
    fn names_match() {
        for (pattern, name, expected) in [
            ("rules.yml", "rules.yml", true),
            ("rules.yml", "rules_yml", false),
            ("*.y?ml", "api.yaml", true),
            ("*.y?ml", "api.yml", false),
            ("*", ".hidden", true),
            ("*", "a/b", false),
            ("shard-[0-9]*.json", "shard-12.json", true),
            ("shard-[^0-9].json", "shard-1.json", false),
            (r"all\*.yml", "all*.yml", true),
            (r"all\*.yml", "all1.yml", false),
        ] {
            assert_eq!(Glob::new(pattern).unwrap().is_match(name), expected, "{pattern} {name}");
        }
        for pattern in ["[z-a].yml", "[0-9.yml", "[].yml", "all\\"] {
            assert_eq!(Glob::new(pattern).unwrap_err(), Error::Pattern, "{pattern}");
        }
        assert!(Glob::is_pattern("a*") && Glob::is_pattern("[") && !Glob::is_pattern("a.yml"));
    }

    #[test]
    fn many_stars_take_no_time() {
        let pattern = "*a".repeat(1_000) + "b";
        assert!(!Glob::new(&pattern).unwrap().is_match(&"a".repeat(10_000)));
    }
}
