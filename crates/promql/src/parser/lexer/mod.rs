//! Cuts a query into words, one at a time.
//!
//! What a character means depends on the brackets around it: keywords are names inside of braces, and inside of
//! square brackets there are durations and their arithmetic. Errors and their positions are Prometheus's.

mod number;
mod text;

use streamflow_gotext::quote_char;

use crate::ast::{BinaryOp, Span};
use crate::error::Error;

use super::position::parse_error;
use super::token::{Keyword, Preprocessor, Token, TokenKind, word};

/// The rest of a query.
pub(super) struct Lexer<'q> {
    query: &'q str,
    /// Position of the next character.
    at: usize,
    /// Position at which the current word begins.
    start: usize,
    paren_depth: usize,
    brace_open: bool,
    bracket_open: bool,
    /// Inside of square brackets: only durations, numbers and arithmetic are words.
    duration_state: bool,
    /// True if a colon was seen since the bracket opened.
    got_colon: bool,
    /// True if a number or duration was seen since the bracket opened.
    got_duration: bool,
}

/// Tells whether a name may begin with it.
fn is_alpha(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic()
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric()
}

pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

impl<'q> Lexer<'q> {
    pub(super) fn new(query: &'q str) -> Self {
        Self {
            query,
            at: 0,
            start: 0,
            paren_depth: 0,
            brace_open: false,
            bracket_open: false,
            duration_state: false,
            got_colon: false,
            got_duration: false,
        }
    }

    /// The next word; at the end of the query `EndOfInput`, any number of times.
    pub(super) fn next_token(&mut self) -> Result<Token, Error> {
        self.skip_blanks();
        self.start = self.at;
        let Some(c) = self.next_char() else { return self.end_of_input() };
        if self.brace_open {
            self.inside_braces(c)
        } else if self.duration_state {
            self.inside_brackets(c)
        } else {
            self.statement(c)
        }
    }

    fn peek_char(&self) -> Option<char> {
        self.query[self.at..].chars().next()
    }

