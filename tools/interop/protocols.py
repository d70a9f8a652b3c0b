"""Asks `streamflow serve --model` with real clients of other model servers, and holds the answers against the libraries.

    python3 tools/interop/protocols.py [--shared DIR] [--streamflow FILE] [--cache DIR]

The models and rows are those of golden/models; what XGBoost, LightGBM, CatBoost and onnxruntime answer to them stands
beside them with its tolerance. Triton's clients ask over HTTP (JSON and bytes) and gRPC, KServe's over REST, gRPC and its
version 1, MLServer's client over REST, and the forms of MLflow are sent as its documentation has them. Ends with exit code 1 when an
answer differs.
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

MODELS = {
    "xgboost": ("xgb_course_json", "model.json"),
    "xgboost_multi": ("xgb_multi_softprob", "model.ubj"),
    "xgboost_value": ("xgb_obj_reg_squarederror", "model.json"),
    "lightgbm": ("lgb_course_cat", "model.txt"),
    "catboost": ("cat_course", "model.json"),
    "onnx": ("onnx_course_logreg", "model.onnx"),
}
CONFIG = "[api]\nbatch_limit = 10_000\nbatch_body_limit_bytes = 16_777_216\nallow_load = true\n"


def table(folder: Path) -> tuple[list[str], list[list]]:
    """Names and rows, each value as JSON has it."""
    with (folder / "input.csv").open() as file:
        names, *rows = list(csv.reader(file))
    columns = list(zip(*rows, strict=True))

    def typed(values):
        if all(value in ("True", "False") for value in values):
            return [value == "True" for value in values]
        try:
            return [float(value) if value else None for value in values]
        except ValueError:
            return [value or None for value in values]

    return names, [list(row) for row in zip(*map(typed, columns), strict=True)]


class Case:
    """A model with its rows and what its library answers."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.expected = json.loads((folder / "expected.json").read_text())
        self.names, self.rows = table(folder)
        self.compared = 0

    def check(self, how: str, given, output: str) -> None:
        """Compares a list of values, or of lists of them, with the library's."""
        wanted = self.expected["outputs"][output]
        flat = lambda values: [v for row in values for v in (flat(row) if hasattr(row, "__len__") else [row])]
        given, wanted = flat(given), flat(wanted)
        if len(given) != len(wanted):
            raise SystemExit(f"{self.name}, {how}: {len(given)} values, not {len(wanted)}")
        bounds = self.expected["tolerance"]["other"]
        for mine, theirs in zip(given, wanted, strict=True):
            if output == "label" and mine != theirs or abs(mine - theirs) > bounds["abs"] + bounds["rel"] * abs(theirs):
                raise SystemExit(f"{self.name}, {how}: {mine}, and {theirs} by the library")
        self.compared += len(given)

    def outputs(self) -> list[tuple[str, str]]:
        """Names of outputs, and what the library calls them."""
        if "value" in self.expected["outputs"]:
            return [("predict", "value")]
        return [("predict", "label"), ("predict_proba", "probability")]

    def tensors(self) -> list[dict]:
        """A column each, as JSON of v2."""
        found = []
        for name, values in zip(self.names, zip(*self.rows, strict=True), strict=True):
            kinds = {type(value) for value in values if value is not None}
            datatype = "BOOL" if kinds == {bool} else "BYTES" if kinds == {str} else "FP64"
            found.append({"name": name, "shape": [len(values), 1], "datatype": datatype, "data": list(values)})
        return found


def post(url: str, body, media_type: str = "application/json"):
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": media_type})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def by_hand(case: Case, url: str) -> None:
    """KServe's version 1 and every form of MLflow."""
    _, output = case.outputs()[0]
    records = [dict(zip(case.names, row, strict=True)) for row in case.rows]
    for how, rows in (("lists", case.rows), ("objects", records)):
        case.check(f"v1 {how}", post(f"{url}/v1/models/{case.name}:predict", {"instances": rows})["predictions"], output)


