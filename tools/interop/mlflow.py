"""Lets a real MLflow server be the registry: what is trained here is scored there, and what is promoted there is served here.

    python3 tools/interop/mlflow.py [--mlflow FILE] [--streamflow FILE]

A binary, a multiclass and a regression model are trained and registered; `mlflow.pyfunc.load_model` and `mlflow models
serve` must score a table to the numbers of `streamflow predict`, within the rounding to 32 bits. A version that is
promoted in MLflow must be served within 30 seconds, one that XGBoost made and a client of MLflow 3 registered included, and
what is served must go on while the server is away. Ends with exit code 1 when something differs.
"""

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

PATIENCE_S = 300
WITHIN_S = 30
TASKS = {"binary": "churn", "multiclass": "plan", "regression": "spend"}
ROWS = 1500
# The rounding of a score, its exponential and a quotient to 32 bits.
TOLERANCE = 2e-6
# Where isotonic calibration rises steeply between two probabilities, their last digits in 32 bits are worth more.
STEEP = 1e-4

# Run by the Python of the virtual environment: scores a table with pyfunc, as lists of numbers.
SCORE = """
import json, sys
import mlflow, numpy, pandas
uri, table = sys.argv[1:]
model = mlflow.pyfunc.load_model(uri)
answer = model.predict(pandas.read_csv(table))
print(json.dumps({name: numpy.asarray(value).tolist() for name, value in answer.items()}))
"""

# Trains on the table and registers what XGBoost makes, as its users do.
XGBOOST = """
import sys
import mlflow, pandas, xgboost
table, name = sys.argv[1:]
frame = pandas.read_csv(table)
model = xgboost.XGBClassifier(n_estimators=20, max_depth=3)
model.fit(frame[["months_active", "monthly_fee"]], frame["churn_label"].astype(int))
with mlflow.start_run():
    mlflow.xgboost.log_model(model, name="model", registered_model_name=name)
"""

# Trains a Booster on the table and saves it as a file, which is imported then.
BOOSTER = """
import sys
import pandas, xgboost
table, out = sys.argv[1:]
frame = pandas.read_csv(table)
rows = xgboost.DMatrix(frame[["months_active", "monthly_fee"]], frame["churn_label"].astype(int))
xgboost.train({"objective": "binary:logistic", "max_depth": 3}, rows, 20).save_model(out)
"""

# What MLflow says of a registered Booster for the rows of a table.
SCORE_BOOSTER = """
import json, sys
import mlflow, pandas
uri, table = sys.argv[1:]
model = mlflow.pyfunc.load_model(uri)
answer = model.predict(pandas.read_csv(table)[["months_active", "monthly_fee"]])
print(json.dumps([[1 - float(value), float(value)] for value in answer]))
"""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def ask(url: str, body: object = None) -> dict:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read() or b"null")


def until(what: str, look, patience_s: float = PATIENCE_S):
    """The first answer that is something, and after how many seconds; a failed look is tried again."""
    began = time.monotonic()
    while time.monotonic() < began + patience_s:
        try:
            if found := look():
                return found, time.monotonic() - began
        except OSError:
            pass
        time.sleep(0.3)
    sys.exit(f"not within {patience_s} s: {what}")


class Process:
    """A server that is ended on exit, with all that it started."""

    def __init__(self, *words: str, log: Path, **options) -> None:
        self.log = log
        self.process = subprocess.Popen(
            words, stdout=log.open("a"), stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True, **options
        )

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind:
            print(f"--- {self.log}\n{self.log.read_text()[-4000:]}", file=sys.stderr)
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)


