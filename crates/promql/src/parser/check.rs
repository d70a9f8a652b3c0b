//! Types of operands and arguments, and what else can be wrong with a well-formed tree.
//!
//! Recursive: the parser bounds the height of the tree.

use streamflow_gotext::quote;

use crate::ast::{Aggregate, AggregateOp, Binary, BinaryOp, Cardinality, Expr, ExprKind, Fill, Span};
use crate::ast::{ValueType, VectorSelector};
use crate::error::Error;
use crate::function::Function;

use super::lexer::is_space;
use super::position::parse_error;

/// Checks a tree that was read from `query`; gives set operators their cardinality, and takes the matching from
/// operators of which a side is no vector.
pub(super) fn check(query: &str, expr: &mut Expr) -> Result<(), Error> {
    Check { query }.expr(expr).map(drop)
}

struct Check<'q> {
    query: &'q str,
}

impl BinaryOp {
    /// Tells whether its value is a truth.
    #[must_use]
    pub fn is_comparison(self) -> bool {
        matches!(self, Self::Eq | Self::Ne | Self::Lt | Self::Le | Self::Gt | Self::Ge)
    }

    /// Tells whether it is `and`, `or` or `unless`.
    #[must_use]
    pub fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }
}

impl Check<'_> {
    fn error(&self, span: Span, reason: &str) -> Error {
        parse_error(self.query, span, reason)
    }

    /// The type of a tree in which everything fits.
    fn expr(&self, expr: &mut Expr) -> Result<ValueType, Error> {
        let span = expr.span;
        match &mut expr.kind {
            ExprKind::Number(_) | ExprKind::Duration(_) => Ok(ValueType::Scalar),
            ExprKind::String(_) => Ok(ValueType::String),
            ExprKind::Paren(inner) => self.expr(inner),
            ExprKind::Vector(selector) => self.selector(selector, span).map(|()| ValueType::Vector),
            ExprKind::Matrix { selector, .. } => {
                // The selector's own place ends before the bracket, but errors show where they begin.
                self.selector(selector, span).map(|()| ValueType::Matrix)
            }
            ExprKind::Subquery(subquery) => match self.expr(&mut subquery.expr)? {
                ValueType::Vector => Ok(ValueType::Matrix),
                other => {
                    let name = type_name(other);
                    let reason = format!("subquery is only allowed on instant vector, got {name} instead");
                    Err(self.error(span, &reason))
                }
            },
            ExprKind::Call { function, args } => {
                self.call(function, args, span)?;
                Ok(function.returns)
            }
            ExprKind::Aggregate(aggregate) => self.aggregate(aggregate).map(|()| ValueType::Vector),
            ExprKind::Unary { operand, .. } => match self.expr(operand)? {
                found @ (ValueType::Scalar | ValueType::Vector) => Ok(found),
                other => {
                    let found = quote(other.documented());
                    let reason = format!(
                        "unary expression only allowed on expressions of type scalar or instant vector, got {found}"
                    );
                    Err(self.error(span, &reason))
                }
            },
            ExprKind::Binary(binary) => self.binary(binary, span),
        }
    }

    fn expect(&self, expr: &mut Expr, want: ValueType, context: &str) -> Result<(), Error> {
        let found = self.expr(expr)?;
        if found == want {
            return Ok(());
        }
        let (want, found) = (want.documented(), found.documented());
        Err(self.error(expr.span, &format!("expected type {want} in {context}, got {found}")))
    }

    fn selector(&self, selector: &VectorSelector, span: Span) -> Result<(), Error> {
        let matchers = &selector.matchers;
        if let Some(name) = &selector.name {
            // The last matcher is the one of the name before the braces.
            let inside = &matchers[..matchers.len().saturating_sub(1)];
            if let Some(other) = inside.iter().find(|matcher| matcher.name() == "__name__") {
                let (first, second) = (quote(name), quote(other.value()));
                let reason = format!("metric name must not be set twice: {first} or {second}");
                return Err(self.error(span, &reason));
            }
            return Ok(());
        }
        if matchers.iter().all(|matcher| matcher.matches("")) {
            let reason = "vector selector must contain at least one non-empty matcher";
            return Err(self.error(span, reason));
        }
        Ok(())
    }

    fn aggregate(&self, aggregate: &mut Aggregate) -> Result<(), Error> {
        self.expect(&mut aggregate.expr, ValueType::Vector, "aggregation expression")?;
        let want = match aggregate.op {
            AggregateOp::CountValues => ValueType::String,
            _ => ValueType::Scalar,
        };
        match &mut aggregate.param {
            Some(param) => self.expect(param, want, "aggregation parameter"),
            None => Ok(()),
        }
    }

    fn call(&self, function: &Function, args: &mut [Expr], span: Span) -> Result<(), Error> {
        self.argument_count(function, args.len(), span)?;
        if function.name == "info"
            && let Some(second) = args.get(1)
        {
            self.info_labels(second, span)?;
        }
        for (index, arg) in args.iter_mut().enumerate() {
            if function.name == "info" && index == 1 {
                // Which labels to copy: it may match everything.
                continue;
            }
            let Some(want) = function.args.get(index).or(function.args.last()) else { continue };
            self.expect(arg, *want, &format!("call to function {}", quote(function.name)))?;
        }
        Ok(())
    }

    fn argument_count(&self, function: &Function, found: usize, span: Span) -> Result<(), Error> {
        let declared = function.args.len();
        let (least, most) = match usize::try_from(function.variadic) {
            Ok(0) => (declared, Some(declared)),
            Ok(more) => (declared.saturating_sub(1), Some(declared.saturating_sub(1) + more)),
            Err(_) => (declared.saturating_sub(1), None),
        };
        let (bound, expected) = match most {
            Some(most) if function.variadic == 0 && found != most => ("", most),
            _ if found < least => ("at least ", least),
            Some(most) if found > most => ("at most ", most),
            _ => return Ok(()),
        };
        let name = quote(function.name);
        Err(self
            .error(span, &format!("expected {bound}{expected} argument(s) in call to {name}, got {found}")))
    }

    /// The second argument of `info`: matchers of labels without a name.
    fn info_labels(&self, arg: &Expr, span: Span) -> Result<(), Error> {
        let found = arg.value_type();
        if found != ValueType::Vector {
            let found = found.documented();
            let reason = format!("expected type instant vector in call to function \"info\", got {found}");
            return Err(self.error(span, &reason));
        }
        match &arg.kind {
            ExprKind::Vector(selector) if selector.name.is_none() => Ok(()),
            ExprKind::Vector(_) => {
                Err(self.error(arg.span, "expected label selectors only, got vector selector instead"))
            }
            _ => Err(self.error(arg.span, "expected label selectors only")),
        }
    }

    fn binary(&self, binary: &mut Binary, span: Span) -> Result<ValueType, Error> {
        let lhs = self.expr(&mut binary.lhs)?;
        let rhs = self.expr(&mut binary.rhs)?;
        self.operator(binary, lhs, rhs)?;
        for (found, side) in [(lhs, &binary.lhs), (rhs, &binary.rhs)] {
            if !matches!(found, ValueType::Scalar | ValueType::Vector) {
                let reason = "binary expression must contain only scalar and instant vector types";
                return Err(self.error(side.span, reason));
            }
        }
        let vectors = lhs == ValueType::Vector && rhs == ValueType::Vector;
        if vectors {
            self.set_operator(binary, span)?;
        } else {
            self.no_matching(binary, span)?;
        }
        Ok(if lhs == ValueType::Scalar && rhs == ValueType::Scalar {
            ValueType::Scalar
        } else {
            ValueType::Vector
        })
    }

    /// What is wrong with the operator and the words after it.
    fn operator(&self, binary: &Binary, lhs: ValueType, rhs: ValueType) -> Result<(), Error> {
        let comparison = binary.op.is_comparison();
        if binary.return_bool && !comparison {
            let reason = "bool modifier can only be used on comparison operators";
            return Err(self.error(self.operator_span(binary), reason));
        }
        let scalars = lhs == ValueType::Scalar && rhs == ValueType::Scalar;
        if comparison && !binary.return_bool && scalars {
            let reason = "comparisons between scalars must use BOOL modifier";
            return Err(self.error(self.operator_span(binary), reason));
        }
        let Some(matching) = binary.matching.as_ref().filter(|matching| matching.on) else { return Ok(()) };
        if let Some(label) = matching.labels.iter().find(|label| matching.include.contains(label)) {
            let reason = format!("label {} must not occur in ON and GROUP clause at once", quote(label));
            return Err(self.error(self.operator_span(binary), &reason));
        }
        Ok(())
    }

    /// Position of the operator: after the white space that follows the left operand.
    fn operator_span(&self, binary: &Binary) -> Span {
        let end = binary.rhs.span.start;
        let between = &self.query[binary.lhs.span.end..end];
        Span { start: end - between.trim_start_matches(is_space).len(), end }
    }

    /// Set operators are always many-to-many.
    fn set_operator(&self, binary: &mut Binary, span: Span) -> Result<(), Error> {
        let Some(matching) = binary.matching.as_mut().filter(|_| binary.op.is_set()) else { return Ok(()) };
        if matching.card != Cardinality::OneToOne {
            let op = quote(binary.op.as_str());
            return Err(self.error(span, &format!("no grouping allowed for {op} operation")));
        }
        if matching.fill != Fill::default() {
            return Err(self.error(span, "filling in missing series not allowed for set operators"));
        }
        matching.card = Cardinality::ManyToMany;
        Ok(())
    }

    /// A side is a scalar: nothing to match.
    fn no_matching(&self, binary: &mut Binary, span: Span) -> Result<(), Error> {
        if let Some(matching) = binary.matching.take() {
            if !matching.labels.is_empty() {
                return Err(self.error(span, "vector matching only allowed between instant vectors"));
            }
            if matching.fill != Fill::default() {
                let reason = "filling in missing series only allowed between instant vectors";
                return Err(self.error(span, reason));
            }
        }
        if binary.op.is_set() {
            let op = quote(binary.op.as_str());
            let reason = format!("set operator {op} not allowed in binary scalar expression");
            return Err(self.error(span, &reason));
        }
        Ok(())
    }
}

/// The short name that errors of subqueries use.
fn type_name(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::Scalar => "scalar",
        ValueType::String => "string",
        ValueType::Vector => "vector",
        ValueType::Matrix => "matrix",
    }
}
