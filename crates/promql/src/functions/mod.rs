//! The table of functions. A function is a row here and a few lines in the file of its family.

mod buckets;
mod histogram;
mod info;
mod labels;
mod math;
mod native;
mod native_ends;
mod native_range;
mod over_time;
mod rate;
mod regression;
mod scalar;
mod sort;
mod time;
mod windows;

use crate::ast::ValueType::{self, Matrix, Scalar, String, Vector};
use crate::eval::grid::Sample;
use crate::eval::window::{NativeWindow, Window};
use crate::eval::windows::OfWindows;
use crate::function::{Function, Implementation, OnHistograms, RangeFunction};
use Implementation::{Date, Map, MapWith, Range};
pub(crate) use rate::{Per, seconds, slopes};

/// The function of this name, as written (names are lower case).
#[must_use]
pub fn lookup(name: &str) -> Option<&'static Function> {
    FUNCTIONS.binary_search_by(|row| row.name.cmp(name)).ok().map(|index| &FUNCTIONS[index])
}

const fn stable(
    name: &'static str,
    args: &'static [ValueType],
    variadic: i8,
    returns: ValueType,
    implementation: Implementation,
) -> Function {
    Function { name, args, variadic, returns, experimental: false, implementation }
}

const fn experimental(
    name: &'static str,
    args: &'static [ValueType],
    variadic: i8,
    returns: ValueType,
    implementation: Implementation,
) -> Function {
    Function { name, args, variadic, returns, experimental: true, implementation }
}

const fn bare(call: fn(&mut Window) -> f64) -> RangeFunction {
    let native = OnHistograms::Ignores;
    RangeFunction { call, counter: None, native, of_windows: None, of_histogram_ends: false }
}

/// A function of a range that is known from aggregates as well.
const fn known(implementation: Implementation, of_windows: OfWindows) -> Implementation {
    match implementation {
        Range(function) => Range(RangeFunction { of_windows: Some(of_windows), ..function }),
        other => other,
    }
}

/// As [`known`], and of native histograms from the first and the last one of each window.
const fn known_of_ends(implementation: Implementation, of_windows: OfWindows) -> Implementation {
    match known(implementation, of_windows) {
        Range(function) => Range(RangeFunction { of_histogram_ends: true, ..function }),
        other => other,
    }
}

/// A function of numbers in a range that leaves histograms out.
const fn window(call: fn(&mut Window) -> f64) -> Implementation {
    Range(bare(call))
}

/// A function of the samples in a range, whatever they are.
const fn any(call: fn(&mut Window) -> f64) -> Implementation {
    Range(RangeFunction { native: OnHistograms::Passes, ..bare(call) })
}

/// A function of a range of numbers, and one of a range with histograms.
const fn both(call: fn(&mut Window) -> f64, native: fn(&NativeWindow) -> Option<Sample>) -> Implementation {
    Range(RangeFunction { native: OnHistograms::Takes(native), ..bare(call) })
}

/// As [`both`], with the places of counter resets.
const fn counter(
    call: fn(&mut Window) -> f64,
    native: fn(&NativeWindow) -> Option<Sample>,
    per: Per,
) -> Implementation {
    Range(RangeFunction { counter: Some(per), native: OnHistograms::Takes(native), ..bare(call) })
}

