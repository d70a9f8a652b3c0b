//! Numbers and durations: how far they reach. What they are worth, `literal` knows.

use streamflow_gotext::quote;

use crate::error::Error;

use super::super::token::{Token, TokenKind};
use super::{Lexer, is_alphanumeric};

impl Lexer<'_> {
    pub(super) fn digit_follows(&self) -> bool {
        self.peek_char().is_some_and(|c| c.is_ascii_digit())
    }

    /// A number or duration whose first character has been taken.
    pub(super) fn number_or_duration(&mut self) -> Result<Token, Error> {
        self.at = self.start;
        if self.scan_number() {
            return self.token(TokenKind::Number);
        }
        if self.scan_duration_units() {
            return self.token(TokenKind::Duration);
        }
        let text = quote(&self.query[self.start..self.at]);
        Err(self.error(&format!("bad number or duration syntax: {text}")))
    }

    /// Takes what looks like a number; whether it is one, the parser finds out. `false` where a letter follows, or
    /// what was taken cannot be one.
    fn scan_number(&mut self) -> bool {
        let mut digits = "0123456789";
        if self.accept("0") && self.accept("xX") {
            self.accept("_");
            digits = "0123456789abcdefABCDEF";
        }
        self.accept(".");
        self.accept(digits);
        let (mut dot, mut exponent) = (false, false);
        while let Some(c) = self.peek_char() {
            if digits.contains(c) {
                self.skip_while(|c| digits.contains(c));
            } else if c == '.' {
                self.next_char();
                // A fraction of a hexadecimal number is none of PromQL's.
                if dot || digits.len() > 10 || self.accept("_.") {
                    return false;
                }
                dot = true;
            } else if c == 'e' || c == 'E' {
                self.next_char();
                if exponent {
                    return false;
                }
                exponent = true;
                self.accept("+-");
                if self.peek_char().is_none() || self.accept("._eE") {
                    return false;
                }
            } else if c == '_' {
                self.next_char();
                if self.peek_char().is_none() || self.accept("._eE") {
                    return false;
                }
            } else {
                break;
            }
        }
        !self.peek_char().is_some_and(is_alphanumeric)
    }

    /// Takes the units (and further numbers) that follow a duration's first number.
    fn scan_duration_units(&mut self) -> bool {
        if !self.accept("smhdwy") {
            return false;
        }
        // For `ms`. Units such as `hs` are found when the duration is read.
        self.accept("s");
        while self.digit_follows() {
            self.skip_while(|c| c.is_ascii_digit());
            if !self.accept("smhdw") {
                return false;
            }
            self.accept("s");
        }
        // The character that makes it wrong is shown in the error.
        let wrong = self.peek_char().is_some_and(is_alphanumeric);
        if wrong {
            self.next_char();
        }
        !wrong
    }
}
