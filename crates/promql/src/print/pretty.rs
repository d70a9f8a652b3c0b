//! A tree broken into lines, as Prometheus's `/api/v1/format_query` answers.

use std::collections::HashSet;
use std::fmt::{Display, Formatter, Result};

use crate::ast::{Aggregate, Binary, Expr, ExprKind, Subquery};

/// The longest text of a tree that stays on one line, in bytes.
const LINE_MAX: usize = 100;

/// A tree as text: on one line if that has at most 100 bytes, otherwise with its parts on lines of their own, indented
/// by two spaces for each level. Cost: at most the length of what is returned times its levels.
#[must_use]
pub fn format(expr: &Expr) -> String {
    let mut pretty = Pretty::default();
    pretty.find_long(expr);
    pretty.lines(expr, 0)
}

#[derive(Default)]
struct Pretty {
    /// The nodes that do not fit on a line, found once from the leaves up.
    long: HashSet<*const Expr>,
}

impl Pretty {
    /// Tells whether the text of a tree is too long for a line. It is where that of a part is.
    fn find_long(&mut self, expr: &Expr) -> bool {
        let mut long = false;
        for child in children(expr) {
            long |= self.find_long(child);
        }
        long = long || expr.to_string().len() > LINE_MAX;
        if long {
            self.long.insert(std::ptr::from_ref(expr));
        }
        long
    }

    fn lines(&self, expr: &Expr, level: usize) -> String {
        let indent = "  ".repeat(level);
        match &expr.kind {
            // A sign attaches to its operand, whose indentation goes before the sign.
            ExprKind::Unary { negative, operand } => {
                let sign = if *negative { "-" } else { "+" };
                return format!("{indent}{sign}{}", self.lines(operand, level).trim());
            }
            // A selector is never broken.
            ExprKind::Vector(_) | ExprKind::Matrix { .. } => return format!("{indent}{expr}"),
            _ => {}
        }
        if !self.long.contains(&std::ptr::from_ref(expr)) {
            // As Prometheus has it, a short subquery is not indented.
            let indented = !matches!(expr.kind, ExprKind::Subquery(_));
            return if indented { format!("{indent}{expr}") } else { expr.to_string() };
        }
        match &expr.kind {
            ExprKind::Subquery(subquery) => {
                format!("{}{}", self.lines(&subquery.expr, level), Suffix(subquery))
            }
            ExprKind::Aggregate(aggregate) => {
                let param = aggregate.param.as_ref();
                let param = param.map_or_else(String::new, |param| self.lines(param, level + 1) + ",\n");
                let inner = self.lines(&aggregate.expr, level + 1);
                format!("{indent}{}(\n{param}{inner}\n{indent})", Aggregation(aggregate))
            }
            ExprKind::Binary(binary) => {
                let (lhs, rhs) = (self.lines(&binary.lhs, level + 1), self.lines(&binary.rhs, level + 1));
                let lhs = if binary.is_power_of_infinity() { format!("{indent}  Inf") } else { lhs };
                format!("{lhs}\n{indent}{}\n{rhs}", Operator(binary))
            }
            ExprKind::Call { function, args } => {
                let args: Vec<String> = args.iter().map(|arg| self.lines(arg, level + 1)).collect();
                format!("{indent}{}(\n{}\n{indent})", function.name, args.join(",\n"))
            }
            ExprKind::Paren(inner) => format!("{indent}(\n{}\n{indent})", self.lines(inner, level + 1)),
            _ => format!("{indent}{expr}"),
        }
    }
}

/// The expressions directly below one.
fn children(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        ExprKind::Subquery(subquery) => vec![&subquery.expr],
        ExprKind::Call { args, .. } => args.iter().collect(),
        ExprKind::Aggregate(aggregate) => aggregate.param.iter().chain([&aggregate.expr]).collect(),
        ExprKind::Unary { operand, .. } => vec![operand],
        ExprKind::Binary(binary) => vec![&binary.lhs, &binary.rhs],
        ExprKind::Paren(inner) => vec![inner],
        _ => Vec::new(),
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
