//! Lengths of time in brackets and after `offset`, and their arithmetic (experimental).

use crate::ast::{BinaryOp, DurationExpr, ExprKind, Span};
use crate::error::Error;

use super::Parser;
use super::token::{Preprocessor, TokenKind};

/// The most seconds that fit into 64 bits as nanoseconds.
const SECONDS_MAX: f64 = 9_223_372_036.854_775;
/// How tightly a sign binds, as in expressions.
const SIGN: u8 = 2;
const OFFSET_CONTEXT: &str = "offset";
const OFFSET_EXPECTED: &str = "number, duration, step(), or range()";

/// A length, where it stands and how tall its tree is.
struct Length {
    expr: DurationExpr,
    span: Span,
    height: usize,
}

/// What an error says about a word that has no place in a duration.
#[derive(Clone, Copy)]
struct Place {
    context: &'static str,
    expected: &'static str,
}

fn precedence(op: BinaryOp) -> Option<u8> {
    match op {
        BinaryOp::Add | BinaryOp::Sub => Some(1),
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod => Some(2),
        BinaryOp::Pow => Some(3),
        _ => None,
    }
}

impl Parser<'_> {
    /// A length in brackets. `context` and `expected` are for errors.
    pub(super) fn positive_duration(
        &mut self,
        context: &'static str,
        expected: &'static str,
    ) -> Result<DurationExpr, Error> {
        let length = self.duration(0, Place { context, expected })?;
        match length.expr {
            DurationExpr::Literal(_) | DurationExpr::Number(_) => {
                let ms = milliseconds(&length.expr);
                if ms <= 0 {
                    return Err(self.error(length.span, "duration must be greater than 0"));
                }
                Ok(DurationExpr::Literal(ms))
            }
            other => Ok(other),
        }
    }

    /// What follows `offset`: a length, no arithmetic outside of parentheses. `None` is no offset at all (`0s`); also
    /// where it ends.
    pub(super) fn offset_duration(&mut self) -> Result<(Option<DurationExpr>, usize), Error> {
        let place = Place { context: OFFSET_CONTEXT, expected: OFFSET_EXPECTED };
        let start = self.peek()?.start;
        let sign = self.sign()?;
        let length = self.single_duration(place)?;
        let length = self.signed_duration(sign, start, length)?;
        let end = length.span.end;
        Ok(match length.expr {
            leaf @ (DurationExpr::Literal(_) | DurationExpr::Number(_)) => {
                let ms = milliseconds(&leaf);
                ((ms != 0).then_some(DurationExpr::Literal(ms)), end)
            }
            other => (Some(other), end),
        })
    }

    /// A length of operators that bind more tightly than `floor`.
    fn duration(&mut self, floor: u8, place: Place) -> Result<Length, Error> {
        let token = self.peek()?;
        self.depth += 1;
        self.check_depth(self.depth, token.span())?;
        let mut lhs = match self.sign()? {
            None => self.single_duration(place)?,
            sign => {
                let operand = self.duration(SIGN, place)?;
                self.signed_duration(sign, token.start, operand)?
            }
        };
        while let TokenKind::Operator(op) = self.peek()?.kind {
            let Some(binds) = precedence(op).filter(|binds| *binds > floor) else { break };
            let operator = self.next()?;
            let floor = if op == BinaryOp::Pow { binds - 1 } else { binds };
            let rhs = self.duration(floor, place)?;
            self.check_experimental(lhs.span)?;
            self.check_divisor(op, &rhs.expr, operator.span())?;
            let span = Span { start: lhs.span.start, end: rhs.span.end };
            let height = lhs.height.max(rhs.height) + 1;
            self.check_depth(height, span)?;
            let operands = Box::new((lhs.expr, rhs.expr));
            lhs = Length { expr: DurationExpr::Binary { op, operands }, span, height };
        }
        self.depth -= 1;
        Ok(lhs)
    }

    fn signed_duration(&self, sign: Option<bool>, start: usize, length: Length) -> Result<Length, Error> {
        let Some(negative) = sign else { return Ok(length) };
        let span = Span { start, end: length.span.end };
        let height = length.height + 1;
        self.check_depth(height, span)?;
        let expr = match length.expr {
            other if !negative => other,
            DurationExpr::Literal(ms) => DurationExpr::Literal(-ms),
            DurationExpr::Number(seconds) => DurationExpr::Number(-seconds),
            other => DurationExpr::Negate(Box::new(other)),
        };
        Ok(Length { expr, span, height })
    }

    /// A number, a duration, `step()`, `range()`, `min_of(…)`, `max_of(…)` or parentheses.
    fn single_duration(&mut self, place: Place) -> Result<Length, Error> {
        let token = self.peek()?;
        let text = self.text(token).to_ascii_lowercase();
        match token.kind {
            TokenKind::Number | TokenKind::Duration => self.duration_literal(),
            TokenKind::Preprocessor(word @ (Preprocessor::Step | Preprocessor::Range)) => {
                self.next()?;
                self.expect_in(TokenKind::LeftParen, place)?;
                let close = self.expect_in(TokenKind::RightParen, place)?;
                let span = Span { start: token.start, end: close };
                self.check_experimental(span)?;
                let expr = if word == Preprocessor::Step { DurationExpr::Step } else { DurationExpr::Range };
                Ok(Length { expr, span, height: 1 })
            }
            TokenKind::LeftParen => {
                self.next()?;
                let inner = self.duration(0, place)?;
                let end = self.expect_in(TokenKind::RightParen, place)?;
                self.check_experimental(inner.span)?;
                let span = Span { start: token.start, end };
                let height = inner.height + 1;
                self.check_depth(height, span)?;
                Ok(Length { expr: DurationExpr::Paren(Box::new(inner.expr)), span, height })
            }
            _ if ["min", "max", "min_of", "max_of"].contains(&text.as_str()) => {
                self.next()?;
                self.expect_in(TokenKind::LeftParen, place)?;
                let first = self.duration(0, place)?;
                self.expect_in(TokenKind::Comma, place)?;
                let second = self.duration(0, place)?;
                let end = self.expect_in(TokenKind::RightParen, place)?;
                let span = Span { start: token.start, end };
                self.check_experimental(span)?;
                let height = first.height.max(second.height) + 1;
                self.check_depth(height, span)?;
                let operands = Box::new((first.expr, second.expr));
                let expr = DurationExpr::Extreme { is_max: text.starts_with("max"), operands };
                Ok(Length { expr, span, height })
            }
            _ => Err(self.unexpected(place.context, place.expected)),
        }
    }

    fn duration_literal(&mut self) -> Result<Length, Error> {
        let span = self.peek()?.span();
        let expr = match self.number_or_duration()? {
            ExprKind::Number(seconds) if seconds.abs() <= SECONDS_MAX => DurationExpr::Number(seconds),
            #[allow(
                clippy::cast_possible_truncation,
                reason = "whole milliseconds of less than 2^63 nanoseconds"
            )]
            ExprKind::Duration(seconds) => DurationExpr::Literal((seconds * 1000.0).round() as i64),
            _ => return Err(self.error(span, "duration out of range")),
        };
        Ok(Length { expr, span, height: 1 })
    }

    /// Takes this word; where it ends.
    fn expect_in(&mut self, kind: TokenKind, place: Place) -> Result<usize, Error> {
        match self.eat(kind)? {
            Some(token) => Ok(token.end),
            None => Err(self.unexpected(place.context, place.expected)),
        }
    }

    fn check_experimental(&self, span: Span) -> Result<(), Error> {
        if self.options.experimental {
            return Ok(());
        }
        Err(self.error(span, "experimental duration expression is not enabled"))
    }

    fn check_divisor(&self, op: BinaryOp, rhs: &DurationExpr, operator: Span) -> Result<(), Error> {
        let zero = match rhs {
            DurationExpr::Literal(ms) => *ms == 0,
            DurationExpr::Number(seconds) => *seconds == 0.0,
            _ => false,
        };
        match op {
            BinaryOp::Div if zero => Err(self.error(operator, "division by zero")),
            BinaryOp::Mod if zero => Err(self.error(operator, "modulo by zero")),
            _ => Ok(()),
        }
    }
}

/// The milliseconds of a literal or number; 0 for anything else.
#[allow(clippy::cast_possible_truncation, reason = "numbers are at most 2^63 nanoseconds")]
fn milliseconds(expr: &DurationExpr) -> i64 {
    match expr {
        DurationExpr::Literal(ms) => *ms,
        DurationExpr::Number(seconds) => (seconds * 1000.0).round() as i64,
        _ => 0,
    }
}
