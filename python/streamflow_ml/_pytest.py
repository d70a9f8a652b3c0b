"""The plug-in of pytest; see ``streamflow_ml.testing``."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that keeps reports."""
    group = parser.getgroup("streamflow")
    group.addoption("--drift-reports", metavar="DIR", help="keep the page of each assert_no_drift that fails in DIR")


@pytest.fixture
def assert_no_drift(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """``streamflow_ml.testing.assert_no_drift``, whose reports are kept where ``--drift-reports`` says."""
    from .testing import DriftError, assert_no_drift

    def asserted(*tables: Any, **arguments: Any) -> Any:
        __tracebackhide__ = True
        try:
            return assert_no_drift(*tables, **arguments)
        except DriftError as drifted:
            folder = request.config.getoption("--drift-reports")
            if folder is not None:
                Path(folder).mkdir(parents=True, exist_ok=True)
                name = re.sub(r"[^\w.-]+", "_", request.node.nodeid)
                page = drifted.report.save(Path(folder) / f"{name}.html")
                drifted.args = (f"{drifted}\n  {page}",)
            raise

    return asserted
