"""What the page and the module show is what happens."""

import doctest
import os
import re
from pathlib import Path

import pytest

import streamflow_ml as sf

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python.md"
BLOCKS = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))


def test_the_examples_of_the_page_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for line in BLOCKS.splitlines():
        shown = re.fullmatch(r"([^#]+?)\s+# ('.*|\[.*|\d.*)", line)
        if shown is None:
            exec(line, namespace)
            continue
        value = eval(shown[1], namespace)
        pattern = ".*".join(re.escape(part) for part in shown[2].split("…"))
        assert re.fullmatch(pattern, repr(value)), (line, value)
    assert sorted(os.listdir()) == ["drift.html", "history.html", "january.json"]


def test_the_example_of_the_module_holds():
    assert doctest.testmod(sf).failed == 0


@pytest.mark.parametrize("name", sf.__all__)
def test_everything_that_is_named_is_there(name):
    assert getattr(sf, name) is not None and name in dir(sf)


def test_a_name_that_is_not_there_is_said():
    with pytest.raises(AttributeError, match="has no attribute 'drfit'"):
        sf.drfit  # noqa: B018
