"""Checks that the deployment files agree with each other and with Grafana's schema.

usage: check_stack.py SMALL COMPOSE_JSON LARGE LARGE_JSON RULES_YML

SMALL and LARGE are projects as `streamflow init` writes them, and each JSON the docker-compose.yml of one as
`docker compose config --format json` prints it. Writes every dashboard
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
PASSWORD = "of-the-check"

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


def check_services(services: dict, project: Path, expected: dict[str, list[str]]) -> None:
    """What holds for every Compose file; `expected` are the services with the ports that each publishes."""
    check(set(services) == set(expected), f"services: {sorted(services)}")
    published = {name: [p["published"] for p in s.get("ports", [])] for name, s in services.items()}
    check(published == expected, f"published ports: {published}")
    names = {name: services[name].get("container_name") for name in ("prometheus", "grafana")}
    check(names == {"prometheus": "streamflow-prometheus", "grafana": "streamflow-grafana"}, f"containers: {names}")
    for name, service in services.items():
        check("healthcheck" in service, f"{name}: no healthcheck")
        check(service.get("user", "0").split(":")[0] not in ("0", "root"), f"{name}: runs as root")
        check(service.get("cap_drop") == ["ALL"], f"{name}: has capabilities")
        own = service["image"].startswith("streamflow:")
        check(own or not service["image"].endswith(":latest"), f"{name}: image without a version")
        # The image holds the binary and nothing else that could ask.
        check(not own or service["healthcheck"]["test"] == ["CMD", "streamflow", "ping"], f"{name}: health check")
        for volume in service["volumes"]:
            if volume["type"] == "bind":
                # The paths are absolute in the normal form and lie beside the compose file.
                source = project / Path(volume["source"]).relative_to(project.resolve())
                check(source.exists(), f"{name}: {volume['source']} is not among the templates")


def check_compose(compose: dict, project: Path) -> None:
    check_services(compose["services"], project, {"api": ["8000"], "prometheus": ["9090"], "grafana": ["3000"]})


def check_large(compose: dict, project: Path) -> None:
    services = compose["services"]
    expected = {"proxy": ["8000"], "api": [], "flows": ["9091"], "postgres": [], "prometheus": ["9090"], "grafana": ["3000"]}
    check_services(services, project, expected)
    console = services["flows"]["ports"][0]
    check(console["host_ip"] == "127.0.0.1", f"the console is published at {console['host_ip']}")
    check(services["api"]["deploy"]["replicas"] >= 2, "one server of the API")
    variables = [services[name]["environment"] for name in ("api", "flows")]
    for key in ("STREAMFLOW_DATABASE_URL", "STREAMFLOW_DATA_DIR", "STREAMFLOW_CONFIG"):
        check(variables[0][key] == variables[1][key], f"api and flows differ in {key}")
    check(PASSWORD in variables[0]["STREAMFLOW_DATABASE_URL"], "the database's password is not that of .env")
    check(services["postgres"]["environment"]["POSTGRES_PASSWORD"] == PASSWORD, "the password of postgres")
    # The normal form writes $ as $$.
    users = variables[1]["STREAMFLOW_CONSOLE_USERS"].replace("$$", "$")
    check(users.startswith("admin:$argon2id$v=19$"), f"the console's users are {users}, not those of .env")
    port = services["api"]["command"][-1].rpartition(":")[2]
    proxy = (project / "haproxy.cfg").read_text()
    check(f"server-template api 8 api:{port}" in proxy, f"haproxy.cfg does not ask api:{port}")
    check(f"bind :{services['proxy']['ports'][0]['target']}\n" in proxy, "the proxy's port")
    prometheus = yaml.safe_load((project / "prometheus.yml").read_text())
    jobs = {job["job_name"]: job for job in prometheus["scrape_configs"]}
    found = jobs["api"]["dns_sd_configs"][0]
    check((found["names"], found["type"], found["port"]) == (["api"], "A", int(port)), f"job api: {found}")
    check(f"--listen=0.0.0.0:{port}" in services["flows"]["command"], "what flows listens on")
    check(jobs["flows"]["static_configs"][0]["targets"] == [f"flows:{port}"], "job flows")
    mounted = {volume["target"]: Path(volume["source"]).name for volume in services["flows"]["volumes"]}
    config = next(f.partition("=")[2] for f in services["flows"]["command"] if f.startswith("--prometheus-config="))
    check(mounted.get(config) == "prometheus.yml", f"flows reads {config}, which is not mounted")
    check(mounted.get(str(Path(config).parent / "rules.yml")) == "rules.yml", "flows has no rules.yml beside it")


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
    templates, compose_file, large, large_file, rules_file = map(Path, sys.argv[1:])
    register_default_plugins()  # without it options and queries are not decoded
    compose = json.loads(compose_file.read_text())
    provisioning = templates / "grafana/provisioning"
    datasource = yaml.safe_load((provisioning / "datasources/streamflow.yml").read_text())["datasources"][0]
    provider = yaml.safe_load((provisioning / "dashboards/streamflow.yml").read_text())["providers"][0]
    check_compose(compose, templates)
    check_large(json.loads(large_file.read_text()), large)
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