def by_mlflow(case: Case, url: str) -> None:
    """Every form of MLflow, of a server with one model."""
    _, output = case.outputs()[0]
    columns = dict(zip(case.names, map(list, zip(*case.rows, strict=True)), strict=True))
    records = [dict(zip(case.names, row, strict=True)) for row in case.rows]
    lines = [[("" if value is None else value) for value in row] for row in case.rows]
    text = "\n".join(",".join(map(str, line)) for line in [case.names, *lines]) + "\n"
    for how, body in (
        ("dataframe_split", {"dataframe_split": {"columns": case.names, "data": case.rows}}),
        ("dataframe_records", {"dataframe_records": records}),
        ("instances", {"instances": case.rows}),
        ("inputs", {"inputs": columns}),
    ):
        case.check(how, post(f"{url}/invocations", body)["predictions"], output)
    case.check("CSV", post(f"{url}/invocations", text, "text/csv")["predictions"], output)


# Runs in the Python of Triton's client: asks with the cases of a file and prints the answers.
TRITON = r"""
import importlib, json, sys, numpy
cases, http, grpc = json.load(open(sys.argv[1])), sys.argv[2], sys.argv[3]
TYPES = {"FP64": numpy.float64, "BOOL": bool, "BYTES": object}
answers = []
for protocol, address in (("http", http), ("grpc", grpc)):
    triton = importlib.import_module("tritonclient." + protocol)
    client = triton.InferenceServerClient(address)
    assert client.is_server_live() and client.is_server_ready() and not client.is_model_ready("nope")
    for case in cases:
        name = case["name"]
        assert client.is_model_ready(name)
        client.get_model_metadata(name)
        for binary in (True, False) if protocol == "http" else (True,):
            inputs = []
            for tensor in case["tensors"]:
                data = numpy.array(tensor["data"], dtype=TYPES[tensor["datatype"]]).reshape(tensor["shape"])
                if data.dtype == object:
                    data = numpy.where(data == None, "", data)
                value = triton.InferInput(tensor["name"], tensor["shape"], tensor["datatype"])
                options = {"binary_data": binary} if protocol == "http" else {}
                # This client writes a missing number as NaN too.
                if protocol == "http" and not binary and tensor["datatype"] == "FP64" and numpy.isnan(data).any():
                    break
                value.set_data_from_numpy(data, **options)
                inputs.append(value)
            if len(inputs) != len(case["tensors"]):
                continue
            options = {"binary_data": binary} if protocol == "http" else {}
            outputs = [triton.InferRequestedOutput(output, **options) for output, _ in case["outputs"]]
            answer = client.infer(name, inputs, outputs=outputs)
            for output, of_library in case["outputs"]:
                how = f"tritonclient.{protocol} {'bytes' if binary else 'JSON'}"
                answers.append([name, how, of_library, answer.as_numpy(output).tolist()])
    client.unload_model(cases[0]["name"])
    assert not client.is_model_ready(cases[0]["name"])
    client.load_model(cases[0]["name"])
    assert client.is_model_ready(cases[0]["name"])
json.dump(answers, sys.stdout)
"""


# Runs in the Python of KServe's client, in the same way.
KSERVE = r"""
import asyncio, json, sys
from kserve import InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import InferenceGRPCClient, RESTConfig
cases, url, grpc = json.load(open(sys.argv[1])), "http://" + sys.argv[2], sys.argv[3]

async def ask():
    answers = []
    rest, first, remote = InferenceRESTClient(RESTConfig(protocol="v2")), InferenceRESTClient(RESTConfig(protocol="v1")), InferenceGRPCClient(grpc)
    assert await rest.is_server_live(url) and await rest.is_server_ready(url) and not await rest.is_model_ready(url, "nope")
    assert await first.is_server_live(url) and await remote.is_server_live() and await remote.is_server_ready()
    for case in cases:
        name, (output, of_library) = case["name"], case["outputs"][0]
        assert await rest.is_model_ready(url, name) and await first.is_model_ready(url, name) and await remote.is_model_ready(name)
        inputs = [InferInput(t["name"], t["shape"], t["datatype"], data=t["data"]) for t in case["tensors"]]
        answer = await rest.infer(url, InferRequest(name, inputs), model_name=name)
        answers.append([name, "kserve REST", of_library, answer.outputs[0].as_numpy().tolist()])
        rows = [list(row) for row in zip(*(t["data"] for t in case["tensors"]))]
        answer = await first.infer(url, {"instances": rows}, model_name=name)
        answers.append([name, "kserve v1", of_library, answer["predictions"]])
        # Over gRPC this client has no form for a value that is missing.
        if all(value is not None for row in rows for value in row):
            answer = await remote.infer(InferRequest(name, inputs))
            answers.append([name, "kserve gRPC", of_library, answer.outputs[0].as_numpy().tolist()])
    return answers

json.dump(asyncio.run(ask()), sys.stdout)
"""


