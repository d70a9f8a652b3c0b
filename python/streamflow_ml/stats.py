"""Two-sample tests and distances on arrays, by SciPy's names and with its results; docs/statistics.md has the formulas.

Samples are one-dimensional: arrays of numpy, ``array.array``, series of pandas or polars, lists. What has the buffer protocol
is read where it is; one copy is made, to be sorted. ``nan_policy`` is as in SciPy: ``"propagate"`` gives NaN where a sample has
NaN, ``"omit"`` leaves NaN out, ``"raise"`` refuses it. Infinite values are values to the rank tests and refused by the others.
Every function raises ``StatisticsError`` where the statistic does not exist, as with too few values.
"""

import math
from array import array
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from . import _native
from ._errors import StatisticsError

__all__ = [
    "SignificanceResult",
    "anderson_ksamp",
    "chi2_contingency",
    "chisquare",
    "cohens_d",
    "cramervonmises_2samp",
    "energy_distance",
    "epps_singleton_2samp",
    "false_discovery_control",
    "fisher_exact",
    "g_test",
    "hellinger",
    "jensenshannon",
    "kl_div",
    "ks_2samp",
    "mannwhitneyu",
    "psi",
    "standardized_wasserstein",
    "total_variation_distance",
    "ttest_ind",
    "wasserstein_distance",
]

NanPolicy = Literal["propagate", "omit", "raise"]
Alternative = Literal["two-sided", "less", "greater"]
#: A one-dimensional array, series or list of numbers.
Numbers = Any


class SignificanceResult(NamedTuple):
    """A statistic and its p-value, under SciPy's names."""

    statistic: float
    pvalue: float


def ks_2samp(data1: Numbers, data2: Numbers, *, nan_policy: NanPolicy = "propagate") -> SignificanceResult:
    """Two-sample Kolmogorov–Smirnov test, two-sided; exact up to 10,000 values a sample."""
    return _test("ks_2samp", data1, data2, nan_policy)


def anderson_ksamp(samples: Sequence[Numbers], *, nan_policy: NanPolicy = "propagate") -> SignificanceResult:
    """Anderson–Darling test of two samples, with the midrank variant; the p-value is between 0.001 and 0.25."""
    if len(samples) != 2:  # noqa: PLR2004
        raise StatisticsError(f"anderson_ksamp has {len(samples)} samples, expected two")
    return _test("anderson_ksamp", samples[0], samples[1], nan_policy)


def mannwhitneyu(
    x: Numbers, y: Numbers, *, alternative: Alternative = "two-sided", nan_policy: NanPolicy = "propagate"
) -> SignificanceResult:
    """Mann–Whitney U test; the statistic is U of the first sample. Exact without ties where a sample has at most 8 values."""
    if alternative not in {"two-sided", "less", "greater"}:
        raise StatisticsError(f"the alternative is {alternative!r}, expected 'two-sided', 'less' or 'greater'")
    return _test(f"mannwhitneyu {alternative}", x, y, nan_policy)


def cramervonmises_2samp(x: Numbers, y: Numbers, *, nan_policy: NanPolicy = "propagate") -> SignificanceResult:
    """Two-sample Cramér–von Mises test; exact up to 20 values a sample."""
    return _test("cramervonmises_2samp", x, y, nan_policy)


def epps_singleton_2samp(x: Numbers, y: Numbers, *, nan_policy: NanPolicy = "propagate") -> SignificanceResult:
    """Epps–Singleton test of two samples of at least five finite values."""
    return _test("epps_singleton_2samp", x, y, nan_policy)


def ttest_ind(a: Numbers, b: Numbers, *, equal_var: bool = True, nan_policy: NanPolicy = "propagate") -> SignificanceResult:
    """t-test of two means, two-sided: Student's, or Welch's where ``equal_var`` is false."""
    return _test("ttest_ind equal" if equal_var else "ttest_ind welch", a, b, nan_policy)


def wasserstein_distance(u_values: Numbers, v_values: Numbers) -> float:
    """First Wasserstein distance, in the unit of the values."""
    return _distance("wasserstein_distance", u_values, v_values)


def energy_distance(u_values: Numbers, v_values: Numbers) -> float:
    """Energy distance, in the root of the unit of the values."""
    return _distance("energy_distance", u_values, v_values)


def standardized_wasserstein(reference: Numbers, current: Numbers) -> float:
    """First Wasserstein distance in standard deviations of the reference: the effect size of numerical columns."""
    return _distance("standardized_wasserstein", reference, current)


def cohens_d(reference: Numbers, current: Numbers) -> float:
    """Difference of the means, reference less current, in pooled standard deviations."""
    return _distance("cohens_d", reference, current)


def chisquare(f_obs: Numbers, f_exp: Numbers | None = None) -> SignificanceResult:
    """Pearson's test of counts against expected ones of the same sum, by default equal ones."""
    return _test_of_counts("chisquare", f_obs, f_exp)


def g_test(f_obs: Numbers, f_exp: Numbers | None = None) -> SignificanceResult:
    """Likelihood-ratio test of counts, SciPy's ``power_divergence(lambda_="log-likelihood")``."""
    return _test_of_counts("g_test", f_obs, f_exp)


