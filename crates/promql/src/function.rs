//! The row of the function table: what the parser checks, the tree names and the evaluation calls.

use crate::ast::{Expr, Span, ValueType};
use crate::error::Error;
use crate::eval::RunningQuery;
use crate::eval::grid::{Grid, Node, Sample};
use crate::eval::moment::Moment;
use crate::eval::window::{NativeWindow, Window};
use crate::eval::windows::OfWindows;
use crate::functions::Per;

/// A function of PromQL.
#[derive(Debug)]
pub struct Function {
    /// The name as it is written.
    pub name: &'static str,
    /// Types of the arguments; a further argument has the type of the last.
    pub args: &'static [ValueType],
    /// 0: exactly `args`. n > 0: all but the last of `args`, then up to n more. -1: all but the last, then any number.
    pub variadic: i8,
    /// Type of the value.
    pub returns: ValueType,
    /// True if Prometheus calls it experimental.
    pub experimental: bool,
    pub(crate) implementation: Implementation,
}

/// How a function is computed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Implementation {
    /// From each sample of the vector.
    Map(fn(f64) -> f64),
    /// From each sample and the scalar arguments of its step; `ABSENT` drops the sample.
    MapWith(fn(f64, &[f64]) -> f64),
    /// From the date that each sample holds; without argument, from that of the evaluation.
    Date(fn(Moment) -> f64),
    /// A number from the query's times, the time of evaluation in seconds and the arguments.
    Scalar(fn(&Grid, f64, &[f64]) -> f64),
    /// From the samples of a series in a range.
    Range(RangeFunction),
    /// From the whole vector at all steps.
    Node(fn(&RunningQuery, &Call, Grid) -> Result<Node, Error>),
}

/// A function of the samples in a range.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RangeFunction {
    /// From numbers; `ABSENT` is no sample.
    pub(crate) call: fn(&mut Window) -> f64,
    /// What the slope of a counter is given for, where the function is one: it asks for the counter's resets.
    pub(crate) counter: Option<Per>,
    pub(crate) native: OnHistograms,
    /// From aggregates of numbers, where the function is known from these.
    pub(crate) of_windows: Option<OfWindows>,
    /// True if of native histograms the function is known from the first and the last one of each window and those around
    /// counter resets.
    pub(crate) of_histogram_ends: bool,
}

/// What a function of a range does where histograms are among its samples.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OnHistograms {
    /// It leaves them out, with a remark if there are numbers too.
    Ignores,
    /// It looks at no value: `RangeFunction::call` is given places for them, and may return one.
    Passes,
    /// It knows them.
    Takes(fn(&NativeWindow) -> Option<Sample>),
}

/// A call that is being evaluated.
pub(crate) struct Call<'e> {
    pub(crate) function: &'static Function,
    pub(crate) args: &'e [Expr],
    pub(crate) span: Span,
}

impl Call<'_> {
    /// The parser has counted the arguments; a tree made by hand may still have the wrong number.
    pub(crate) fn wrong_arguments(&self) -> Error {
        Error::Execution(format!(
            "wrong number of arguments in call to {}: {}",
            self.function.name,
            self.args.len()
        ))
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Function {
    /// The fewest arguments it takes.
    #[must_use]
    pub fn min_args(&self) -> usize {
        if self.variadic == 0 { self.args.len() } else { self.args.len().saturating_sub(1) }
    }

    /// The most arguments it takes; `None` is no bound.
    #[must_use]
    pub fn max_args(&self) -> Option<usize> {
        match usize::try_from(self.variadic) {
            Ok(0) => Some(self.args.len()),
            Ok(more) => Some(self.min_args() + more),
            Err(_) => None,
        }
    }

    /// The type of argument `index`; `None` where the function takes no argument at all.
    #[must_use]
    pub fn arg_type(&self, index: usize) -> Option<ValueType> {
        self.args.get(index).or(self.args.last()).copied()
    }
}
