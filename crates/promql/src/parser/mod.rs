//! Reads a query: words (`lexer`), a tree by operator precedence (`expression` and what it calls), types (`check`).
//!
//! Errors are Prometheus's, with its positions: the first in the order in which its parser would find them. Two bounds
//! are ours. A query has at most [`ParseOptions::max_bytes`] bytes. Its tree is at most [`ParseOptions::max_depth`]
//! nodes tall: parentheses, arguments and signs count, and so does each further operator of a chain such as `a + b + c`,
//! whose tree leans to the left. So everything that walks a tree, and dropping it, may recurse: the height bounds the
//! stack. Chains are read in a loop, in linear time.

mod call;
mod check;
mod duration;
mod expression;
mod lexer;
mod literal;
mod matching;
mod position;
mod selector;
mod token;

use streamflow_tsdb::Matcher;

use crate::ast::{Expr, ExprKind, Span, ValueType};
use crate::error::Error;

use lexer::Lexer;
pub use literal::answered;
pub(crate) use literal::{is_utf8, number, written};
use position::parse_error;
use token::{Token, TokenKind};

/// What a query may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseOptions {
    /// True if what Prometheus calls experimental is part of the language: some functions and aggregations, arithmetic
    /// of durations, `anchored` and `smoothed`, `fill`.
    pub experimental: bool,
    /// The most bytes of a query.
    pub max_bytes: usize,
    /// The most nodes from the root of the tree to a leaf.
    pub max_depth: usize,
}

impl Default for ParseOptions {
    fn default() -> Self {
        Self { experimental: false, max_bytes: 1 << 20, max_depth: 500 }
    }
}

/// Parses a query of the stable language.
///
/// # Errors
/// [`Error::Parse`] with position and reason.
pub fn parse(query: &str) -> Result<Expr, Error> {
    parse_with(query, &ParseOptions::default())
}

/// Parses a query.
///
/// # Errors
/// [`Error::Parse`] with position and reason. [`Error::Execution`] for a label of `count_values` that is not UTF-8,
/// which Prometheus too notices only when it evaluates.
pub fn parse_with(query: &str, options: &ParseOptions) -> Result<Expr, Error> {
    let mut parser = Parser::new(query, options)?;
    let mut expr = parser.whole()?;
    check::check(query, &mut expr)?;
    Ok(expr)
}

/// Parses a selector alone, without a range, an offset or `@`: what `match[]` of the HTTP API names. Unlike in a query
/// it may match every series.
///
/// # Errors
/// [`Error::Parse`] with position and reason.
pub fn parse_selector(text: &str) -> Result<Vec<Matcher>, Error> {
    let mut parser = Parser::new(text, &ParseOptions::default())?;
    let node = match parser.peek()?.kind {
        TokenKind::LeftBrace => parser.braces_only()?,
        kind if kind.is_metric_name() => {
            let name = parser.next()?;
            parser.named_selector(name)?
        }
        _ => return Err(parser.unexpected_here()),
    };
    match (parser.peek()?.kind, node.expr.kind) {
        (TokenKind::EndOfInput, ExprKind::Vector(selector)) => Ok(selector.matchers),
        _ => Err(parser.unexpected_here()),
    }
}

/// The state of reading one query.
struct Parser<'q> {
    query: &'q str,
    options: ParseOptions,
    lexer: Lexer<'q>,
    /// The next word, where it has been looked at. Words are read as late as Prometheus reads them, so that the same
    /// error comes first.
    peeked: Option<Token>,
    /// End of the word that was taken last.
    last_end: usize,
    /// How many expressions are being read, one inside of the other.
    depth: usize,
    /// How many of them are aggregations: an error that nothing else explains is then one "in aggregation".
    aggregations: usize,
}

/// An expression and how tall its tree is.
struct Node {
    expr: Expr,
    height: usize,
}

impl<'q> Parser<'q> {
    fn new(query: &'q str, options: &ParseOptions) -> Result<Self, Error> {
        if query.len() > options.max_bytes {
            let reason = format!("query has {} bytes, expected at most {}", query.len(), options.max_bytes);
            return Err(parse_error(query, Span::default(), &reason));
        }
        Ok(Self {
            query,
            options: *options,
            lexer: Lexer::new(query),
            peeked: None,
            last_end: 0,
            depth: 0,
            aggregations: 0,
        })
    }
}