class Tools:
    """The programs, and the folder of everything."""

    def __init__(self, mlflow: str, binary: str, folder: Path) -> None:
        self.mlflow, self.binary, self.folder = mlflow, binary, folder
        self.python = str(Path(mlflow).parent / "python")
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        own = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "PREFECT"))}
        path = f"{Path(mlflow).parent}{os.pathsep}{own.get('PATH', '')}"
        self.environment = {
            **own, "MLFLOW_TRACKING_URI": self.uri, "NO_PROXY": "127.0.0.1", "DO_NOT_TRACK": "1", "PATH": path,
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }

    def server(self) -> Process:
        words = [
            self.mlflow, "server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1", "--serve-artifacts",
            "--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db", "--artifacts-destination", f"{self.folder}/artifacts",
            "--allowed-hosts", "localhost:*,127.0.0.1:*",
        ]
        process = Process(*words, log=self.folder / "server.log", cwd=self.folder, env=self.environment)
        until("the server starts", lambda: self.health())
        return process

    def health(self) -> bool:
        with urllib.request.urlopen(f"{self.uri}/health", timeout=5) as answer:
            return answer.status == 200

    def api(self, path: str, body: object = None) -> dict:
        return ask(f"{self.uri}/api/2.0/mlflow/{path}", body)

    def run(self, words: list[str], folder: Path, patience_s: int = PATIENCE_S) -> str:
        ended = subprocess.run(words, cwd=folder, env=self.environment, capture_output=True, text=True, timeout=patience_s)
        if ended.returncode:
            sys.exit(f"{' '.join(words[:3])} … ended with {ended.returncode}: {ended.stderr[-3000:]}")
        return ended.stdout

    def streamflow(self, folder: Path, *words: str) -> str:
        return self.run([self.binary, *words], folder)


def joined(project: Path) -> None:
    """The tables of the month as one, as `streamflow predict` and pandas read it."""
    import csv

    month = project / "drops" / "month_2024-01-31"
    rows: dict[str, dict[str, str]] = {}
    names: list[str] = []
    for file in sorted(month.glob("*.csv")):
        with file.open(newline="") as lines:
            for row in csv.DictReader(lines):
                rows.setdefault(row["user_id"], {}).update(row)
                names += [name for name in row if name not in names]
    with (project / "table.csv").open("w", newline="") as out:
        writer = csv.DictWriter(out, names, restval="")
        writer.writeheader()
        writer.writerows(rows.values())


def numbers(outputs: dict, task: str) -> list[list[float]]:
    values = outputs["value"] if task == "regression" else outputs["probability"]
    return [row if isinstance(row, list) else [row] for row in values]


def largest_difference(ours: list[list[float]], theirs: list[list[float]]) -> float:
    if len(ours) != len(theirs):
        sys.exit(f"{len(ours)} rows here and {len(theirs)} there")
    worst = 0.0
    for here, there in zip(ours, theirs):
        here = [1 - here[0], here[0]] if len(here) == 1 and len(there) == 2 else here
        worst = max([worst] + [abs(a - b) / max(abs(a), 1.0) for a, b in zip(here, there, strict=True)])
    return worst


def trained(tools: Tools, task: str) -> tuple[Path, float, list]:
    """Trains, and scores the registered version with pyfunc: the project, the largest difference, the numbers."""
    project, name = tools.folder / task, f"streamflow_{TASKS[task]}"
    project.mkdir()
    tools.streamflow(project, "init", ".", "--task", task)
    tools.streamflow(project, "sample", "--out", "drops", "--rows", str(ROWS), "--task", task)
    tools.streamflow(project, "ingest", "--as-of", "2024-01-31", "drops/month_2024-01-31")
    tools.streamflow(project, "train", "--as-of", "2024-01-31")
    champion = tools.api(f"registered-models/alias?name={name}&alias=champion")["model_version"]
    run = tools.api(f"runs/get?run_id={champion['run_id']}")["run"]
    if champion["version"] != "1" or run["info"]["status"] != "FINISHED" or champion["current_stage"] != "Production":
        sys.exit(f"{task}: the champion is {champion}, its run {run['info']}")
    if not run["data"]["metrics"] or not run["data"]["params"]:
        sys.exit(f"{task}: the run has neither metrics nor parameters: {run['data']}")
    joined(project)
    ours = json.loads(tools.streamflow(project, "predict", "table.csv", "--out", "-", "--format", "json"))["outputs"]
    theirs = json.loads(tools.run([tools.python, "-c", SCORE, f"models:/{name}@champion", "table.csv"], project))
    difference = largest_difference(numbers(ours, task), theirs.get("probabilities") or theirs["variable"])
    if task != "regression" and [str(label) for label in ours["label"]] != [str(label) for label in theirs["label"]]:
        sys.exit(f"{task}: labels differ")
    if difference > TOLERANCE:
        sys.exit(f"{task}: pyfunc differs by {difference}")
    return project, difference, numbers(ours, task)


