//! How Go spells numbers, durations, sizes, quotes, file patterns and regular expressions, as Prometheus's files, API, expressions and
//! templates have them.
//!
//! What it is: pure functions between text and values, judged by Go's `strconv`, `path/filepath`,
//! `regexp` and `encoding/json` and by Prometheus's `model.Duration`, `model.EscapeName` and template functions. What it is not: it knows no format of
//! which these texts are a part, and reads no file.
//!
//! Vocabulary: the *shortest* digits are the fewest that read back as the same number; a *general* number is Go's
//! `%g`, a *fixed* one `%f`, an *exponential* one `%e`; a *mark* is the character around a quoted text; *humanized* is
//! a number with four digits and a metric prefix.
//!
//! ```
//! use streamflow_gotext::{Glob, Regex, format_duration_ms, parse_duration_ms, parse_float, quote, shortest};
//!
//! assert_eq!(parse_float("+Inf")?, f64::INFINITY);
//! assert_eq!(shortest(1e6).to_string(), "1e+06");
//! assert_eq!(parse_duration_ms("1h30m")?, 5_400_000);
//! assert_eq!(format_duration_ms(90_000), "1m30s");
//! assert_eq!(quote("a\n\"b\""), r#""a\n\"b\"""#);
//! assert!(Glob::new("*.y?ml")?.is_match("rules.yaml"));
//! assert!(!Regex::anchored(r"\w+")?.is_match("日本"));
//! # Ok::<(), streamflow_gotext::Error>(())
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod duration;
mod error;
mod escaping;
mod glob;
mod number;
mod quote;
mod regex;
mod size;

pub use duration::{format_duration_ms, humanize_duration, parse_duration_ms};
pub use error::Error;
pub use escaping::{Escaping, is_legacy_name};
pub use glob::Glob;
pub use number::{
    Shortest, exponential, fixed, general, hexadecimal, open_metrics, parse_decimal, parse_float, parse_int,
    shortest, shortest_json,
};
pub use quote::{quote, quote_bytes, quote_char, unescape};
pub use regex::{Captures, Regex};
pub use size::{humanize, humanize_1024, parse_size};
