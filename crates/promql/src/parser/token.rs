//! The words of the language.

use streamflow_gotext::quote;

use crate::ast::{AggregateOp, BinaryOp};

/// A word and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    /// First byte.
    pub(super) start: usize,
    /// One past the last byte.
    pub(super) end: usize,
}

/// What a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    EndOfInput,
    Comma,
    Colon,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    /// `=`, which is no operator of expressions.
    Equal,
    EqualRegex,
    NotEqualRegex,
    At,
    Number,
    Duration,
    /// With its quotes.
    String,
    Identifier,
    /// A name with a colon.
    MetricIdentifier,
    Operator(BinaryOp),
    Aggregator(AggregateOp),
    Keyword(Keyword),
    /// A keyword that names a moment or a length of the query.
    Preprocessor(Preprocessor),
}

/// Words that are no operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    Anchored,
    Bool,
    By,
    Fill,
    FillLeft,
    FillRight,
    GroupLeft,
    GroupRight,
    Ignoring,
    Offset,
    On,
    Smoothed,
    Without,
}

/// `start()` and its like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Preprocessor {
    Start,
    End,
    Step,
    Range,
}

/// Words of any case that are not names. `inf` and `nan` are numbers.
const WORDS: &[(&str, TokenKind)] = &[
    ("and", TokenKind::Operator(BinaryOp::And)),
    ("or", TokenKind::Operator(BinaryOp::Or)),
    ("unless", TokenKind::Operator(BinaryOp::Unless)),
    ("atan2", TokenKind::Operator(BinaryOp::Atan2)),
    ("sum", TokenKind::Aggregator(AggregateOp::Sum)),
    ("avg", TokenKind::Aggregator(AggregateOp::Avg)),
    ("count", TokenKind::Aggregator(AggregateOp::Count)),
    ("min", TokenKind::Aggregator(AggregateOp::Min)),
    ("max", TokenKind::Aggregator(AggregateOp::Max)),
    ("group", TokenKind::Aggregator(AggregateOp::Group)),
    ("stddev", TokenKind::Aggregator(AggregateOp::Stddev)),
    ("stdvar", TokenKind::Aggregator(AggregateOp::Stdvar)),
    ("topk", TokenKind::Aggregator(AggregateOp::Topk)),
    ("bottomk", TokenKind::Aggregator(AggregateOp::Bottomk)),
    ("count_values", TokenKind::Aggregator(AggregateOp::CountValues)),
    ("quantile", TokenKind::Aggregator(AggregateOp::Quantile)),
    ("limitk", TokenKind::Aggregator(AggregateOp::Limitk)),
    ("limit_ratio", TokenKind::Aggregator(AggregateOp::LimitRatio)),
    ("anchored", TokenKind::Keyword(Keyword::Anchored)),
    ("bool", TokenKind::Keyword(Keyword::Bool)),
    ("by", TokenKind::Keyword(Keyword::By)),
    ("fill", TokenKind::Keyword(Keyword::Fill)),
    ("fill_left", TokenKind::Keyword(Keyword::FillLeft)),
    ("fill_right", TokenKind::Keyword(Keyword::FillRight)),
    ("group_left", TokenKind::Keyword(Keyword::GroupLeft)),
    ("group_right", TokenKind::Keyword(Keyword::GroupRight)),
    ("ignoring", TokenKind::Keyword(Keyword::Ignoring)),
    ("offset", TokenKind::Keyword(Keyword::Offset)),
    ("on", TokenKind::Keyword(Keyword::On)),
    ("smoothed", TokenKind::Keyword(Keyword::Smoothed)),
    ("without", TokenKind::Keyword(Keyword::Without)),
    ("start", TokenKind::Preprocessor(Preprocessor::Start)),
    ("end", TokenKind::Preprocessor(Preprocessor::End)),
    ("step", TokenKind::Preprocessor(Preprocessor::Step)),
    ("range", TokenKind::Preprocessor(Preprocessor::Range)),
    ("inf", TokenKind::Number),
    ("nan", TokenKind::Number),
];

/// What a word of letters, digits, underscores and colons is.
pub(super) fn word(text: &str) -> TokenKind {
    match WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)) {
        Some((_, kind)) => *kind,
        None if text.contains(':') => TokenKind::MetricIdentifier,
        None => TokenKind::Identifier,
    }
}

impl TokenKind {
    /// Tells whether it may stand for the name of a metric outside of braces.
    pub(super) fn is_metric_name(self) -> bool {
        match self {
            Self::Identifier | Self::MetricIdentifier | Self::Aggregator(_) | Self::Preprocessor(_) => true,
            Self::Operator(op) => matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Unless),
            Self::Keyword(keyword) => matches!(
                keyword,
                Keyword::By | Keyword::Offset | Keyword::Without | Keyword::Anchored | Keyword::Smoothed
            ),
            _ => false,
        }
    }

    /// Tells whether it may stand for a label in a list of labels. `without` may not, as in Prometheus.
    pub(super) fn is_label_name(self) -> bool {
        match self {
            Self::Identifier | Self::MetricIdentifier | Self::Aggregator(_) | Self::Preprocessor(_) => true,
            Self::Operator(op) => {
                matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Unless | BinaryOp::Atan2)
            }
            Self::Keyword(keyword) => keyword != Keyword::Without,
            _ => false,
        }
    }

    /// How an error names it: `identifier "foo"`, `<op:+>`, `end of input`.
    pub(super) fn describe(self, text: &str) -> String {
        match self {
            Self::EndOfInput => "end of input".to_owned(),
            Self::Identifier => format!("identifier {}", quote(text)),
            Self::MetricIdentifier => format!("metric identifier {}", quote(text)),
            Self::String => format!("string {}", shortened(text)),
            Self::Number => format!("number {}", shortened(text)),
            Self::Duration => format!("duration {}", shortened(text)),
            Self::Keyword(_) => format!("<{text}>"),
            Self::Aggregator(_) => format!("<aggr:{text}>"),
            Self::Operator(_) | Self::At | Self::EqualRegex | Self::NotEqualRegex => format!("<op:{text}>"),
            _ => quote(text),
        }
    }
}

/// Quoted, and cut after ten characters where it is longer than ten bytes.
fn shortened(text: &str) -> String {
    if text.len() <= 10 {
        return quote(text);
    }
    format!("{}...", quote(&text.chars().take(10).collect::<String>()))
}
