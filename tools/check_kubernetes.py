"""Checks that the kustomize base is what Kubernetes takes, and that its parts agree.

usage: check_kubernetes.py RENDERED

RENDERED is what `kubectl kustomize` makes of a project that `streamflow init --kubernetes` wrote. Kubernetes' own
resources are held against the schemas of the oldest and the newest version that the page names, the ServiceMonitor
against what the Prometheus Operator documents. Then the checks are run on resources that are made wrong on purpose, and
each has to find its fault.
"""

import copy
import re
import sys
import tomllib
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml

VERSIONS = ["1.30", "1.37"]
COMPONENT = "app.kubernetes.io/component"
KINDS = [
    "ConfigMap", "ConfigMap", "ConfigMap", "Deployment", "HorizontalPodAutoscaler", "NetworkPolicy", "NetworkPolicy",
    "PodDisruptionBudget", "Service", "Service", "Service", "ServiceAccount", "ServiceMonitor", "StatefulSet",
]  # fmt: skip
# The part of monitoring.coreos.com/v1 that is used here; a key beside it is an error.
SERVICE_MONITOR = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "monitoring.coreos.com/v1"},
        "spec": {
            "type": "object",
            "required": ["selector", "endpoints"],
            "additionalProperties": False,
            "properties": {
                "jobLabel": {"type": "string"},
                "selector": {
                    "type": "object",
                    "required": ["matchLabels"],
                    "additionalProperties": False,
                    "properties": {"matchLabels": {"type": "object", "additionalProperties": {"type": "string"}}},
                },
                "endpoints": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["port"],
                        "additionalProperties": False,
                        "properties": {
                            "port": {"type": "string"},
                            "path": {"type": "string", "pattern": "^/"},
                            "interval": {"type": "string", "pattern": "^[0-9]+(ms|s|m|h)$"},
                            "scrapeTimeout": {"type": "string", "pattern": "^[0-9]+(ms|s|m|h)$"},
                        },
                    },
                },
            },
        },
    },
}


