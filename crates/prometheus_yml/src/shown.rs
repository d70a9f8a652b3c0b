//! The configuration as it may be shown: the document's structure printed anew, with every secret replaced.
//!
//! The text itself is never edited: a quoted key, a folded value or a space before the colon would hide a secret from
//! whoever looks for it by lines.

use std::fmt::{self, Write as _};

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

/// What stands in the place of a secret, as in Prometheus.
const SECRET: &str = "<secret>";
/// A key with one of these words in its name holds a secret, unless it names a file.
const SECRET_WORDS: [&str; 8] =
    ["password", "secret", "token", "credentials", "api_key", "access_key", "private_key", "passphrase"];

/// A YAML document in its order.
enum Node {
    Map(Vec<(String, Node)>),
    List(Vec<Node>),
    Text(String),
    /// Numbers and truth values, as they are written, and nothing for null.
    Plain(String),
}

/// The YAML of a configuration without the values of its secrets: passwords, tokens, keys and headers by the names of
/// their keys, and the passwords and parameters of addresses. Comments are left out.
///
/// # Errors
/// Text that is no YAML.
pub fn without_secrets(yaml: &str) -> Result<String, String> {
    let document: Option<Node> =
        serde_saphyr::from_str(yaml).map_err(|error| error.without_snippet().to_string())?;
    let mut text = String::new();
    if let Some(document) = document {
        write(&mut text, &hide(document, false), 0);
    }
    Ok(text)
}

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let names_a_place = ["_file", "_ref", "_url"].iter().any(|end| key.ends_with(end));
    !names_a_place && (key == "key" || SECRET_WORDS.iter().any(|word| key.contains(word)))
}

/// The node with secrets replaced; all of its values when it is one.
fn hide(node: Node, is_hidden: bool) -> Node {
    match node {
        Node::Map(pairs) => {
            let pair = |(key, value): (String, Node)| {
                // Headers may hold a tenant's password under any name.
                let hidden = is_hidden || is_secret(&key) || key == "headers" || key == "http_headers";
                let value = hide(value, hidden);
                (key, value)
            };
            Node::Map(pairs.into_iter().map(pair).collect())
        }
        Node::List(entries) => Node::List(entries.into_iter().map(|entry| hide(entry, is_hidden)).collect()),
        Node::Text(_) | Node::Plain(_) if is_hidden => Node::Plain(SECRET.to_owned()),
        Node::Text(text) => Node::Text(address(&text).unwrap_or(text)),
        plain @ Node::Plain(_) => plain,
    }
}

/// An address without its password and the values of its parameters; none when the text is no address.
fn address(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    if scheme.is_empty() || !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let authority = match authority.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((name, _)) => format!("{name}:xxxxx@{host}"),
            None => format!("xxxxx@{host}"),
        },
        None => authority.to_owned(),
    };
    let path = match path.split_once('?') {
        Some((path, query)) => {
            let hidden = query.split('&').map(|pair| match pair.split_once('=') {
                Some((name, _)) => format!("{name}=xxxxx"),
                None => "xxxxx".to_owned(),
            });
            format!("{path}?{}", hidden.collect::<Vec<_>>().join("&"))
        }
        None => path.to_owned(),
    };
    Some(format!("{scheme}://{authority}{path}"))
}

/// Writes a node as the value of a key or an entry that stands `indent` deep.
fn write(text: &mut String, node: &Node, indent: usize) {
    let margin = " ".repeat(indent);
    match node {
        Node::Map(pairs) => {
            for (place, (key, value)) in pairs.iter().enumerate() {
                if place > 0 || text.is_empty() || text.ends_with('\n') {
                    text.push_str(&margin);
                }
                text.push_str(&scalar(key));
                text.push(':');
                write_value(text, value, indent);
            }
        }
        Node::List(entries) => {
            for entry in entries {
                text.push_str(&margin);
                text.push('-');
                match entry {
                    Node::Map(pairs) if !pairs.is_empty() => {
                        text.push(' ');
                        write(text, entry, indent + 2);
                    }
                    other => write_value(text, other, indent),
                }
            }
        }
        Node::Text(_) | Node::Plain(_) => write_value(text, node, indent),
    }
}

fn write_value(text: &mut String, value: &Node, indent: usize) {
    match value {
        Node::Map(pairs) if pairs.is_empty() => text.push_str(" {}\n"),
        Node::List(entries) if entries.is_empty() => text.push_str(" []\n"),
        Node::Map(_) => {
            text.push('\n');
            write(text, value, indent + 2);
        }
        Node::List(_) => {
            text.push('\n');
            write(text, value, indent);
        }
        Node::Text(string) => {
            let _ = writeln!(text, " {}", scalar(string));
        }
        Node::Plain(plain) if plain.is_empty() => text.push('\n'),
        Node::Plain(plain) => {
            let _ = writeln!(text, " {plain}");
        }
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

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a YAML value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Node::Map(pairs))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element()? {
            entries.push(entry);
        }
        Ok(Node::List(entries))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Plain(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Plain(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Plain(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Plain(value.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Plain(String::new()))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Plain(String::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let shown = without_secrets(yaml).unwrap();
        assert!(!shown.contains("SECRET") && !shown.contains("1234567"), "{shown}");
        insta::assert_snapshot!(shown);
        // What is shown is YAML of the same structure.
        assert_eq!(without_secrets(&shown).unwrap(), shown);
        assert_eq!(without_secrets("").unwrap(), "");
    }

    #[test]
    fn what_is_shown_reads_as_the_same_configuration() {
        let yaml = "scrape_configs:\n- job_name: \"a: b\"\n  scrape_interval: 5s\n  honor_labels: true\n  static_configs:\n  - targets: [\"h:1\", 'h:2']\n    labels: {n: \"1\", \"on\": \"yes\"}\n  relabel_configs:\n  - regex: 'a(.*)\\d'\n    target_label: x\n    replacement: '$1'\nrule_files: []\n";
        let read = |text: &str| crate::parse(text, std::path::Path::new("prometheus.yml")).unwrap().0;
        let shown = without_secrets(yaml).unwrap();
        assert_eq!(format!("{:?}", read(&shown)), format!("{:?}", read(yaml)), "{shown}");
    }
}