def chi2_contingency(observed: Sequence[Numbers]) -> SignificanceResult:
    """Pearson's test of a table of two rows of counts, without Yates's correction; a column of zeros is left out."""
    rows = [_whole(row, "observed") for row in observed]
    if len(rows) != 2:  # noqa: PLR2004
        raise StatisticsError(f"the table has {len(rows)} rows, expected two: the reference and the current counts")
    return SignificanceResult(*_native.chi2_contingency(*rows))


def fisher_exact(table: Sequence[Numbers]) -> SignificanceResult:
    """Fisher's exact test of a table of two rows and two columns, two-sided; the statistic is the odds ratio."""
    rows = [_whole(row, "table") for row in table]
    if [len(row) for row in rows] != [2, 2]:
        raise StatisticsError(f"the table has rows of {[len(row) for row in rows]} columns, expected two rows of two")
    return SignificanceResult(*_native.fisher_exact(rows))


def jensenshannon(p: Numbers, q: Numbers) -> float:
    """Jensen–Shannon distance of counts or shares with the natural logarithm, as ``scipy.spatial.distance`` has it."""
    return _shares("jensenshannon", p, q)


def kl_div(pk: Numbers, qk: Numbers) -> float:
    """Kullback–Leibler divergence of counts or shares, SciPy's ``entropy(pk, qk)``; infinite where only ``qk`` is zero."""
    return _shares("kl_div", pk, qk)


def psi(reference: Numbers, current: Numbers) -> float:
    """Population stability index of counts or shares; infinite where one side alone is zero."""
    return _shares("psi", reference, current)


def hellinger(reference: Numbers, current: Numbers) -> float:
    """Hellinger distance of counts or shares, 0 to 1."""
    return _shares("hellinger", reference, current)


def total_variation_distance(reference: Numbers, current: Numbers) -> float:
    """Half the sum of the differences of shares, 0 to 1."""
    return _shares("total_variation_distance", reference, current)


def false_discovery_control(ps: Numbers) -> list[float]:
    """p-values after Benjamini–Hochberg, in the order given; NaN stays NaN and does not count."""
    return _native.false_discovery_control(list(map(float, ps)))


def _test(name: str, x: Numbers, y: Numbers, nan_policy: str) -> SignificanceResult:
    if nan_policy not in {"propagate", "omit", "raise"}:
        raise StatisticsError(f"nan_policy is {nan_policy!r}, expected 'propagate', 'omit' or 'raise'")
    x, y = _vector(x, "the first sample"), _vector(y, "the second sample")
    if nan_policy == "omit":
        x, y = _without_nan(x), _without_nan(y)
    try:
        return SignificanceResult(*_native.test_of_samples(name, x, y))
    except StatisticsError:
        if nan_policy == "propagate" and (_has_nan(x) or _has_nan(y)):
            return SignificanceResult(math.nan, math.nan)
        raise


def _distance(name: str, x: Numbers, y: Numbers) -> float:
    return _native.distance_of_samples(name, _vector(x, "the first sample"), _vector(y, "the second sample"))


def _shares(name: str, x: Numbers, y: Numbers) -> float:
    return _native.distance_of_counts(name, _vector(x, "the first list"), _vector(y, "the second list"))


def _vector(values: Numbers, what: str) -> Any:
    """Give what has the buffer protocol in one dimension: an array as it is, anything else as 64-bit floats."""
    if hasattr(values, "to_numpy"):
        values = values.to_numpy()
    try:
        view = memoryview(values)
    except TypeError:
        return _copied(values, what)
    if view.ndim != 1:
        raise StatisticsError(f"{what} has {view.ndim} dimensions, expected one; flatten it or choose an axis")
    return values if view.format in set("bBhHiIlLqQfd") else _copied(values, what)


def _copied(values: Numbers, what: str) -> "array[float]":
    try:
        return array("d", map(float, values))
    except (TypeError, ValueError) as error:
        raise StatisticsError(f"{what} is no list of numbers: {error}") from error


def _whole(values: Numbers, what: str) -> list[int]:
    numbers = list(_copied(values, what))
    odd = next((number for number in numbers if not (number >= 0 and number.is_integer())), None)
    if odd is not None:
        raise StatisticsError(f"{what} holds {odd}, expected counts: whole numbers of at least 0")
    return [int(number) for number in numbers]


def _test_of_counts(name: str, f_obs: Numbers, f_exp: Numbers | None) -> SignificanceResult:
    observed = _vector(f_obs, "f_obs")
    expected = _vector(f_exp, "f_exp") if f_exp is not None else _uniform(observed)
    return SignificanceResult(*_native.test_of_counts(name, observed, expected))


def _uniform(observed: Any) -> "array[float]":
    numbers = _copied(observed, "f_obs")
    return array("d", [sum(numbers) / max(len(numbers), 1)] * len(numbers))


def _without_nan(values: Any) -> "array[float]":
    return array("d", (value for value in map(float, values) if not math.isnan(value)))


def _has_nan(values: Any) -> bool:
    return any(map(math.isnan, values))
