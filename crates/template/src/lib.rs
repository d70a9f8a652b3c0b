//! Templates in the labels and annotations of alerts: the language of Go's text/template with Prometheus's functions.
//!
//! What it is: a parser and an interpreter for everything that the values of alerts can do there. What it is not: it
//! knows no methods but those of times, and none of the types of Go that no template function returns; it evaluates no
//! query and reads no clock, [`Environment`] gives it both.
//!
//! Vocabulary: an *action* is what stands in `{{ }}`; a *pipeline* is a chain of commands whose values are passed on by
//! `|`; *dot* is the value that `.` stands for; to *expand* a template is to write its text. Messages are worded as Go
//! and Prometheus word them.
//!
//! ```
//! use streamflow_template::{Data, Environment, LabelMap, Template};
//!
//! let template = Template::parse("Slow", "{{ $labels.job }} took {{ humanizeDuration $value }}")?;
//! let data = Data {
//!     labels: LabelMap::from([("job".to_owned(), "api".to_owned())]).into(),
//!     external_labels: LabelMap::new().into(),
//!     external_url: "http://localhost:9090".to_owned(),
//!     value: 90.0,
//!     histogram: None,
//! };
//! let query = |expression: &str| Err(format!("{expression}: there is nothing to ask here"));
//! let environment = Environment { query: &query, external_url: "http://localhost:9090", now_ms: 0 };
//! assert_eq!(template.expand(data, &environment)?, "api took 1m 30s");
//! # Ok::<(), streamflow_template::Error>(())
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod call;
mod evaluate;
mod functions;
mod lexer;
mod literal;
mod parser;
mod pipeline;
mod print;
mod syntax;
mod time;
mod value;

pub use functions::{Environment, link as expression_link};
pub use value::{Data, LabelMap, Sample};

use evaluate::{Failure, evaluate};
use parser::Tree;
use value::Value;

/// Every template begins with these, as Prometheus has it.
const PREAMBLE: &str = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}";

/// Why a template has no text; worded as Prometheus words it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is no template.
    #[error("error parsing template {name}: template: {name}:{line}: {reason}")]
    Parse {
        /// The template.
        name: String,
        /// From 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A function failed, or was given a wrong value.
    #[error(
        "error executing template {name}: template: {name}:{line}:{column}: executing {name:?} at <{words}>: {reason}"
    )]
    Execute {
        /// The template.
        name: String,
        /// From 1.
        line: usize,
        /// Bytes before it in the line, those of the variables that stand before every template included.
        column: usize,
        /// The words that failed.
        words: String,
        /// Why.
        reason: String,
    },
}

/// A template that was parsed once, to be expanded often.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    name: String,
    text: String,
    /// `None` where the text holds no braces and stands for itself.
    tree: Option<Tree>,
}

impl Template {
    /// `alert` names the alert in messages.
    ///
    /// # Errors
    /// Where the text is no template, or names an unknown function or variable.
    pub fn parse(alert: &str, text: &str) -> Result<Self, Error> {
        let name = format!("__alert_{alert}");
        if !text.contains("{{") {
            return Ok(Self { name, text: text.to_owned(), tree: None });
        }
        let text = format!("{PREAMBLE}{text}");
        match parser::parse(&text) {
            Ok(tree) => Ok(Self { name, text, tree: Some(tree) }),
            Err((line, reason)) => Err(Error::Parse { name, line, reason }),
        }
    }

    /// # Errors
    /// Where a function fails or a value has the wrong type.
    pub fn expand(&self, data: Data, environment: &Environment<'_>) -> Result<String, Error> {
        let Some(tree) = &self.tree else { return Ok(self.text.clone()) };
        evaluate(tree, Value::Data(data.into()), environment).map_err(|failure| self.error(failure))
    }

    /// The text, or where there is none the reason as text, which an alert then carries.
    pub fn expand_or_error(&self, data: Data, environment: &Environment<'_>) -> String {
        self.expand(data, environment).unwrap_or_else(|error| format!("<error expanding template: {error}>"))
    }

    fn error(&self, failure: Failure) -> Error {
        let before = &self.text[..failure.position];
        // After a line end Go counts from one, in the first line from zero.
        let column = before.rfind('\n').map_or(before.len(), |at| before.len() - at - 1);
        Error::Execute {
            name: self.name.clone(),
            line: 1 + before.matches('\n').count(),
            column,
            words: failure.context,
            reason: failure.message,
        }
    }
}
