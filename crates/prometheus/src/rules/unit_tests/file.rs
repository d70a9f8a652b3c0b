//! A file of unit tests as it is written.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer};
use streamflow_gotext::parse_duration_ms;

/// The whole file. Keys that promtool does not know are refused, as there.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UnitTests {
    #[serde(deserialize_with = "or_default")]
    pub rule_files: Vec<String>,
    #[serde(rename = "evaluation_interval", deserialize_with = "duration")]
    pub evaluation_interval_ms: i64,
    #[serde(deserialize_with = "or_default")]
    pub group_eval_order: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub tests: Vec<UnitTest>,
    /// Whether numbers may differ in their last bit.
    pub fuzzy_compare: bool,
}

impl Default for UnitTests {
    fn default() -> Self {
        Self {
            rule_files: Vec::new(),
            evaluation_interval_ms: 60_000,
            group_eval_order: Vec::new(),
            tests: Vec::new(),
            fuzzy_compare: false,
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UnitTest {
    pub name: String,
    /// Between two values of a series; 0 is that of evaluations.
    #[serde(rename = "interval", deserialize_with = "duration")]
    pub interval_ms: i64,
    #[serde(deserialize_with = "or_default")]
    pub input_series: Vec<InputSeries>,
    #[serde(deserialize_with = "or_default")]
    pub alert_rule_test: Vec<AlertTest>,
    #[serde(deserialize_with = "or_default")]
    pub promql_expr_test: Vec<ExprTest>,
    #[serde(deserialize_with = "or_default")]
    pub external_labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub external_url: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InputSeries {
    pub series: String,
    #[serde(deserialize_with = "or_default")]
    pub values: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertTest {
    #[serde(rename = "eval_time", deserialize_with = "duration")]
    pub eval_time_ms: i64,
    pub alertname: String,
    #[serde(deserialize_with = "or_default")]
    pub exp_alerts: Vec<ExpectedAlert>,
}

/// An alert without its name.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExpectedAlert {
    #[serde(deserialize_with = "or_default")]
    pub exp_labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub exp_annotations: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExprTest {
    pub expr: String,
    #[serde(rename = "eval_time", deserialize_with = "duration")]
    pub eval_time_ms: i64,
    #[serde(deserialize_with = "or_default")]
    pub exp_samples: Vec<ExpectedSample>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExpectedSample {
    #[serde(deserialize_with = "or_default")]
    pub labels: String,
    pub value: f64,
    /// A native histogram in the place of a value, as scripts spell it.
    #[serde(deserialize_with = "or_default")]
    pub histogram: String,
}

impl UnitTests {
    /// Reads a text; one without anything has no tests.
    ///
    /// # Errors
    /// The place, and what was expected there.
    pub fn read(text: &str) -> Result<Self, String> {
        let read: Result<Option<Self>, _> = serde_saphyr::from_str(text);
        let mut tests = read.map_err(|error| error.without_snippet().to_string())?.unwrap_or_default();
        let mut known = BTreeSet::new();
        if let Some(twice) = tests.group_eval_order.iter().find(|name| !known.insert(*name)) {
            return Err(format!("group_eval_order has the group {twice:?} twice"));
        }
        if tests.evaluation_interval_ms == 0 {
            tests.evaluation_interval_ms = Self::default().evaluation_interval_ms;
        }
        Ok(tests)
    }
}

fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_duration_ms(&text).map_err(|_| {
        serde::de::Error::custom(format!("not a duration: {text:?}, expected one like 30s, 1m30s or 2h"))
    })
}
