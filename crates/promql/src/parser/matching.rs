//! What stands between an operator and its right operand: `bool`, `on`, `ignoring`, `group_left`, `fill`; and lists of
//! labels.

use crate::ast::{Cardinality, ExprKind, Fill, Matching, Span};
use crate::error::Error;

use super::token::{Keyword, Token, TokenKind};
use super::{Parser, literal};

impl Parser<'_> {
    /// Tells whether `bool` stands there, and how series are matched.
    pub(super) fn operator_modifiers(&mut self) -> Result<(bool, Matching), Error> {
        let mut matching = Matching {
            card: Cardinality::OneToOne,
            on: false,
            labels: Vec::new(),
            include: Vec::new(),
            fill: Fill::default(),
        };
        let return_bool = self.eat(TokenKind::Keyword(Keyword::Bool))?.is_some();
        if let TokenKind::Keyword(word @ (Keyword::On | Keyword::Ignoring)) = self.peek()?.kind {
            self.next()?;
            matching.on = word == Keyword::On;
            matching.labels = self.labels()?;
            if let TokenKind::Keyword(word @ (Keyword::GroupLeft | Keyword::GroupRight)) = self.peek()?.kind {
                self.next()?;
                let left = word == Keyword::GroupLeft;
                matching.card = if left { Cardinality::ManyToOne } else { Cardinality::OneToMany };
                // A parenthesis is taken for the list of labels, never for the operand.
                let listed = self.peek()?.kind == TokenKind::LeftParen;
                if listed || !(self.begins_expression()? || self.begins_fill()?) {
                    matching.include = self.labels()?;
                }
            }
        }
        self.fills(&mut matching.fill)?;
        Ok((return_bool, matching))
    }

    /// `fill(0)`, or `fill_left(0)` and `fill_right(0)` in either order.
    fn fills(&mut self, fill: &mut Fill) -> Result<(), Error> {
        loop {
            let kind = self.peek()?.kind;
            let none = fill.left.is_none() && fill.right.is_none();
            match kind {
                TokenKind::Keyword(Keyword::Fill) if none => {
                    self.next()?;
                    let value = self.fill_value()?;
                    *fill = Fill { left: Some(value), right: Some(value) };
                }
                TokenKind::Keyword(Keyword::FillLeft) if fill.left.is_none() => {
                    self.next()?;
                    fill.left = Some(self.fill_value()?);
                }
                TokenKind::Keyword(Keyword::FillRight) if fill.right.is_none() => {
                    self.next()?;
                    fill.right = Some(self.fill_value()?);
                }
                _ => return Ok(()),
            }
        }
    }

    fn begins_fill(&mut self) -> Result<bool, Error> {
        let kind = self.peek()?.kind;
        Ok([Keyword::Fill, Keyword::FillLeft, Keyword::FillRight].map(TokenKind::Keyword).contains(&kind))
    }

    fn fill_value(&mut self) -> Result<f64, Error> {
        self.expect(TokenKind::LeftParen)?;
        let negative = self.sign()?.unwrap_or(false);
        if !matches!(self.peek()?.kind, TokenKind::Number | TokenKind::Duration) {
            return Err(self.unexpected_here());
        }
        let value = match self.number_or_duration()? {
            ExprKind::Number(value) | ExprKind::Duration(value) => value,
            _ => f64::NAN,
        };
        self.expect(TokenKind::RightParen)?;
        Ok(if negative { -value } else { value })
    }

    pub(super) fn check_fill(&self, matching: &Matching, span: Span) -> Result<(), Error> {
        let fills = matching.fill != Fill::default();
        if fills && !self.options.experimental {
            return Err(self.error(span, "binop fill modifiers are experimental and not enabled"));
        }
        Ok(())
    }

    /// `(a, "b.c")`, with or without a comma at its end.
    pub(super) fn labels(&mut self) -> Result<Vec<String>, Error> {
        const CONTEXT: &str = "grouping opts";
        if self.eat(TokenKind::LeftParen)?.is_none() {
            return Err(self.unexpected(CONTEXT, "\"(\""));
        }
        let mut labels = Vec::new();
        if self.eat(TokenKind::RightParen)?.is_some() {
            return Ok(labels);
        }
        loop {
            let token = self.peek()?;
            let Some(label) = self.label(token) else { return Err(self.unexpected(CONTEXT, "label")) };
            self.next()?;
            labels.push(label);
            let comma = self.eat(TokenKind::Comma)?.is_some();
            if self.eat(TokenKind::RightParen)?.is_some() {
                return Ok(labels);
            }
            if !comma {
                return Err(self.unexpected(CONTEXT, "\",\" or \")\""));
            }
        }
    }

    /// The name of a label, where this word may be one.
    fn label(&self, token: Token) -> Option<String> {
        match token.kind {
            TokenKind::String => {
                String::from_utf8(literal::unquote(self.text(token))).ok().filter(|name| !name.is_empty())
            }
            kind => kind.is_label_name().then(|| self.text(token).to_owned()),
        }
    }
}