class Base:
    """The rendered resources and the faults that were found in them."""

    def __init__(self, resources: list[dict]) -> None:
        self.resources = resources
        self.faults: list[str] = []

    def check(self, holds: object, fault: str) -> None:
        if not holds:
            self.faults.append(fault)

    def of(self, kind: str) -> list[dict]:
        return [resource for resource in self.resources if resource["kind"] == kind]

    def workloads(self) -> list[dict]:
        return self.of("Deployment") + self.of("StatefulSet")

    def config(self, prefix: str) -> dict:
        return next((r for r in self.of("ConfigMap") if r["metadata"]["name"].startswith(prefix)), {"data": {}})

    def pods(self, selector: dict) -> list[dict]:
        """The workloads whose pods have these labels."""
        found = [w for w in self.workloads() if selector.items() <= w["spec"]["template"]["metadata"]["labels"].items()]
        return found if selector else []

    # What each resource is by itself.

    def check_schemas(self) -> None:
        for resource in self.resources:
            name = f"{resource['kind']} {resource['metadata']['name']}"
            if resource["kind"] == "ServiceMonitor":
                for error in jsonschema.Draft202012Validator(SERVICE_MONITOR).iter_errors(resource):
                    self.faults.append(f"{name}: {error.json_path}: {error.message}")
                continue
            for version in VERSIONS:
                try:
                    kubernetes_validate.validate(resource, version, strict=True)
                except kubernetes_validate.ValidationError as error:
                    self.faults.append(f"{name}, Kubernetes {version}: {'.'.join(map(str, error.path))}: {error.message}")

    def check_whole(self) -> None:
        kinds = sorted(resource["kind"] for resource in self.resources)
        self.check(kinds == KINDS, f"kinds: {kinds}")
        named = [(r["kind"], r["metadata"]["name"]) for r in self.resources]
        self.check(len(named) == len(set(named)), "two resources of one kind and name")
        spaces = {r["metadata"].get("namespace") for r in self.resources}
        self.check(spaces == {"streamflow"}, f"namespaces: {spaces}")

    def check_pod(self, workload: dict) -> None:
        name, pod = workload["metadata"]["name"], workload["spec"]["template"]["spec"]
        own = workload["spec"]["selector"]["matchLabels"]
        labels = workload["spec"]["template"]["metadata"]["labels"]
        self.check(own and own.items() <= labels.items(), f"{name} does not select its own pods")
        self.check(self.pods(own) == [workload], f"{name} selects the pods of another one too")
        accounts = [account["metadata"]["name"] for account in self.of("ServiceAccount")]
        self.check(pod["serviceAccountName"] in accounts, f"{name}: no account {pod['serviceAccountName']}")
        context = pod["securityContext"]
        self.check(context["runAsNonRoot"] and context["runAsUser"] == 10001, f"{name}: runs as root")
        self.check(context["seccompProfile"]["type"] == "RuntimeDefault", f"{name}: seccomp")
        for spread in pod.get("topologySpreadConstraints", []):
            self.check(self.pods(spread["labelSelector"]["matchLabels"]) == [workload], f"{name}: spreads other pods")
        volumes = {volume["name"] for volume in pod["volumes"]}
        volumes |= {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])}
        for container in pod["containers"]:
            self.check_container(f"{name}/{container['name']}", container, volumes)
            grace = pod["terminationGracePeriodSeconds"]
            pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            toml = self.config("streamflow-config")["data"].get("streamflow.toml", "")
            drain = re.search(r"drain_timeout_ms = ([\d_]+)", toml)
            self.check(drain and grace > pause + int(drain[1]) / 1000, f"{name}: ends before the server has drained")

    def check_container(self, name: str, container: dict, volumes: set[str]) -> None:
        context = container["securityContext"]
        self.check(context["readOnlyRootFilesystem"], f"{name}: writes to its root")
        self.check(context["allowPrivilegeEscalation"] is False, f"{name}: escalation")
        self.check(context["capabilities"] == {"drop": ["ALL"]}, f"{name}: capabilities")
        self.check(container["image"].startswith("registry.example.com/"), f"{name}: image {container['image']}")
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        heard = {int(a.rpartition(":")[2]) for a in container["args"] if a.startswith(("--listen=", "--console="))}
        self.check(set(ports.values()) == heard, f"{name}: listens on {heard}, declares {ports}")
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            self.check(container[probe]["httpGet"]["port"] in ports, f"{name}: the port of {probe}")
        self.check({"cpu", "memory"} <= container["resources"]["requests"].keys(), f"{name}: requests")
        self.check("memory" in container["resources"]["limits"], f"{name}: no limit of memory")
        mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        self.check(set(mounts.values()) == volumes, f"{name}: mounts {mounts}, has {volumes}")
        self.check({"/tmp", "/data"} <= mounts.keys(), f"{name}: nowhere to write")
        files = self.config("streamflow-config")["data"]
        read = [variable["value"] for variable in container["env"] if variable["name"] == "STREAMFLOW_CONFIG"]
        read += [a.partition("=")[2] for a in container["args"] if a.startswith("--prometheus-config=")]
        for path in map(Path, read):
            there = mounts.get(str(path.parent)) == "config" and path.name in files
            self.check(there, f"{name}: {path} is not mounted")
        for variable in container["env"]:
            secret = re.search("URL|USERS|PASSWORD|TOKEN|KEY", variable["name"])
            self.check(not secret or "value" not in variable, f"{name}: {variable['name']} is no reference")

    # How they agree.

    def check_services(self) -> None:
        for service in self.of("Service"):
            name, spec = service["metadata"]["name"], service["spec"]
            chosen = self.pods(spec["selector"])
            self.check(len(chosen) == 1, f"Service {name} selects {len(chosen)} workloads")
            ports = {p["name"]: p["containerPort"] for w in chosen for c in containers(w) for p in c["ports"]}
            for port in spec["ports"]:
                self.check(ports.get(port["targetPort"]) == port["port"], f"Service {name}: port {port['name']}")
            component = {w["metadata"]["labels"][COMPONENT] for w in chosen}
            self.check(component == {service["metadata"]["labels"].get(COMPONENT)}, f"Service {name}: component")
        for workload in self.of("StatefulSet"):
            names = [s["metadata"]["name"] for s in self.of("Service") if s["spec"].get("clusterIP") == "None"]
            self.check(workload["spec"]["serviceName"] in names, "the StatefulSet names no headless Service")

    def check_selectors(self) -> None:
        for kind, path in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
            for resource in self.of(kind):
                chosen = self.pods(resource["spec"][path]["matchLabels"])
                self.check(len(chosen) == 1, f"{kind} {resource['metadata']['name']} selects {len(chosen)} workloads")
                ports = {p["name"] for w in chosen for c in containers(w) for p in c["ports"]}
                opened = {p["port"] for rule in resource["spec"].get("ingress", []) for p in rule["ports"]}
                self.check(kind != "NetworkPolicy" or opened == ports, f"NetworkPolicy opens {opened} of {ports}")
        for scaler in self.of("HorizontalPodAutoscaler"):
            target = scaler["spec"]["scaleTargetRef"]
            found = [w for w in self.workloads() if (w["kind"], w["metadata"]["name"]) == (target["kind"], target["name"])]
            self.check(len(found) == 1, f"the autoscaler scales {target['name']}, which is not there")
            self.check(all("replicas" not in w["spec"] for w in found), "an apply would undo what the autoscaler did")
            low = scaler["spec"]["minReplicas"]
            self.check(2 <= low <= scaler["spec"]["maxReplicas"], f"replicas from {low}")
            budget = sum(b["spec"]["maxUnavailable"] for b in self.of("PodDisruptionBudget"))
            self.check(budget < low, "a disruption may end all servers")

    def check_scraping(self) -> None:
        monitor = self.of("ServiceMonitor")[0]["spec"]
        scraped = [s for s in self.of("Service") if monitor["selector"]["matchLabels"].items() <= s["metadata"]["labels"].items()]
        jobs = sorted(s["metadata"]["labels"].get(monitor["jobLabel"]) for s in scraped)
        self.check(jobs == ["api", "flows"], f"the ServiceMonitor scrapes {jobs}")
        for service in scraped:
            ports = {port["name"] for port in service["spec"]["ports"]}
            missing = {endpoint["port"] for endpoint in monitor["endpoints"]} - ports
            self.check(not missing, f"the ServiceMonitor wants {missing} of {service['metadata']['name']}")
        files = self.config("streamflow-config")["data"]
        prometheus = yaml.safe_load(files["prometheus.yml"])
        self.check(set(prometheus["rule_files"]) <= files.keys(), "rules that are not mounted")
        found = prometheus["scrape_configs"][0]["dns_sd_configs"][0]
        headless = {
            s["metadata"]["name"]: [port["port"] for port in s["spec"]["ports"]]
            for s in self.of("Service")
            if s["spec"].get("clusterIP") == "None"
        }
        for name in found["names"]:
            self.check(found["port"] in headless.get(name, []), f"flows scrapes {name}:{found['port']}")

    def check_configuration(self) -> None:
        files = self.config("streamflow-config")["data"]
        self.check("dataset" in tomllib.loads(files["streamflow.toml"]), "streamflow.toml")
        self.check("/" in self.config("streamflow-environment")["data"]["STREAMFLOW_DATA_DIR"], "the bucket")
        boards = self.config("streamflow-dashboards")
        self.check(len(boards["data"]) == 2 and boards["metadata"]["labels"]["grafana_dashboard"] == "1", "dashboards")

    def all(self) -> list[str]:
        self.check_schemas()
        if self.faults:
            # How they agree is a question about sound resources.
            return self.faults
        self.check_whole()
        for workload in self.workloads():
            self.check_pod(workload)
        self.check_services()
        self.check_selectors()
        self.check_scraping()
        self.check_configuration()
        return self.faults


