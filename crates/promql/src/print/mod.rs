//! Trees as text: on one line (`Display`), or broken into lines where they are long ([`format`]).
//!
//! Both are Prometheus's own forms and parse to the same tree again. Recursive: the parser bounds the height.

mod expression;
mod pretty;
mod quote;

pub use pretty::format;
pub(crate) use quote::{quote, quote_bytes, quote_char};
