//! The states of runs and tasks: Prefect's types, and which may follow which.

use serde::Serialize;
use sqlx::Row as _;
use sqlx::any::AnyRow;

/// How far a run or a task has come. Beside it stands a name in the user's words, such as `AwaitingRetry` or `NO_ACTION`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Scheduled,
    Pending,
    Running,
    Paused,
    Cancelling,
    Completed,
    Failed,
    Cancelled,
    Crashed,
}

impl State {
    /// Every state, in the order a run meets them.
    pub const ALL: [State; 9] = [
        State::Scheduled,
        State::Pending,
        State::Running,
        State::Paused,
        State::Cancelling,
        State::Completed,
        State::Failed,
        State::Cancelled,
        State::Crashed,
    ];

    /// The state's word, as the database, metrics and the terminal have it.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Scheduled => "scheduled",
            State::Pending => "pending",
            State::Running => "running",
            State::Paused => "paused",
            State::Cancelling => "cancelling",
            State::Completed => "completed",
            State::Failed => "failed",
            State::Cancelled => "cancelled",
            State::Crashed => "crashed",
        }
    }

    /// True where nothing follows unless somebody retries the run.
    pub fn is_terminal(self) -> bool {
        matches!(self, State::Completed | State::Failed | State::Cancelled | State::Crashed)
    }

    /// True while a process works on the run.
    pub fn is_active(self) -> bool {
        matches!(self, State::Pending | State::Running | State::Cancelling)
    }

    /// True when `next` may follow. A state may be named anew while it lasts, and what has ended short of success may be
    /// scheduled again; what has completed stays so.
    pub fn may_become(self, next: State) -> bool {
        use State::{Cancelled, Cancelling, Completed, Crashed, Failed, Paused, Pending, Running, Scheduled};
        match self {
            Scheduled => matches!(next, Scheduled | Pending | Running | Cancelled | Failed),
            Pending => {
                matches!(next, Scheduled | Running | Cancelling | Completed | Failed | Cancelled | Crashed)
            }
            Running => {
                matches!(next, Scheduled | Running | Paused | Cancelling | Completed | Failed | Crashed)
            }
            Paused => matches!(next, Scheduled | Cancelled | Failed),
            Cancelling => matches!(next, Cancelled | Completed | Failed | Crashed),
            Completed => false,
            Failed | Cancelled | Crashed => next == Scheduled,
        }
    }

    /// Reads a column that holds [`State::as_str`].
    pub(super) fn of(row: &AnyRow, column: &str) -> sqlx::Result<Self> {
        let word: String = row.try_get(column)?;
        let state = State::ALL.into_iter().find(|state| state.as_str() == word);
        state.ok_or_else(|| sqlx::Error::ColumnDecode {
            index: column.to_owned(),
            source: format!("{word:?} is no state of a run").into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::State;

    /// A row for each state, a column for each that may follow, in the order of [`State::ALL`].
    const LEGAL: [&str; 9] = [
        // spRPcCFxX: scheduled pending Running Paused cancelling Completed Failed cancelled(x) crashed(X)
        "111000110",
        "101011111",
        "101111101",
        "100000110",
        "000001111",
        "000000000",
        "100000000",
        "100000000",
        "100000000",
    ];

    #[test]
    fn every_pair_of_states_is_legal_or_not() {
        for (from, row) in State::ALL.into_iter().zip(LEGAL) {
            for (to, cell) in State::ALL.into_iter().zip(row.chars()) {
                assert_eq!(from.may_become(to), cell == '1', "{} to {}", from.as_str(), to.as_str());
            }
        }
    }
}
