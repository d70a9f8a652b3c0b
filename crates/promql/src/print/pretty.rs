//! A tree broken into lines, as Prometheus's `/api/v1/format_query` answers.

use std::fmt::{Display, Formatter, Result};

use crate::ast::{Aggregate, Binary, Expr, ExprKind, Subquery};

/// The longest text of a tree that stays on one line, in bytes.
const LINE_MAX: usize = 100;

/// A tree as text: on one line if that has at most 100 bytes, otherwise with its parts on lines of their own, indented
/// by two spaces for each level. Cost: the length of the text times its levels.
#[must_use]
pub fn format(expr: &Expr) -> String {
    pretty(expr, 0)
}

fn pretty(expr: &Expr, level: usize) -> String {
    let indent = "  ".repeat(level);
    match &expr.kind {
        // A sign attaches to its operand, whose indentation goes before the sign.
        ExprKind::Unary { negative, operand } => {
            let sign = if *negative { "-" } else { "+" };
            return format!("{indent}{sign}{}", pretty(operand, level).trim());
        }
        // A selector is never broken.
        ExprKind::Vector(_) | ExprKind::Matrix { .. } => return format!("{indent}{expr}"),
        _ => {}
    }
    let line = expr.to_string();
    if line.len() <= LINE_MAX {
        // As Prometheus has it, a short subquery is not indented.
        let indented = !matches!(expr.kind, ExprKind::Subquery(_));
        return if indented { indent + &line } else { line };
    }
    match &expr.kind {
        ExprKind::Subquery(subquery) => format!("{}{}", pretty(&subquery.expr, level), Suffix(subquery)),
        ExprKind::Aggregate(aggregate) => {
            let param = aggregate.param.as_ref();
            let param = param.map_or_else(String::new, |param| pretty(param, level + 1) + ",\n");
            let inner = pretty(&aggregate.expr, level + 1);
            format!("{indent}{}(\n{param}{inner}\n{indent})", Aggregation(aggregate))
        }
        ExprKind::Binary(binary) => {
            let (lhs, rhs) = (pretty(&binary.lhs, level + 1), pretty(&binary.rhs, level + 1));
            let lhs = if binary.is_power_of_infinity() { format!("{indent}  Inf") } else { lhs };
            format!("{lhs}\n{indent}{}\n{rhs}", Operator(binary))
        }
        ExprKind::Call { function, args } => {
            let args: Vec<String> = args.iter().map(|arg| pretty(arg, level + 1)).collect();
            format!("{indent}{}(\n{}\n{indent})", function.name, args.join(",\n"))
        }
        ExprKind::Paren(inner) => format!("{indent}(\n{}\n{indent})", pretty(inner, level + 1)),
        _ => indent + &line,
    }
}

/// `[1h:5m]` and what follows.
struct Suffix<'e>(&'e Subquery);

impl Display for Suffix<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.0.write_suffix(f)
    }
}

/// `sum by (a) `
struct Aggregation<'e>(&'e Aggregate);

impl Display for Aggregation<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.0.write_operator(f)
    }
}

/// `== on (a)`
struct Operator<'e>(&'e Binary);

impl Display for Operator<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.0.write_operator(f)
    }
}
