"""The files for containers and systemd fit what they start; they are linted here, and not built."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from server.settings import Settings

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
SETTINGS = {f"PLAIT_{each.name.upper()}" for each in fields(Settings)}


def lines(name: str) -> list[str]:
    """The instructions of a file, continued lines joined, without comments."""
    text = (DEPLOY / name).read_text("utf-8").replace("\\\n", " ")
    return [line.strip() for line in text.splitlines() if line.strip() and line.strip()[0] != "#"]


@pytest.mark.parametrize("path", sorted(DEPLOY.iterdir()), ids=lambda path: path.name)
def test_only_settings_that_there_are(path: Path) -> None:
    """A misspelt one would be ignored by the server without a word."""
    named = set(re.findall(r"PLAIT_[A-Z_]+", path.read_text("utf-8")))

    assert named - SETTINGS == set()


def test_the_container_file_follows_the_usual_rules() -> None:
    """Known versions, nothing but what is there is copied, no root, commands without a shell."""
    found = lines("Containerfile")
    words = {line.split()[0] for line in found}
    bases = [line.split()[1] for line in found if line.startswith("FROM ")]
    copied = [
        source
        for line in found
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    ]

    assert words <= {
        *("FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE"),
        *("STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"),
    }
    assert all(":" in base and not base.endswith(":latest") for base in bases)
    assert [source for source in copied if not (ROOT / source).exists()] == []
    assert {"crdt", "auth", "storage", "server"} <= set(copied)
    assert any(re.fullmatch(r"USER \d+", line) for line in found)
    commands = [line for line in found if line.split()[0] in {"ENTRYPOINT", "CMD"}]
    assert all(line.partition(" ")[2].startswith("[") for line in commands)


def test_the_compose_file_names_what_it_defines() -> None:
    """Volumes, secrets and services are there, images have versions, no secret is in it."""
    text = (DEPLOY / "compose.yaml").read_text("utf-8")
    made: dict[str, Any] = yaml.safe_load(text)
    services = made["services"]
    needs = {other for each in services.values() for other in each.get("depends_on", ())}
    volumes = {
        volume.partition(":")[0] for each in services.values() for volume in each.get("volumes", ())
    }
    secrets = {secret for each in services.values() for secret in each.get("secrets", ())}
    images = [each["image"] for each in services.values() if "build" not in each]

    assert needs <= services.keys()
    assert {name for name in volumes if not name.startswith(".")} <= made["volumes"].keys()
    assert secrets <= made["secrets"].keys()
    assert all(":" in image and not image.endswith("latest") for image in images)
    assert {"one", "two", "balancer", "postgres", "nats", "store"} == services.keys()
    assert not re.search(r"(?im)(password|secret): *[a-z0-9]{6,}$", text)


def test_the_balancer_knows_the_nodes_of_the_compose_file() -> None:
    """And asks each whether it is ready."""
    found = lines("haproxy.cfg")
    servers = {line.split()[1] for line in found if line.startswith("server ")}

    assert servers == {"one", "two"}
    assert "option httpchk GET /readyz" in found
    assert not any("cookie" in line or "stick" in line for line in found)


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """As its own checker says where there is one; by its form everywhere."""
    found = lines("plait.service")
    sections = [line for line in found if line.startswith("[")]
    others = [line for line in found if not line.startswith("[")]

    assert sections == ["[Unit]", "[Service]", "[Install]"]
    assert all(re.fullmatch(r"[A-Z][A-Za-z]+=.+", line) for line in others)
    checker = shutil.which("systemd-analyze")
    if checker is not None:
        unit = tmp_path / "plait.service"
        text = (DEPLOY / "plait.service").read_text("utf-8")
        unit.write_text(text.replace("/opt/plait/bin/plait", "/bin/true"))
        done = subprocess.run(
            [checker, "verify", "--man=no", unit], capture_output=True, text=True, check=False
        )
        assert "plait.service" not in done.stderr, done.stderr


def test_probes_ask_for_routes_that_there_are() -> None:
    """The ones of the documented pod, with time enough to drain."""
    made = yaml.safe_load((DEPLOY / "kubernetes.yaml").read_text("utf-8"))
    pod = made["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    asked = {name: container[name]["httpGet"]["path"] for name in container if "Probe" in name}
    waits = sum(float(each["value"]) for each in container["env"])

    assert asked == {
        "startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz",
    }  # fmt: skip
    assert pod["terminationGracePeriodSeconds"] > waits
