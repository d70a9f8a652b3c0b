//! The table of functions.

use crate::ast::ValueType;

/// A row of the function table: what the parser checks and the evaluator calls.
#[derive(Debug)]
pub struct Function {
    /// As it is written.
    pub name: &'static str,
    /// Types of the arguments. Beyond them the last may repeat, as `variadic` says.
    pub args: &'static [ValueType],
    /// 0: exactly `args`; n > 0: the last n of `args` may be left out; -1: the last repeats, zero or more times.
    pub variadic: i8,
    /// Type of the value.
    pub returns: ValueType,
    /// Whether Prometheus calls it experimental.
    pub experimental: bool,
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}
