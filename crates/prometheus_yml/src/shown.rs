//! The configuration as it may be shown: the document's structure printed anew, with every secret replaced.
//!
//! The text itself is never edited: a quoted key, a folded value or a space before the colon would hide a secret from
//! whoever looks for it by lines.

use std::fmt::Write as _;

use crate::yaml::Tree;

/// What stands in the place of a secret, as in Prometheus.
const SECRET: &str = "<secret>";
/// A key with one of these words in its name holds a secret, unless it names a file.
const SECRET_WORDS: [&str; 8] =
    ["password", "secret", "token", "credentials", "api_key", "access_key", "private_key", "passphrase"];

/// The YAML of a document without the values of its secrets: passwords, tokens, keys and headers by the names of their
/// keys, and what `address` leaves out of addresses; it gives none for a text that is no address. Comments are left out.
pub(crate) fn without_secrets(document: &Tree, address: &dyn Fn(&str) -> Option<String>) -> String {
    let mut printer = Printer { text: String::new(), address };
    printer.write(document, Place { indent: 0, is_hidden: false });
    printer.text
}

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let names_a_place = ["_file", "_ref", "_url"].iter().any(|end| key.ends_with(end));
    !names_a_place && (key == "key" || SECRET_WORDS.iter().any(|word| key.contains(word)))
}

/// Whether the values under a key are secret; headers may hold a tenant's password under any name.
fn hides(key: &str) -> bool {
    is_secret(key) || key == "headers" || key == "http_headers"
}

struct Printer<'a> {
    text: String,
    address: &'a dyn Fn(&str) -> Option<String>,
}

/// Where a node stands.
#[derive(Clone, Copy)]
struct Place {
    indent: usize,
    is_hidden: bool,
}

impl Place {
    fn deeper(self) -> Place {
        Place { indent: self.indent + 2, ..self }
    }
}

impl Printer<'_> {
    /// Writes a node as the value of a key or an entry.
    fn write(&mut self, node: &Tree, place: Place) {
        let margin = " ".repeat(place.indent);
        match node {
            Tree::Map(pairs) => {
                for (number, (key, value)) in pairs.iter().enumerate() {
                    if number > 0 || self.text.is_empty() || self.text.ends_with('\n') {
                        self.text.push_str(&margin);
                    }
                    self.text.push_str(&scalar(&key.value));
                    self.text.push(':');
                    let is_hidden = place.is_hidden || hides(&key.value);
                    self.write_value(value, Place { is_hidden, ..place });
                }
            }
            Tree::List(entries) => {
                for entry in entries {
                    self.text.push_str(&margin);
                    self.text.push('-');
                    match entry {
                        Tree::Map(pairs) if !pairs.is_empty() => {
                            self.text.push(' ');
                            self.write(entry, place.deeper());
                        }
                        other => self.write_value(other, place),
                    }
                }
            }
            Tree::Text(_) | Tree::Plain(_) => self.write_value(node, place),
        }
    }

    fn write_value(&mut self, value: &Tree, place: Place) {
        let written = match value {
            Tree::Map(pairs) if pairs.is_empty() => "{}".to_owned(),
            Tree::List(entries) if entries.is_empty() => "[]".to_owned(),
            Tree::Map(_) => {
                self.text.push('\n');
                return self.write(value, place.deeper());
            }
            Tree::List(_) => {
                self.text.push('\n');
                return self.write(value, place);
            }
            Tree::Text(_) | Tree::Plain(_) if place.is_hidden => SECRET.to_owned(),
            Tree::Text(string) => {
                (self.address)(string).map_or_else(|| scalar(string), |shown| scalar(&shown))
            }
            Tree::Plain(plain) => plain.clone(),
        };
        let gap = if written.is_empty() { "" } else { " " };
        let _ = writeln!(self.text, "{gap}{written}");
    }
}

/// A string as YAML: bare where nothing else can be meant, else as a string of JSON, which is one of YAML too.
fn scalar(text: &str) -> String {
    let is_plain = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'/')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte))
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
            .contains(&text.to_ascii_lowercase().as_str());
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let is_duration = digits > 0 && ["ms", "s", "m", "h", "d", "w", "y"].contains(&&text[digits..]);
    let is_address = text.starts_with("http")
        && text.contains("://")
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"#'\"".contains(&byte));
    if is_plain || is_duration || is_address {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn shown(yaml: &str) -> String {
        let document: Option<Tree> = serde_saphyr::from_str(yaml).unwrap();
        let address = |text: &str| text.split_once("://").map(|(scheme, _)| format!("{scheme}://shown"));
        document.map_or_else(String::new, |document| without_secrets(&document, &address))
    }

    #[test]
    fn no_spelling_of_a_secret_is_shown() {
        let yaml = r#"
global: {scrape_interval: 15s, external_labels: {site: "no"}}
scrape_configs:
- job_name: flow
  basic_auth: {username: ada, password: SECRET1}
  params: {token: [SECRET2, SECRET3], module: [http]}
- "job_name": quoted
  basic_auth: {username: ada, "password": SECRET4, password_file: /run/p}
- job_name: folded
  authorization:
    credentials: >-
      SECRET5
- job_name: spaced
  bearer_token : SECRET6
  tls_config: {key: "SECRET7", key_file: /run/key}
  oauth2: {client_id: me, client_secret: 1234567, token_url: "https://idp/token?code=SECRET8&x"}
remote_write:
- url: http://bob:SECRET9@127.0.0.1:1/api/v1/push?key=SECRET10
  headers: {X-Scope: SECRET11}
  sigv4: {access_key: SECRET12, secret_key: SECRET13}
"#;
        let hidden = shown(yaml);
        assert!(!hidden.contains("SECRET") && !hidden.contains("1234567"), "{hidden}");
        insta::assert_snapshot!("no_spelling_of_a_secret_is_shown", hidden);
        // What is shown is YAML of the same structure.
        assert_eq!(shown(&hidden), hidden);
        assert_eq!(shown(""), "");
    }

    #[test]
    fn what_is_shown_reads_as_the_same_configuration() {
        let yaml = "scrape_configs:\n- job_name: \"a: b\"\n  scrape_interval: 5s\n  honor_labels: true\n  static_configs:\n  - targets: [\"h:1\", 'h:2']\n    labels: {n: \"1\", \"on\": \"yes\"}\n  relabel_configs:\n  - regex: 'a(.*)\\d'\n    target_label: x\n    replacement: '$1'\nrule_files: []\n";
        let read = |text: &str| crate::parse(text, Path::new("prometheus.yml")).unwrap().0;
        let shown = shown(yaml);
        assert_eq!(format!("{:?}", read(&shown)), format!("{:?}", read(yaml)), "{shown}");
    }
}
