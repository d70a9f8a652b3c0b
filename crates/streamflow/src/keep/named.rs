//! How texts name an entity: in messages, JSON and HTML.

use std::collections::BTreeSet;

use serde::de::IgnoredAny;
use streamflow_dataset::EntityKey;

use crate::store::forgetting::Mask;

/// What stands where an entity was named.
const MASK: &str = "(forgotten)";

/// An entity as texts spell it.
#[derive(Debug, Clone)]
pub struct Named {
    /// The entity itself, and as JSON and HTML write it.
    spellings: Vec<String>,
    /// The column that names entities, where the key has one only.
    column: Option<String>,
    /// A number alone names an entity only where the column's name stands before it: `user_id=12`, `"user_id": 12`.
    is_number: bool,
}

impl Named {
    /// Of a key of several columns, an entity is spelled as [`EntityKey::text`] spells it: one of its values names nobody.
    pub fn new(entity: &str, key: &EntityKey) -> Self {
        let json = serde_json::to_string(entity).expect("a text is JSON");
        let html =
            entity.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        let mut spellings = vec![entity.to_owned(), json[1..json.len() - 1].to_owned(), html];
        spellings.dedup();
        // An empty text would be found everywhere.
        spellings.retain(|spelling| !spelling.is_empty());
        Self { spellings, column: key.single().map(str::to_owned), is_number: entity.parse::<i64>().is_ok() }
    }

    /// The first place at which a text names it, and how many bytes long it is there.
    fn find(&self, text: &str, from: usize) -> Option<(usize, usize)> {
        let places = self.spellings.iter().filter_map(|spelling| {
            let mut places = text[from..].match_indices(spelling.as_str());
            let is_name = |(at, found): &(usize, &str)| self.is_name(text, from + at, found.len());
            places.find(is_name).map(|(at, found)| (from + at, found.len()))
        });
        places.min()
    }

    /// Whether it is a word of its own there: `AB-1` is none in `AB-12` or `XAB-1`.
    fn is_name(&self, text: &str, at: usize, length: usize) -> bool {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        let (before, after) = (&text[..at], &text[at + length..]);
        if before.chars().next_back().is_some_and(is_part) || after.chars().next().is_some_and(is_part) {
            return false;
        }
        let led = before.trim_end_matches(['"', '\'', '\\', ' ', ':', '=']);
        !self.is_number
            || (led.len() < before.len() && self.column.as_ref().is_some_and(|column| led.ends_with(column)))
    }

    /// Whether a text, of whatever form, names it.
    pub fn is_in(&self, text: &str) -> bool {
        self.find(text, 0).is_some()
    }

    /// The text with as many other characters in its place, for a file that others are writing to; none where it does not
    /// name it.
    pub fn blanked(&self, text: &str) -> Option<String> {
        let of_string = |inside: &str| self.replaced(inside, blank);
        if is_json(text) {
            return json_replaced(text, |key, token| match token.strip_prefix('"') {
                Some(_) if self.is_keyed(key, token) => Some(format!("\"{}\"", blank(token.len() - 2))),
                Some(inside) => of_string(&inside[..inside.len() - 1]).map(|inside| format!("\"{inside}\"")),
                None if !self.is_keyed(key, token) => None,
                None if token.len() == 1 => Some("0".to_owned()),
                None => Some(format!("\"{}\"", blank(token.len() - 2))),
            });
        }
        of_string(text)
    }

    /// The text of a report's page without it: only what is shown is replaced, never a tag, a script or a style.
    pub fn masked_html(&self, html: &str) -> Option<String> {
        let (mut out, mut rest, mut is_changed) = (String::new(), html, false);
        while !rest.is_empty() {
            let shown = rest.find('<').unwrap_or(rest.len());
            let masked = self.plain(&rest[..shown]);
            is_changed |= masked.is_some();
            out.push_str(masked.as_deref().unwrap_or(&rest[..shown]));
            rest = &rest[shown..];
            let hidden = hidden(rest);
            out.push_str(&rest[..hidden]);
            rest = &rest[hidden..];
        }
        is_changed.then_some(out)
    }

    /// The document without it, which can still be read: a value that is a word of ours, and spelled like the entity, stays.
    pub fn masked_json(&self, json: &str, is_readable: impl Fn(&str) -> bool) -> Option<String> {
        let masked = self.masked(json)?;
        if is_readable(&masked) || !is_readable(json) {
            return Some(masked);
        }
        let without = |words: &BTreeSet<usize>, only: Option<usize>| {
            let mut place = 0;
            json_replaced(json, |key, token| {
                place += 1;
                let is_due = only.is_none_or(|only| place == only) && !words.contains(&place);
                if is_due { self.value(key, token) } else { None }
            })
        };
        let (mut place, mut named) = (0, Vec::new());
        json_replaced(json, |key, token| {
            place += 1;
            named.extend(self.value(key, token).map(|_| place));
            None
        });
        let none = BTreeSet::new();
        let is_word = |place: &usize| without(&none, Some(*place)).is_some_and(|tried| !is_readable(&tried));
        without(&named.into_iter().filter(is_word).collect(), None)
    }

