//! Results of expectations, for people and in Great Expectations' JSON.

use std::fmt;

use serde_json::{Value, json};

use crate::problem::Position;
use crate::snapshot::expectations::expectation::Expectation;

/// The results of all tables of a drop.
#[derive(Debug, Clone, PartialEq)]
pub struct Validation {
    /// One result for each configured expectation: the entity table first, then by table name, in the
    /// order of the configuration.
    pub results: Vec<ExpectationResult>,
}

/// The result of one expectation.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectationResult {
    /// The table.
    pub table: String,
    /// What was expected.
    pub expectation: Expectation,
    /// Whether it was met.
    pub success: bool,
    pub(crate) measure: Measure,
}

/// What an expectation found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Measure {
    Values {
        element_count: u64,
        /// None where missing values are what is counted.
        missing_count: Option<u64>,
        unexpected_count: u64,
        /// The first ones.
        unexpected: Vec<Unexpected>,
    },
    Observed {
        value: Value,
        details: Option<Value>,
    },
}

/// A value that broke an expectation.
#[derive(Debug, Clone, PartialEq)]
pub struct Unexpected {
    /// Index of its row, from 0.
    pub index: u64,
    /// Where the row is in the file.
    pub position: Position,
    /// The value; text is cut at 60 characters.
    pub value: Value,
}

impl Validation {
    /// Whether every expectation was met.
    pub fn success(&self) -> bool {
        self.failures().next().is_none()
    }

    /// The results that were not met.
    pub fn failures(&self) -> impl Iterator<Item = &ExpectationResult> {
        self.results.iter().filter(|result| !result.success)
    }

    /// The results as Great Expectations 1.x writes a validation result. The table stands where it
    /// puts the batch (`expectation_config.kwargs.batch_id`).
    pub fn to_json(&self) -> Value {
        let evaluated = self.results.len();
        let unsuccessful = self.failures().count();
        let successful = evaluated - unsuccessful;
        json!({
            "success": unsuccessful == 0,
            "results": self.results.iter().map(ExpectationResult::to_json).collect::<Vec<_>>(),
            "statistics": {
                "evaluated_expectations": evaluated,
                "successful_expectations": successful,
                "unsuccessful_expectations": unsuccessful,
                "success_percent": percent(successful as u64, evaluated as u64),
            },
        })
    }
}

impl fmt::Display for Validation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = self.failures().count();
        write!(f, "{failed} of {} expectations failed", self.results.len())?;
        for result in self.failures() {
            write!(f, "\n  - {result}")?;
        }
        Ok(())
    }
}

impl ExpectationResult {
    /// The number of values that broke the expectation; `None` for one about the table as a whole.
    pub fn unexpected_count(&self) -> Option<u64> {
        match &self.measure {
            Measure::Values { unexpected_count, .. } => Some(*unexpected_count),
            Measure::Observed { .. } => None,
        }
    }

    /// The first values that broke the expectation, at most 20.
    pub fn unexpected(&self) -> &[Unexpected] {
        match &self.measure {
            Measure::Values { unexpected, .. } => unexpected,
            Measure::Observed { .. } => &[],
        }
    }

    fn to_json(&self) -> Value {
        let mut kwargs = self.expectation.kwargs();
        kwargs.insert("batch_id".to_string(), self.table.clone().into());
        json!({
            "success": self.success,
            "expectation_config": { "type": self.expectation.expect, "kwargs": kwargs, "meta": {} },
            "result": self.measure.to_json(),
            "meta": {},
            "exception_info": { "raised_exception": false, "exception_traceback": null, "exception_message": null },
        })
    }
}

impl fmt::Display for ExpectationResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut kwargs = self.expectation.kwargs();
        write!(f, "{}", self.table)?;
        if let Some(column) = kwargs.shift_remove("column") {
            write!(f, ", column {}", column.as_str().unwrap_or_default())?;
        }
        write!(f, ": {}", self.expectation.expect)?;
        if !kwargs.is_empty() {
            let kwargs: Vec<String> = kwargs.iter().map(|(key, value)| format!("{key} = {value}")).collect();
            write!(f, " ({})", kwargs.join(", "))?;
        }
        match &self.measure {
            Measure::Observed { value, details } => {
                write!(f, ": found {value}")?;
                details.as_ref().map_or(Ok(()), |details| write!(f, ", {details}"))
            }
            Measure::Values { element_count, missing_count, unexpected_count, unexpected } => {
                let judged = element_count - missing_count.unwrap_or(0);
                let share = percent(*unexpected_count, judged).unwrap_or(0.0);
                write!(f, ": {unexpected_count} of {judged} values ({share:.2} %) are not as expected")?;
                for (index, item) in unexpected.iter().take(3).enumerate() {
                    let lead = if index == 0 { ", first" } else { "," };
                    write!(f, "{lead} {} at {}", item.value, item.position)?;
                }
                Ok(())
            }
        }
    }
}

impl Measure {
    fn to_json(&self) -> Value {
        let (element_count, missing_count, unexpected_count, unexpected) = match self {
            Measure::Observed { value, details: None } => return json!({ "observed_value": value }),
            Measure::Observed { value, details: Some(details) } => {
                return json!({ "observed_value": value, "details": details });
            }
            Measure::Values { element_count, missing_count, unexpected_count, unexpected } => {
                (*element_count, *missing_count, *unexpected_count, unexpected)
            }
        };
        let judged = element_count - missing_count.unwrap_or(0);
        let mut json = json!({
            "element_count": element_count,
            "unexpected_count": unexpected_count,
            "unexpected_percent": percent(unexpected_count, judged),
            "partial_unexpected_list": unexpected.iter().map(|item| &item.value).collect::<Vec<_>>(),
        });
        if let Some(missing) = missing_count {
            json["missing_count"] = missing.into();
            json["missing_percent"] = percent(missing, element_count).into();
            json["unexpected_percent_total"] = percent(unexpected_count, element_count).into();
            json["unexpected_percent_nonmissing"] = percent(unexpected_count, judged).into();
        }
        json["partial_unexpected_index_list"] = unexpected.iter().map(|item| item.index).collect();
        json
    }
}

fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64 * 100.0)
}
