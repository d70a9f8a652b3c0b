//! How texts name an entity: in messages, JSON and HTML.

use crate::store::forgetting::Mask;

/// What stands where an entity was named.
const MASK: &str = "(forgotten)";

/// An entity as texts spell it.
#[derive(Debug, Clone)]
pub struct Named {
    /// The entity itself, and as JSON and HTML write it.
    spellings: Vec<String>,
    /// The column that names entities.
    column: String,
    /// A number alone names an entity only where the column's name stands before it: `user_id=12`, `"user_id": 12`.
    is_number: bool,
}

impl Named {
    pub fn new(entity: &str, column: &str) -> Self {
        let json = serde_json::to_string(entity).expect("a text is JSON");
        let html =
            entity.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        let mut spellings = vec![entity.to_owned(), json[1..json.len() - 1].to_owned(), html];
        spellings.dedup();
        let is_number = entity.chars().all(|c| c.is_ascii_digit());
        Self { spellings, column: column.to_owned(), is_number }
    }

    /// The first place at which a text names it, and how many bytes long it is there.
    fn find(&self, text: &str, from: usize) -> Option<(usize, usize)> {
        let places = self.spellings.iter().flat_map(|spelling| {
            let places = text[from..].match_indices(spelling.as_str());
            places.map(move |(at, found)| (from + at, found.len()))
        });
        places.filter(|(at, length)| self.is_name(text, *at, *length)).min()
    }

    /// Whether it is a word of its own there: `AB-1` is none in `AB-12` or `XAB-1`.
    fn is_name(&self, text: &str, at: usize, length: usize) -> bool {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        let (before, after) = (&text[..at], &text[at + length..]);
        if before.chars().next_back().is_some_and(is_part) || after.chars().next().is_some_and(is_part) {
            return false;
        }
        let led = before.trim_end_matches(['"', '\'', '\\', ' ', ':', '=']);
        !self.is_number || (led.len() < before.len() && led.ends_with(&self.column))
    }

    /// The text with as many other characters in its place, for a file that others are writing to; none where it does not
    /// name it.
    pub fn blanked(&self, text: &str) -> Option<String> {
        self.replaced(text, |length| "x".repeat(length))
    }

    fn replaced(&self, text: &str, by: impl Fn(usize) -> String) -> Option<String> {
        let (mut out, mut from) = (String::new(), 0);
        while let Some((at, length)) = self.find(text, from) {
            out.push_str(&text[from..at]);
            out.push_str(&by(length));
            from = at + length;
        }
        (from > 0).then(|| out + &text[from..])
    }
}

impl Mask for Named {
    fn spellings(&self) -> Vec<String> {
        self.spellings.clone()
    }

    fn masked(&self, text: &str) -> Option<String> {
        self.replaced(text, |_| MASK.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_names_an_entity_as_a_word() {
        for (entity, text, expected) in [
            ("7590-VHVEG", "user 7590-VHVEG left", Some("user (forgotten) left")),
            ("7590-VHVEG", "7590-VHVEG,7590-VHVEG", Some("(forgotten),(forgotten)")),
            ("7590-VHVEG", "7590-VHVEGA X7590-VHVEG 7590-VHVEG-2", None),
            ("U1", "U10 U1", Some("U10 (forgotten)")),
            ("12", "12 rows of 12 files", None),
            ("12", "user_id=12, 12 rows", Some("user_id=(forgotten), 12 rows")),
            ("12", "{\"user_id\": \"12\"}", Some("{\"user_id\": \"(forgotten)\"}")),
            ("12", "user_id=123", None),
            ("12", "user_id12", None),
            ("a\"b", "{\"user_id\":\"a\\\"b\"}", Some("{\"user_id\":\"(forgotten)\"}")),
            ("a&b", "<td>a&amp;b</td>", Some("<td>(forgotten)</td>")),
            ("é", "(é)", Some("((forgotten))")),
        ] {
            let named = Named::new(entity, "user_id");
            assert_eq!(named.masked(text).as_deref(), expected, "{entity} in {text}");
            let blanked = named.blanked(text);
            assert_eq!(blanked.as_ref().map(String::len), expected.map(|_| text.len()), "{entity} in {text}");
        }
    }
}
