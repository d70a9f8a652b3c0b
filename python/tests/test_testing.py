"""The assertion that nothing has drifted, alone and in a run of pytest."""

import subprocess
import sys

import pytest

from streamflow_ml import SettingsError, testing

FAILING = """
def test_hours(assert_no_drift):
    table = {"hours": list(range(200))}
    assert assert_no_drift(table, table).drifted == []
    assert_no_drift(table, {"hours": list(range(100, 300))})
"""


def test_what_has_drifted_is_said(reference, current):
    assert testing.assert_no_drift(reference, reference).drifted == []
    with pytest.raises(testing.DriftError, match=r"1 of 6 columns drifted:\n  hours: Mean rose by") as raised:
        testing.assert_no_drift(reference, current)
    assert raised.value.report.drifted == ["hours"]


def test_columns_that_may_drift(reference, current):
    for allowed in (["hours"], "hours"):
        assert testing.assert_no_drift(reference, current, allowed=allowed).drifted == ["hours"]
    assert testing.assert_no_drift(reference, current, types={"hours": "ignore"}).drifted == []
    with pytest.raises(SettingsError, match="'huors', which is a column of neither table"):
        testing.assert_no_drift(reference, current, allowed=["huors"])


def test_pytest_has_the_fixture_and_keeps_the_page(tmp_path):
    (tmp_path / "test_data.py").write_text(FAILING)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--drift-reports", "pages"]
    run = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert run.returncode == 1 and "1 of 1 columns drifted" in run.stdout, run.stdout
    pages = list((tmp_path / "pages").iterdir())
    assert [page.name for page in pages] == ["test_data.py_test_hours.html"]
    assert pages[0].read_text().startswith("<!doctype html>") and pages[0].name in run.stdout
