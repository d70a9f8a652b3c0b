"""`streamflow serve --model` against MLServer: the same XGBoost model, the same body of 1,000 rows of v2.

    python3 bench/models.py [--rows 1000] [--seconds 10] [--connections 4]

The model and its rows are golden/models/xgb_course_json. Both servers are asked about one matrix in turns by wrk;
their answers are compared first. MLServer takes the booster for a regression, whose `predict` is the probability of the
second class; ours is asked for `predict_proba` of both. MLServer needs `tools/venv-protocols.sh mlserver DIR`.
Exit code 1 when a request failed or the answers differ.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import load
import measure

MODEL = "churn"


def body(folder: Path, rows: int, output: str) -> bytes:
    """So many rows of the golden table, over again, as one FP64 matrix."""
    with (folder / "input.csv").open() as file:
        names, *lines = list(csv.reader(file))
    number = lambda text: None if not text else float(text == "True") if text in ("True", "False") else float(text)
    data = [number(text) for row in range(rows) for text in lines[row % len(lines)]]
    tensor = {"name": "predict", "shape": [rows, len(names)], "datatype": "FP64", "data": data}
    return json.dumps({"inputs": [tensor], "outputs": [{"name": output}]}).encode()


def ask(url: str, sent: bytes) -> list[float]:
    """The probabilities that a server answers."""
    request = urllib.request.Request(f"{url}/v2/models/{MODEL}/infer", sent, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)["outputs"][0]["data"]


def wrk(server: load.Server, file: Path, seconds: int, connections: int) -> load.Load:
    """Load of one body, after a warm-up of two seconds."""
    url = f"{server.url}/v2/models/{MODEL}/infer"
    command = ["wrk", "-t", "1", "-c", str(connections), "--timeout", "30s", "-s", str(measure.BENCH / "post.lua")]
    environment = {**os.environ, "BODY": str(file)}
    subprocess.run([*command, "-d", "2s", url], env=environment, check=True, capture_output=True)
    before = cpu(server.process.pid)
    done = subprocess.run([*command, "-d", f"{seconds}s", url], env=environment, check=True, capture_output=True, text=True)
    used = cpu(server.process.pid) - before
    found = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    requests, micros, p50, p99, errors = map(int, found.split()[1:])
    memory = measure.resident_mib(server.process.pid)
    return load.Load(requests / (micros / 1e6), p50 / 1e3, p99 / 1e3, used / max(requests, 1) * 1e6, errors, memory)


def cpu(pid: int) -> float:
    """Processor time of a process and its children so far."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return measure.cpu_seconds(pid) + sum(cpu(int(child)) for child in children)


def mlserver_folder(folder: Path, model: Path, port: int, spare: tuple[int, int]) -> None:
    """What `mlserver start` reads."""
    settings = {"host": "127.0.0.1", "http_port": port, "grpc_port": spare[0], "metrics_port": spare[1], "debug": False}
    # Its worker processes need an older uvloop than pip resolves to; without them it infers where it answers.
    settings["parallel_workers"] = 0
    (folder / "settings.json").write_text(json.dumps(settings))
    one = {"name": MODEL, "implementation": "mlserver_xgboost.XGBoostModel", "parameters": {"uri": str(model)}}
    (folder / "model-settings.json").write_text(json.dumps(one))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--streamflow", help="path of the release binary")
    options.add_argument("--rows", type=int, default=1000)
    options.add_argument("--seconds", type=int, default=10)
    options.add_argument("--connections", type=int, default=4)
    given = options.parse_args()
    measure.tool("wrk", "apt-get install wrk")
    cache = Path(os.environ.get("STREAMFLOW_CACHE", measure.PROJECT / "target" / "tools"))
    mlserver = cache / "mlserver" / "bin" / "mlserver"
    if not mlserver.is_file():
        measure.stop_with(f"{mlserver} does not exist: run tools/venv-protocols.sh mlserver {cache / 'mlserver'}")
    shared = Path(os.environ.get("STREAMFLOW_SHARED", measure.PROJECT.parent / "shared"))
    golden = shared / "golden/models/xgb_course_json"
    model = golden / "model.json"
    sent = [body(golden, given.rows, output) for output in ("predict_proba", "predict")]
    ports = [load.free_port() for _ in range(4)]
    print(measure.machine())
    print(f"v2 infer of {given.rows:,} rows of 16 features, {len(sent[0]):,} bytes, {given.connections} connections")
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        files = [folder / f"body{number}.json" for number in range(2)]
        for file, content in zip(files, sent, strict=True):
            file.write_bytes(content)
        mlserver_folder(folder, model, ports[1], (ports[2], ports[3]))
        command = [measure.streamflow(given.streamflow), "serve", "--model", f"{MODEL}={model}", "--listen", f"127.0.0.1:{ports[0]}"]
        peer = [str(mlserver), "start", str(folder)]
        with load.server(command, ports[0], directory) as ours, load.server(peer, ports[1], directory, path=f"/v2/models/{MODEL}/ready") as theirs:
            mine, other = ask(ours.url, sent[0])[1::2], ask(theirs.url, sent[1])
            differ = max(abs(one - another) for one, another in zip(mine, other, strict=True))
            seen = [
                wrk(server, file, given.seconds, given.connections)
                for server, file in zip((ours, theirs), files, strict=True)
            ]
    rate = seen[0].requests_per_second / seen[1].requests_per_second
    processor = seen[1].cpu_us / seen[0].cpu_us
    rows = [load.row("streamflow", ours, seen[0], f"{rate:.1f}"), load.row("MLServer 1.7.1", theirs, seen[1], "1.0")]
    print(measure.table(load.HEADER, rows))
    print(f"requests a second: {rate:.1f} times; processor time: 1/{processor:.1f}; greatest difference {differ:.1e}")
    sys.exit(int(differ > 1e-6 or any(one.errors for one in seen)))


if __name__ == "__main__":
    main()
