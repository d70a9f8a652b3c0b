//! A tree on one line, as Prometheus's `String()` has it.

use std::fmt::{Display, Formatter, Result};

use streamflow_gotext::{fixed, format_duration_ms};
use streamflow_tsdb::{MatchOp, Matcher};

use crate::ast::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Cardinality, DurationExpr, Expr, ExprKind, Extended, Fill,
    Matching, Modifiers, Subquery, ValueType, VectorSelector,
};
use crate::parser::written;

impl BinaryOp {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "^",
            Self::Atan2 => "atan2",
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::And => "and",
            Self::Or => "or",
            Self::Unless => "unless",
            Self::TrimUpper => "</",
            Self::TrimLower => ">/",
        }
    }
}

impl Display for BinaryOp {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(self.as_str())
    }
}

impl AggregateOp {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Count => "count",
            Self::Min => "min",
            Self::Max => "max",
            Self::Group => "group",
            Self::Stddev => "stddev",
            Self::Stdvar => "stdvar",
            Self::Topk => "topk",
            Self::Bottomk => "bottomk",
            Self::CountValues => "count_values",
            Self::Quantile => "quantile",
            Self::Limitk => "limitk",
            Self::LimitRatio => "limit_ratio",
        }
    }
}

impl Display for AggregateOp {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(self.as_str())
    }
}

impl Display for ValueType {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(self.documented())
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.kind {
            ExprKind::Number(value) => f.write_str(&fixed(*value, None)),
            ExprKind::Duration(seconds) => f.write_str(&format_duration_ms(milliseconds(*seconds))),
            ExprKind::String(text) => f.write_str(&written(text)),
            ExprKind::Vector(selector) => selector.fmt(f),
            ExprKind::Matrix { selector, range } => {
                write_series(selector, f)?;
                write!(f, "[{range}]")?;
                f.write_str(extended(selector.extended))?;
                selector.modifiers.fmt(f)
            }
            ExprKind::Subquery(subquery) => {
                subquery.expr.fmt(f)?;
                subquery.write_suffix(f)
            }
            ExprKind::Call { function, args } => {
                write!(f, "{}(", function.name)?;
                for (index, arg) in args.iter().enumerate() {
                    f.write_str(if index > 0 { ", " } else { "" })?;
                    arg.fmt(f)?;
                }
                f.write_str(")")
            }
            ExprKind::Aggregate(aggregate) => {
                aggregate.write_operator(f)?;
                f.write_str("(")?;
                if let Some(param) = &aggregate.param {
                    write!(f, "{param}, ")?;
                }
                write!(f, "{})", aggregate.expr)
            }
            ExprKind::Unary { negative, operand } => {
                write!(f, "{}{operand}", if *negative { "-" } else { "+" })
            }
            ExprKind::Binary(binary) => {
                if binary.is_power_of_infinity() {
                    f.write_str("Inf ")?;
                } else {
                    write!(f, "{} ", binary.lhs)?;
                }
                binary.write_operator(f)?;
                write!(f, " {}", binary.rhs)
            }
            ExprKind::Paren(inner) => write!(f, "({inner})"),
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "saturates; a duration that was parsed fits")]
fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}

/// Whether a label or metric of this name needs no quotes. `colon`: metrics may have colons.
fn is_plain_name(name: &str, colon: bool) -> bool {
    let letter = |c: char| c == '_' || c.is_ascii_alphabetic() || (colon && c == ':');
    name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit())
}

impl Aggregate {
    /// `sum by (a, b) `, up to its parenthesis.
    pub(super) fn write_operator(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(self.op.as_str())?;
        let word = match (self.without, self.grouping.is_empty()) {
            (true, _) => "without",
            (false, false) => "by",
            (false, true) => return Ok(()),
        };
        write!(f, " {word} ")?;
        write_labels(&self.grouping, f)?;
        f.write_str(" ")
    }
}

/// `(a, "b.c")`
fn write_labels(labels: &[String], f: &mut Formatter<'_>) -> Result {
    f.write_str("(")?;
    for (index, label) in labels.iter().enumerate() {
        f.write_str(if index > 0 { ", " } else { "" })?;
        write_name(label, f)?;
    }
    f.write_str(")")
}

fn write_name(name: &str, f: &mut Formatter<'_>) -> Result {
    f.write_str(if is_plain_name(name, false) { name.to_owned() } else { written(name) }.as_str())
}

impl Binary {
    /// Tells whether the left operand has to be printed as `Inf`: Prometheus prints `+Inf`, which before `^` is read
    /// as a sign before the power.
    pub(super) fn is_power_of_infinity(&self) -> bool {
        self.op == BinaryOp::Pow && self.lhs.kind == ExprKind::Number(f64::INFINITY)
    }