def containers(workload: dict) -> list[dict]:
    return workload["spec"]["template"]["spec"]["containers"]


def wrong(resources: list[dict], kind: str, change) -> list[str]:
    """The faults of the resources after `change` was done to the first of a kind."""
    changed = copy.deepcopy(resources)
    change(next(resource for resource in changed if resource["kind"] == kind))
    return Base(changed).all()


def set_in(*path):
    """A change that sets the last word of the path as the value of the keys before it."""
    *parents, key, value = path

    def change(resource: dict) -> None:
        for parent in parents:
            resource = resource[parent]
        resource[key] = value

    return change


POD = ("spec", "template", "spec")
MISTAKES = [
    ("a key that Kubernetes does not know", "Deployment", set_in(*POD, "terminationGracePeriod", 30)),
    ("a key that the operator does not know", "ServiceMonitor", set_in("spec", "endpoint", [])),
    ("a list as a number", "PodDisruptionBudget", set_in("spec", "maxUnavailable", [1])),
    ("another port", "Deployment", set_in(*POD, "containers", 0, "ports", 0, "containerPort", 8001)),
    ("a service of nobody", "Service", set_in("spec", "selector", COMPONENT, "web")),
    ("a short grace", "Deployment", set_in(*POD, "terminationGracePeriodSeconds", 15)),
    ("another name to scale", "HorizontalPodAutoscaler", set_in("spec", "scaleTargetRef", "name", "api")),
    ("an open root", "StatefulSet", set_in(*POD, "containers", 0, "securityContext", "readOnlyRootFilesystem", False)),
    ("a policy of nobody", "NetworkPolicy", set_in("spec", "podSelector", "matchLabels", COMPONENT, "web")),
    ("a port nobody has", "ServiceMonitor", set_in("spec", "endpoints", 0, "port", "metrics")),
]


def main() -> int:
    resources = list(yaml.safe_load_all(Path(sys.argv[1]).read_text()))
    faults = Base(resources).all()
    for mistake, kind, change in MISTAKES:
        if not wrong(resources, kind, change):
            faults.append(f"the check does not find {mistake}")
    for fault in faults:
        print(f"kustomize base: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
