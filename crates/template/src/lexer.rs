//! Tokens of a template: text outside `{{ }}`, words, literals and marks inside.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    LeftDelimiter,
    RightDelimiter,
    Space,
    /// `=`
    Assign,
    /// `:=`
    Declare,
    Pipe,
    LeftParenthesis,
    RightParenthesis,
    Bool,
    Char,
    Number,
    String,
    RawString,
    CharConstant,
    Dot,
    /// `.name`
    Field,
    /// `$` or `$name`
    Variable,
    Identifier,
    Keyword,
    /// The text is the message; nothing follows.
    Error,
    End,
}

/// A piece of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    /// Of its first byte.
    pub position: usize,
    pub text: String,
}

const KEYWORDS: &[&str] =
    &["block", "break", "continue", "define", "else", "end", "if", "nil", "range", "template", "with"];

/// All tokens up to the end or the first error; the last one is of kind `End` or `Error`.
pub fn tokens(template: &str) -> Vec<Token> {
    let mut lexer = Lexer { text: template, position: 0, tokens: Vec::new(), parentheses: 0 };
    match lexer.run() {
        Ok(()) => lexer.push(Kind::End, template.len(), String::new()),
        Err(message) => lexer.push(Kind::Error, lexer.position.min(template.len()), message),
    }
    lexer.tokens
}

struct Lexer<'t> {
    text: &'t str,
    position: usize,
    tokens: Vec<Token>,
    parentheses: usize,
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphabetic() || c.is_numeric()
}

/// Whether this begins with the `-` and space that trim the text before.
fn trims_left(rest: &str) -> bool {
    rest.starts_with('-') && rest[1..].starts_with(is_space)
}