    /// The text with another in each place at which it names the entity, whatever its form.
    fn plain(&self, text: &str) -> Option<String> {
        self.replaced(text, |_| MASK.to_owned())
    }

    /// Another value for one of a JSON document, where it names the entity.
    fn value(&self, key: &str, token: &str) -> Option<String> {
        let text = |text: &str| serde_json::to_string(text).expect("a text is JSON");
        if self.is_keyed(key, token) {
            return Some(text(MASK));
        }
        let found: String = serde_json::from_str(token).ok()?;
        self.plain(&found).map(|masked| text(&masked))
    }

    /// Whether a value is the entity, under the name of its column: a number is nobody elsewhere.
    fn is_keyed(&self, key: &str, token: &str) -> bool {
        self.column.as_deref() == Some(key)
            && self.spellings.iter().any(|spelling| token.trim_matches('"') == spelling)
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

fn blank(length: usize) -> String {
    "x".repeat(length)
}

/// Whether a text is a JSON document rather than a message.
fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// A JSON document with other values: `by` gives one for the text of a value, under its key, or none to leave it. Keys,
/// literals and what stands between them stay as they are; none where no value is another.
fn json_replaced(json: &str, mut by: impl FnMut(&str, &str) -> Option<String>) -> Option<String> {
    let (mut out, mut at, mut is_changed) = (String::new(), 0, false);
    let (mut key, mut outer) = (String::new(), Vec::new());
    while let Some(first) = json[at..].chars().next() {
        let token = &json[at..at + token_length(&json[at..])];
        at += token.len();
        match first {
            // What an array holds is of the array's key.
            '[' => outer.push(key.clone()),
            '{' => outer.push(std::mem::take(&mut key)),
            ']' | '}' => key = outer.pop().unwrap_or_default(),
            '"' if json[at..].trim_start().starts_with(':') => {
                key = serde_json::from_str(token).unwrap_or_default();
            }
            '"' | '-' | '0'..='9' => {
                if let Some(other) = by(&key, token) {
                    is_changed = true;
                    out.push_str(&other);
                    continue;
                }
            }
            _ => {}
        }
        out.push_str(token);
    }
    is_changed.then_some(out)
}

/// How long the string, the number or the other character is that a text begins with.
fn token_length(json: &str) -> usize {
    let first = json.chars().next().map_or(0, char::len_utf8);
    let bytes = json.as_bytes();
    match bytes.first() {
        Some(b'"') => {
            let mut at = 1;
            while at < bytes.len() && bytes[at] != b'"' {
                at += if bytes[at] == b'\\' { 2 } else { 1 };
            }
            (at + 1).min(bytes.len())
        }
        Some(b'-' | b'0'..=b'9') => {
            json.find(|c: char| !matches!(c, '-' | '+' | '.' | '0'..='9' | 'e' | 'E')).unwrap_or(json.len())
        }
        _ => first,
    }
}

/// How much of an HTML text, from its tag on, is not shown: the tag, or a script or style with what it holds.
fn hidden(html: &str) -> usize {
    let is = |word: &str| html.get(1..=word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word));
    let end = ["script", "style"]
        .into_iter()
        .find(|word| is(word))
        .map_or(0, |word| html.to_ascii_lowercase().find(&format!("</{word}")).unwrap_or(html.len()));
    html[end..].find('>').map_or(html.len(), |at| end + at + 1)
}

impl Mask for Named {
    fn spellings(&self) -> Vec<String> {
        self.spellings.clone()
    }

    fn masked(&self, text: &str) -> Option<String> {
        if is_json(text) {
            json_replaced(text, |key, token| self.value(key, token))
        } else {
            self.plain(text)
        }
    }

    fn masked_name(&self, name: &str) -> Option<String> {
        let is_it = self.spellings.iter().any(|spelling| spelling == name);
        if is_it { Some(MASK.to_owned()) } else { self.plain(name) }
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
            let named = Named::new(entity, &EntityKey::new("user_id"));
            assert_eq!(named.masked(text).as_deref(), expected, "{entity} in {text}");
            assert_eq!(named.is_in(text), expected.is_some(), "{entity} in {text}");
            let blanked = named.blanked(text);
            assert_eq!(blanked.as_ref().map(String::len), expected.map(|_| text.len()), "{entity} in {text}");
        }
    }

