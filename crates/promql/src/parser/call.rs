//! Functions and aggregations.

use streamflow_gotext::{quote, quote_bytes};

use crate::ast::{Aggregate, AggregateOp, BinaryOp, Expr, ExprKind, Span};
use crate::error::Error;
use crate::function::Function;
use crate::functions;

use super::token::{Keyword, Token, TokenKind};
use super::{Node, Parser, literal};

/// Expressions between parentheses.
struct Arguments {
    exprs: Vec<Expr>,
    /// Height of the tallest.
    height: usize,
}

impl AggregateOp {
    /// Tells whether it has a parameter before its vector.
    #[must_use]
    pub fn has_param(self) -> bool {
        matches!(
            self,
            Self::Topk | Self::Bottomk | Self::CountValues | Self::Quantile | Self::Limitk | Self::LimitRatio
        )
    }

    /// Tells whether Prometheus calls it experimental.
    #[must_use]
    pub fn is_experimental(self) -> bool {
        matches!(self, Self::Limitk | Self::LimitRatio)
    }
}

impl Parser<'_> {
    /// A call of the function whose name has been taken.
    pub(super) fn call(&mut self, name: Token) -> Result<Node, Error> {
        let arguments = self.arguments()?;
        let function = self.function(name)?;
        let span = Span { start: name.start, end: self.last_end };
        self.node(ExprKind::Call { function, args: arguments.exprs }, span, arguments.height)
    }

    fn function(&self, name: Token) -> Result<&'static Function, Error> {
        let text = self.text(name);
        match functions::lookup(text) {
            None => Err(self.error(name.span(), &format!("unknown function with name {}", quote(text)))),
            Some(function) if function.experimental && !self.options.experimental => {
                Err(self.error(name.span(), &format!("function {} is not enabled", quote(text))))
            }
            Some(function) => Ok(function),
        }
    }

    fn arguments(&mut self) -> Result<Arguments, Error> {
        self.expect(TokenKind::LeftParen)?;
        let mut arguments = Arguments { exprs: Vec::new(), height: 0 };
        if self.eat(TokenKind::RightParen)?.is_some() {
            return Ok(arguments);
        }
        loop {
            let node = self.expression(0)?;
            arguments.height = arguments.height.max(node.height);
            arguments.exprs.push(node.expr);
            let Some(comma) = self.eat(TokenKind::Comma)? else { break };
            if !self.begins_expression()? {
                return Err(self.error(comma.span(), "trailing commas not allowed in function call args"));
            }
        }
        self.expect(TokenKind::RightParen)?;
        Ok(arguments)
    }

    /// Tells whether the next word may begin an expression.
    pub(super) fn begins_expression(&mut self) -> Result<bool, Error> {
        let kind = self.peek()?.kind;
        Ok(kind.is_metric_name()
            || matches!(
                kind,
                TokenKind::Number
                    | TokenKind::Duration
                    | TokenKind::String
                    | TokenKind::LeftParen
                    | TokenKind::LeftBrace
                    | TokenKind::Operator(BinaryOp::Add | BinaryOp::Sub)
            ))
    }

    /// An aggregation whose operator has been taken; `(`, `by` or `without` follows.
    pub(super) fn aggregate(&mut self, op: AggregateOp, name: Token) -> Result<Node, Error> {
        self.aggregations += 1;
        let before = self.grouping()?;
        let arguments = self.arguments()?;
        let grouping = match before {
            Some(grouping) => Some(grouping),
            None => self.grouping()?,
        };
        self.aggregations -= 1;
        let span = Span { start: name.start, end: self.last_end };
        let height = arguments.height;
        let aggregate = self.aggregation(op, arguments.exprs, grouping, span)?;
        self.node(ExprKind::Aggregate(Box::new(aggregate)), span, height)
    }

    /// `by (…)` or `without (…)`; `true` for the latter.
    fn grouping(&mut self) -> Result<Option<(bool, Vec<String>)>, Error> {
        let TokenKind::Keyword(word @ (Keyword::By | Keyword::Without)) = self.peek()?.kind else {
            return Ok(None);
        };
        self.next()?;
        Ok(Some((word == Keyword::Without, self.labels()?)))
    }

    fn aggregation(
        &self,
        op: AggregateOp,
        mut args: Vec<Expr>,
        grouping: Option<(bool, Vec<String>)>,
        span: Span,
    ) -> Result<Aggregate, Error> {
        if args.is_empty() {
            return Err(self.error(span, "no arguments for aggregate expression provided"));
        }
        if op.is_experimental() && !self.options.experimental {
            let reason = format!(
                "{op}() is experimental and must be enabled with --enable-feature=promql-experimental-functions"
            );
            return Err(self.error(span, &reason));
        }
        let wanted = if op.has_param() { 2 } else { 1 };
        let reason = format!(
            "wrong number of arguments for aggregate expression provided, expected {wanted}, got {}",
            args.len()
        );
        let (Some(expr), true) = (args.pop(), args.len() + 1 == wanted) else {
            return Err(self.error(span, &reason));
        };
        let param = args.pop();
        if let (AggregateOp::CountValues, Some(param)) = (op, &param) {
            self.check_label_is_utf8(param)?;
        }
        let (without, grouping) = grouping.unwrap_or_default();
        Ok(Aggregate { op, expr, param, without, grouping })
    }

    /// A text that is not UTF-8 is kept with replacement characters, which no series' label tells from the original;
    /// only as the name of a new label would it be taken for a valid one.
    fn check_label_is_utf8(&self, param: &Expr) -> Result<(), Error> {
        if !matches!(param.kind, ExprKind::String(_)) {
            return Ok(());
        }
        let bytes = literal::unquote(&self.query[param.span.start..param.span.end]);
        if std::str::from_utf8(&bytes).is_ok() {
            return Ok(());
        }
        Err(Error::Execution(format!("invalid label name {}", quote_bytes(&bytes))))
    }
}