def served_there(tools: Tools, project: Path, ours: list) -> int:
    """Scores rows with `mlflow models serve` and gives how many."""
    port = free_port()
    words = [tools.mlflow, "models", "serve", "-m", "models:/streamflow_churn@champion", "--env-manager", "local",
             "--host", "127.0.0.1", "--port", str(port)]
    code = (
        "import json, pandas; frame = pandas.read_csv('table.csv').head(50);"
        "print(json.dumps({'dataframe_split': json.loads(frame.to_json(orient='split', index=False))}))"
    )
    body = json.loads(tools.run([tools.python, "-c", code], project))
    with Process(*words, log=tools.folder / "serve.log", cwd=project, env=tools.environment):
        until("MLflow serves the model", lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5).status == 200)
        answer = ask(f"http://127.0.0.1:{port}/invocations", body)["predictions"]
    rows = answer["probabilities"] if isinstance(answer, dict) else [row["probabilities"] for row in answer]
    difference = largest_difference(ours[: len(rows)], rows)
    if len(rows) != 50 or difference > TOLERANCE:
        sys.exit(f"`mlflow models serve` gave {len(rows)} rows that differ by {difference}")
    return len(rows)


def promoted_there(tools: Tools, project: Path, mlflow: Process) -> tuple[float, float]:
    """Promotes in MLflow and gives after how many seconds each was served; then the server goes away."""
    config = project / "streamflow.toml"
    config.write_text(config.read_text().replace('[model]\n', '[model]\nsource = "mlflow"\n'))
    tools.streamflow(project, "train", "--as-of", "2024-01-31", "--seed", "7")
    tools.run([tools.python, "-c", XGBOOST, "table.csv", "streamflow_churn"], project)
    with Process(tools.binary, "serve", "--listen", "127.0.0.1:0", log=tools.folder / "up.log", cwd=project, env=tools.environment) as serving:
        url = until("the API listens", lambda: re.search(r"listening on (http://\S+)", serving.log.read_text()))[0][1]
        ready = lambda: ask(f"{url}/ready")
        until("version 1 is served", lambda: ready()["model"]["version"] == "1")
        seconds = []
        # The second version was trained here; the third, of XGBoost, is imported and becomes a version of its own.
        for number in ("2", "3"):
            tools.api("registered-models/alias", {"name": "streamflow_churn", "alias": "champion", "version": number})
            what = f"version {number} of MLflow is served"
            seconds.append(until(what, lambda: ready()["model"]["version"] == number, WITHIN_S)[1])
        mlflow.__exit__(None)
        until("it is told that the server is away", lambda: "trouble" in ready().get("mlflow", {}), 60)
        with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
            told = answer.read().decode()
        header = (project / "table.csv").read_text().splitlines()[0].split(",")
        user = (project / "table.csv").read_text().splitlines()[1].split(",")[header.index("user_id")]
        answer = ask(f"{url}/predict", {"user_id": user})
        if answer["model"]["version"] != "3" or "streamflow_mlflow_up 0" not in told:
            sys.exit(f"while the server is away: {answer}")
    # A training while the server is away is told when it is back.
    tools.streamflow(project, "train", "--as-of", "2024-01-31", "--seed", "8")
    return seconds[0], seconds[1]


