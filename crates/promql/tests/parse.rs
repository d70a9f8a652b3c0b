//! What queries mean: each is printed back as Prometheus prints it, or refused with Prometheus's words.

use streamflow_promql::{ParseOptions, format, parse, parse_with};

const EXPERIMENTAL: ParseOptions = ParseOptions { experimental: true, max_bytes: 1 << 20, max_depth: 500 };

/// The query as it is printed, or the error.
fn check(query: &str, expected: &str) {
    assert_eq!(printed(query, &ParseOptions::default()), expected, "of {query}");
}

fn check_experimental(query: &str, expected: &str) {
    assert_eq!(printed(query, &EXPERIMENTAL), expected, "of {query}");
}

/// Also proves that printing and parsing again gives the same tree.
fn printed(query: &str, options: &ParseOptions) -> String {
    let expr = match parse_with(query, options) {
        Ok(expr) => expr,
        Err(error) => return error.to_string(),
    };
    let text = expr.to_string();
    for again in [text.clone(), format(&expr)] {
        let reread = parse_with(&again, options).unwrap_or_else(|error| panic!("{query}: {again}: {error}"));
        assert_eq!(reread.to_string(), text, "of {query}");
        assert_eq!(reread.value_type(), expr.value_type(), "of {query}");
    }
    text
}

