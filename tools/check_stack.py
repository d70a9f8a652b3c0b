"""Checks that the deployment files agree with each other and with Grafana's schema.

usage: check_stack.py TEMPLATES COMPOSE_JSON RULES_YML

COMPOSE_JSON is docker-compose.yml as `docker compose config --format json` prints it. Writes every dashboard
expression to RULES_YML as a recording rule, for `promtool check rules` to parse.
"""

import json
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

# What existing dashboards of the service ask stays among the shipped expressions.
CONTRACT = {
    "rate(api_requests_total[5m])",
    "rate(api_request_latency_seconds_sum[5m]) / rate(api_request_latency_seconds_count[5m])",
}
# A quantity has one window, the same five minutes in tile, drawing and alert; burn rates of an objective are defined
# over the others.
FIXED_WINDOWS = {"5m", "1h", "6h", "30d"}
COLUMNS = 24
# What tools/check-stack.sh writes to the .env that it gives Compose.
PASSWORD = "of the check"

faults: list[str] = []


def check(holds: object, fault: str) -> None:
    if not holds:
        faults.append(fault)


def lost(before: object, after: object, path: str) -> list[str]:
    """Paths in `before` that `after` lacks or changes: what Grafana's schema does not know."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            fault
            for key, value in before.items()
            for fault in (lost(value, after[key], f"{path}.{key}") if key in after else [f"{path}.{key}"])
        ]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [f for i, (b, a) in enumerate(zip(before, after)) for f in lost(b, a, f"{path}[{i}]")]
    return [] if before == after else [path]


def check_compose(compose: dict, templates: Path) -> None:
    services = compose["services"]
    check(set(services) == {"api", "prometheus", "grafana"}, f"services: {sorted(services)}")
    published = {name: [p["published"] for p in s["ports"]] for name, s in services.items()}
    expected = {"api": ["8000"], "prometheus": ["9090"], "grafana": ["3000"]}
    check(published == expected, f"published ports: {published}")
    names = {name: services[name].get("container_name") for name in ("prometheus", "grafana")}
    check(names == {"prometheus": "streamflow-prometheus", "grafana": "streamflow-grafana"}, f"containers: {names}")
    for name, service in services.items():
        check("healthcheck" in service, f"{name}: no healthcheck")
        check(service.get("user", "0").split(":")[0] not in ("0", "root"), f"{name}: runs as root")
        check(not service["image"].endswith(":latest") or name == "api", f"{name}: image without a version")
        for volume in service["volumes"]:
            if volume["type"] == "bind":
                # The paths are absolute in the normal form and lie beside the compose file.
                source = templates / Path(volume["source"]).relative_to(templates.resolve())
                check(source.exists(), f"{name}: {volume['source']} is not among the templates")


def check_prometheus(compose: dict, prometheus: dict, datasource: dict) -> None:
    service = compose["services"]["prometheus"]
    config = next(flag.partition("=")[2] for flag in service["command"] if flag.startswith("--config.file="))
    mounted = {volume["target"]: Path(volume["source"]).name for volume in service["volumes"]}
    check(mounted.get(config) == "prometheus.yml", f"prometheus reads {config}, which is not mounted")
    jobs = {job["job_name"]: job["static_configs"][0]["targets"] for job in prometheus["scrape_configs"]}
    listen = compose["services"]["api"]["command"][-1]
    check(jobs.get("api") == [f"api:{listen.rpartition(':')[2]}"], f"job api: {jobs.get('api')}, listens on {listen}")
    check(prometheus["global"]["scrape_interval"] == "10s", "scrape interval")
    check(datasource["jsonData"]["timeInterval"] == "10s", "timeInterval is not the scrape interval")
    url = urlsplit(datasource["url"])
    ports = [p["target"] for p in compose["services"].get(url.hostname, {"ports": []})["ports"]]
    check(url.port in ports, f"data source {datasource['url']}: no such service and port")


def check_provisioning(compose: dict, provider: dict, datasource: dict) -> None:
    grafana = compose["services"]["grafana"]
    mounted = {volume["target"]: Path(volume["source"]).name for volume in grafana["volumes"]}
    check(mounted.get(provider["options"]["path"]) == "dashboards", f"{provider['options']['path']} is not mounted")
    check(grafana["environment"]["GF_SECURITY_ADMIN_PASSWORD"] == PASSWORD, "Grafana's password is not that of .env")
    home = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    check(str(home.parent) == provider["options"]["path"], f"home dashboard {home}")
    check(provider["folder"] == "StreamFlow" and provider["allowUiUpdates"] is False, "dashboard provider")
    check(datasource["uid"] == "streamflow" and datasource["access"] == "proxy", "data source")


def check_layout(name: str, panels: list[dict]) -> None:
    ids = [panel["id"] for panel in panels]
    check(len(ids) == len(set(ids)), f"{name}: panel ids are not unique")
    taken: dict[tuple[int, int], int] = {}
    for panel in panels:
        grid = panel["gridPos"]
        check(grid["x"] + grid["w"] <= COLUMNS, f"{name}: panel {panel['id']} is wider than the grid")
        columns = range(grid["x"], grid["x"] + grid["w"])
        rows = range(grid["y"], grid["y"] + grid["h"])
        others = {taken.setdefault((x, y), panel["id"]) for x in columns for y in rows} - {panel["id"]}
        check(not others, f"{name}: panel {panel['id']} overlaps {others}")


def check_dashboard(path: Path, datasource: dict) -> list[str]:
    """Returns the dashboard's expressions."""
    name, dashboard = path.name, json.loads(path.read_text())
    decoded = json.loads(json.dumps(Dashboard.from_json(dashboard), cls=JSONEncoder))
    faults.extend(f"{name}: Grafana does not know {lost_path}" for lost_path in lost(dashboard, decoded, "dashboard"))
    check("id" not in dashboard, f"{name}: a provisioned dashboard has no id")
    check(dashboard["schemaVersion"] == 39 and dashboard["uid"], f"{name}: schemaVersion or uid")
    variables = {v["name"]: v for v in dashboard["templating"]["list"]}
    check(variables["datasource"]["current"]["value"] == datasource["uid"], f"{name}: default data source")
    check_layout(name, dashboard["panels"])
    expressions = []
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            continue
        here = f"{name}: panel {panel['id']} ({panel['title']})"
        check(panel["title"] and panel["description"].endswith("."), f"{here}: title or description")
        check(panel["fieldConfig"]["defaults"].get("unit"), f"{here}: no unit")
        refs = [target["datasource"]["uid"] for target in panel["targets"]] + [panel["datasource"]["uid"]]
        check(set(refs) == {"${datasource}"}, f"{here}: data source {refs}")
        for target in panel["targets"]:
            windows = set(re.findall(r"\[([^\]]+)\]", target["expr"]))
            is_fixed = windows <= FIXED_WINDOWS and len(windows) <= 1
            check(is_fixed or windows <= {"$__rate_interval"}, f"{here}: window {windows}")
            expressions.append(target["expr"])
    return expressions


def main() -> int:
    templates, compose_file, rules_file = map(Path, sys.argv[1:])
    register_default_plugins()  # without it options and queries are not decoded
    compose = json.loads(compose_file.read_text())
    provisioning = templates / "grafana/provisioning"
    datasource = yaml.safe_load((provisioning / "datasources/streamflow.yml").read_text())["datasources"][0]
    provider = yaml.safe_load((provisioning / "dashboards/streamflow.yml").read_text())["providers"][0]
    check_compose(compose, templates)
    check_prometheus(compose, yaml.safe_load((templates / "prometheus.yml").read_text()), datasource)
    check_provisioning(compose, provider, datasource)
    dashboards = sorted((templates / "grafana/dashboards").glob("*.json"))
    check(dashboards, "no dashboards")
    expressions = [e for path in dashboards for e in check_dashboard(path, datasource)]
    check(CONTRACT <= set(expressions), "a contract expression is missing")
    rules = [
        {"record": f"dashboard:expression:{i}", "expr": e.replace("$__rate_interval", "1m")}
        for i, e in enumerate(expressions)
    ]
    rules_file.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))
    for fault in faults:
        print(f"deployment files: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