/// Whether this is a space and `-` before the closing braces.
fn trims_right(rest: &str) -> bool {
    rest.starts_with(is_space) && rest[1..].starts_with("-}}")
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.position..]
    }

    fn push(&mut self, kind: Kind, position: usize, text: String) {
        self.tokens.push(Token { kind, position, text });
    }

    /// A token of the next `length` bytes.
    fn take(&mut self, kind: Kind, length: usize) {
        let (start, end) = (self.position, self.position + length);
        self.push(kind, start, self.text[start..end].to_owned());
        self.position = end;
    }

    fn skip_space(&mut self) {
        self.position += self.rest().len() - self.rest().trim_start_matches(is_space).len();
    }

    fn run(&mut self) -> Result<(), String> {
        loop {
            let found = self.rest().find("{{");
            let text = &self.rest()[..found.unwrap_or(self.rest().len())];
            let trimmed = match found {
                Some(at) if trims_left(&self.rest()[at + 2..]) => text.trim_end_matches(is_space),
                _ => text,
            };
            let (length, kept) = (text.len(), trimmed.to_owned());
            if !kept.is_empty() {
                self.push(Kind::Text, self.position, kept);
            }
            self.position += length;
            if found.is_none() {
                return Ok(());
            }
            self.left_delimiter()?;
        }
    }

    fn left_delimiter(&mut self) -> Result<(), String> {
        let start = self.position;
        self.position += 2;
        if trims_left(self.rest()) {
            self.position += 2;
        }
        if self.rest().starts_with("/*") {
            return self.comment();
        }
        self.push(Kind::LeftDelimiter, start, "{{".to_owned());
        self.parentheses = 0;
        while !self.right_delimiter()? {
            self.inside()?;
        }
        Ok(())
    }

    fn comment(&mut self) -> Result<(), String> {
        let Some(end) = self.rest().find("*/") else { return Err("unclosed comment".to_owned()) };
        self.position += end + 2;
        if self.skip_right_delimiter() {
            Ok(())
        } else {
            Err("comment ends before closing delimiter".to_owned())
        }
    }

    /// Skips `}}`, and with a trim mark the space after it; false where there is none.
    fn skip_right_delimiter(&mut self) -> bool {
        if trims_right(self.rest()) {
            self.position += 4;
            self.skip_space();
            true
        } else if self.rest().starts_with("}}") {
            self.position += 2;
            true
        } else {
            false
        }
    }

    fn right_delimiter(&mut self) -> Result<bool, String> {
        let start = self.position;
        if !self.skip_right_delimiter() {
            return Ok(false);
        }
        if self.parentheses > 0 {
            return Err("unclosed left paren".to_owned());
        }
        self.push(Kind::RightDelimiter, start, "}}".to_owned());
        Ok(true)
    }

    fn inside(&mut self) -> Result<(), String> {
        let Some(c) = self.rest().chars().next() else { return Err("unclosed action".to_owned()) };
        let second = self.rest()[c.len_utf8()..].chars().next();
        match c {
            _ if is_space(c) => self.space(),
            '=' => self.take(Kind::Assign, 1),
            ':' if second == Some('=') => self.take(Kind::Declare, 2),
            ':' => return Err("expected :=".to_owned()),
            '|' => self.take(Kind::Pipe, 1),
            '"' => self.quoted('"', Kind::String, "unterminated quoted string")?,
            '\'' => self.quoted('\'', Kind::CharConstant, "unterminated character constant")?,
            '`' => {
                let length = self.rest()[1..].find('`').ok_or("unterminated raw quoted string")?;
                self.take(Kind::RawString, length + 2);
            }
            '$' => self.word(Kind::Variable)?,
            '.' if !second.is_some_and(|c| c.is_ascii_digit()) => self.word(Kind::Field)?,
            '.' | '+' | '-' | '0'..='9' => self.number()?,
            '(' => {
                self.parentheses += 1;
                self.take(Kind::LeftParenthesis, 1);
            }
            ')' if self.parentheses == 0 => return Err("unexpected right paren".to_owned()),
            ')' => {
                self.parentheses -= 1;
                self.take(Kind::RightParenthesis, 1);
            }
            _ if is_word(c) => self.word(Kind::Identifier)?,
            '!'..='~' => self.take(Kind::Char, 1),
            _ => return Err(format!("unrecognized character in action: {c:?}")),
        }
        Ok(())
    }

    /// Space up to the next token; the one before a trim mark belongs to the mark.
    fn space(&mut self) {
        let length = self.rest().len() - self.rest().trim_start_matches(is_space).len();
        let marked = self.rest()[length..].starts_with("-}}");
        match length - usize::from(marked) {
            0 => {}
            length => self.take(Kind::Space, length),
        }
    }

    fn quoted(&mut self, quote: char, kind: Kind, unterminated: &str) -> Result<(), String> {
        let mut escaped = false;
        for (at, c) in self.rest().char_indices().skip(1) {
            match c {
                '\n' => break,
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                _ if c == quote => {
                    self.take(kind, at + 1);
                    return Ok(());
                }
                _ => {}
            }
        }
        Err(unterminated.to_owned())
    }

    /// `$name`, `.name` or `name`, and what must follow one.
    fn word(&mut self, kind: Kind) -> Result<(), String> {
        let mark = usize::from(kind != Kind::Identifier);
        let rest = &self.rest()[mark..];
        let length = mark + rest.len() - rest.trim_start_matches(is_word).len();
        let after = &self.rest()[length..];
        let ends = after.is_empty()
            || after.starts_with("}}")
            || after.starts_with(|c| is_space(c) || matches!(c, '.' | ',' | '|' | ':' | ')' | '('));
        if !ends {
            let c = after.chars().next().unwrap_or_default();
            return Err(format!("bad character {c:?}"));
        }
        let kind = match &self.rest()[..length] {
            "." => Kind::Dot,
            "true" | "false" => Kind::Bool,
            word if kind == Kind::Identifier && KEYWORDS.contains(&word) => Kind::Keyword,
            _ => kind,
        };
        self.take(kind, length);
        Ok(())
    }

    fn number(&mut self) -> Result<(), String> {
        let rest = self.rest();
        let unsigned = rest.trim_start_matches(['+', '-']);
        let sign = rest.len() - unsigned.len();
        let prefix = unsigned.get(..2).unwrap_or_default().to_ascii_lowercase();
        let (digits, exponent): (fn(char) -> bool, &[char]) = match prefix.as_str() {
            "0x" => (|c| c.is_ascii_hexdigit() || c == '_', &['p', 'P']),
            "0o" => (|c| matches!(c, '0'..='7' | '_'), &[]),
            "0b" => (|c| matches!(c, '0' | '1' | '_'), &[]),
            _ => (|c| c.is_ascii_digit() || c == '_', &['e', 'E']),
        };
        let mut end = sign + if matches!(prefix.as_str(), "0x" | "0o" | "0b") { 2 } else { 0 };
        let skip = |end: usize| rest.len() - rest[end..].trim_start_matches(digits).len();
        end = skip(end);
        if rest[end..].starts_with('.') {
            end = skip(end + 1);
        }
        if rest[end..].starts_with(exponent) {
            end += 1;
            end += usize::from(rest[end..].starts_with(['+', '-']));
            end = rest.len() - rest[end..].trim_start_matches(|c: char| c.is_ascii_digit() || c == '_').len();
        }
        let word = rest[end..].chars().take_while(|&c| is_word(c)).map(char::len_utf8).sum::<usize>();
        if sign > 1 || word > 0 {
            return Err(format!("bad number syntax: {:?}", &rest[..end + word]));
        }
        self.take(Kind::Number, end);
        Ok(())
    }
}
