//! What can be wrong with a schedule, with what to write instead.

/// Why a text is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing says when.
    #[error(
        "a schedule without a time: give one of `cron` (\"0 6 1 * *\"), `every` (\"6h\") or `at` (\"2026-03-01T09:00\")"
    )]
    Empty,
    /// Two keys say when.
    #[error(
        "a schedule with both `{0}` and `{1}`: keep one of them, and give the other to a flow of its own"
    )]
    Two(&'static str, &'static str),
    /// The phase of something that has none.
    #[error("anchor = {0:?} belongs to `every`: give `every` as well, or leave `anchor` out")]
    StrayAnchor(String),
    /// A wrong cron expression.
    #[error("cron = {expression:?}: {reason}")]
    Cron {
        /// As it was written.
        expression: String,
        /// The place, what is wrong there, and the remedy.
        reason: String,
    },
    /// A cron expression that asks for days that no year has.
    #[error(
        "cron = {0:?} never fires: none of its months has such a day; name another day or month, or `L` for the last day of a month"
    )]
    NeverFires(String),
    /// An unknown time zone.
    #[error(
        "zone = {0:?}: expected a name of the tz database such as \"Europe/Paris\" or \"UTC\" (a fixed offset two hours ahead of UTC is \"Etc/GMT-2\")"
    )]
    Zone(String),
    /// Not a length of time, or one that cannot be kept.
    #[error(
        "{key} = {value:?}: expected a length of time in whole seconds, from 1s to 100y, such as \"15m\", \"6h\" or \"1d\""
    )]
    Length {
        /// `every` or `start_deadline`.
        key: &'static str,
        /// As it was written.
        value: String,
    },
    /// Not a time of the clock.
    #[error(
        "{key} = {value:?}: expected a date from 1970 to 9000 with the time on the clock of `zone`, without seconds or offset, such as \"2026-03-01T09:00\""
    )]
    Local {
        /// `anchor` or `at`.
        key: &'static str,
        /// As it was written.
        value: String,
    },
}
