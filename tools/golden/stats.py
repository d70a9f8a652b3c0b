"""Writes crates/stats/tests/golden/*.json: inputs and the values SciPy gives for them.

    python3 -m venv venv && venv/bin/pip install scipy==1.17.1 numpy==2.4.6 statsmodels==0.15.0
    venv/bin/python tools/golden/stats.py

One file per statistic: {"call", "library", "cases": [{"name", input…, expected…, "tolerance", "reason"?}]}.
Samples are lists of rows, or of [value, count] pairs, which keeps large ones small. Non-finite numbers are strings.
"tolerance" is relative, "absolute" (default 0) is added to it.
"""

import json
import math
import pathlib
import warnings

import numpy as np
import scipy
from scipy import stats
from scipy.spatial.distance import jensenshannon
from statsmodels.stats.proportion import proportion_effectsize, proportions_ztest

assert scipy.__version__ == "1.17.1" and np.__version__ == "2.4.6"
warnings.simplefilter("ignore")
OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/stats/tests/golden"
CLOSED = 1e-12
rng = np.random.default_rng(20240607)


def plain(value):
    """Numbers as JSON; non-finite ones as strings."""
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in value]
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def write(name, call, cases, library=f"scipy {scipy.__version__}"):
    text = json.dumps({"call": call, "library": library, "cases": cases}, indent=None)
    text = text.replace('"cases": [', '"cases": [\n').replace('}, {"name"', '},\n{"name"')
    (OUT / f"{name}.json").write_text(text + "\n")


def case(name, inputs, expected, tolerance=CLOSED, absolute=0.0, reason=None):
    out = {"name": name} | {key: plain(value) for key, value in (inputs | expected).items()}
    out["tolerance"] = tolerance
    if absolute:
        out["absolute"] = absolute
    if reason:
        out["reason"] = reason
    return out


def rows(sample):
    """Rows of a list of rows or of pairs."""
    if len(sample) and isinstance(sample[0], (list, tuple)):
        return np.repeat([pair[0] for pair in sample], [pair[1] for pair in sample]).astype(float)
    return np.asarray(sample, float)


def pairs(values):
    return [[float(value), int(count)] for value, count in zip(*np.unique(values, return_counts=True))]


def result(found):
    return {"statistic": found.statistic, "p_value": found.pvalue}


def normal(size, shift=0.0, scale=1.0, digits=3):
    return [float(value) for value in np.round(rng.normal(shift, scale, size), digits)]


NUMERIC = {
    "normal 30 and 30": (normal(30), normal(30)),
    "normal 30 and 45 shifted": (normal(30), normal(45, 0.8)),
    "wider": (normal(60), normal(60, 0, 2)),
    "small 7 and 6": (normal(7), normal(6, 0.5)),
    "small 8 and 40": (normal(8), normal(40, -0.5)),
    "small 20 and 20": (normal(20), normal(20, 0.3)),
    "small 20 and 13": (normal(20), normal(13, 1.0)),
    "21 and 9": (normal(21), normal(9)),
    "disjoint": (normal(25), normal(30, 100)),
    "same rows": ((same := normal(40)), same),
    "offset 1e9": (normal(40, 1e9), normal(35, 1e9 + 0.5)),
    "tiny scale": ([float(f"{v:.4g}") for v in rng.normal(0, 1e-7, 30)], [float(f"{v:.4g}") for v in rng.normal(2e-8, 1e-7, 30)]),
    "integers with ties": (pairs(rng.poisson(3, 400)), pairs(rng.poisson(3.4, 350))),
    "integers with ties, small": ([1, 2, 2, 3, 3, 3, 5], [2, 3, 3, 4, 4, 6, 6, 6]),
    "zero-inflated": (pairs(np.round(rng.exponential(2, 150), 1) * (rng.random(150) < 0.5)), pairs(np.round(rng.exponential(2, 180), 1) * (rng.random(180) < 0.4))),
    "log-normal": ([float(v) for v in np.round(rng.lognormal(0, 1.5, 80), 4)], [float(v) for v in np.round(rng.lognormal(0.3, 1.5, 70), 4)]),
    "20,000 and 15,000 poisson": (pairs(rng.poisson(6, 20000)), pairs(rng.poisson(6.05, 15000))),
    "30,000 and 12,001 gamma": (pairs(np.round(rng.gamma(2, 2, 30000), 1)), pairs(np.round(rng.gamma(2, 2.02, 12001), 1))),
    "20,000 and 50": (pairs(rng.poisson(6, 20000)), pairs(rng.poisson(6.5, 50))),
}


