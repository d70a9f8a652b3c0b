//! Where the JSON of a body breaks off or goes wrong, and what was expected there.
//!
//! The position is FastAPI's, which is that of Python's `json` (in bytes): where the unexpected character is, or the end
//! of a body that ends too early.

/// The byte of the body, from 0, and what was expected.
pub fn fault(body: &[u8], error: &serde_json::Error) -> (usize, String) {
    if error.is_eof() {
        return (body.len(), format!("expected {}, found the end", expected_at_end(body)));
    }
    let at = byte_of(body, error);
    let reason = error.to_string();
    // Without serde's " at line 1 column 2", which the byte says better.
    let reason = reason.rsplit_once(" at line ").map_or(reason.as_str(), |(reason, _)| reason);
    let expected = match reason {
        "key must be a string" => "expected a name in double quotes",
        "expected value" => "expected a value",
        "expected ident" => "expected true, false or null",
        "trailing comma" => "expected another entry after the comma",
        "trailing characters" => "expected nothing after the value",
        other => other,
    };
    let rest = String::from_utf8_lossy(&body[at..(at + 4).min(body.len())]);
    let found = rest.chars().next().map_or_else(String::new, |found| format!(", found {found:?}"));
    (at, format!("{expected}{found}"))
}

/// The byte of the body at which serde says that it is wrong.
fn byte_of(body: &[u8], error: &serde_json::Error) -> usize {
    let lines = body.split_inclusive(|&byte| byte == b'\n').take(error.line().saturating_sub(1));
    (lines.map(<[u8]>::len).sum::<usize>() + error.column().saturating_sub(1)).min(body.len())
}

/// What a body that is sound up to its end lacks there.
fn expected_at_end(body: &[u8]) -> &'static str {
    let (mut open, mut last, mut names) = (Vec::new(), b' ', false);
    let mut bytes = body.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => continue,
            b'{' | b'[' => open.push(byte),
            b'}' | b']' => drop(open.pop()),
            b'"' => {
                names = open.last() == Some(&b'{') && matches!(last, b'{' | b',');
                loop {
                    match bytes.next() {
                        Some(b'"') => break,
                        Some(b'\\') => drop(bytes.next()),
                        Some(_) => {}
                        None => return "the closing quote of a string",
                    }
                }
            }
            _ => {}
        }
        last = byte;
    }
    match (open.last(), last) {
        (Some(b'{'), b'{') => "a name in double quotes or }",
        (Some(b'{'), b',') => "a name in double quotes",
        (Some(b'{'), b'"') if names => "a colon",
        (Some(b'['), b'[') => "a value or ]",
        (_, b':' | b',') => "a value",
        (Some(b'{'), b'"' | b'}' | b']' | b'0'..=b'9' | b'e' | b'l') => "a comma or }",
        (Some(b'['), b'"' | b'}' | b']' | b'0'..=b'9' | b'e' | b'l') => "a comma or ]",
        _ => "the rest of a value",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Positions are those of Python 3.11's `json.loads`, but for unclosed strings and cut words, where it names the start.
    #[test]
    fn the_place_and_what_was_expected_are_named() {
        for (body, at, expected) in [
            ("{", 1, "expected a name in double quotes or }, found the end"),
            ("{\"a\"", 4, "expected a colon, found the end"),
            ("{\"a\": ", 6, "expected a value, found the end"),
            ("{\"a\":1", 6, "expected a comma or }, found the end"),
            ("{\"a\":\"b\"", 8, "expected a comma or }, found the end"),
            ("{\"a\":1,", 7, "expected a name in double quotes, found the end"),
            ("[", 1, "expected a value or ], found the end"),
            ("[1", 2, "expected a comma or ], found the end"),
            ("[{\"a\":[true]},", 14, "expected a value, found the end"),
            ("{\"a\":\"b", 7, "expected the closing quote of a string, found the end"),
            ("{\"a\":\"b\\\"", 9, "expected the closing quote of a string, found the end"),
            ("{\"a\":tr", 7, "expected the rest of a value, found the end"),
            ("-", 1, "expected the rest of a value, found the end"),
            ("{a", 1, "expected a name in double quotes, found 'a'"),
            ("{'a':1}", 1, "expected a name in double quotes, found '\\''"),
            ("{\"a\" 1}", 5, "expected `:`, found '1'"),
            ("{\"a\":1 \"b\"}", 7, "expected `,` or `}`, found '\"'"),
            ("{\"a\":1,}", 7, "expected another entry after the comma, found '}'"),
            ("[1 2]", 3, "expected `,` or `]`, found '2'"),
            ("{\"user_id\": U0001}", 12, "expected a value, found 'U'"),
            ("{\"a\":1}}", 7, "expected nothing after the value, found '}'"),
            ("{\"a\":\n\u{e9}}", 6, "expected a value, found '\u{e9}'"),
        ] {
            let error = serde_json::from_str::<serde_json::Value>(body).unwrap_err();
            assert_eq!(fault(body.as_bytes(), &error), (at, expected.to_owned()), "{body}");
        }
    }
}
