//! Drift of live traffic, looked at every minute against what a model was trained on.
//!
//! What it is: classes of values, a bounded sample of the entities of a minute, windows of such samples, and the
//! decision whether a feature has drifted, with as many false alarms a month as the caller allows. What it is not: it
//! has no clock and no network, touches no disk and knows no model; minutes, entities and values are arguments.
//!
//! Vocabulary: a [`Reference`] says how the values of each feature are classed and how many rows of the reference each
//! class has; a [`Minute`] holds the classes of the entities with the smallest hashes; a *window* ends with the present
//! minute and is 15 minutes, 1, 6 or 24 hours long; a *look* judges all windows at one minute; a *statistic* is one
//! number that a feature is judged by, with its *effect* (how large) and its *z* (how significant).
//!
//! ```
//! use streamflow_live::{FeatureReference, Limits, Reference, Tracker, Value, Window, entity_hash};
//!
//! let trained_on = FeatureReference::numerical("hours", (0..7_000).map(f64::from).collect());
//! let mut tracker = Tracker::new(Reference::new(vec![trained_on], vec![]), &Limits::default());
//! // A quarter of an hour of users who listen longer than anybody did before.
//! for minute in 0..15 {
//!     let mut open = tracker.reference().open_minute();
//!     for user in 0..60 {
//!         let id = format!("user {minute} {user}");
//!         let at_ms = minute * 60_000 + user;
//!         open.add(tracker.reference(), entity_hash(0, id.as_bytes()), at_ms as u64, &[Value::Number(9_000.0)]);
//!     }
//!     tracker.add(open.close(minute)).expect("a minute of the same reference");
//! }
//! let look = tracker.look(14);
//! let quarter = look.window(Window::QuarterHour);
//! assert_eq!(quarter.entities, 900);
//! assert!(quarter.features[0].is_detected());
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod alarm;
mod certify;
mod codec;
mod feature;
mod hash;
mod judge;
mod minute;
mod reference;
mod sample;
mod statistic;
mod threshold;
mod tracker;
mod traffic;
mod window;

pub use alarm::{Alarm, Alarms};
pub use certify::sensitivity;
pub use codec::DecodeError;
pub use feature::{Classes, FeatureReference, Value};
pub use hash::{entity_hash, values_hash};
pub use judge::{Gates, Judge, Judged, Limits};
pub use minute::{Counters, Minute, OpenMinute, Status};
pub use reference::{Mismatch, Reference};
pub use sample::Sample;
pub use statistic::{Kind, Measured};
pub use threshold::{MONTH_MINUTES, upcrossing_z};
pub use tracker::{Basis, FeatureLook, Look, StatisticLook, Tracker, WindowLook};
pub use traffic::ErrorsLook;
pub use window::{BLOCK_MINUTES, Window};
