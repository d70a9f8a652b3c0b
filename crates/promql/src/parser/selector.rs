//! Selectors of series and what shifts their time.

use streamflow_gotext::fixed;
use streamflow_tsdb::{MatchOp, Matcher};

use crate::ast::{At, BinaryOp, Expr, ExprKind, Extended, Modifiers, Span, Subquery, VectorSelector};
use crate::error::Error;

use super::expression::is_moment;
use super::token::{Token, TokenKind};
use super::{Node, Parser, literal};

/// The label that carries the name of a metric.
const METRIC_NAME: &str = "__name__";

impl Parser<'_> {
    /// A selector whose name has been taken.
    pub(super) fn named_selector(&mut self, name: Token) -> Result<Node, Error> {
        let mut span = name.span();
        let mut matchers = Vec::new();
        if self.peek()?.kind == TokenKind::LeftBrace {
            (matchers, span.end) = self.braces()?;
        }
        let text = self.text(name).to_owned();
        matchers.push(self.matcher(METRIC_NAME.to_owned(), MatchOp::Equal, text.clone(), span)?);
        self.selector(Some(text), matchers, span)
    }

    /// `{…}` without a name before it.
    pub(super) fn braces_only(&mut self) -> Result<Node, Error> {
        let start = self.peek()?.start;
        let (matchers, end) = self.braces()?;
        self.selector(None, matchers, Span { start, end })
    }

    fn selector(&self, name: Option<String>, matchers: Vec<Matcher>, span: Span) -> Result<Node, Error> {
        let selector = VectorSelector { name, matchers, modifiers: Modifiers::default(), extended: None };
        self.node(ExprKind::Vector(selector), span, 0)
    }

    /// `{a="b", "c.d"=~"e", "metric"}` and where it ends; a comma may stand at its end.
    fn braces(&mut self) -> Result<(Vec<Matcher>, usize), Error> {
        self.expect(TokenKind::LeftBrace)?;
        let mut matchers = Vec::new();
        if let Some(close) = self.eat(TokenKind::RightBrace)? {
            return Ok((matchers, close.end));
        }
        loop {
            matchers.push(self.label_matcher()?);
            let comma = self.eat(TokenKind::Comma)?.is_some();
            if let Some(close) = self.eat(TokenKind::RightBrace)? {
                return Ok((matchers, close.end));
            }
            if !comma {
                return Err(self.unexpected("label matching", "\",\" or \"}\""));
            }
        }
    }

    fn label_matcher(&mut self) -> Result<Matcher, Error> {
        const CONTEXT: &str = "label matching";
        let name = self.peek()?;
        let quoted = name.kind == TokenKind::String;
        if !quoted && name.kind != TokenKind::Identifier {
            return Err(self.unexpected(CONTEXT, "identifier or \"}\""));
        }
        self.next()?;
        let name_text = if quoted { self.unquoted(name) } else { self.text(name).to_owned() };
        let op = match self.peek()?.kind {
            TokenKind::Equal => MatchOp::Equal,
            TokenKind::EqualRegex => MatchOp::Regex,
            TokenKind::NotEqualRegex => MatchOp::NotRegex,
            TokenKind::Operator(BinaryOp::Ne) => MatchOp::NotEqual,
            // A quoted text alone is the name of the metric.
            _ if quoted => {
                return self.matcher(METRIC_NAME.to_owned(), MatchOp::Equal, name_text, name.span());
            }
            _ => return Err(self.unexpected(CONTEXT, "label matching operator")),
        };
        self.next()?;
        let Some(value) = self.eat(TokenKind::String)? else {
            return Err(self.unexpected(CONTEXT, "string"));
        };
        let span = Span { start: name.start, end: value.end };
        self.matcher(name_text, op, self.unquoted(value), span)
    }

    fn unquoted(&self, token: Token) -> String {
        literal::text(self.text(token))
    }

    fn matcher(&self, name: String, op: MatchOp, value: String, span: Span) -> Result<Matcher, Error> {
        Matcher::new(name, op, value).map_err(|error| self.error(span, &error.to_string()))
    }

    /// `[5m]` or `[1h:5m]` after an expression.
    pub(super) fn range(&mut self, node: Node) -> Result<Node, Error> {
        const CONTEXT: &str = "subquery or range selector";
        let open = self.next()?;
        let range = self.positive_duration(CONTEXT, "number, duration, step(), or range()")?;
        if self.eat(TokenKind::Colon)?.is_some() {
            let step =
                match self.peek()?.kind {
                    TokenKind::RightBracket => None,
                    _ => Some(self.positive_duration(
                        "subquery selector",
                        "number, duration, step(), range(), or \"]\"",
                    )?),
                };
            let Some(close) = self.eat(TokenKind::RightBracket)? else {
                return Err(self.unexpected("subquery selector", "\"]\""));
            };
            let span = Span { start: node.expr.span.start, end: close.end };
            let subquery = Subquery { expr: node.expr, range, step, modifiers: Modifiers::default() };
            return self.node(ExprKind::Subquery(Box::new(subquery)), span, node.height);
        }
        let Some(close) = self.eat(TokenKind::RightBracket)? else {
            return Err(self.unexpected(CONTEXT, "\":\" or \"]\""));
        };
        let span = Span { start: node.expr.span.start, end: close.end };
        let brackets = Span { start: open.start, end: close.end };
        let ExprKind::Vector(selector) = node.expr.kind else {
            return Err(self.error(brackets, "ranges only allowed for vector selectors"));
        };
        let refusal = if selector.modifiers.offset.is_some() {
            "no offset modifiers allowed before range"
        } else if selector.modifiers.at.is_some() {
            "no @ modifiers allowed before range"
        } else if selector.extended.is_some() {
            "no anchored or smoothed modifiers allowed before range"
        } else {
            return self.node(ExprKind::Matrix { selector, range }, span, 0);
        };
        Err(self.error(brackets, refusal))
    }

    /// `offset 5m` after an expression.
    pub(super) fn offset(&mut self, expr: &mut Expr) -> Result<(), Error> {
        self.next()?;
        let (offset, end) = self.offset_duration()?;
        let span = expr.span;
        let Some(modifiers) = modifiers_mut(expr) else {
            let reason = "offset modifier must be preceded by an instant vector selector or range vector selector \
                          or a subquery";
            return Err(self.error(span, reason));
        };
        if modifiers.offset.is_some() {
            return Err(self.error(span, "offset may not be set multiple times"));
        }
        modifiers.offset = offset;
        expr.span.end = end;
        Ok(())
    }

    /// `@ 5` or `@ start()` after an expression.
    pub(super) fn at(&mut self, expr: &mut Expr) -> Result<(), Error> {
        const CONTEXT: &str = "@";
        const EXPECTED: &str = "timestamp";
        self.next()?;
        let span = expr.span;
        let token = self.peek()?;
        let (at, end) = if is_moment(token.kind) {
            let start = self.text(token).eq_ignore_ascii_case("start");
            self.next()?;
            if self.eat(TokenKind::LeftParen)?.is_none() {
                return Err(self.unexpected(CONTEXT, EXPECTED));
            }
            let Some(close) = self.eat(TokenKind::RightParen)? else {
                return Err(self.unexpected(CONTEXT, EXPECTED));
            };
            (if start { At::Start } else { At::End }, close.end)
        } else {
            let negative = self.sign()?.unwrap_or(false);
            let token = self.peek()?;
            if !matches!(token.kind, TokenKind::Number | TokenKind::Duration) {
                return Err(self.unexpected(CONTEXT, EXPECTED));
            }
            let kind = self.number_or_duration()?;
            (self.timestamp(&kind, negative, span)?, token.end)
        };
        let Some(modifiers) = modifiers_mut(expr) else {
            let reason = "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery";
            return Err(self.error(span, reason));
        };
        if modifiers.at.is_some() {
            return Err(self.error(span, "@ <timestamp> may not be set multiple times"));
        }
        modifiers.at = Some(at);
        expr.span.end = end;
        Ok(())
    }

    /// The moment of this number of seconds.
    fn timestamp(&self, kind: &ExprKind, negative: bool, span: Span) -> Result<At, Error> {
        let (ExprKind::Number(value) | ExprKind::Duration(value)) = kind else {
            return Err(self.error(span, "expected a number of seconds after @"));
        };
        let seconds = if negative { -value } else { *value };
        // 2^63, as Prometheus has it.
        const BOUND: f64 = 9_223_372_036_854_775_808.0;
        if !(seconds > -BOUND && seconds < BOUND) {
            let shown = fixed(seconds, Some(6));
            return Err(self.error(span, &format!("timestamp out of bounds for @ modifier: {shown}")));
        }
        #[allow(clippy::cast_possible_truncation, reason = "saturates at the ends of time")]
        Ok(At::Timestamp((seconds * 1000.0).round() as i64))
    }

    /// `anchored` or `smoothed` after an expression.
    pub(super) fn extended(&mut self, anchored: bool, expr: &mut Expr) -> Result<(), Error> {
        let end = self.next()?.end;
        let name = if anchored { "anchored" } else { "smoothed" };
        let span = expr.span;
        if !self.options.experimental {
            return Err(self.error(span, &format!("{name} modifier is experimental and not enabled")));
        }
        let selector = match &mut expr.kind {
            ExprKind::Vector(selector) | ExprKind::Matrix { selector, .. } => selector,
            ExprKind::Subquery(_) => {
                return Err(self.error(span, &format!("{name} modifier is not supported for subqueries")));
            }
            _ => return Err(self.error(span, &format!("{name} modifier not implemented"))),
        };
        let extended = if anchored { Extended::Anchored } else { Extended::Smoothed };
        if selector.extended.is_some_and(|other| other != extended) {
            return Err(self.error(span, "anchored and smoothed modifiers cannot be used together"));
        }
        selector.extended = Some(extended);
        expr.span.end = end;
        Ok(())
    }

    /// Takes a sign, where there is one; whether it is a minus.
    pub(super) fn sign(&mut self) -> Result<Option<bool>, Error> {
        match self.peek()?.kind {
            TokenKind::Operator(op @ (BinaryOp::Add | BinaryOp::Sub)) => {
                self.next()?;
                Ok(Some(op == BinaryOp::Sub))
            }
            _ => Ok(None),
        }
    }
}

/// The part of an expression that holds `offset` and `@`, if it may have them.
fn modifiers_mut(expr: &mut Expr) -> Option<&mut Modifiers> {
    match &mut expr.kind {
        ExprKind::Vector(selector) | ExprKind::Matrix { selector, .. } => Some(&mut selector.modifiers),
        ExprKind::Subquery(subquery) => Some(&mut subquery.modifiers),
        _ => None,
    }
}
