//! Trees as text: on one line (`Display`), or broken into lines where they are long ([`format`]).
//!
//! Both are Prometheus's own forms and parse to the same tree again. Recursive: the parser bounds the height.

mod expression;
mod pretty;

pub use pretty::format;