    fn next_char(&mut self) -> Option<char> {
        let c = self.peek_char()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Takes the next character if it is one of these.
    fn accept(&mut self, set: &str) -> bool {
        let found = self.peek_char().is_some_and(|c| set.contains(c));
        if found {
            self.next_char();
        }
        found
    }

    fn skip_while(&mut self, accept: impl Fn(char) -> bool) {
        while self.peek_char().is_some_and(&accept) {
            self.next_char();
        }
    }

    /// Passes over white space and comments. A comment inside of a duration is an error, as in Prometheus.
    fn skip_blanks(&mut self) {
        loop {
            self.skip_while(is_space);
            if self.duration_state || self.peek_char() != Some('#') {
                return;
            }
            self.skip_while(|c| c != '\n' && c != '\r');
        }
    }

    fn token(&self, kind: TokenKind) -> Result<Token, Error> {
        Ok(Token { kind, start: self.start, end: self.at })
    }

    fn error(&self, reason: &str) -> Error {
        self.error_at(self.start, reason)
    }

    fn error_at(&self, start: usize, reason: &str) -> Error {
        parse_error(self.query, Span { start, end: self.query.len() }, reason)
    }

    fn end_of_input(&self) -> Result<Token, Error> {
        if self.brace_open {
            return Err(self.error("unexpected end of input inside braces"));
        }
        if self.duration_state {
            return Err(self.error("unexpected end of input in duration expression"));
        }
        if self.paren_depth != 0 {
            return Err(self.error("unclosed left parenthesis"));
        }
        if self.bracket_open {
            return Err(self.error("unclosed left bracket"));
        }
        self.token(TokenKind::EndOfInput)
    }

    /// A word outside of braces that begins with `c`.
    fn statement(&mut self, c: char) -> Result<Token, Error> {
        if let Some(kind) = self.punctuation(c)? {
            return self.token(kind);
        }
        match c {
            '0'..='9' | '.' if c != '.' || self.digit_follows() => self.number_or_duration(),
            '"' | '\'' | '`' => self.string(c),
            ':' if self.bracket_open => self.colon(),
            _ if self.bracket_open && is_alpha(c) => match self.duration_keyword() {
                Some(kind) => self.token(kind),
                None => Err(self.error(&format!("unexpected character: {}, expected ':'", quote_char(c)))),
            },
            _ if c == ':' || is_alpha(c) => self.name(),
            '{' => {
                self.brace_open = true;
                self.token(TokenKind::LeftBrace)
            }
            '[' if self.bracket_open => Err(self.error("unexpected left bracket '['")),
            '[' => {
                (self.bracket_open, self.duration_state) = (true, true);
                (self.got_colon, self.got_duration) = (false, false);
                self.token(TokenKind::LeftBracket)
            }
            _ => Err(self.error(&format!("unexpected character: {}", quote_char(c)))),
        }
    }

    /// Operators and closing brackets.
    fn punctuation(&mut self, c: char) -> Result<Option<TokenKind>, Error> {
        let kind = match c {
            ',' => TokenKind::Comma,
            '*' => TokenKind::Operator(BinaryOp::Mul),
            '/' => TokenKind::Operator(BinaryOp::Div),
            '%' => TokenKind::Operator(BinaryOp::Mod),
            '+' => TokenKind::Operator(BinaryOp::Add),
            '-' => TokenKind::Operator(BinaryOp::Sub),
            '^' => TokenKind::Operator(BinaryOp::Pow),
            '@' => TokenKind::At,
            '=' if self.peek_char() == Some('~') => {
                return Err(self.error("unexpected character after '=': '~'"));
            }
            '=' if self.accept("=") => TokenKind::Operator(BinaryOp::Eq),
            '=' => TokenKind::Equal,
            '!' if self.accept("=") => TokenKind::Operator(BinaryOp::Ne),
            '!' => {
                let next = quote_char(self.peek_char().unwrap_or(char::REPLACEMENT_CHARACTER));
                return Err(self.error(&format!("unexpected character after '!': {next}")));
            }
            '<' if self.accept("=") => TokenKind::Operator(BinaryOp::Le),
            '<' if self.accept("/") => TokenKind::Operator(BinaryOp::TrimUpper),
            '<' => TokenKind::Operator(BinaryOp::Lt),
            '>' if self.accept("=") => TokenKind::Operator(BinaryOp::Ge),
            '>' if self.accept("/") => TokenKind::Operator(BinaryOp::TrimLower),
            '>' => TokenKind::Operator(BinaryOp::Gt),
            '(' => {
                self.paren_depth += 1;
                TokenKind::LeftParen
            }
            ')' => {
                // Prometheus notices after the parenthesis, and says so.
                let reason = "unexpected right parenthesis ')'";
                self.paren_depth =
                    self.paren_depth.checked_sub(1).ok_or_else(|| self.error_at(self.at, reason))?;
                TokenKind::RightParen
            }
            ']' if self.bracket_open => {
                (self.bracket_open, self.duration_state) = (false, false);
                TokenKind::RightBracket
            }
            ']' => return Err(self.error("unexpected right bracket ']'")),
            _ => return Ok(None),
        };
        Ok(Some(kind))
    }

    /// A word of a duration that begins with `c`.
    fn inside_brackets(&mut self, c: char) -> Result<Token, Error> {
        if "+-*/%^(),]".contains(c) {
            let kind = self.punctuation(c)?.expect("each of these is punctuation");
            return self.token(kind);
        }
        match c {
            ':' if !self.got_duration => {
                Err(self.error_at(self.at, "unexpected colon before duration in duration expression"))
            }
            ':' => self.colon(),
            '0'..='9' | '.' if c != '.' || self.digit_follows() => {
                (self.got_duration, self.duration_state) = (true, false);
                self.number_or_duration()
            }
            _ => {
                let keyword = if is_alpha(c) { self.duration_keyword() } else { None };
                let Some(kind) = keyword else {
                    let c = quote_char(c);
                    return Err(self.error(&format!("unexpected character in duration expression: {c}")));
                };
                self.got_duration = true;
                self.token(kind)
            }
        }
    }

    fn colon(&mut self) -> Result<Token, Error> {
        if self.got_colon {
            return Err(self.error("unexpected colon ':'"));
        }
        self.got_colon = true;
        self.token(TokenKind::Colon)
    }

    /// `step`, `range`, `min_of` and the like; the first letter has been taken.
    fn duration_keyword(&mut self) -> Option<TokenKind> {
        self.skip_while(is_alphanumeric);
        let text = &self.query[self.start..self.at];
        match word(text) {
            kind @ TokenKind::Preprocessor(Preprocessor::Step | Preprocessor::Range) => Some(kind),
            _ if ["min", "max", "min_of", "max_of"].iter().any(|name| name.eq_ignore_ascii_case(text)) => {
                Some(TokenKind::Identifier)
            }
            _ => None,
        }
    }

    /// A word of a selector's braces that begins with `c`.
    fn inside_braces(&mut self, c: char) -> Result<Token, Error> {
        let kind = match c {
            _ if is_alpha(c) => {
                self.skip_while(is_alphanumeric);
                TokenKind::Identifier
            }
            ',' => TokenKind::Comma,
            '"' | '\'' | '`' => return self.string(c),
            '=' if self.accept("~") => TokenKind::EqualRegex,
            '=' => TokenKind::Equal,
            '!' if self.accept("~") => TokenKind::NotEqualRegex,
            '!' if self.accept("=") => TokenKind::Operator(BinaryOp::Ne),
            '!' => {
                let next = quote_char(self.peek_char().unwrap_or(char::REPLACEMENT_CHARACTER));
                return Err(self.error(&format!("unexpected character after '!' inside braces: {next}")));
            }
            '{' => return Err(self.error("unexpected left brace '{'")),
            '}' => {
                self.brace_open = false;
                TokenKind::RightBrace
            }
            _ => {
                let c = quote_char(c);
                return Err(self.error(&format!("unexpected character inside braces: {c}")));
            }
        };
        self.token(kind)
    }

    /// A name or keyword whose first letter has been taken.
    fn name(&mut self) -> Result<Token, Error> {
        self.skip_while(|c| c == ':' || is_alphanumeric(c));
        let kind = word(&self.query[self.start..self.at]);
        // So that metrics called `fill` still work, the words of filling are such only before a parenthesis.
        let fills = [Keyword::Fill, Keyword::FillLeft, Keyword::FillRight].map(TokenKind::Keyword);
        if fills.contains(&kind) && !self.query[self.at..].trim_start_matches(is_space).starts_with('(') {
            return self.token(TokenKind::Identifier);
        }
        self.token(kind)
    }
}
