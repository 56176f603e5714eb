"""What is deployed exists: entrypoints, commands, schedules, settings."""

from __future__ import annotations

import configparser
import importlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from prefect import Flow

from monitor.cli.app import app
from monitor.config import Config
from monitor.settings import Schedule

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
SCHEDULED = {"nightly", "pulse", "watchdog", "weekly", "retention"}


def loaded(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


def assert_is_command(words: list[str]) -> None:
    command = typer.main.get_command(app)
    while words and isinstance(command, typer.main.TyperGroup):
        assert words[0] in command.commands, f"there is no command {words[0]}"
        command = command.commands[words.pop(0)]
    known = {o for p in command.params for o in p.opts}
    assert {w for w in words if w.startswith("--")} <= known


# --- prefect.yaml -------------------------------------------------------------------------------


def test_every_scheduled_flow_is_deployed_as_the_program_schedules_it() -> None:
    deployments = {d["name"]: d for d in loaded("prefect.yaml")["deployments"]}
    assert set(deployments) == SCHEDULED
    for name, deployment in deployments.items():
        file, _, function = deployment["entrypoint"].partition(":")
        assert (DEPLOY.parent / file).is_file()
        module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
        flow = getattr(module, function)
        assert isinstance(flow, Flow)
        cron = getattr(Schedule(), name)
        assert deployment["schedules"] == [{"cron": cron, "timezone": "UTC"}]
        assert deployment["concurrency_limit"] == {
            "limit": 1,
            "collision_strategy": "CANCEL_NEW",
        }
        known = set(flow.parameters.properties)
        assert set(deployment["parameters"]) <= known
        # A run that knows its schedule leaves when the next one is due.
        assert deployment["parameters"].get("cron") == (cron if "cron" in known else None)


@pytest.mark.slow  # 30 s: Prefect's own command against a server
def test_a_prefect_server_takes_the_deployments(tmp_path: Path) -> None:
    from flows.server import own_server

    with own_server(tmp_path) as url:
        env = os.environ | {"PREFECT_API_URL": url, "PWD": str(DEPLOY.parent)}

        def prefect(*words: str) -> str:
            done = subprocess.run(
                [sys.executable, "-m", "prefect", "--no-prompt", *words],
                env=env,
                cwd=DEPLOY.parent,
                capture_output=True,
                text=True,
                timeout=120,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        prefect("work-pool", "create", "misspec", "--type", "process")
        prefect("deploy", "--all", "--prefect-file", "deploy/prefect.yaml")
        listed = prefect("deployment", "ls")
    assert all(f"{name}/{name}" in listed for name in SCHEDULED)


# --- compose.yaml, Dockerfile -------------------------------------------------------------------


def test_every_service_starts_a_command_there_is_and_waits_for_what_it_needs() -> None:
    compose = loaded("compose.yaml")
    services = compose["services"]
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= set(services)
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source.startswith("./") or source in compose["volumes"], (name, volume)
        if "entrypoint" not in service and "command" in service:
            assert_is_command(list(service["command"]))
    (loop,) = [w for w in services["watchdog"]["entrypoint"] if "misspec" in w]
    assert_is_command([re.search(r"misspec (\w+)", loop)[1]])  # type: ignore[index]
    assert "schedules" not in services["watchdog"]["depends_on"]  # it outlives them
    assert "prefect" not in services["watchdog"]["depends_on"]
    variables = services["schedules"]["environment"]
    for variable in (v for v in variables if v.startswith("MISSPEC_")):
        known = {f"MISSPEC_{field.upper()}" for field in Config.model_fields} | {"MISSPEC_CONFIG"}
        assert variable in known
    assert "POSTGRES_PASSWORD" in variables["MISSPEC_DATABASE_URL"]  # from outside


def test_the_pages_are_served_from_where_they_are_written_and_nothing_else_is() -> None:
    pages = loaded("compose.yaml")["services"]["pages"]
    image = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    (home,) = re.findall(r"MISSPEC_HOME=(\S+)", image)
    words = pages["entrypoint"]
    served = words[words.index("--directory") + 1]
    assert served == str(Config(home=Path(home)).home / "reports")
    assert served in image  # it is there before the first page is
    assert pages["volumes"] == [f"home:{home}:ro"]
    assert pages["environment"] == {}  # no password for what reads files
    assert all(port.startswith("127.0.0.1:") for port in pages["ports"])


def test_the_image_is_built_from_what_is_there() -> None:
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    for line in lines:
        if line.startswith("COPY"):
            *sources, _ = line.split()[1:]
            assert all((DEPLOY.parent / s).exists() for s in sources)
    (entry,) = [line for line in lines if line.startswith("ENTRYPOINT")]
    assert entry == 'ENTRYPOINT ["misspec"]'
    folder = DEPLOY.parent
    needed = {p.name for p in (folder / "pyproject.toml", folder / "README.md")}
    assert needed <= {word for line in lines for word in line.split()}


# --- systemd ------------------------------------------------------------------------------------


def unit(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(path.read_text(encoding="utf-8"))
    return parser


@pytest.mark.parametrize("path", [p for p in UNITS if p.suffix == ".service"], ids=lambda p: p.stem)
def test_every_unit_starts_a_command_there_is(path: Path) -> None:
    words = shlex.split(unit(path)["Service"]["ExecStart"])
    assert words[:2] == ["/bin/sh", "deploy/local.sh"]
    assert_is_command(words[2:])


def test_every_timer_fires_when_the_schedule_does() -> None:
    timers = {p.stem.removeprefix("misspec-"): unit(p) for p in UNITS if p.suffix == ".timer"}
    assert set(timers) == SCHEDULED
    for name, timer in timers.items():
        assert (DEPLOY / "systemd" / f"misspec-{name}.service").is_file()
        minute, hour, day, month, weekday = getattr(Schedule(), name).split()
        assert month == "*"
        date = "*-*-*" if day == "*" else f"*-*-{int(day):02d}"
        if weekday != "*":
            assert (weekday, day) == ("1", "*")
            date = f"Mon {date}"
        clock = hour if hour == "*" else f"{int(hour):02d}"
        minutes = ",".join(f"{int(m):02d}" for m in minute.split(","))
        assert timer["Timer"]["OnCalendar"] == f"{date} {clock}:{minutes}:00 UTC"


# --- the runbook --------------------------------------------------------------------------------


def test_the_runbook_names_commands_settings_and_files_that_exist() -> None:
    said = (DEPLOY / "README.md").read_text(encoding="utf-8")
    for found in re.findall(r"(?:deploy/local\.sh|\bmisspec) ((?:db )?[a-z]+(?: [a-z]+)?)", said):
        words = found.split()
        if words[0] in typer.main.get_command(app).commands:  # type: ignore[attr-defined]
            assert_is_command(words[: 2 if words[0] in ("db", "alerts", "judge") else 1])
    for name in re.findall(r"`(\w+\.(?:sh|txt|toml|yaml))`", said):
        assert (DEPLOY / name).is_file(), name
    for unit_name in re.findall(r"misspec-(\w+)\.(service|timer)", said):
        assert (DEPLOY / "systemd" / f"misspec-{unit_name[0]}.{unit_name[1]}").is_file()
