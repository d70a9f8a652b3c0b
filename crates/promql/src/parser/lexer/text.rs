//! Quoted texts: how far they reach, and whether their escapes are well-formed.

use crate::error::Error;

use super::super::token::{Token, TokenKind};
use super::Lexer;

impl Lexer<'_> {
    /// A quoted text whose quote has been taken. Its escapes are well-formed afterwards.
    pub(super) fn string(&mut self, mark: char) -> Result<Token, Error> {
        loop {
            match self.next_char() {
                Some('\\') if mark != '`' => self.escape(mark)?,
                Some(c) if c == mark => return self.token(TokenKind::String),
                None if mark == '`' => return Err(self.error("unterminated raw string")),
                None => return Err(self.error("unterminated quoted string")),
                Some('\n') if mark != '`' => return Err(self.error("unterminated quoted string")),
                Some(_) => {}
            }
        }
    }

    /// What follows a backslash.
    fn escape(&mut self, mark: char) -> Result<(), Error> {
        const UNTERMINATED: &str = "escape sequence not terminated";
        let Some(c) = self.peek_char() else { return Err(self.error(UNTERMINATED)) };
        let (length, radix, max) = match c {
            'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\' => (0, 0, 0),
            _ if c == mark => (0, 0, 0),
            '0'..='7' => (3, 8, 0xff),
            'x' => (2, 16, 0xff),
            'u' => (4, 16, 0x0010_ffff),
            'U' => (8, 16, 0x0010_ffff),
            _ => return Err(self.error(&format!("unknown escape sequence {}", unicode_name(c)))),
        };
        if radix != 8 {
            self.next_char();
        }
        let mut code: u64 = 0;
        for _ in 0..length {
            let digit = self.next_char().ok_or_else(|| self.error(UNTERMINATED))?;
            let value = digit.to_digit(radix).ok_or_else(|| {
                self.error(&format!("illegal character {} in escape sequence", unicode_name(digit)))
            })?;
            code = code * u64::from(radix) + u64::from(value);
        }
        if length > 0 && (code > max || (0xd800..0xe000).contains(&code)) {
            return Err(self.error("escape sequence is an invalid Unicode code point"));
        }
        Ok(())
    }
}

/// Go's `%#U`: `U+007A 'z'`.
fn unicode_name(c: char) -> String {
    let code = u32::from(c);
    if c.is_control() { format!("U+{code:04X}") } else { format!("U+{code:04X} '{c}'") }
}
