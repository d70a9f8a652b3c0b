//! A place in a body, and the tokens that both text formats share.

use std::borrow::Cow;

/// Why the bytes at a place are refused; the parser adds line and text.
pub(crate) type Fault = Cow<'static, str>;

const NAME_START: u8 = 1;
const COLON: u8 = 2;
const DIGIT: u8 = 4;

/// The class of every byte in names.
const CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        class[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => NAME_START,
            b':' => COLON,
            b'0'..=b'9' => DIGIT,
            _ => 0,
        };
        byte += 1;
    }
    class
};

/// A place in a body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scan<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
}

impl<'a> Scan<'a> {
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Steps over `byte` if it is next.
    pub fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Steps over `word` if it is next.
    pub fn take_word(&mut self, word: &[u8]) -> bool {
        let found = self.bytes[self.at..].starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    /// Steps over blanks and tabs and says whether there were any.
    pub fn skip_blanks(&mut self) -> bool {
        let start = self.at;
        self.take_while(|byte| byte == b' ' || byte == b'\t');
        self.at > start
    }

    pub fn take_while(&mut self, meant: impl Fn(u8) -> bool) -> &'a [u8] {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(|&byte| meant(byte)) {
            self.at += 1;
        }
        &self.bytes[start..self.at]
    }

    /// The rest of the line, without its end; the place is then behind that end.
    pub fn take_line(&mut self) -> &'a [u8] {
        let line = self.take_while(|byte| byte != b'\n');
        self.at += usize::from(self.at < self.bytes.len());
        line
    }

    /// A metric's name outside of quotes; empty when none is next.
    pub fn metric_name(&mut self) -> &'a [u8] {
        self.name(NAME_START | COLON)
    }

    /// A label's name outside of quotes; empty when none is next.
    pub fn label_name(&mut self) -> &'a [u8] {
        self.name(NAME_START)
    }

    fn name(&mut self, start: u8) -> &'a [u8] {
        match self.peek() {
            Some(byte) if CLASS[byte as usize] & start != 0 => {
                self.take_while(|byte| CLASS[byte as usize] & (start | DIGIT) != 0)
            }
            _ => &[],
        }
    }

    /// What is between the quotes that start here, escapes as written; `None` when the string does not end, or ends
    /// its line where `newlines` are not allowed.
    pub fn quoted(&mut self, newlines: bool) -> Option<&'a [u8]> {
        if !self.take(b'"') {
            return None;
        }
        let start = self.at;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(&self.bytes[start..self.at - 1]);
                }
                b'\\' if self.bytes.get(self.at + 1).is_none_or(|&byte| byte == b'\n') => return None,
                b'\\' => self.at += 2,
                b'\n' if !newlines => return None,
                _ => self.at += 1,
            }
        }
    }
}

/// `text` with `\\`, `\n` and, where they can stand, `\"` read; every other escape stays as it is.
pub(crate) fn unescape(text: &str, quotes: bool) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let mut behind = rest[at + 1..].chars();
        let read = match behind.next() {
            Some('\\') => Some('\\'),
            Some('n') => Some('\n'),
            Some('"') if quotes => Some('"'),
            _ => None,
        };
        out.push(read.unwrap_or('\\'));
        rest = if read.is_some() { behind.as_str() } else { &rest[at + 1..] };
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// `bytes` as text.
pub(crate) fn utf8<'a>(bytes: &'a [u8], what: &'static str) -> Result<&'a str, Fault> {
    str::from_utf8(bytes).map_err(|_| format!("{what} is not valid UTF-8").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        for (text, quotes, expected) in [
            ("plain", true, "plain"),
            (r#"a\\b\nc\"d"#, true, "a\\b\nc\"d"),
            (r#"a\\b\nc\"d"#, false, "a\\b\nc\\\"d"),
            (r"\x\\", true, "\\x\\"),
            (r"\\n", true, "\\n"),
            (r"ü\ü", true, "ü\\ü"),
            (r"end\", true, "end\\"),
        ] {
            assert_eq!(unescape(text, quotes), expected, "{text}");
        }
    }

    #[test]
    fn quoted_strings() {
        for (text, newlines, expected) in [
            (r#""a"b"#, true, Some("a")),
            (r#""""#, true, Some("")),
            (r#""a\"b\\""#, true, Some(r#"a\"b\\"#)),
            ("\"a\nb\"", true, Some("a\nb")),
            ("\"a\nb\"", false, None),
            ("\"a\\\nb\"", true, None),
            ("\"a", true, None),
            ("\"a\\", true, None),
            ("a", true, None),
            ("", true, None),
        ] {
            let found = Scan { bytes: text.as_bytes(), at: 0 }.quoted(newlines);
            assert_eq!(found, expected.map(str::as_bytes), "{text}");
        }
    }
}
