"""Reports, profiles and histories."""

import json
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from html import unescape

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import streamflow_ml as sf


def test_a_report(reference, current):
    report = sf.drift(reference, current, target="active", names=("January", "February"))
    assert report.drifted == ["hours"] and 0 < report.drift_share < 0.30 and report.decision == "NO_ACTION"
    assert repr(report) == "<Report NO_ACTION: 1 of 5 columns drifted>"
    found = report.to_dict()
    assert (found["reference"]["name"], found["current"]["name"]) == ("January", "February")
    assert found["target_drift"]["column"] == "active"
    assert json.loads(report.to_json()) == found
    hours = report["hours"]
    assert hours.drifted and hours["drifted"] and hours.p_value < 0.05 and "drifted" in dict(hours)
    assert [column.name for column in report] == report.columns and len(report) == 6 and "hours" in report
    assert {metric["metric_name"].split("(")[0] for metric in report.to_evidently()["metrics"]} >= {"DriftedColumnsCount"}
    assert "hours" in report.to_markdown()
    with pytest.raises(KeyError, match="it has hours"):
        report["huors"]
    with pytest.raises(AttributeError, match="pvalue"):
        hours.pvalue  # noqa: B018


def test_a_notebook_shows_the_page_apart_from_its_own(reference, current):
    report = sf.drift(reference, current)
    shown = report._repr_html_()
    assert shown.startswith('<iframe sandbox="allow-scripts" srcdoc="&lt;!doctype html&gt;')
    assert shown.count("allow-") == 1, "with its own origin the page could reach the notebook"
    assert shown.count('"') == shown.count('="') * 2, "a quote of the page would end the attribute"
    assert unescape(re.search('srcdoc="([^"]*)"', shown)[1]) == report.to_html()
    assert "prefers-color-scheme" in report.to_html() and "http" not in report.to_html().replace("http-equiv", "")


@pytest.mark.parametrize(("library", "kind"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame), ("pyarrow", pa.Table)])
def test_a_report_as_a_frame(library, kind, reference, current):
    report = sf.drift(reference, current)
    frame = report.to_frame(library)
    assert isinstance(frame, kind) and frame.shape == (6, 15)
    assert isinstance(report.to_frame(), pd.DataFrame)
    with pytest.raises(sf.SettingsError, match="expected one of pandas, polars, pyarrow"):
        report.to_frame("dask")


def test_files_by_their_ending(reference, current, tmp_path):
    report = sf.drift(reference, current)
    assert report.save(tmp_path / "r.html").read_text() == report.to_html()
    assert report.save(tmp_path / "r.json").read_text() == report.to_json()
    assert report.save(tmp_path / "r.md").read_text() == report.to_markdown()
    with pytest.raises(sf.SettingsError, match=r"expected .html, .json or .md"):
        report.save(tmp_path / "r.pdf")
    with pytest.raises(OSError):
        report.save(tmp_path / "no folder" / "r.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.html", "r.json", "r.md"]


WRONG = [
    ({"profile": "strict"}, 'unknown profile "strict", expected calibrated or evidently', None),
    ({"untested": "x"}, "expected drifted or ignored", None),
    ({"threshold": 30}, "expected a share from 0 to 1", None),
    ({"methods": {"hours": "kss"}}, "unknown drift method", "hours"),
    ({"methods": {"huors": "ks"}}, "did you mean hours?", "huors"),
    ({"types": {"hours": "number"}}, "expected numerical, categorical, text or ignore", "hours"),
    ({"thresholds": {"hours": -1.0}}, "expected a number over 0", "hours"),
    ({"target": "churn"}, 'no table has a column "churn"', "churn"),
    ({"num_method": "nothing"}, "num_method: unknown drift method", None),
    ({"methods": {"user": "ks"}}, "leaves the column without a test", "user"),
]


