"""What holds where nothing but the wheel is installed; run by tools/wheel-test.sh in an empty environment."""

import json
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

IMPORT = """
import sys, time
before, start = set(sys.modules), time.perf_counter()
import streamflow_ml
took_ms = (time.perf_counter() - start) * 1000
print(*sorted(set(sys.modules) - before))
print(f"{took_ms:.1f} ms")
"""


def main() -> None:
    import streamflow_ml as sf

    before = {"hours": [float(row % 40) for row in range(400)], "plan": ["basic", "plus"] * 200, "nothing": [None] * 400}
    now = before | {"hours": [float(row % 40) + 30 for row in range(400)]}
    report = sf.drift(before, now)
    assert report.drifted == ["hours"], report
    assert sf.stats.ks_2samp(before["hours"], now["hours"]).pvalue < 1e-6
    try:
        report.to_frame()
    except sf.SettingsError as error:
        assert "pip install" in str(error), error
    else:
        raise AssertionError("there is no library for data frames here")

    command = Path(sysconfig.get_path("scripts")) / "streamflow-ml"
    version = subprocess.run([command, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    assert version.endswith(sf.__version__), (version, sf.__version__)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / "before.csv", Path(folder) / "now.csv"]
        for path, table in zip(paths, (before, now), strict=True):
            rows = zip(table["hours"], table["plan"], strict=True)
            path.write_text("hours,plan\n" + "".join(f"{hours},{plan}\n" for hours, plan in rows))
        run = subprocess.run([command, "drift", *paths, "--json", "-"], check=True, capture_output=True, text=True)
        assert json.loads(run.stdout) == sf.drift(*paths).to_dict(), "the command and the module differ"

    run = subprocess.run([sys.executable, "-c", IMPORT], check=True, capture_output=True, text=True)
    loaded, took = run.stdout.splitlines()
    assert loaded == "streamflow_ml streamflow_ml._errors", f"importing the module loads more than its errors: {loaded}"
    print(f"the wheel in an empty environment: {version}, import in {took}")


if __name__ == "__main__":
    main()