def by_client(cases: list[Case], python: Path, script: str, addresses: tuple[str, str], folder: Path) -> None:
    """A client's own library, in its own Python."""
    written = [{"name": c.name, "tensors": c.tensors(), "outputs": c.outputs()} for c in cases]
    (folder / "cases.json").write_text(json.dumps(written))
    command = [str(python), "-c", script, str(folder / "cases.json"), *addresses]
    asked = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if asked.returncode:
        raise SystemExit(f"{python}: {asked.stderr[-2000:]}")
    answers = json.loads(asked.stdout[asked.stdout.index("[[") :])
    for name, how, output, given in answers:
        next(case for case in cases if case.name == name).check(how, given, output)


def by_mlserver(cases: list[Case], program: Path, http: str, folder: Path) -> None:
    """MLServer's command that infers batches. It writes a missing number as NaN, which is no JSON: such rows are left out."""
    for case in cases:
        if any(value is None for row in case.rows for value in row):
            continue
        outputs = [{"name": name} for name, _ in case.outputs()]
        request = {"inputs": case.tensors(), "outputs": outputs}
        (folder / "in.jsonl").write_text(json.dumps(request) + "\n")
        subprocess.run(
            [program, "infer", "-u", http, "-m", case.name, "-i", folder / "in.jsonl", "-o", folder / "out.jsonl"],
            check=True, capture_output=True,
        )
        answer = json.loads((folder / "out.jsonl").read_text().splitlines()[0])
        for given, (_, output) in zip(answer["outputs"], case.outputs(), strict=True):
            case.check("mlserver infer", given["data"], output)


class Server:
    """`streamflow serve --model …`, ended on exit."""

    def __init__(self, program: str, folder: Path, models: list[str]) -> None:
        flags = [flag for model in models for flag in ("--model", model)]
        command = [program, "--config", str(folder / "streamflow.toml"), "serve", *flags]
        command += ["--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        lines = [self.process.stdout.readline().split()[-1] for _ in range(2)]
        self.url, self.grpc = lines

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.process.terminate()
        self.process.wait()


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--shared", type=Path, default=os.environ.get("STREAMFLOW_SHARED"))
    arguments.add_argument("--streamflow", default=os.environ.get("STREAMFLOW_BIN", "streamflow"))
    arguments.add_argument("--cache", type=Path, default=os.environ.get("STREAMFLOW_CACHE"))
    options = arguments.parse_args()
    goldens = Path(options.shared) / "golden/models"
    cases = [Case(name, goldens / folder) for name, (folder, _) in MODELS.items()]
    files = [f"{name}={goldens / folder / file}" for name, (folder, file) in MODELS.items()]
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        # Limits for whole tables; of the rest of a project nothing is needed.
        subprocess.run([options.streamflow, "init", str(folder)], check=True, capture_output=True)
        config = folder / "streamflow.toml"
        config.write_text(config.read_text().replace("[api]\n", CONFIG).replace("\nbatch_limit = 1000\n", "\n"))
        with Server(options.streamflow, folder, files) as server:
            http = server.url.removeprefix("http://")
            for case in cases:
                by_hand(case, server.url)
            for client, script in (("tritonclient", TRITON), ("kserve", KSERVE)):
                python = Path(options.cache) / client / "bin/python"
                by_client(cases, python, script, (http, server.grpc), folder)
            by_mlserver(cases, Path(options.cache) / "mlserver/bin/mlserver", http, folder)
        for case, file in zip(cases, files, strict=True):
            with Server(options.streamflow, folder, [file]) as server:
                by_mlflow(case, server.url)
    compared = sum(case.compared for case in cases)
    print(
        f"tritonclient 2.73.0, kserve 0.21.0, mlserver infer 1.7.1 and MLflow's forms: {len(cases)} models, "
        f"{compared} answers are the libraries' own, 0 differ"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
