//! `parse_query`: a query as a tree, for editors that show one.

use axum::extract::State;
use serde_json::{Value, json};
use streamflow_gotext::fixed;
use streamflow_promql::{
    Aggregate, At, Binary, Cardinality, DurationExpr, Expr, ExprKind, Function, Modifiers, ValueType,
    VectorSelector, answered, parse,
};
use streamflow_tsdb::{MatchOp, Matcher};

use super::answer::{Answer, Success};
use super::error::ApiError;
use super::parameters::Parameters;
use crate::Handle;

/// `GET|POST /api/v1/parse_query`
pub async fn parse_query(State(server): State<Handle>, parameters: Parameters) -> Answer {
    let work = move |_: &_| {
        let query = parse(parameters.get("query"))
            .map_err(|error| ApiError::invalid_parameter("query", &error.to_string()))?;
        Ok(tree(&query))
    };
    Success::of(&server.in_query_slot(work).await?)
}

/// The fields are Prometheus's.
fn tree(expr: &Expr) -> Value {
    match &expr.kind {
        ExprKind::Number(number) | ExprKind::Duration(number) => {
            json!({ "type": "numberLiteral", "val": fixed(*number, None) })
        }
        ExprKind::String(text) => json!({ "type": "stringLiteral", "val": answered(text) }),
        ExprKind::Vector(selector) => selection("vectorSelector", selector),
        ExprKind::Matrix { selector, range } => {
            let mut tree = selection("matrixSelector", selector);
            tree["range"] = ms(range).into();
            tree
        }
        ExprKind::Subquery(subquery) => with_time(
            json!({
                "type": "subquery",
                "expr": tree(&subquery.expr),
                "range": ms(&subquery.range),
                "step": subquery.step.as_ref().map_or(0, ms),
            }),
            &subquery.modifiers,
        ),
        ExprKind::Call { function, args } => json!({
            "type": "call",
            "func": signature(function),
            "args": args.iter().map(tree).collect::<Vec<_>>(),
        }),
        ExprKind::Aggregate(aggregate) => aggregation(aggregate),
        ExprKind::Unary { negative, operand } => json!({
            "type": "unaryExpr",
            "op": if *negative { "-" } else { "+" },
            "expr": tree(operand),
        }),
        ExprKind::Binary(binary) => operation(binary),
        ExprKind::Paren(inner) => json!({ "type": "parenExpr", "expr": tree(inner) }),
    }
}

fn selection(kind: &str, selector: &VectorSelector) -> Value {
    let matchers: Vec<Value> = selector.matchers.iter().map(matcher).collect();
    let name = selector.name.as_deref().unwrap_or_default();
    with_time(json!({ "type": kind, "name": name, "matchers": matchers }), &selector.modifiers)
}

fn with_time(mut tree: Value, modifiers: &Modifiers) -> Value {
    tree["offset"] = modifiers.offset.as_ref().map_or(0, ms).into();
    (tree["timestamp"], tree["startOrEnd"]) = match modifiers.at {
        Some(At::Timestamp(at_ms)) => (at_ms.into(), Value::Null),
        Some(At::Start) => (Value::Null, "start".into()),
        Some(At::End) => (Value::Null, "end".into()),
        None => (Value::Null, Value::Null),
    };
    tree
}

fn matcher(matcher: &Matcher) -> Value {
    let op = match matcher.op() {
        MatchOp::Equal => "=",
        MatchOp::NotEqual => "!=",
        MatchOp::Regex => "=~",
        MatchOp::NotRegex => "!~",
    };
    json!({ "name": answered(matcher.name()), "value": answered(matcher.value()), "type": op })
}

/// Milliseconds; arithmetic of durations, which is experimental, is none yet.
fn ms(duration: &DurationExpr) -> i64 {
    match duration {
        DurationExpr::Literal(ms) => *ms,
        _ => 0,
    }
}

fn signature(function: &Function) -> Value {
    json!({
        "name": function.name,
        "argTypes": function.args.iter().copied().map(type_name).collect::<Vec<_>>(),
        "variadic": function.variadic,
        "returnType": type_name(function.returns),
    })
}

fn type_name(of: ValueType) -> &'static str {
    match of {
        ValueType::Scalar => "scalar",
        ValueType::String => "string",
        ValueType::Vector => "vector",
        ValueType::Matrix => "matrix",
    }
}

fn aggregation(aggregate: &Aggregate) -> Value {
    json!({
        "type": "aggregation",
        "op": aggregate.op.to_string(),
        "expr": tree(&aggregate.expr),
        "param": aggregate.param.as_ref().map(tree),
        "grouping": aggregate.grouping,
        "without": aggregate.without,
    })
}

fn operation(binary: &Binary) -> Value {
    let matching = binary.matching.as_ref().map(|matching| {
        let card = match matching.card {
            Cardinality::OneToOne => "one-to-one",
            Cardinality::ManyToOne => "many-to-one",
            Cardinality::OneToMany => "one-to-many",
            Cardinality::ManyToMany => "many-to-many",
        };
        json!({ "card": card, "labels": matching.labels, "on": matching.on, "include": matching.include })
    });
    json!({
        "type": "binaryExpr",
        "op": binary.op.to_string(),
        "lhs": tree(&binary.lhs),
        "rhs": tree(&binary.rhs),
        "matching": matching,
        "bool": binary.return_bool,
    })
}

/// The selectors in a query, as those whose exemplars are meant.
pub fn selectors(expr: &Expr) -> Vec<Vec<Matcher>> {
    let mut found = Vec::new();
    let mut waiting = vec![expr];
    while let Some(expr) = waiting.pop() {
        match &expr.kind {
            ExprKind::Vector(selector) | ExprKind::Matrix { selector, .. } => {
                found.push(selector.matchers.clone());
            }
            ExprKind::Subquery(subquery) => waiting.push(&subquery.expr),
            ExprKind::Call { args, .. } => waiting.extend(args),
            ExprKind::Aggregate(aggregate) => {
                waiting.extend(aggregate.param.iter().chain([&aggregate.expr]));
            }
            ExprKind::Unary { operand, .. } => waiting.push(operand),
            ExprKind::Binary(binary) => waiting.extend([&binary.lhs, &binary.rhs]),
            ExprKind::Paren(inner) => waiting.push(inner),
            ExprKind::Number(_) | ExprKind::Duration(_) | ExprKind::String(_) => {}
        }
    }
    found
}