    /// `== bool on (a) group_left (b)`
    pub(super) fn write_operator(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(self.op.as_str())?;
        if self.return_bool {
            f.write_str(" bool")?;
        }
        self.matching.as_ref().map_or(Ok(()), |matching| matching.fmt(f))
    }
}

impl Display for Matching {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let group = match self.card {
            Cardinality::ManyToOne => Some("left"),
            Cardinality::OneToMany => Some("right"),
            Cardinality::OneToOne | Cardinality::ManyToMany => None,
        };
        if self.on || !self.labels.is_empty() || group.is_some() {
            f.write_str(if self.on { " on " } else { " ignoring " })?;
            write_labels(&self.labels, f)?;
        }
        if let Some(side) = group {
            write!(f, " group_{side} ")?;
            write_labels(&self.include, f)?;
        }
        self.fill.fmt(f)
    }
}

impl Display for Fill {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match (self.left, self.right) {
            (Some(left), Some(right)) if left.to_bits() == right.to_bits() => {
                write!(f, " fill ({})", fixed(left, None))
            }
            (left, right) => {
                if let Some(left) = left {
                    write!(f, " fill_left ({})", fixed(left, None))?;
                }
                right.map_or(Ok(()), |right| write!(f, " fill_right ({})", fixed(right, None)))
            }
        }
    }
}

impl Subquery {
    /// `[1h:5m] @ 10.000 offset 5m`
    pub(super) fn write_suffix(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "[{}:", self.range)?;
        if let Some(step) = &self.step {
            step.fmt(f)?;
        }
        write!(f, "]{}", self.modifiers)
    }
}

fn extended(extended: Option<Extended>) -> &'static str {
    match extended {
        Some(Extended::Anchored) => " anchored",
        Some(Extended::Smoothed) => " smoothed",
        None => "",
    }
}

impl Display for VectorSelector {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write_series(self, f)?;
        // Prometheus puts `anchored` between `@` and `offset` here, and before both after a range.
        write_at(self.modifiers.at, f)?;
        f.write_str(extended(self.extended))?;
        write_offset(self.modifiers.offset.as_ref(), f)
    }
}

/// Name and matchers, these by their text.
fn write_series(selector: &VectorSelector, f: &mut Formatter<'_>) -> Result {
    let name = selector.name.as_deref().unwrap_or_default();
    f.write_str(name)?;
    let is_name = |matcher: &&Matcher| {
        matcher.name() == "__name__"
            && matcher.op() == MatchOp::Equal
            && matcher.value() == name
            && !name.is_empty()
    };
    let mut matchers: Vec<String> =
        selector.matchers.iter().filter(|matcher| !is_name(matcher)).map(matcher_text).collect();
    if matchers.is_empty() {
        // Only the argument of `info` may be without matchers.
        return f.write_str(if name.is_empty() { "{}" } else { "" });
    }
    matchers.sort_unstable();
    write!(f, "{{{}}}", matchers.join(","))
}

fn matcher_text(matcher: &Matcher) -> String {
    let op = match matcher.op() {
        MatchOp::Equal => "=",
        MatchOp::NotEqual => "!=",
        MatchOp::Regex => "=~",
        MatchOp::NotRegex => "!~",
    };
    let name = matcher.name();
    let name = if is_plain_name(name, false) { name.to_owned() } else { written(name) };
    format!("{name}{op}{}", written(matcher.value()))
}

impl Display for Modifiers {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write_at(self.at, f)?;
        write_offset(self.offset.as_ref(), f)
    }
}

fn write_at(at: Option<At>, f: &mut Formatter<'_>) -> Result {
    match at {
        None => Ok(()),
        Some(At::Start) => f.write_str(" @ start()"),
        Some(At::End) => f.write_str(" @ end()"),
        Some(At::Timestamp(ms)) => {
            let (sign, ms) = (if ms < 0 { "-" } else { "" }, ms.unsigned_abs());
            write!(f, " @ {sign}{}.{:03}", ms / 1000, ms % 1000)
        }
    }
}

fn write_offset(offset: Option<&DurationExpr>, f: &mut Formatter<'_>) -> Result {
    offset.map_or(Ok(()), |offset| write!(f, " offset {offset}"))
}

impl Display for DurationExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Literal(ms) => f.write_str(&format_duration_ms(*ms)),
            Self::Number(seconds) => f.write_str(&fixed(*seconds, None)),
            Self::Step => f.write_str("step()"),
            Self::Range => f.write_str("range()"),
            Self::Negate(inner) => write!(f, "-{inner}"),
            Self::Extreme { is_max, operands } => {
                let name = if *is_max { "max_of" } else { "min_of" };
                write!(f, "{name}({}, {})", operands.0, operands.1)
            }
            Self::Binary { op, operands } => write!(f, "{} {op} {}", operands.0, operands.1),
            Self::Paren(inner) => write!(f, "({inner})"),
        }
    }
}
