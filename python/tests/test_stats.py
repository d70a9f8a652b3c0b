"""The statistics against SciPy's."""

import array
import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.spatial.distance
import scipy.stats

import streamflow_ml as sf

RANDOM = np.random.default_rng(3)
SAMPLES = {
    "normal": (RANDOM.normal(size=800), RANDOM.normal(0.1, 1.2, size=600)),
    "ties": (RANDOM.poisson(3, 900).astype(float), RANDOM.poisson(3.2, 700).astype(float)),
    "few": (RANDOM.normal(size=7), RANDOM.normal(1, 1, size=9)),
    "far apart": (RANDOM.normal(size=300), RANDOM.normal(3, 1, size=300)),
}
TESTS = {
    "ks_2samp": {},
    "mannwhitneyu": {},
    "cramervonmises_2samp": {},
    "epps_singleton_2samp": {},
    "ttest_ind": {},
    "ttest_ind welch": {"equal_var": False},
    "mannwhitneyu less": {"alternative": "less"},
    "mannwhitneyu greater": {"alternative": "greater"},
}


@pytest.mark.parametrize("name", TESTS)
@pytest.mark.parametrize("kind", SAMPLES)
def test_tests_of_samples(name, kind):
    function, arguments = name.split()[0], TESTS[name]
    found = getattr(sf.stats, function)(*SAMPLES[kind], **arguments)
    expected = getattr(scipy.stats, function)(*SAMPLES[kind], **arguments)
    assert (found.statistic, found.pvalue) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-9)
    assert tuple(found) == (found.statistic, found.pvalue)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", SAMPLES)
def test_anderson(kind):
    found = sf.stats.anderson_ksamp(SAMPLES[kind])
    expected = scipy.stats.anderson_ksamp(SAMPLES[kind])
    assert (found.statistic, found.pvalue) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-9)


@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize("name", ["wasserstein_distance", "energy_distance"])
def test_distances_of_samples(name, kind):
    assert getattr(sf.stats, name)(*SAMPLES[kind]) == pytest.approx(getattr(scipy.stats, name)(*SAMPLES[kind]), rel=1e-9)


def test_counts():
    reference, current = [120, 60, 20], [100, 70, 30]
    pairs = [
        (sf.stats.chisquare(reference, current), scipy.stats.chisquare(reference, current)),
        (sf.stats.chisquare(reference), scipy.stats.chisquare(reference)),
        (sf.stats.g_test(reference, current), scipy.stats.power_divergence(reference, current, lambda_="log-likelihood")),
        (
            sf.stats.chi2_contingency([reference, current]),
            scipy.stats.chi2_contingency([reference, current], correction=False),
        ),
        (sf.stats.fisher_exact([[8, 2], [1, 5]]), scipy.stats.fisher_exact([[8, 2], [1, 5]])),
    ]
    for found, expected in pairs:
        assert (found.statistic, found.pvalue) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-9)
    expected = scipy.spatial.distance.jensenshannon(reference, current)
    assert sf.stats.jensenshannon(reference, current) == pytest.approx(expected, rel=1e-9)
    assert sf.stats.kl_div(reference, current) == pytest.approx(scipy.stats.entropy(reference, current), rel=1e-9)
    p, q = np.array(reference) / 200, np.array(current) / 200
    assert sf.stats.total_variation_distance(reference, current) == pytest.approx(abs(p - q).sum() / 2)
    assert sf.stats.hellinger(reference, current) == pytest.approx(math.sqrt(1 - np.sqrt(p * q).sum()), rel=1e-9)
    assert sf.stats.psi(reference, current) == pytest.approx(((p - q) * np.log(p / q)).sum())
    ps = [0.01, 0.04, 0.03, 0.5]
    assert sf.stats.false_discovery_control(ps) == pytest.approx(scipy.stats.false_discovery_control(ps))


def test_samples_of_every_kind():
    numbers = [1.0, 4.0, 2.0, 8.0, 5.0, 7.0]
    other = [3.0, 9.0, 6.0, 2.0, 11.0]
    expected = sf.stats.ks_2samp(numbers, other)
    kinds = [np.array, pd.Series, pl.Series, tuple, lambda values: array.array("d", values)]
    kinds += [lambda values: np.array(values, "float32"), lambda values: np.array(values, ">f8")]
    kinds += [lambda values: np.array(values, "int16"), lambda values: np.repeat(values, 2)[::2]]
    for kind in kinds:
        assert sf.stats.ks_2samp(kind(numbers), kind(other)) == expected


def test_values_that_are_missing():
    x, y = np.array([1.0, 2.0, np.nan, 3.0]), np.array([2.0, 3.0, 4.0])
    assert all(map(math.isnan, sf.stats.ks_2samp(x, y)))
    assert sf.stats.ks_2samp(x, y, nan_policy="omit") == sf.stats.ks_2samp(x[[0, 1, 3]], y)
    with pytest.raises(sf.StatisticsError, match="value 2 of the sample is NaN"):
        sf.stats.ks_2samp(x, y, nan_policy="raise")
    with pytest.raises(sf.StatisticsError, match="'propagate', 'omit' or 'raise'"):
        sf.stats.ks_2samp(x, y, nan_policy="drop")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sf.stats.ks_2samp([], [1.0]), "has 0 rows, expected at least 1"),
        (lambda: sf.stats.ks_2samp(np.zeros((2, 2)), [1.0]), "2 dimensions, expected one"),
        (lambda: sf.stats.ks_2samp(np.array(1.0), [1.0]), "0 dimensions, expected one"),
        (lambda: sf.stats.ks_2samp(["x"], [1.0]), "no list of numbers"),
        (lambda: sf.stats.ttest_ind([1.0, np.inf], [1.0, 2.0]), "finite values only"),
        (lambda: sf.stats.mannwhitneyu([1.0], [2.0], alternative="more"), "'two-sided', 'less' or 'greater'"),
        (lambda: sf.stats.anderson_ksamp([[1.0]]), "1 samples, expected two"),
        (lambda: sf.stats.chisquare([1, 2], [1, 1]), "expected equal sums"),
        (lambda: sf.stats.chi2_contingency([[1, 2]]), "1 rows, expected two"),
        (lambda: sf.stats.fisher_exact([[1, 2, 3], [1, 2, 3]]), "expected two rows of two"),
        (lambda: sf.stats.fisher_exact([[1, 2.5], [1, 2]]), "holds 2.5, expected counts"),
        (lambda: sf.stats.psi([1, -1], [1, 1]), "the count -1"),
    ],
)
def test_numbers_without_the_statistic(call, message):
    with pytest.raises(sf.StatisticsError, match=message):
        call()