#[test]
fn selectors_are_read() {
    check("foo", "foo");
    check("a:b:c{d='e',}", r#"a:b:c{d="e"}"#);
    check("{b=\"1\",a!=`2`, d!~'3|4',c=~\"5\"}", r#"{a!="2",b="1",c=~"5",d!~"3|4"}"#);
    check("{\"my.metric\", \"label.x\"=\"v\"}", r#"{"label.x"="v",__name__="my.metric"}"#);
    check("{__name__=~\"a.*\"}", r#"{__name__=~"a.*"}"#);
    check("sum + by + start + offset + and and limitk", "sum + by + start + offset + and and limitk");
    check("x{sum='1',by='2',inf='3'}", r#"x{by="2",inf="3",sum="1"}"#);
    check("x # comment\n { # another\n }", "x");
    check("foo[1m0s]", "foo[1m]");
    check("foo[300]", "foo[5m]");
    check("foo @ -1.5 offset -90s", "foo @ -1.500 offset -1m30s");
    check("foo[5m] offset 1w @ end()", "foo[5m] @ end() offset 1w");
    check("foo offset 0s", "foo");
    check("foo[1d:1m] @ start() offset 365d", "foo[1d:1m] @ start() offset 1y");
    check("rate(foo[5m])[1h:]", "rate(foo[5m])[1h:]");
}

#[test]
fn operators_group_by_precedence() {
    check("-1^2", "-1 ^ 2");
    check("(-1)^2", "(-1) ^ 2");
    check("- -1", "1");
    check("-5m", "-5m");
    check("foo > 5m", "foo > 5m");
    check("1 > bool 0x1F + 017 + 1_000", "1 > bool 31 + 15 + 1000");
    check("a == bool on(x, \"y.z\") b", "a == bool on (x, \"y.z\") b");
    check("a * ignoring(x) group_left b", "a * ignoring (x) group_left () b");
    check("a AND on() b oR c UNLESS ignoring(d,) e", "a and on () b or c unless ignoring (d) e");
    check("inf + NaN - 1e-5", "+Inf + NaN - 0.00001");
    // Prometheus prints `+Inf ^ x`, which is another tree.
    check("inf ^ x", "Inf ^ x");
    let long = "y".repeat(100);
    check(&format!("inf ^ {long}"), &format!("Inf ^ {long}"));
    for (query, expected) in [
        ("-a ^ b * c", "((-((a) ^ (b))) * (c))"),
        ("a ^ b ^ c", "((a) ^ ((b) ^ (c)))"),
        ("a ^ -b ^ c * d", "(((a) ^ (-((b) ^ (c)))) * (d))"),
        ("-a * b + c", "(((-(a)) * (b)) + (c))"),
        ("a - b - c", "(((a) - (b)) - (c))"),
        ("a or b and c == d + e * f ^ g", "((a) or ((b) and ((c) == ((d) + ((e) * ((f) ^ (g)))))))"),
        ("a % b atan2 c / d", "((((a) % (b)) atan2 (c)) / (d))"),
        ("a unless b and c", "(((a) unless (b)) and (c))"),
    ] {
        assert_eq!(grouped(&parse(query).unwrap()), expected);
    }
}

/// An expression with every operand in parentheses.
fn grouped(expr: &streamflow_promql::Expr) -> String {
    use streamflow_promql::ExprKind;
    match &expr.kind {
        ExprKind::Binary(binary) => {
            let operand = |side| {
                let text = grouped(side);
                if text.starts_with('(') { text } else { format!("({text})") }
            };
            format!("({} {} {})", operand(&binary.lhs), binary.op, operand(&binary.rhs))
        }
        ExprKind::Unary { operand, .. } => {
            let text = grouped(operand);
            if text.starts_with('(') { format!("(-{text})") } else { format!("(-({text}))") }
        }
        _ => expr.to_string(),
    }
}

#[test]
fn calls_and_aggregations_are_read() {
    check("sum(a) by (b,)", "sum by (b) (a)");
    check("sum without () (a)", "sum without () (a)");
    check("sum by () (a)", "sum(a)");
    check("count_values(\"v\", a)", "count_values(\"v\", a)");
    check("TOPK (5, a)", "topk(5, a)");
    check("sum by (bool, on, \"x.y\", a:b) (z)", "sum by (bool, on, \"x.y\", \"a:b\") (z)");
    check("label_join(a, \"b\", \",\", \"c\", \"d\")", "label_join(a, \"b\", \",\", \"c\", \"d\")");
    check("hour() + time()", "hour() + time()");
    check("round(a) + round(a, 5m)", "round(a) + round(a, 5m)");
}

#[test]
fn strings_are_unquoted() {
    check(r#""a\a\b\f\n\r\t\v\\\"'\x41\101\u0041\U00000041é""#, r#""a\a\b\f\n\r\t\v\\\"'AAAAé""#);
    check(r"'\'' ", r#""'""#);
    check(r"`a\n`", r#""a\\n""#);
    check(r#""\xff""#, r#""\xff""#);
    check(r#"{a="\xff", "\xff"!="b"}"#, r#"{"\xff"!="b",a="\xff"}"#);
    check(r#"count_values("a\xc5z", x)"#, r#"invalid label name "a\xc5z""#);
}

#[test]
fn experimental_words_need_the_option() {
    for (query, printed, refusal) in [
        ("foo[5m*2]", "foo[5m * 2]", "1:5: parse error: experimental duration expression is not enabled"),
        ("foo[step()]", "foo[step()]", "1:5: parse error: experimental duration expression is not enabled"),
        (
            "foo[(1+Range())^2:min_of(5m,-1)%3]",
            "foo[(1 + range()) ^ 2:min_of(5m, -1) % 3]",
            "1:8: parse error: experimental duration expression is not enabled",
        ),
        (
            "foo offset -(1.5*2m)",
            "foo offset -(1.5 * 2m)",
            "1:14: parse error: experimental duration expression is not enabled",
        ),
        (
            "foo offset max(step(),1s)",
            "foo offset max_of(step(), 1s)",
            "1:16: parse error: experimental duration expression is not enabled",
        ),
        ("foo offset -2 ^ 2", "foo offset -2s ^ 2", "foo offset -2s ^ 2"),
        (
            "foo[5m] anchored",
            "foo[5m] anchored",
            "1:1: parse error: anchored modifier is experimental and not enabled",
        ),
        (
            "foo smoothed @ 5 offset 1m",
            "foo @ 5.000 smoothed offset 1m",
            "1:1: parse error: smoothed modifier is experimental and not enabled",
        ),
        (
            "a + fill(-1) b",
            "a + fill (-1) b",
            "1:1: parse error: binop fill modifiers are experimental and not enabled",
        ),
        (
            "a * on(x) group_left fill_right(Inf) fill_left(0) b",
            "a * on (x) group_left () fill_left (0) fill_right (+Inf) b",
            "1:1: parse error: binop fill modifiers are experimental and not enabled",
        ),
        ("fill + fill_left", "fill + fill_left", "fill + fill_left"),
        (
            "limitk(1, a)",
            "limitk(1, a)",
            "1:1: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions",
        ),
        (
            "mad_over_time(a[5m])",
            "mad_over_time(a[5m])",
            "1:1: parse error: function \"mad_over_time\" is not enabled",
        ),
        ("info(a, {b=\"\"})", "info(a, {b=\"\"})", "1:1: parse error: function \"info\" is not enabled"),
        ("info(a, {})", "info(a, {})", "1:1: parse error: function \"info\" is not enabled"),
    ] {
        check(query, refusal);
        check_experimental(query, printed);
    }
    for (query, refusal) in [
        ("foo[5m/0]", "1:7: parse error: division by zero"),
        ("foo[5m%0s]", "1:7: parse error: modulo by zero"),
        (
            "foo[5m+]",
            "1:8: parse error: unexpected \"]\" in subquery or range selector, expected number, duration, step(), or range()",
        ),
        (
            "foo[5m] anchored smoothed",
            "1:1: parse error: anchored and smoothed modifiers cannot be used together",
        ),
        ("foo[5m:1m] anchored", "1:1: parse error: anchored modifier is not supported for subqueries"),
        ("1 + fill(0) a", "1:1: parse error: filling in missing series only allowed between instant vectors"),
        ("a or fill(0) b", "1:1: parse error: filling in missing series not allowed for set operators"),
        ("info(a, b)", "1:9: parse error: expected label selectors only, got vector selector instead"),
        (
            "info(a, 1)",
            "1:1: parse error: expected type instant vector in call to function \"info\", got scalar",
        ),
        ("foo[9e99]", "1:5: parse error: duration out of range"),
    ] {
        check_experimental(query, refusal);
    }
}

#[test]
fn positions_count_lines_and_bytes() {
    check("a +\n  é", "2:3: parse error: unexpected character: 'é'");
    check("x{a=\"é\"} y", "1:11: parse error: unexpected identifier \"y\"");
    check("foo\n\n  bar", "3:3: parse error: unexpected identifier \"bar\"");
    check("", "1:1: parse error: no expression found in input");
}