/// Every function, ascending by name. Source: Prometheus 3.x; `holt_winters` is 2.x's name of
/// `double_exponential_smoothing`.
pub static FUNCTIONS: &[Function] = &[
    stable("abs", &[Vector], 0, Vector, Map(f64::abs)),
    stable("absent", &[Vector], 0, Vector, Implementation::Node(scalar::absent)),
    stable("absent_over_time", &[Matrix], 0, Vector, Implementation::Node(scalar::absent_over_time)),
    stable("acos", &[Vector], 0, Vector, Map(f64::acos)),
    stable("acosh", &[Vector], 0, Vector, Map(math::acosh)),
    stable("asin", &[Vector], 0, Vector, Map(f64::asin)),
    stable("asinh", &[Vector], 0, Vector, Map(math::asinh)),
    stable("atan", &[Vector], 0, Vector, Map(f64::atan)),
    stable("atanh", &[Vector], 0, Vector, Map(f64::atanh)),
    stable(
        "avg_over_time",
        &[Matrix],
        0,
        Vector,
        known(both(over_time::avg_over_time, native_range::avg_over_time), windows::average),
    ),
    stable("ceil", &[Vector], 0, Vector, Map(f64::ceil)),
    stable(
        "changes",
        &[Matrix],
        0,
        Vector,
        known(both(rate::changes, native_range::changes), windows::changes),
    ),
    stable("clamp", &[Vector, Scalar, Scalar], 0, Vector, MapWith(math::clamp)),
    stable("clamp_max", &[Vector, Scalar], 0, Vector, MapWith(math::clamp_max)),
    stable("clamp_min", &[Vector, Scalar], 0, Vector, MapWith(math::clamp_min)),
    stable("cos", &[Vector], 0, Vector, Map(f64::cos)),
    stable("cosh", &[Vector], 0, Vector, Map(f64::cosh)),
    stable("count_over_time", &[Matrix], 0, Vector, known(any(over_time::count_over_time), windows::count)),
    stable("day_of_month", &[Vector], 1, Vector, Date(time::day_of_month)),
    stable("day_of_week", &[Vector], 1, Vector, Date(time::day_of_week)),
    stable("day_of_year", &[Vector], 1, Vector, Date(time::day_of_year)),
    stable("days_in_month", &[Vector], 1, Vector, Date(time::days_in_month)),
    stable("deg", &[Vector], 0, Vector, Map(math::deg)),
    stable(
        "delta",
        &[Matrix],
        0,
        Vector,
        known_of_ends(both(rate::delta, native_range::delta), windows::delta),
    ),
    stable("deriv", &[Matrix], 0, Vector, window(regression::deriv)),
    experimental(
        "double_exponential_smoothing",
        &[Matrix, Scalar, Scalar],
        0,
        Vector,
        window(regression::double_exponential_smoothing),
    ),
    experimental("end", &[], 0, Scalar, Implementation::Scalar(scalar::end)),
    stable("exp", &[Vector], 0, Vector, Map(f64::exp)),
    experimental(
        "first_over_time",
        &[Matrix],
        0,
        Vector,
        known_of_ends(any(over_time::first_over_time), windows::first),
    ),
    stable("floor", &[Vector], 0, Vector, Map(f64::floor)),
    stable("histogram_avg", &[Vector], 0, Vector, Implementation::Node(native::average)),
    stable("histogram_count", &[Vector], 0, Vector, Implementation::Node(native::count)),
    stable(
        "histogram_fraction",
        &[Scalar, Scalar, Vector],
        0,
        Vector,
        Implementation::Node(histogram::histogram_fraction),
    ),
    stable(
        "histogram_quantile",
        &[Scalar, Vector],
        0,
        Vector,
        Implementation::Node(histogram::histogram_quantile),
    ),
    experimental(
        "histogram_quantiles",
        &[Vector, String, Scalar, Scalar],
        9,
        Vector,
        Implementation::Node(histogram::histogram_quantiles),
    ),
    stable("histogram_stddev", &[Vector], 0, Vector, Implementation::Node(native::deviation)),
    stable("histogram_stdvar", &[Vector], 0, Vector, Implementation::Node(native::variance)),
    stable("histogram_sum", &[Vector], 0, Vector, Implementation::Node(native::sum)),
    stable(
        "holt_winters",
        &[Matrix, Scalar, Scalar],
        0,
        Vector,
        window(regression::double_exponential_smoothing),
    ),
    stable("hour", &[Vector], 1, Vector, Date(time::hour)),
    stable("idelta", &[Matrix], 0, Vector, both(rate::idelta, native_range::idelta)),
    stable(
        "increase",
        &[Matrix],
        0,
        Vector,
        known_of_ends(counter(rate::increase, native_range::increase, Per::Range), windows::increase),
    ),
    experimental("info", &[Vector, Vector], 1, Vector, Implementation::Node(info::info)),
    stable("irate", &[Matrix], 0, Vector, both(rate::irate, native_range::irate)),
    stable(
        "label_join",
        &[Vector, String, String, String],
        -1,
        Vector,
        Implementation::Node(labels::label_join),
    ),
    stable(
        "label_replace",
        &[Vector, String, String, String, String],
        0,
        Vector,
        Implementation::Node(labels::label_replace),
    ),
    stable(
        "last_over_time",
        &[Matrix],
        0,
        Vector,
        known_of_ends(any(over_time::last_over_time), windows::last),
    ),
    stable("ln", &[Vector], 0, Vector, Map(f64::ln)),
    stable("log10", &[Vector], 0, Vector, Map(f64::log10)),
    stable("log2", &[Vector], 0, Vector, Map(f64::log2)),
    experimental("mad_over_time", &[Matrix], 0, Vector, window(over_time::mad_over_time)),
    experimental("max_of", &[Scalar, Scalar], 0, Scalar, Implementation::Scalar(scalar::max_of)),
    stable("max_over_time", &[Matrix], 0, Vector, known(window(over_time::max_over_time), windows::max)),
    experimental("min_of", &[Scalar, Scalar], 0, Scalar, Implementation::Scalar(scalar::min_of)),
    stable("min_over_time", &[Matrix], 0, Vector, known(window(over_time::min_over_time), windows::min)),
    stable("minute", &[Vector], 1, Vector, Date(time::minute)),
    stable("month", &[Vector], 1, Vector, Date(time::month)),
    stable("pi", &[], 0, Scalar, Implementation::Scalar(scalar::pi)),
    stable("predict_linear", &[Matrix, Scalar], 0, Vector, window(regression::predict_linear)),
    stable(
        "present_over_time",
        &[Matrix],
        0,
        Vector,
        known_of_ends(any(over_time::present_over_time), windows::present),
    ),
    stable("quantile_over_time", &[Scalar, Matrix], 0, Vector, window(over_time::quantile_over_time)),
    stable("rad", &[Vector], 0, Vector, Map(math::rad)),
    experimental("range", &[], 0, Scalar, Implementation::Scalar(scalar::range)),
    stable(
        "rate",
        &[Matrix],
        0,
        Vector,
        known_of_ends(counter(rate::rate, native_range::rate, Per::Second), windows::rate),
    ),
    stable(
        "resets",
        &[Matrix],
        0,
        Vector,
        known_of_ends(both(rate::resets, native_range::resets), windows::resets),
    ),
    stable("round", &[Vector, Scalar], 1, Vector, MapWith(math::round)),
    stable("scalar", &[Vector], 0, Scalar, Implementation::Node(scalar::scalar)),
    stable("sgn", &[Vector], 0, Vector, Map(math::sgn)),
    stable("sin", &[Vector], 0, Vector, Map(f64::sin)),
    stable("sinh", &[Vector], 0, Vector, Map(f64::sinh)),
    stable("sort", &[Vector], 0, Vector, Implementation::Node(sort::sort)),
    experimental("sort_by_label", &[Vector, String], -1, Vector, Implementation::Node(sort::sort_by_label)),
    experimental(
        "sort_by_label_desc",
        &[Vector, String],
        -1,
        Vector,
        Implementation::Node(sort::sort_by_label_desc),
    ),
    stable("sort_desc", &[Vector], 0, Vector, Implementation::Node(sort::sort_desc)),
    stable("sqrt", &[Vector], 0, Vector, Map(f64::sqrt)),
    experimental("start", &[], 0, Scalar, Implementation::Scalar(scalar::start)),
    experimental("start_timestamp", &[Vector], 0, Vector, Implementation::Node(scalar::start_timestamp)),
    stable("stddev_over_time", &[Matrix], 0, Vector, window(over_time::stddev_over_time)),
    stable("stdvar_over_time", &[Matrix], 0, Vector, window(over_time::stdvar_over_time)),
    experimental("step", &[], 0, Scalar, Implementation::Scalar(scalar::step)),
    stable(
        "sum_over_time",
        &[Matrix],
        0,
        Vector,
        known(both(over_time::sum_over_time, native_range::sum_over_time), windows::sum),
    ),
    stable("tan", &[Vector], 0, Vector, Map(f64::tan)),
    stable("tanh", &[Vector], 0, Vector, Map(f64::tanh)),
    stable("time", &[], 0, Scalar, Implementation::Scalar(scalar::time)),
    stable("timestamp", &[Vector], 0, Vector, Implementation::Node(scalar::timestamp)),
    experimental(
        "ts_of_first_over_time",
        &[Matrix],
        0,
        Vector,
        known_of_ends(any(over_time::ts_of_first_over_time), windows::time_of_first),
    ),
    experimental(
        "ts_of_last_over_time",
        &[Matrix],
        0,
        Vector,
        known_of_ends(any(over_time::ts_of_last_over_time), windows::time_of_last),
    ),
    experimental("ts_of_max_over_time", &[Matrix], 0, Vector, window(over_time::ts_of_max_over_time)),
    experimental("ts_of_min_over_time", &[Matrix], 0, Vector, window(over_time::ts_of_min_over_time)),
    stable("vector", &[Scalar], 0, Vector, Implementation::Node(scalar::vector)),
    stable("year", &[Vector], 1, Vector, Date(time::year)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascends_by_name() {
        assert!(FUNCTIONS.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn bounds_of_arguments() {
        let check = |name: &str, min: usize, max: Option<usize>| {
            let row = lookup(name).unwrap();
            assert_eq!((row.min_args(), row.max_args()), (min, max), "{name}");
        };
        check("rate", 1, Some(1));
        check("time", 0, Some(0));
        check("hour", 0, Some(1));
        check("round", 1, Some(2));
        check("label_join", 3, None);
        check("sort_by_label", 1, None);
        check("histogram_quantiles", 3, Some(12));
        assert_eq!(lookup("label_join").unwrap().arg_type(7), Some(String));
        assert!(lookup("no_such_function").is_none());
    }
}