def imported(tools: Tools) -> tuple[float, float]:
    """Imports a file of XGBoost beside a calibrated and monotone version, and promotes it here and there: the largest
    differences of what MLflow says of the two."""
    project = tools.folder / "imported"
    project.mkdir()
    tools.streamflow(project, "init", ".")
    text = (project / "streamflow.toml").read_text()
    settings = 'calibration = "isotonic"\nmonotone = { months_active = "decreasing" }'
    text = text.replace('[model]\nname = "churn"', f'[model]\nsource = "mlflow"\n{settings}\nname = "foreign"')
    (project / "streamflow.toml").write_text(text)
    tools.streamflow(project, "sample", "--out", "drops", "--rows", str(ROWS))
    tools.streamflow(project, "ingest", "--as-of", "2024-01-31", "drops/month_2024-01-31")
    joined(project)
    tools.streamflow(project, "train", "--as-of", "2024-01-31")
    tools.run([tools.python, "-c", BOOSTER, "table.csv", "fees.ubj"], project)
    tools.streamflow(project, "models", "import", "fees.ubj")
    name = "streamflow_foreign"
    version = tools.api(f"model-versions/get?name={name}&version=2")["model_version"]
    run = tools.api(f"runs/get?run_id={version['run_id']}")["run"]["data"]
    tags = {tag["key"]: tag["value"] for tag in version["tags"]}
    parameters = {one["key"]: one["value"] for one in run["params"]}
    if tags.get("streamflow.imported") != "fees.ubj" or "streamflow.snapshot" in tags or parameters["imported"] != "true":
        sys.exit(f"an import is told as {tags} {parameters}")
    for number in ("1", "2"):
        run_id = tools.api(f"model-versions/get?name={name}&version={number}")["model_version"]["run_id"]
        files = {file["path"] for file in tools.api(f"artifacts/list?run_id={run_id}")["files"]}
        if "report.html" not in files:
            sys.exit(f"the run of version {number} has {files} and no report")
    ours = json.loads(tools.streamflow(project, "predict", "table.csv", "--model", "foreign:2", "--format", "json", "--out", "-"))
    theirs = json.loads(tools.run([tools.python, "-c", SCORE_BOOSTER, f"models:/{name}/2", "table.csv"], project))
    difference = largest_difference(numbers(ours["outputs"], "binary"), theirs)
    if difference > TOLERANCE:
        sys.exit(f"MLflow's answers of an imported file differ by {difference}")
    ours = json.loads(tools.streamflow(project, "predict", "table.csv", "--model", "foreign:1", "--format", "json", "--out", "-"))
    theirs = json.loads(tools.run([tools.python, "-c", SCORE, f"models:/{name}/1", "table.csv"], project))
    steep = largest_difference(numbers(ours["outputs"], "binary"), theirs["probabilities"])
    if steep > STEEP:
        sys.exit(f"MLflow's answers of a calibrated and monotone version differ by {steep}")
    alias = lambda: tools.api(f"registered-models/alias?name={name}&alias=champion")["model_version"]["version"]
    tools.streamflow(project, "models", "promote", "2")
    until("an import that is promoted here is the champion there", lambda: alias() == "2", WITHIN_S)
    with Process(tools.binary, "serve", "--listen", "127.0.0.1:0", log=tools.folder / "foreign.log", cwd=project, env=tools.environment) as serving:
        url = until("the API listens", lambda: re.search(r"listening on (http://\S+)", serving.log.read_text()))[0][1]
        for number in ("1", "2"):
            tools.api("registered-models/alias", {"name": name, "alias": "champion", "version": number})
            until(f"version {number}, promoted there, is served", lambda: ask(f"{url}/ready")["model"]["version"] == number, WITHIN_S)
    return difference, steep


def told_later(tools: Tools, project: Path) -> None:
    with Process(tools.binary, "serve", "--listen", "127.0.0.1:0", log=tools.folder / "later.log", cwd=project, env=tools.environment):
        path = "model-versions/get?name=streamflow_churn&version=4"
        until("a training that MLflow missed is told", lambda: tools.api(path)["model_version"]["version"] == "4")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mlflow", default=os.environ.get("STREAMFLOW_MLFLOW"))
    parser.add_argument("--streamflow", default=os.environ.get("STREAMFLOW_BIN"))
    arguments = parser.parse_args()
    if not arguments.mlflow or not arguments.streamflow:
        sys.exit("name MLflow with --mlflow or STREAMFLOW_MLFLOW, the binary with --streamflow or STREAMFLOW_BIN")
    with tempfile.TemporaryDirectory() as folder:
        tools = Tools(str(Path(arguments.mlflow).absolute()), str(Path(arguments.streamflow).resolve()), Path(folder))
        mlflow = tools.server()
        try:
            results = {task: trained(tools, task) for task in TASKS}
            project, _, ours = results["binary"]
            rows = served_there(tools, project, ours)
            foreign, steep = imported(tools)
            first, second = promoted_there(tools, project, mlflow)
            mlflow = tools.server()
            told_later(tools, project)
        finally:
            mlflow.__exit__(None)
    version = subprocess.run([arguments.mlflow, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    differences = ", ".join(f"{task} {difference:.0e}" for task, (_, difference, _) in results.items())
    print(
        f"MLflow {version}: {ROWS} rows of each task scored by pyfunc, largest differences {differences}; {rows} by `mlflow models serve`; "
        f"a version promoted there is served after {first:.0f} s, one that XGBoost made after {second:.0f} s; "
        f"a file of XGBoost that was imported is promoted here and there and scored by pyfunc within {foreign:.0e}, an isotonic and "
        f"monotone version within {steep:.0e}; "
        "what is served goes on while the server is away, and a training that it missed is told afterwards"
    )


if __name__ == "__main__":
    main()