def numeric(name, call, oracle, tolerance=CLOSED, absolute=0.0, reason=None, extra=(), skip=(), variants=({},)):
    cases = []
    for label, (reference, current) in {**NUMERIC, **dict(extra)}.items():
        if label in skip:
            continue
        for variant in variants:
            expected = oracle(rows(reference), rows(current), **variant)
            named = f"{label} {' '.join(map(str, variant.values()))}".strip()
            # SciPy subtracts means already rounded at 1e9; ours keep the digits.
            loose = 1e-6 if name == "ttest_ind" and label == "offset 1e9" else tolerance
            cases.append(case(named, {"reference": reference, "current": current} | variant, expected, loose, absolute, reason))
    write(name, call, cases)


def binary(n, zeros):
    return [[0.0, zeros], [1.0, n - zeros]]


def ks_grid():
    """Two-valued samples set size and distance freely: every method of the Kolmogorov distribution is reached."""
    for n, m in [(20000, 30), (20000, 141), (20000, 400), (12000, 12000), (200000, 100000), (3000000, 2400000), (11, 11000)]:
        for d in [0.004, 0.01, 0.03, 0.05, 0.08, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.9]:
            low = round(m * 0.05)
            high = min(n, round(n * (low / m + d)))
            yield f"{n} and {m}, about {d}", (binary(n, high), binary(m, low))
    for n, m in [(10000, 10000), (10000, 9999), (10000, 7), (250, 100), (9973, 5000)]:
        for d in [0.002, 0.01, 0.03, 0.1, 0.5]:
            low = round(m * 0.1)
            yield f"{n} and {m} exact, about {d}", (binary(n, min(n, round(n * (low / m + d)))), binary(m, low))


def ks():
    cases = []
    for label, (reference, current) in {**NUMERIC, **dict(ks_grid())}.items():
        found = stats.ks_2samp(rows(reference), rows(current))
        inputs = {"reference": reference, "current": current}
        reason = "p = 1 - CDF in SciPy and here: absolute rounding; smirnov sums and lattice paths of 20,000 steps"
        cases.append(case(label, inputs, result(found), 1e-11, 1e-14, reason))
    write("ks_2samp", "scipy.stats.ks_2samp(reference, current)", cases)


def categorical(name, call, oracle, cells, tolerance=CLOSED, absolute=0.0, reason=None, library=None):
    cases = [case(label, {"reference": r, "current": c}, oracle(np.array(r), np.array(c)), tolerance, absolute, reason) for label, (r, c) in cells.items()]
    write(name, call, cases, *([library] if library else []))


ZIPF = 1 / np.arange(1, 41)
ZIPF /= ZIPF.sum()

COUNTS = {
    "three": ([15, 20, 15], [18, 23, 9]),
    "two": ([480, 520], [450, 550]),
    "unequal totals": ([1000, 300, 40], [90, 45, 8]),
    "ten": ([int(v) for v in rng.multinomial(1000, [0.1] * 10)], [int(v) for v in rng.multinomial(1000, [0.1] * 10)]),
    "zipf": ([int(v) for v in rng.multinomial(3000, ZIPF)], [int(v) for v in rng.multinomial(2500, ZIPF)]),
    "equal": ([5, 6, 7], [10, 12, 14]),
    "far": ([100000, 10, 5], [50000, 40000, 10000]),
    "one": ([7], [9]),
    "vanished": ([50, 50, 10], [60, 55, 0]),
    "a hundred thousand": ([33787, 44198, 22015], [33371, 44662, 21967]),
}
NEW = {"new": ([50, 50, 0], [60, 55, 3]), "disjoint": ([5, 0], [0, 9])}


def shares(r, c):
    return r / r.sum(), c / c.sum()


def value(function):
    return lambda r, c: {"value": float(function(r, c))}


