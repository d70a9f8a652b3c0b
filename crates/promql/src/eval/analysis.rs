//! What is known of every node of an expression before it is evaluated.

use std::collections::{HashMap, HashSet};

use crate::ast::{BinaryOp, Expr, ExprKind, ValueType, VectorSelector};

/// Facts about the nodes of one expression. They are found in one pass without recursion, because chains of
/// operators are as deep as they are long.
pub(crate) struct Analysis {
    /// By the address of the node.
    facts: HashMap<usize, Facts>,
    /// How deep the evaluation recurses; the left side of an operator does not count.
    pub(crate) depth: usize,
    /// Selectors of which only counts and sums of histograms are wanted, by address.
    finds_resets: HashSet<usize>,
}

#[derive(Clone, Copy)]
struct Facts {
    value_type: ValueType,
    /// Every selector within has an `@`, and no function asks for the time of evaluation.
    invariant: bool,
    depth: usize,
}

/// Functions whose value changes with the time of evaluation though their arguments do not.
const TIMED: &[&str] = &[
    "days_in_month",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "hour",
    "minute",
    "month",
    "year",
    "predict_linear",
    "time",
    "timestamp",
    "start_timestamp",
];

impl Analysis {
    pub(crate) fn of(root: &Expr) -> Self {
        let mut before_children = Vec::new();
        let mut open = vec![root];
        while let Some(expr) = open.pop() {
            before_children.push(expr);
            open.extend(children(expr));
        }
        let mut analysis = Self {
            facts: HashMap::with_capacity(before_children.len()),
            depth: 0,
            finds_resets: selectors_of_statistics(root),
        };
        for &expr in before_children.iter().rev() {
            let facts = analysis.facts_of(expr);
            analysis.facts.insert(address(expr), facts);
        }
        analysis.depth = analysis.fact(root).depth;
        analysis
    }

    /// Panics for an expression that is not a part of the analysed one.
    fn fact(&self, expr: &Expr) -> Facts {
        *self.facts.get(&address(expr)).expect("every node of the expression was analysed")
    }

    pub(crate) fn value_type(&self, expr: &Expr) -> ValueType {
        self.fact(expr).value_type
    }

    /// Tells whether counter resets are found while the selector's histograms are read. Prometheus does so where only
    /// their counts and sums are asked for, and remarks on sums in which a reset and none meet.
    pub(crate) fn finds_resets(&self, selector: &VectorSelector) -> bool {
        self.finds_resets.contains(&std::ptr::from_ref(selector).addr())
    }

    pub(crate) fn is_invariant(&self, expr: &Expr) -> bool {
        self.fact(expr).invariant
    }

    fn facts_of(&self, expr: &Expr) -> Facts {
        let parts: Vec<Facts> = children(expr).map(|child| self.fact(child)).collect();
        let all_invariant = parts.iter().all(|part| part.invariant);
        let deepest = parts.iter().map(|part| part.depth + 1).max().unwrap_or(0);
        let (value_type, invariant, depth) = match &expr.kind {
            ExprKind::Number(_) | ExprKind::Duration(_) => (ValueType::Scalar, true, 0),
            ExprKind::String(_) => (ValueType::String, true, 0),
            ExprKind::Vector(selector) => (ValueType::Vector, selector.modifiers.at.is_some(), 0),
            ExprKind::Matrix { selector, .. } => (ValueType::Matrix, selector.modifiers.at.is_some(), 0),
            ExprKind::Subquery(subquery) => (ValueType::Matrix, subquery.modifiers.at.is_some(), deepest),
            ExprKind::Call { function, .. } => {
                (function.returns, all_invariant && !is_timed(function.name), deepest)
            }
            ExprKind::Aggregate(_) => (ValueType::Vector, all_invariant, deepest),
            ExprKind::Unary { .. } | ExprKind::Paren(_) => (parts[0].value_type, all_invariant, deepest),
            ExprKind::Binary(_) => {
                let scalars = parts.iter().all(|part| part.value_type == ValueType::Scalar);
                let value_type = if scalars { ValueType::Scalar } else { ValueType::Vector };
                // The evaluation walks down the left side in a loop.
                (value_type, all_invariant, parts[0].depth.max(parts[1].depth + 1))
            }
        };
        Facts { value_type, invariant, depth }
    }
}

/// The selectors that `histogram_count` and its like read, unless a subquery, or a function of whole histograms, stands
/// between.
fn selectors_of_statistics(root: &Expr) -> HashSet<usize> {
    let mut found = HashSet::new();
    let mut open = vec![(root, false)];
    while let Some((expr, statistics)) = open.pop() {
        let within = match &expr.kind {
            ExprKind::Vector(selector) | ExprKind::Matrix { selector, .. } if statistics => {
                found.insert(std::ptr::from_ref(selector).addr());
                false
            }
            ExprKind::Subquery(_) => false,
            ExprKind::Call { function, .. } => match function.name {
                "histogram_count" | "histogram_sum" | "histogram_avg" => true,
                name if name.starts_with("histogram_") => false,
                _ => statistics,
            },
            ExprKind::Binary(binary) => {
                statistics && !matches!(binary.op, BinaryOp::TrimUpper | BinaryOp::TrimLower)
            }
            _ => statistics,
        };
        open.extend(children(expr).map(|child| (child, within)));
    }
    found
}

fn address(expr: &Expr) -> usize {
    std::ptr::from_ref(expr).addr()
}

/// The expressions directly within, left before right.
pub(crate) fn children(expr: &Expr) -> impl Iterator<Item = &Expr> {
    let (one, two, many): (Option<&Expr>, Option<&Expr>, &[Expr]) = match &expr.kind {
        ExprKind::Number(_)
        | ExprKind::Duration(_)
        | ExprKind::String(_)
        | ExprKind::Vector(_)
        | ExprKind::Matrix { .. } => (None, None, &[]),
        ExprKind::Subquery(subquery) => (Some(&subquery.expr), None, &[]),
        ExprKind::Call { args, .. } => (None, None, args),
        ExprKind::Aggregate(aggregate) => (Some(&aggregate.expr), aggregate.param.as_ref(), &[]),
        ExprKind::Unary { operand, .. } => (Some(operand), None, &[]),
        ExprKind::Binary(binary) => (Some(&binary.lhs), Some(&binary.rhs), &[]),
        ExprKind::Paren(inner) => (Some(inner), None, &[]),
    };
    one.into_iter().chain(two).chain(many)
}

/// Tells whether the function's value changes with the time of evaluation though its arguments do not.
pub(crate) fn is_timed(function: &str) -> bool {
    TIMED.contains(&function)
}

/// The expression within any parentheses.
pub(crate) fn unwrap_parens(mut expr: &Expr) -> &Expr {
    while let ExprKind::Paren(inner) = &expr.kind {
        expr = inner;
    }
    expr
}
