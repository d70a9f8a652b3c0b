//! When a flow is due.
//!
//! What it is: schedules in the user's words (a cron expression, an interval, one moment), the times at which they are
//! due, and what to do about the times that passed while nothing ran. What it is not: it reads no clock and waits for
//! nothing, [`plan`] is told what time it is; it knows no flows and no runs. Time zones are those of the copy of the tz
//! database that is linked into the program, so the same schedule has the same times on every machine.
//!
//! Vocabulary: an *instant* is a moment of the world, a *clock* what the people of a zone read; a *gap* is clock time
//! that does not exist because the clock was put forward, a *fold* is clock time that exists twice because it was put
//! back; a time is *missed* when it passed and nobody was there to act on it; to *handle* a time is to run or to skip
//! it, and every time is handled once.
//!
//! # When the clock changes
//! The rules are those of Vixie's cron, cron(8):
//! - An expression whose minute or hour field begins with `*` follows real time: it is due whenever the clock shows a
//!   minute that it names. What stands in a gap is left out and what stands in a fold is due twice, so hourly is every
//!   hour that passes.
//! - Any other expression is due once for each time of the clock: those in a gap together at the first moment after
//!   it, those in a fold when the clock first shows them. Intervals of whole days are the same.
//! - A gap of three hours or a fold of more is a correction of the clock, and the new time holds at once: Samoa had
//!   no 30 December 2011, and nothing is due for it.
//!
//! ```
//! use streamflow_schedule::{Policy, ScheduleText, plan};
//!
//! let text = ScheduleText {
//!     cron: Some("0 6 1 * *".to_owned()),
//!     zone: Some("Europe/Paris".to_owned()),
//!     ..ScheduleText::default()
//! };
//! let schedule = text.parse()?;
//! assert_eq!(schedule.describe(), "at 06:00 on day 1 of every month, Europe/Paris");
//!
//! let last_handled = Some("2026-01-01T05:00:00Z".parse().unwrap());
//! let due = plan(&schedule, &Policy::default(), last_handled, "2026-03-15T12:00:00Z".parse().unwrap());
//! assert_eq!(due.run, ["2026-03-01T05:00:00Z".parse().unwrap()]);
//! assert_eq!(due.skipped.len(), 1, "that of February");
//! assert_eq!(due.next, Some("2026-04-01T04:00:00Z".parse().unwrap()));
//! # Ok::<(), streamflow_schedule::Error>(())
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod calendar;
mod error;
mod expression;
mod field;
mod plan;
mod schedule;
mod text;
mod walk;
mod words;

pub use error::Error;
pub use expression::Expression;
pub use plan::{Catchup, Due, Policy, Reason, plan};
pub use schedule::Schedule;
pub use text::ScheduleText;
