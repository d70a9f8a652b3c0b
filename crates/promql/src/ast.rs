//! The syntax tree of a PromQL expression: what the parser makes and the evaluator walks.

use streamflow_tsdb::Matcher;

use crate::function::Function;

/// The place of something in the query text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// The type of an expression's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// One number.
    Scalar,
    /// One text.
    String,
    /// One sample for each of some series.
    Vector,
    /// A range of samples for each of some series.
    Matrix,
}

/// An expression and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// The sort of expression, with its parts.
    pub kind: ExprKind,
    /// The place of the expression in the query text.
    pub span: Span,
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// `1.5`, `0x1f`.
    Number(f64),
    /// `5m` where a number is expected: a number of seconds that is printed as a duration.
    Duration(f64),
    /// `"text"`.
    String(String),
    /// `name{label="value"} offset 5m @ 10`.
    Vector(VectorSelector),
    /// `name[5m]`: the range goes with the selector, before its offset.
    Matrix {
        /// The series.
        selector: VectorSelector,
        /// The length of the range, positive.
        range: DurationExpr,
    },
    /// `expr[1h:5m]`.
    Subquery(Box<Subquery>),
    /// `rate(x[5m])`.
    Call {
        /// The row of the function table.
        function: &'static Function,
        /// As many as the function's row allows, of its types.
        args: Vec<Expr>,
    },
    /// `sum by (job) (x)`.
    Aggregate(Box<Aggregate>),
    /// `-x`, `+x`.
    Unary {
        /// True if the sign is a minus.
        negative: bool,
        /// The operand.
        operand: Box<Expr>,
    },
    /// `a + on (x) group_left (y) b`.
    Binary(Box<Binary>),
    /// `(x)`.
    Paren(Box<Expr>),
}

/// Which series, and the shift of time at which they are read.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorSelector {
    /// The name before the braces, where there is one; it is among the matchers too.
    pub name: Option<String>,
    /// All of these must match. At least one of them does not match the empty string.
    pub matchers: Vec<Matcher>,
    /// Shift of time.
    pub modifiers: Modifiers,
    /// `anchored` or `smoothed` (experimental).
    pub extended: Option<Extended>,
}

/// How the ends of a range are found (Prometheus 3.x, experimental).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extended {
    /// The last sample before the range counts at its start.
    Anchored,
    /// Values at both ends are interpolated.
    Smoothed,
}

/// `offset` and `@`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Modifiers {
    /// `offset D`, may be negative.
    pub offset: Option<DurationExpr>,
    /// `@ T`.
    pub at: Option<At>,
}

/// The fixed time of `@`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum At {
    /// Milliseconds since 1970.
    Timestamp(i64),
    /// `@ start()`.
    Start,
    /// `@ end()`.
    End,
}

/// A length of time; experimental arithmetic is evaluated when the query's step is known.
#[derive(Debug, Clone, PartialEq)]
pub enum DurationExpr {
    /// Milliseconds.
    Literal(i64),
    /// A plain number that is an operand of the arithmetic, in seconds (alone it is a `Literal`).
    Number(f64),
    /// `step()`.
    Step,
    /// `range()`: the length of the whole range query.
    Range,
    /// `-D`.
    Negate(Box<DurationExpr>),
    /// `min(A, B)` and `max(A, B)`.
    Extreme {
        /// True if the larger is wanted.
        is_max: bool,
        /// Both.
        operands: Box<(DurationExpr, DurationExpr)>,
    },
    /// `A + B` and so on; numbers count as seconds.
    Binary {
        /// One of the arithmetic operators.
        op: BinaryOp,
        /// Both sides.
        operands: Box<(DurationExpr, DurationExpr)>,
    },
    /// `(D)`.
    Paren(Box<DurationExpr>),
}

/// `expr[range:step]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Subquery {
    /// An instant vector (or scalar).
    pub expr: Expr,
    /// The length of the range, positive.
    pub range: DurationExpr,
    /// Between evaluations; without one the default of the engine.
    pub step: Option<DurationExpr>,
    /// Shift of time.
    pub modifiers: Modifiers,
}

/// An aggregation operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum AggregateOp {
    Sum,
    Avg,
    Count,
    Min,
    Max,
    Group,
    Stddev,
    Stdvar,
    Topk,
    Bottomk,
    CountValues,
    Quantile,
    Limitk,
    LimitRatio,
}

/// `op by (labels) (param, expr)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    /// The operator.
    pub op: AggregateOp,
    /// The instant vector.
    pub expr: Expr,
    /// `k`, the quantile, the label name.
    pub param: Option<Expr>,
    /// True if the labels are those to drop.
    pub without: bool,
    /// Label names as written.
    pub grouping: Vec<String>,
}

/// A binary operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    And,
    Or,
    Unless,
    /// `</`: what a native histogram has up to a value.
    TrimUpper,
    /// `>/`: what it has above one.
    TrimLower,
}

/// `lhs op bool on (labels) group_left (include) rhs`.
#[derive(Debug, Clone, PartialEq)]
pub struct Binary {
    /// The operator.
    pub op: BinaryOp,
    /// Left operand.
    pub lhs: Expr,
    /// Right operand.
    pub rhs: Expr,
    /// `bool` on a comparison.
    pub return_bool: bool,
    /// How series of both sides are matched; only where both are vectors.
    pub matching: Option<Matching>,
}

/// How series of two vectors find each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Matching {
    /// Which side may have many.
    pub card: Cardinality,
    /// `on` rather than `ignoring`.
    pub on: bool,
    /// Labels of `on` or `ignoring`.
    pub labels: Vec<String>,
    /// Labels that `group_left` or `group_right` take from the side of one.
    pub include: Vec<String>,
    /// `fill(v)`, `fill_left(v)`, `fill_right(v)` (experimental): values for a missing side.
    pub fill: Fill,
}

/// Values that stand in for a missing side of a match.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Fill {
    /// For a missing left side.
    pub left: Option<f64>,
    /// For a missing right side.
    pub right: Option<f64>,
}

/// How many series of each side may match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Cardinality {
    OneToOne,
    /// `group_left`
    ManyToOne,
    /// `group_right`
    OneToMany,
    /// `and`, `or`, `unless`.
    ManyToMany,
}