@pytest.mark.parametrize(("arguments", "message", "column"), WRONG)
def test_wrong_arguments(arguments, message, column, reference, current):
    for frame in (reference, current):
        frame["user"] = [f"user {row}" for row in range(600)]
    with pytest.raises(sf.SettingsError) as raised:
        sf.drift(reference, current, **arguments)
    assert message.replace("no table", "neither table") in str(raised.value)
    assert raised.value.column == column


def test_settings_are_heard(reference, current):
    def drifted(**arguments):
        return sf.drift(reference, current, **arguments).drifted

    assert drifted(types={"hours": "ignore"}) == []
    assert drifted(thresholds={"hours": 50.0}) == []
    assert sf.drift(reference, current, threshold=0.1).decision == "RETRAINING_TRIGGERED"
    assert sf.drift(reference, current, entity="logins")["logins"].status == "ignored"
    assert sf.drift(reference, current, num_method="anderson")["hours"].method == "anderson"
    assert sf.drift(reference, current, profile="evidently").to_dict()["profile"] == "evidently"


def test_profiles(reference, current, tmp_path):
    parts = [sf.profile(reference[:100]), sf.profile(reference[100:])]
    whole = sf.profile(reference)
    merged = parts[1].merge(parts[0])
    assert merged.to_json() == whole.to_json() and (merged.rows, merged.columns) == (600, list(reference))
    loaded = sf.load_profile(whole.save(tmp_path / "january.json"))
    expected = sf.drift(reference, current)
    for given in (whole, loaded, tmp_path / "january.json"):
        assert sf.drift(given, current, names=("reference", "current")).drifted == expected.drifted
    with pytest.raises(sf.TableError) as raised:
        whole.merge(sf.profile(reference.rename(columns={"logins": "visits today"})))
    assert raised.value.column == "logins"
    (tmp_path / "no profile.json").write_text("{}")
    with pytest.raises(sf.TableError, match=r"no profile\.json"):
        sf.load_profile(tmp_path / "no profile.json")


def test_a_history(reference, current, tmp_path):
    months = {"2024-02-29": reference, "2024-03-31": current}
    history = sf.history(reference, months, threshold=0.1, name="2024-01-31")
    assert history.triggered == ["2024-03-31"]
    assert repr(history) == "<History of 2: retraining due for 2024-03-31>"
    assert history.to_dict()["reference"]["name"] == "2024-01-31"
    assert history.save(tmp_path / "h.html").read_text() == history.to_html()
    assert "iframe" in history._repr_html_()
    assert sf.history(reference, [reference, current], threshold=0.1).triggered == ["table 2"]
    for nothing in ([], {}, "january.csv"):
        with pytest.raises(sf.TableError, match="history: "):
            sf.history(reference, nothing)


def test_errors_are_pickled():
    error = pickle.loads(pickle.dumps(sf.TableError("no", "column")))
    assert (str(error), error.column) == ("no", "column")


def test_ctrl_c_ends_a_comparison(tmp_path):
    path = tmp_path / "large.csv"
    row = ",".join(str(number / 7) for number in range(40))
    with path.open("w") as file:
        file.write(",".join(f"c{number}" for number in range(40)) + "\n")
        for _ in range(200):
            file.write(f"{row}\n" * 1000)
    script = (
        "import sys, streamflow_ml as sf\nsf.profile({'a': [1]})\nprint('begun', flush=True)\n"
        f"while True:\n    sf.drift({str(path)!r}, {str(path)!r})\n"
    )
    run = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert run.stdout.readline() == "begun\n"
    run.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in run.communicate(timeout=300)[1]


def test_other_threads_run_meanwhile():
    table = {f"c{place}": np.random.default_rng(place).normal(size=300_000) for place in range(6)}
    counted, done = 0, threading.Event()

    def compare():
        sf.drift(table, table)
        done.set()

    thread = threading.Thread(target=compare)
    thread.start()
    while not done.is_set():
        counted += 1
        time.sleep(0)
    thread.join()
    assert counted > 10
