//! Operators by precedence, signs, parentheses and what follows an operand: ranges, subqueries, `offset`, `@`.

use streamflow_gotext::parse_duration_ms;

use crate::ast::{Binary, BinaryOp, ExprKind, Span};
use crate::error::Error;

use super::token::{Keyword, Preprocessor, TokenKind};
use super::{Node, Parser, literal};

/// How tightly a sign binds: as multiplication does, so `-1 ^ 2` is `-(1 ^ 2)` and `-a * b` is `(-a) * b`.
const SIGN: u8 = 5;

/// How tightly an operator binds.
fn precedence(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Or => 1,
        BinaryOp::And | BinaryOp::Unless => 2,
        BinaryOp::Eq
        | BinaryOp::Ne
        | BinaryOp::Lt
        | BinaryOp::Le
        | BinaryOp::Gt
        | BinaryOp::Ge
        | BinaryOp::TrimUpper
        | BinaryOp::TrimLower => 3,
        BinaryOp::Add | BinaryOp::Sub => 4,
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod | BinaryOp::Atan2 => 5,
        BinaryOp::Pow => 6,
    }
}

impl Parser<'_> {
    /// An expression of operators that bind more tightly than `floor`.
    pub(super) fn expression(&mut self, floor: u8) -> Result<Node, Error> {
        let span = self.peek()?.span();
        self.depth += 1;
        self.check_depth(self.depth, span)?;
        let mut lhs = self.operand()?;
        while let TokenKind::Operator(op) = self.peek()?.kind {
            let binds = precedence(op);
            if binds <= floor {
                break;
            }
            self.next()?;
            lhs = self.binary(op, lhs)?;
        }
        self.depth -= 1;
        Ok(lhs)
    }

    /// The rest of `lhs op …`, whose operator has been taken.
    fn binary(&mut self, op: BinaryOp, lhs: Node) -> Result<Node, Error> {
        let (return_bool, matching) = self.operator_modifiers()?;
        // `^` is the one that groups to the right.
        let floor = if op == BinaryOp::Pow { precedence(op) - 1 } else { precedence(op) };
        let rhs = self.expression(floor)?;
        let span = Span { start: lhs.expr.span.start, end: rhs.expr.span.end };
        self.check_fill(&matching, span)?;
        let height = lhs.height.max(rhs.height);
        let matching = Some(matching);
        let binary = Binary { op, lhs: lhs.expr, rhs: rhs.expr, return_bool, matching };
        self.node(ExprKind::Binary(Box::new(binary)), span, height)
    }

    /// An operand with its signs, and what follows it.
    fn operand(&mut self) -> Result<Node, Error> {
        let token = self.peek()?;
        if let TokenKind::Operator(op @ (BinaryOp::Add | BinaryOp::Sub)) = token.kind {
            self.next()?;
            let operand = self.expression(SIGN)?;
            return self.signed(op == BinaryOp::Sub, token.start, operand);
        }
        let operand = self.primary()?;
        self.postfix(operand)
    }

    /// A sign before a number makes it a number.
    fn signed(&self, negative: bool, start: usize, mut operand: Node) -> Result<Node, Error> {
        let span = Span { start, end: operand.expr.span.end };
        if let ExprKind::Number(value) | ExprKind::Duration(value) = &mut operand.expr.kind {
            if negative {
                *value = -*value;
            }
            operand.expr.span = span;
            return Ok(operand);
        }
        let height = operand.height;
        self.node(ExprKind::Unary { negative, operand: Box::new(operand.expr) }, span, height)
    }

    fn primary(&mut self) -> Result<Node, Error> {
        let token = self.peek()?;
        match token.kind {
            TokenKind::Number | TokenKind::Duration => {
                let kind = self.number_or_duration()?;
                self.node(kind, token.span(), 0)
            }
            TokenKind::String => {
                self.next()?;
                let text = literal::text(self.text(token));
                self.node(ExprKind::String(text), token.span(), 0)
            }
            TokenKind::LeftParen => self.parenthesised(),
            TokenKind::LeftBrace => self.braces_only(),
            TokenKind::Aggregator(op) => {
                self.next()?;
                match self.peek()?.kind {
                    TokenKind::LeftParen | TokenKind::Keyword(Keyword::By | Keyword::Without) => {
                        self.aggregate(op, token)
                    }
                    _ => self.named_selector(token),
                }
            }
            kind if kind.is_metric_name() => {
                self.next()?;
                let callable = matches!(kind, TokenKind::Identifier | TokenKind::Preprocessor(_));
                if callable && self.peek()?.kind == TokenKind::LeftParen {
                    return self.call(token);
                }
                self.named_selector(token)
            }
            _ => Err(self.unexpected_here()),
        }
    }

    /// `5`, `5m`; the next word is one of them.
    pub(super) fn number_or_duration(&mut self) -> Result<ExprKind, Error> {
        let token = self.next()?;
        let text = self.text(token);
        if token.kind == TokenKind::Number {
            return literal::number(text)
                .map(ExprKind::Number)
                .map_err(|error| self.error(token.span(), &format!("error parsing number: {error}")));
        }
        #[allow(clippy::cast_precision_loss, reason = "at most 2^63 / 1e6 milliseconds")]
        parse_duration_ms(text)
            .map(|ms| ExprKind::Duration(ms as f64 / 1000.0))
            .map_err(|error| self.error(token.span(), &error.to_string()))
    }

    fn parenthesised(&mut self) -> Result<Node, Error> {
        let open = self.next()?;
        let inner = self.expression(0)?;
        let close = self.expect(TokenKind::RightParen)?;
        let span = Span { start: open.start, end: close.end };
        self.node(ExprKind::Paren(Box::new(inner.expr)), span, inner.height)
    }

    /// What follows an operand, any number of times.
    fn postfix(&mut self, mut node: Node) -> Result<Node, Error> {
        loop {
            match self.peek()?.kind {
                TokenKind::LeftBracket => node = self.range(node)?,
                TokenKind::Keyword(Keyword::Offset) => self.offset(&mut node.expr)?,
                TokenKind::At => self.at(&mut node.expr)?,
                TokenKind::Keyword(word @ (Keyword::Anchored | Keyword::Smoothed)) => {
                    self.extended(word == Keyword::Anchored, &mut node.expr)?;
                }
                _ => return Ok(node),
            }
        }
    }
}

/// `start` and `end` of `@`.
pub(super) fn is_moment(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::Preprocessor(Preprocessor::Start | Preprocessor::End))
}
