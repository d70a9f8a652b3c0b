//! The functions of templates: Prometheus's and those of Go's text/template, one row each.

mod go;
mod prometheus;

pub use prometheus::link;

use super::value::{self, Value};

use Parameter::{Any, Sample, Samples, String as Text};

/// Of all that functions are given and give while one template is expanded, so that none fills the memory.
pub const HANDLED_MAX: usize = 16 << 20;

/// What a function needs beside its arguments.
pub struct Environment<'e> {
    /// Evaluates an instant query at the time of the expansion.
    pub query: &'e dyn Fn(&str) -> Result<Vec<value::Sample>, String>,
    /// Where the server is reached, with path.
    pub external_url: &'e str,
    /// The time of the expansion, milliseconds since 1970.
    pub now_ms: i64,
}

/// What an argument must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    Any,
    String,
    Sample,
    Samples,
}

/// One row of the table.
pub struct Function {
    pub name: &'static str,
    pub parameters: &'static [Parameter],
    /// The kind of any number of further arguments.
    pub variadic: Option<Parameter>,
    pub apply: fn(&Environment<'_>, &[Value]) -> Result<Value, String>,
}

const fn row(
    name: &'static str,
    parameters: &'static [Parameter],
    apply: fn(&Environment<'_>, &[Value]) -> Result<Value, String>,
) -> Function {
    Function { name, parameters, variadic: None, apply }
}

const fn many(
    name: &'static str,
    parameters: &'static [Parameter],
    variadic: Parameter,
    apply: fn(&Environment<'_>, &[Value]) -> Result<Value, String>,
) -> Function {
    Function { name, parameters, variadic: Some(variadic), apply }
}

/// All functions.
pub static FUNCTIONS: &[Function] = &[
    // The evaluator stops at the argument that decides, so these rows only see the last one.
    many("and", &[Any], Any, |_, values| Ok(values[values.len() - 1].clone())),
    many("or", &[Any], Any, |_, values| Ok(values[values.len() - 1].clone())),
    row("not", &[Any], |_, values| Ok(Value::Bool(!values[0].is_true()))),
    row("len", &[Any], |_, values| go::len(&values[0])),
    many("index", &[Any], Any, |_, values| go::index(values)),
    many("slice", &[Any], Any, |_, values| go::slice(values)),
    many("call", &[Any], Any, |_, values| Err(format!("non-function of type {}", values[0].type_name()))),
    many("print", &[], Any, |_, values| Ok(Value::String(go::print(values)))),
    many("println", &[], Any, |_, values| Ok(Value::String(go::println(values)))),
    many("printf", &[Text], Any, |_, values| {
        Ok(Value::String(super::print::printf(&values[0].text(), &values[1..])))
    }),
    many("html", &[], Any, |_, values| Ok(Value::String(go::html(&go::print(values))))),
    many("js", &[], Any, |_, values| Ok(Value::String(go::js(&go::print(values))))),
    many("urlquery", &[], Any, |_, values| Ok(Value::String(prometheus::query_escape(&go::print(values))))),
    many("eq", &[Any], Any, |_, values| go::eq(values)),
    row("ne", &[Any, Any], |_, values| go::eq(values).map(|equal| Value::Bool(!equal.is_true()))),
    row("lt", &[Any, Any], |_, values| go::compare(values, std::cmp::Ordering::is_lt)),
    row("le", &[Any, Any], |_, values| go::compare(values, std::cmp::Ordering::is_le)),
    row("gt", &[Any, Any], |_, values| go::compare(values, std::cmp::Ordering::is_gt)),
    row("ge", &[Any, Any], |_, values| go::compare(values, std::cmp::Ordering::is_ge)),
    row("query", &[Text], prometheus::query),
    row("first", &[Samples], |_, values| prometheus::first(&values[0])),
    row("label", &[Text, Sample], |_, values| prometheus::label(values)),
    row("value", &[Sample], |_, values| prometheus::value(&values[0])),
    row("strvalue", &[Sample], |_, values| prometheus::strvalue(&values[0])),
    row("sortByLabel", &[Text, Samples], |_, values| prometheus::sort_by_label(values)),
    many("args", &[], Any, |_, values| Ok(prometheus::args(values))),
    row("match", &[Text, Text], |_, values| prometheus::matches(values)),
    row("reReplaceAll", &[Text, Text, Text], |_, values| prometheus::re_replace_all(values)),
    row("title", &[Text], |_, values| Ok(Value::String(prometheus::title(&values[0].text())))),
    row("toUpper", &[Text], |_, values| Ok(Value::String(values[0].text().to_uppercase()))),
    row("toLower", &[Text], |_, values| Ok(Value::String(values[0].text().to_lowercase()))),
    row("stripPort", &[Text], |_, values| Ok(Value::String(prometheus::strip_port(&values[0].text())))),
    row("stripDomain", &[Text], |_, values| Ok(Value::String(prometheus::strip_domain(&values[0].text())))),
    row("safeHtml", &[Text], |_, values| Ok(Value::Html(values[0].text()))),
    row("graphLink", &[Text], |_, values| Ok(Value::String(prometheus::link(&values[0].text(), 0)))),
    row("tableLink", &[Text], |_, values| Ok(Value::String(prometheus::link(&values[0].text(), 1)))),
    row("humanize", &[Any], |_, values| prometheus::humanize(&values[0])),
    row("humanize1024", &[Any], |_, values| prometheus::humanize1024(&values[0])),
    row("humanizeDuration", &[Any], |_, values| prometheus::humanize_duration(&values[0])),
    row("humanizePercentage", &[Any], |_, values| prometheus::humanize_percentage(&values[0])),
    row("humanizeTimestamp", &[Any], |_, values| prometheus::humanize_timestamp(&values[0])),
    row("toTime", &[Any], |_, values| prometheus::to_time(&values[0])),
    row("parseDuration", &[Text], |_, values| prometheus::parse_duration(&values[0].text())),
    row("now", &[], |environment, _| Ok(Value::Float(environment.now_ms as f64 / 1000.0))),
    row("pathPrefix", &[], |environment, _| {
        Ok(Value::String(prometheus::path_prefix(environment.external_url)))
    }),
    row("externalURL", &[], |environment, _| Ok(Value::String(environment.external_url.to_owned()))),
];
