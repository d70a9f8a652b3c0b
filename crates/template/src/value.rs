//! What a template computes with, and how it is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use streamflow_gotext::{parse_float, shortest};

/// Label names and their values.
pub type LabelMap = BTreeMap<String, String>;

/// One series of an instant query's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its labels, the metric's name among them.
    pub labels: LabelMap,
    /// Its value at the time of the query.
    pub value: f64,
}

/// What `.` and the variables `$labels`, `$externalLabels`, `$externalURL`, `$value` are at the start.
#[derive(Debug, Clone, PartialEq)]
pub struct Data {
    /// Labels of the alert's series.
    pub labels: Arc<LabelMap>,
    /// Labels that the server adds to all it sends.
    pub external_labels: Arc<LabelMap>,
    /// Where the server is reached, with path.
    pub external_url: String,
    /// Value of the alert's expression.
    pub value: f64,
    /// The value as text where it is a native histogram, which then stands for it.
    pub histogram: Option<String>,
}

impl Data {
    pub(crate) fn value_or_histogram(&self) -> Value {
        self.histogram.clone().map_or(Value::Float(self.value), Value::String)
    }
}

/// A value of a template.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// What a missing key of a map of values and the literal `nil` give.
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    String(String),
    /// Text that `safeHtml` made.
    Html(String),
    Labels(Arc<LabelMap>),
    Sample(Arc<Sample>),
    Samples(Vec<Arc<Sample>>),
    /// What `args` makes.
    Args(BTreeMap<String, Value>),
    /// Milliseconds since 1970.
    Time(i64),
    Data(Arc<Data>),
}

impl Value {
    /// The name of its type, as messages and `%T` give it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::String(_) => "string",
            Self::Html(_) => "template.HTML",
            Self::Labels(_) => "map[string]string",
            Self::Sample(_) => "*template.sample",
            Self::Samples(_) => "template.queryResult",
            Self::Args(_) => "map[string]interface {}",
            Self::Time(_) => "*time.Time",
            Self::Data(_) => {
                "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value float64 }"
            }
        }
    }

    /// Whether `if` takes the first branch: not zero, not empty, not nil.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::String(text) | Self::Html(text) => !text.is_empty(),
            Self::Labels(labels) => !labels.is_empty(),
            Self::Samples(samples) => !samples.is_empty(),
            Self::Args(args) => !args.is_empty(),
            Self::Sample(_) | Self::Time(_) | Self::Data(_) => true,
        }
    }

    /// Its text: what `{{ value }}` writes and `%v` gives.
    pub fn text(&self) -> String {
        match self {
            Self::Nil => "<no value>".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => shortest(*value).to_string(),
            Self::String(text) | Self::Html(text) => text.clone(),
            Self::Labels(labels) => {
                map_text(labels.iter().map(|(name, value)| (name.as_str(), value.clone())))
            }
            Self::Sample(sample) => {
                let labels = Self::Labels(Arc::new(sample.labels.clone())).text();
                format!("{{{labels} {}}}", shortest(sample.value))
            }
            Self::Samples(samples) => {
                let texts: Vec<String> =
                    samples.iter().map(|sample| Self::Sample(sample.clone()).text()).collect();
                format!("[{}]", texts.join(" "))
            }
            Self::Args(args) => map_text(args.iter().map(|(name, value)| (name.as_str(), value.text()))),
            Self::Time(ms) => time_text(*ms),
            Self::Data(data) => format!(
                "{{{} {} {} {}}}",
                Self::Labels(data.labels.clone()).text(),
                Self::Labels(data.external_labels.clone()).text(),
                data.external_url,
                Self::text(&data.value_or_histogram())
            ),
        }
    }

    /// About the memory that it takes for itself; what is shared counts as little as a number.
    pub fn size_bytes(&self) -> usize {
        let more = match self {
            Self::String(text) | Self::Html(text) => text.len(),
            Self::Samples(samples) => size_of_val(samples.as_slice()),
            // A map takes its memory in pieces of eleven entries.
            Self::Args(args) => 1024 + args.values().map(Self::size_bytes).sum::<usize>(),
            _ => 0,
        };
        size_of::<Self>() + more
    }

    /// A number: of a number its value, of a text what it says.
    pub fn to_float(&self) -> Result<f64, String> {
        match self {
            Self::Int(value) => Ok(*value as f64),
            Self::Float(value) => Ok(*value),
            Self::String(text) => parse_float(text).map_err(|error| error.to_string()),
            other => Err(format!("can't convert {} to float", other.type_name())),
        }
    }
}

fn map_text<'v>(entries: impl Iterator<Item = (&'v str, String)>) -> String {
    let texts: Vec<String> = entries.map(|(name, value)| format!("{name}:{value}")).collect();
    format!("map[{}]", texts.join(" "))
}

/// `2015-02-04 15:43:23.5 +0000 UTC`.
pub fn time_text(ms: i64) -> String {
    let Ok(time) = jiff::Timestamp::from_millisecond(ms) else { return format!("{ms} ms since 1970") };
    let time = time.to_zoned(jiff::tz::TimeZone::UTC).datetime();
    let fraction = format!("{:03}", time.subsec_nanosecond() / 1_000_000);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{}{point}{fraction} +0000 UTC", time.strftime("%Y-%m-%d %H:%M:%S"))
}
