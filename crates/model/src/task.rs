//! What a model predicts.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kind of label that a model predicts; written as a lower-case word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// The probability that the label is true.
    #[default]
    Binary,
}

impl Task {
    /// The word that it is written as.
    pub fn name(self) -> &'static str {
        match self {
            Task::Binary => "binary",
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_read_as_they_are_written_and_others_are_named() {
        let json = serde_json::to_string(&Task::default()).unwrap();
        assert_eq!(json, format!("\"{}\"", Task::Binary));
        assert_eq!(serde_json::from_str::<Task>(&json).unwrap(), Task::Binary);
        let error = serde_json::from_str::<Task>("\"multiclass\"").unwrap_err().to_string();
        assert!(error.starts_with("unknown variant `multiclass`, expected `binary`"), "{error}");
    }
}