def main():
    ks()
    numeric("wasserstein_distance", "scipy.stats.wasserstein_distance(reference, current)", lambda r, c: {"value": stats.wasserstein_distance(r, c)}, 1e-12, 1e-15)
    numeric("energy_distance", "scipy.stats.energy_distance(reference, current)", lambda r, c: {"value": stats.energy_distance(r, c)}, 1e-12, 1e-15)
    numeric("cramervonmises_2samp", "scipy.stats.cramervonmises_2samp(reference, current)", lambda r, c: result(stats.cramervonmises_2samp(r, c)), 1e-9, 1e-12,
            "SciPy's statistic cancels: U / (n m N) - (4 n m - 1) / (6 N); p = 1 - CDF", skip=("small 7 and 6", "integers with ties, small"))
    numeric("anderson_ksamp", "scipy.stats.anderson_ksamp([reference, current], variant='midrank')", lambda r, c: result(stats.anderson_ksamp([r, c], variant="midrank")), 1e-10, 0.0,
            "SciPy sums up to 35,000 terms plainly, and the statistic is a difference")
    numeric("mannwhitneyu", "scipy.stats.mannwhitneyu(reference, current, alternative=alternative)", lambda r, c, alternative: result(stats.mannwhitneyu(r, c, alternative=alternative)),
            variants=({"alternative": "two-sided"}, {"alternative": "less"}, {"alternative": "greater"}))
    numeric("ttest_ind", "scipy.stats.ttest_ind(reference, current, equal_var=equal_var)", lambda r, c, equal_var: result(stats.ttest_ind(r, c, equal_var=equal_var)), 1e-10, 0.0,
            "SciPy's plain means at an offset of 1e9 keep 9 digits of the difference", variants=({"equal_var": True}, {"equal_var": False}))
    numeric("epps_singleton_2samp", "scipy.stats.epps_singleton_2samp(reference, current)", lambda r, c: result(stats.epps_singleton_2samp(r, c)), 1e-9, 0.0,
            "inverse of an estimated covariance matrix: condition numbers to 1e5")
    numeric("moments", "numpy.mean, numpy.var(ddof=1), numpy.quantile of the reference", lambda r, c: {"mean": r.mean(), "variance": r.var(ddof=1), "quantile_10": np.quantile(r, 0.1), "quantile_75": np.quantile(r, 0.75)}, 1e-12, 1e-15)
    numeric("effect_size", "(mean(current) - mean(reference)) / pooled standard deviation; wasserstein_distance / numpy.std(reference)",
            lambda r, c: {"cohens_d": (c.mean() - r.mean()) / math.sqrt(((len(r) - 1) * r.var(ddof=1) + (len(c) - 1) * c.var(ddof=1)) / (len(r) + len(c) - 2)),
                          "standardized_wasserstein": stats.wasserstein_distance(r, c) / r.std()}, 1e-12, 0.0, skip=("offset 1e9",))
    scaled = {label: (list(map(float, np.array(c, float))), list(map(float, np.array(r) * (sum(c) / sum(r))))) for label, (r, c) in {**COUNTS, **NEW}.items()}
    for name, call, oracle in [("chisquare", "scipy.stats.chisquare(observed, expected)", stats.chisquare),
                               ("g_test", "scipy.stats.power_divergence(observed, expected, lambda_='log-likelihood')", lambda o, e: stats.power_divergence(o, e, lambda_="log-likelihood"))]:
        cases = [case(label, {"reference": o, "current": e}, result(oracle(np.array(o), np.array(e))), 1e-11 if name == "g_test" else CLOSED, 1e-12 if name == "g_test" else 0.0,
                      "2 sum O ln(O/E) cancels" if name == "g_test" else None) for label, (o, e) in scaled.items()]
        write(name, call + "; the file's reference is observed, its current expected", cases)
    def contingency(r, c):
        found = stats.chi2_contingency([r, c], correction=False)
        return {"statistic": found.statistic, "p_value": found.pvalue}
    categorical("chi2_contingency", "scipy.stats.chi2_contingency([reference, current], correction=False)", contingency, {**COUNTS, **NEW}, 1e-12, 1e-24)
    categorical("cramers_v", "scipy.stats.contingency.association([reference, current], method='cramer', correction=False)",
                value(lambda r, c: stats.contingency.association([r, c], method="cramer", correction=False)), {k: v for k, v in {**COUNTS, **NEW}.items() if k != "one"}, 1e-12, 1e-15)
    categorical("jensenshannon", "scipy.spatial.distance.jensenshannon(reference, current)", value(jensenshannon), {**COUNTS, **NEW}, 1e-12, 1e-14, "SciPy's sum cancels: error 1e-16 / distance")
    categorical("kl_div", "scipy.stats.entropy(reference, current)", value(stats.entropy), {**COUNTS, **NEW}, 1e-12, 1e-15, "a cancelling sum of both signs")
    categorical("psi", "numpy: sum((r - c) * log(r / c)) over shares", value(lambda r, c: np.sum([(a - b) * np.log(a / b) for a, b in zip(*shares(r, c)) if a != b])), {**COUNTS, **NEW}, 1e-12, 1e-15, library=f"numpy {np.__version__}")
    categorical("total_variation_distance", "numpy: 0.5 * abs(p - q).sum()", value(lambda r, c: 0.5 * np.abs(np.subtract(*shares(r, c))).sum()), {**COUNTS, **NEW}, 1e-12, 1e-15, library=f"numpy {np.__version__}")
    categorical("hellinger", "numpy: sqrt(0.5 * ((sqrt(p) - sqrt(q)) ** 2).sum())", value(lambda r, c: np.sqrt(0.5 * np.square(np.subtract(*map(np.sqrt, shares(r, c)))).sum())), {**COUNTS, **NEW}, 1e-12, 1e-15, library=f"numpy {np.__version__}")
    fisher = {"lady": [[3, 1], [1, 3]], "scipy's": [[6, 2], [1, 4]], "symmetric": [[10, 10], [10, 10]], "large": [[480, 520], [450, 550]], "larger": [[20000, 30100], [19500, 30600]],
              "empty row": [[0, 0], [3, 4]], "zero cell": [[5, 0], [2, 9]], "far": [[600, 400], [400, 600]], "tie of tables": [[8, 2], [1, 5]]}
    write("fisher_exact", "scipy.stats.fisher_exact(table)", [case(label, {"table": table}, result(stats.fisher_exact(table)), 1e-11, 0.0, "SciPy's hypergeometric tail sums log-gamma differences") for label, table in fisher.items()])
    z = [(10, 50, 20, 60), (480, 1000, 450, 900), (1, 1000, 40, 1000), (900, 1000, 100, 1000), (0, 10, 3, 10), (500, 1000, 500, 1000)]
    write("proportions_ztest", "statsmodels.stats.proportion.proportions_ztest([k1, k2], [n1, n2]), proportion_effectsize(k2/n2, k1/n1)",
          [case(f"{k1}/{n1} and {k2}/{n2}", {"k1": k1, "n1": n1, "k2": k2, "n2": n2}, dict(zip(("statistic", "p_value"), proportions_ztest([k1, k2], [n1, n2]))) | {"cohens_h": proportion_effectsize(k2 / n2, k1 / n1)}, 1e-12, 1e-15)
           for k1, n1, k2, n2 in z], "statsmodels 0.15.0")
    p = [0.01, 0.04, 0.03, 0.5, 0.002, 0.04, 1.0, 1e-20]
    write("benjamini_hochberg", "scipy.stats.false_discovery_control(p, method='bh')", [case("eight", {"p": p}, {"adjusted": stats.false_discovery_control(p)}), case("one", {"p": [0.2]}, {"adjusted": [0.2]})])
    grid = [case(f"norm {x}", {"distribution": "norm", "x": x}, {"value": stats.norm.sf(x)}) for x in [-8.0, -1.0, 0.0, 0.1, 1.0, 3.0, 8.0, 20.0, 37.0]]
    grid += [case(f"chi2 {df} {q}", {"distribution": "chi2", "x": df * q, "df": df}, {"value": stats.chi2.sf(df * q, df)}) for df in [1, 2, 3, 4, 9, 50, 999, 5000] for q in [1e-6, 0.1, 0.9, 1.0, 1.1, 2.0, 8.0] if stats.chi2.sf(df * q, df) > 1e-290]
    # SciPy's own t.sf is off by 3e-11 at x = 1e-6, df = 1 (exact: 1/2 - atan(x)/pi): 1e-6 is left out.
    grid += [case(f"t {df} {x}", {"distribution": "t", "x": x, "df": df}, {"value": stats.t.sf(x, df)}) for df in [1, 2.5, 10, 33.3, 1000, 14084, 2e6] for x in [-2.0, 0.01, 0.3, 1.0, 2.0, 5.0, 12.0, 36.0]]
    grid += [case(f"norm_ppf {x}", {"distribution": "norm_ppf", "x": x}, {"value": stats.norm.ppf(x)}) for x in [1e-12, 0.01, 0.3, 0.6, 0.95, 0.99]]
    grid += [case(f"t_ppf {df} {x}", {"distribution": "t_ppf", "x": x, "df": df}, {"value": stats.t.ppf(x, df)}) for df in [1, 2.5, 10, 199, 1e6] for x in [1e-9, 0.025, 0.3, 0.975]]
    for k, n, q in [(0, 5, 0.5), (3, 9, 0.5), (12, 24, 0.5), (203, 720, 0.5), (499_000, 1_000_000, 0.5), (700, 1000, 0.6), (5, 5, 0.2), (1, 400, 0.01)]:
        values = {"x": k, "n": n, "p": q}
        grid += [case(f"binom_{name} {k} {n} {q}", {"distribution": f"binom_{name}", **values}, {"value": f(k, n, q)}, 1e-11, 0.0, "SciPy's binomials are off by up to 4e-12") for name, f in (("pmf", stats.binom.pmf), ("cdf", stats.binom.cdf))]
    write("distribution", "scipy.stats.{norm,chi2,t}.sf, scipy.stats.{norm,t}.ppf, scipy.stats.binom.{pmf,cdf}", grid)


main()