    #[test]
    fn a_value_of_one_of_several_columns_names_nobody() {
        let key: EntityKey = serde_json::from_str("[\"store\",\"sku\"]").unwrap();
        for (entity, text, expected) in [
            ("store=s1 sku=7", "no store=s1 sku=7 here", Some("no (forgotten) here")),
            ("store=s1 sku=7", "store=s1 sku=77 xstore=s1 sku=7", None),
            ("store=s1 sku=7", "sku=7 of store=s1, {\"store\":\"s1\"}", None),
            ("store=s1 sku=7", "{\"store\": \"s1\", \"sku\": 7}", None),
            (
                "store=\"a b\" sku=7",
                "{\"said\": \"of store=\\\"a b\\\" sku=7\"}",
                Some("{\"said\": \"of (forgotten)\"}"),
            ),
        ] {
            assert_eq!(Named::new(entity, &key).masked(text).as_deref(), expected, "{entity} in {text}");
        }
    }

    #[test]
    fn of_a_document_only_texts_name_an_entity() {
        for (entity, json, expected) in [
            ("columns", r#"{"columns": 3, "a": "columns"}"#, Some(r#"{"columns": 3, "a": "(forgotten)"}"#)),
            ("true", r#"{"a": true}"#, None),
            ("null", r#"[null, "nullable"]"#, None),
            ("0.0", r#"{"p": 0.0}"#, None),
            ("12", r#"{"rows": 12, "id": 12}"#, Some(r#"{"rows": 12, "id": "(forgotten)"}"#)),
            ("12", r#"{"id": ["12", 13], "n": "12"}"#, Some(r#"{"id": ["(forgotten)", 13], "n": "12"}"#)),
            ("-12", r#"{"n": -12, "id": -12}"#, Some(r#"{"n": -12, "id": "(forgotten)"}"#)),
            (
                "ada",
                r#"{"a": "x\nada \"ada\"", "ada": 1}"#,
                Some(r#"{"a": "x\n(forgotten) \"(forgotten)\"", "ada": 1}"#),
            ),
            ("é", r#"["\u00e9"]"#, Some(r#"["(forgotten)"]"#)),
            ("a", "{not JSON: a}", Some("{not JSON: (forgotten)}")),
        ] {
            let masked = Named::new(entity, &EntityKey::new("id")).masked(json);
            assert_eq!(masked.as_deref(), expected, "{entity} in {json}");
        }
        let blanked = |entity: &str, json: &str| Named::new(entity, &EntityKey::new("id")).blanked(json);
        let line = "{\"status\":200,\"path\":\"/users/status\"}\n";
        let expected = "{\"status\":200,\"path\":\"/users/xxxxxx\"}\n";
        assert_eq!(blanked("status", line).as_deref(), Some(expected));
        assert_eq!(blanked("123", "{\"id\":123}").as_deref(), Some("{\"id\":\"x\"}"));
    }

    #[test]
    fn of_a_page_only_what_is_shown_names_an_entity() {
        let named = Named::new("div", &EntityKey::new("id"));
        let page = "<div class=\"div\"><style>div { a: b }</style>a div<SCRIPT>div > 1</script>div</div>";
        let expected = "<div class=\"div\"><style>div { a: b }</style>a (forgotten)<SCRIPT>div > 1</script>(forgotten)</div>";
        assert_eq!(named.masked_html(page).as_deref(), Some(expected));
        assert_eq!(named.masked_html("<div>"), None);
        assert_eq!(named.masked_html("<div"), None);
    }

    #[test]
    fn a_word_of_ours_stays_where_a_document_cannot_be_read_without_it() {
        let named = Named::new("psi", &EntityKey::new("id"));
        let json = r#"{"method": "psi", "values": ["psi", "x"]}"#;
        let is_readable = |json: &str| json.contains(r#""method": "psi""#);
        let expected = r#"{"method": "psi", "values": ["(forgotten)", "x"]}"#;
        assert_eq!(named.masked_json(json, is_readable).as_deref(), Some(expected));
        assert_eq!(named.masked_json(r#"{"method": "psi"}"#, is_readable), None);
    }

    #[test]
    fn an_empty_text_names_nobody() {
        assert_eq!(Named::new("", &EntityKey::new("id")).masked("any text"), None);
    }

    #[test]
    fn a_name_alone_is_an_entity_whatever_it_is_made_of() {
        let masked = |entity: &str, name: &str| Named::new(entity, &EntityKey::new("id")).masked_name(name);
        assert_eq!(masked("12", "12").as_deref(), Some(MASK));
        assert_eq!(masked("ada", "token ada").as_deref(), Some("token (forgotten)"));
        assert_eq!(masked("12", "token 12"), None);
    }
}