impl Parser<'_> {
    fn whole(&mut self) -> Result<Expr, Error> {
        if self.peek()?.kind == TokenKind::EndOfInput {
            return Err(parse_error(self.query, Span::default(), "no expression found in input"));
        }
        let node = self.expression(0)?;
        match self.peek()?.kind {
            TokenKind::EndOfInput => Ok(node.expr),
            _ => Err(self.unexpected_here()),
        }
    }

    fn peek(&mut self) -> Result<Token, Error> {
        match self.peeked {
            Some(token) => Ok(token),
            None => Ok(*self.peeked.insert(self.lexer.next_token()?)),
        }
    }

    fn next(&mut self) -> Result<Token, Error> {
        let token = self.peek()?;
        self.peeked = None;
        self.last_end = token.end;
        Ok(token)
    }

    /// Takes the next word if it is this one.
    fn eat(&mut self, kind: TokenKind) -> Result<Option<Token>, Error> {
        if self.peek()?.kind == kind { self.next().map(Some) } else { Ok(None) }
    }

    fn text(&self, token: Token) -> &str {
        &self.query[token.start..token.end]
    }

    fn error(&self, span: Span, reason: &str) -> Error {
        parse_error(self.query, span, reason)
    }

    /// The next word is not what `context` wants.
    fn unexpected(&mut self, context: &str, expected: &str) -> Error {
        match self.peek() {
            Ok(token) => self.unexpected_token(token, context, expected),
            Err(error) => error,
        }
    }

    /// This word is not what `context` wants.
    fn unexpected_token(&self, token: Token, context: &str, expected: &str) -> Error {
        let mut reason = format!("unexpected {}", token.kind.describe(self.text(token)));
        if !context.is_empty() {
            reason.push_str(&format!(" in {context}"));
        }
        if !expected.is_empty() {
            reason.push_str(&format!(", expected {expected}"));
        }
        self.error(token.span(), &reason)
    }

    /// The next word has no place here.
    fn unexpected_here(&mut self) -> Error {
        let context = if self.aggregations > 0 { "aggregation" } else { "" };
        self.unexpected(context, "")
    }

    /// Takes this word, or says that the next has no place here.
    fn expect(&mut self, kind: TokenKind) -> Result<Token, Error> {
        match self.eat(kind)? {
            Some(token) => Ok(token),
            None => Err(self.unexpected_here()),
        }
    }

    /// A node above trees of which the tallest has this height.
    fn node(&self, kind: ExprKind, span: Span, below: usize) -> Result<Node, Error> {
        let height = below + 1;
        self.check_depth(height, span)?;
        Ok(Node { expr: Expr { kind, span }, height })
    }

    fn check_depth(&self, depth: usize, span: Span) -> Result<(), Error> {
        let most = self.options.max_depth;
        if depth <= most {
            return Ok(());
        }
        Err(self.error(span, &format!("expression is nested too deeply, expected at most {most} levels")))
    }
}

impl Token {
    fn span(self) -> Span {
        Span { start: self.start, end: self.end }
    }
}

impl ValueType {
    /// As errors name it: `instant vector`.
    #[must_use]
    pub fn documented(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::String => "string",
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
        }
    }
}

impl Expr {
    /// The type of its value. Cost: linear in the height of the tree.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match &self.kind {
            ExprKind::Number(_) | ExprKind::Duration(_) => ValueType::Scalar,
            ExprKind::String(_) => ValueType::String,
            ExprKind::Vector(_) | ExprKind::Aggregate(_) => ValueType::Vector,
            ExprKind::Matrix { .. } | ExprKind::Subquery(_) => ValueType::Matrix,
            ExprKind::Call { function, .. } => function.returns,
            ExprKind::Unary { operand, .. } => operand.value_type(),
            ExprKind::Paren(inner) => inner.value_type(),
            ExprKind::Binary(binary) => match (binary.lhs.value_type(), binary.rhs.value_type()) {
                (ValueType::Scalar, ValueType::Scalar) => ValueType::Scalar,
                _ => ValueType::Vector,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_stands_alone() {
        for (text, expected) in [
            ("up", Ok(1)),
            ("sum", Ok(1)),
            ("a:b{c=\"d\", e!~\"f\"}", Ok(3)),
            ("{}", Ok(0)),
            ("{\"my.metric\"}", Ok(1)),
            ("", Err("1:1: parse error: unexpected end of input")),
            ("(", Err("1:1: parse error: unexpected \"(\"")),
            ("up[5m]", Err("1:3: parse error: unexpected \"[\"")),
            ("sum(up)", Err("1:4: parse error: unexpected \"(\"")),
            ("up offset 5m", Err("1:4: parse error: unexpected <offset>")),
        ] {
            let found =
                parse_selector(text).map(|matchers| matchers.len()).map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned), "{text}");
        }
    }
}
