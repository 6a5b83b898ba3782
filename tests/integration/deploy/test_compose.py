"""Dockerfile and docker-compose.yml: valid by their own linters, and hardened by our conventions."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.roles import ROLES
from tests.integration.deploy.conventions import faults_in

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))


def run(*words: str | Path) -> tuple[int, str]:
    """Exit code, and everything that was said."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, cwd=ROOT)
    return done.returncode, done.stdout + done.stderr


def schema(file: Path) -> tuple[int, str]:
    return run(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", file)


def test_the_compose_file_follows_the_specification_and_a_misspelt_word_is_found(tmp_path: Path) -> None:
    """By the published schema of the Compose specification."""
    assert 0 == schema(ROOT / "docker-compose.yml")[0]
    planted = tmp_path / "docker-compose.yml"
    planted.write_text((ROOT / "docker-compose.yml").read_text("utf-8").replace("read_only:", "readonly:"), "utf-8")
    code, said = schema(planted)
    assert (1, True) == (code, "readonly" in said)


def test_every_service_keeps_the_conventions() -> None:
    """Non-root, read-only, no capabilities, exact versions, drained, asked after, limited, keys where they belong."""
    assert [] == faults_in(COMPOSE)
    assert {"caddy", "gateway", "registry", "migrate", "rabbitmq", "postgres"} < set(COMPOSE["services"])


Plant = Callable[[dict[str, Any]], Any]
PLANTED: dict[str, tuple[Plant, str]] = {
    "root": (lambda c: c["services"]["gateway"].update(user="0:0"), "gateway: runs as 0:0"),
    "no user": (lambda c: c["services"]["caddy"].pop("user"), "caddy: runs as whoever the image says"),
    "writable": (lambda c: c["services"]["postgres"].pop("read_only"), "postgres: its file system can be written"),
    "capabilities": (lambda c: c["services"]["registry"].pop("cap_drop"), "registry: keeps capabilities"),
    "a capability": (lambda c: c["services"]["router-1"].update(cap_add=["SYS_ADMIN"]), "router-1: keeps capabilities"),
    "privileges": (lambda c: c["services"]["migrate"].pop("security_opt"), "migrate: may gain privileges"),
    "latest": (
        lambda c: c["services"]["rabbitmq"].update(image="rabbitmq:latest"),
        "rabbitmq: its image has no exact version: rabbitmq:latest",
    ),
    "no grace": (
        lambda c: c["services"]["channels-1"].pop("stop_grace_period"),
        "channels-1: is killed before it has drained",
    ),
    "no health": (lambda c: c["services"]["router-2"].pop("healthcheck"), "router-2: nobody asks after its health"),
    "no limits": (lambda c: c["services"]["postgres"].pop("deploy"), "postgres: has no limits"),
    "a port": (lambda c: c["services"]["postgres"].update(ports=["5432:5432"]), "postgres: publishes a port"),
    "outside": (
        lambda c: c["services"]["registry"].update(networks=["core", "edge"]),
        "registry: is in the networks core, edge",
    ),
    "open core": (lambda c: c["networks"].update(core={}), "networks: core reaches the outside"),
    "endless log": (lambda c: c["services"]["caddy"].pop("logging"), "caddy: its log grows without end"),
    "password": (
        lambda c: c["services"]["postgres"]["environment"].update(POSTGRES_PASSWORD="x"),
        "postgres: has a secret in its environment: POSTGRES_PASSWORD",
    ),
    "socket": (
        lambda c: c["services"]["caddy"]["volumes"].append("/var/run/docker.sock:/var/run/docker.sock"),
        "caddy: holds the engine's socket",
    ),
    "a router's key": (
        lambda c: c["services"]["router-1"]["secrets"].append("channels_key"),
        "router-1: holds channels_key",
    ),
    "no key": (lambda c: c["services"]["channels-2"]["secrets"].pop(), "channels-2: lacks channels_pub"),
    "a secret inline": (lambda c: c["secrets"].update(index_key={"environment": "INDEX"}), "secrets: index_key is no file"),
    "a gateway that signs links": (
        lambda c: c["services"]["gateway"]["volumes"].append("./deploy/secrets/links:/var/lib/tocsin/keys/links:ro"),
        "gateway: holds secrets/links",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found(name: str) -> None:
    """Each convention can fail: with one fault in it, the file has exactly that one."""
    plant, expected = PLANTED[name]
    compose = json.loads(json.dumps(COMPOSE))  # not deepcopy: two services written by one anchor are to be two
    plant(compose)
    assert [expected] == faults_in(compose)


def test_the_services_ask_after_each_other_and_wait_for_the_schema() -> None:
    """Nobody starts before the migration has ended and broker and database are healthy."""
    for name, service in COMPOSE["services"].items():
        if service["image"].startswith("tocsin:") and name != "migrate":
            assert {
                "migrate": {"condition": "service_completed_successfully"},
                "rabbitmq": {"condition": "service_healthy"},
                "postgres": {"condition": "service_healthy"},
            } == service["depends_on"]
            assert ["CMD", "tocsin", "ready"] == service["healthcheck"]["test"]


def test_every_secret_and_file_that_is_mounted_is_made_or_shipped() -> None:
    """A name misspelt in one of three places is found here and not at the first start."""
    prepared = (ROOT / "deploy" / "prepare.sh").read_text("utf-8")
    for name, secret in COMPOSE["secrets"].items():
        made = Path(secret["file"]).name
        for service in ROLES:  # each has one
            for what in ("database_url", "amqp_url"):
                made = made.replace(f"{service}_{what}", f"${{service}}_{what}")
        assert f"make {made} " in prepared.replace('"', ""), name
    used = {
        s["source"] if isinstance(s, dict) else s for v in COMPOSE["services"].values() for s in v.get("secrets", [])
    }
    assert set(COMPOSE["secrets"]) == used
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            if source == "./deploy/secrets/roles":
                assert 'make "roles/postgres_$service" ' in prepared
            elif source.startswith("./deploy/secrets/"):
                assert f"\nmake {source.removeprefix('./deploy/secrets/')}/1.key " in prepared, source
            elif source.startswith("./") and "/state/" not in source:
                assert (ROOT / source).is_file(), source


def test_the_dockerfile_is_clean_and_a_careless_one_is_not(tmp_path: Path) -> None:
    """By hadolint."""
    assert (0, "") == run(BIN / "hadolint", ROOT / "Dockerfile")
    planted = tmp_path / "Dockerfile"
    planted.write_text("FROM python:latest\nRUN cd /tmp && pip install tocsin\n", "utf-8")
    code, said = run(BIN / "hadolint", planted)
    assert 1 == code
    assert {"DL3007", "DL3003", "DL3013"} <= {word for word in said.split() if word.startswith("DL")}


def test_the_image_is_made_by_hash_and_runs_as_nobody_without_tools() -> None:
    """Two stages of one exact base, and one that fetches scripts; the last installs a voice and nothing else; only what is
    listed goes to the builder."""
    text = (ROOT / "Dockerfile").read_text("utf-8")
    _, scripts, first, last = text.split("\nFROM ")
    bases = [line.split()[1] for line in text.splitlines() if line.startswith("FROM ")]
    assert re.fullmatch(r"node:\d+\.\d+\.\d+-bookworm-slim", bases[0])
    assert "RUN npm ci --ignore-scripts " in scripts
    assert 1 == len(set(bases[1:]))
    assert ["--from=scripts /src/node_modules ./node_modules"] == re.findall(r"COPY (--from=scripts .*)", text)
    assert "node" not in last
    assert '--require-hashes --only-binary :all: -r "$LOCK"' in first
    assert "ARG LOCK=requirements.lock\n" in first
    assert "RUN rm -r services/sim\n" in first
    assert "pip install" not in last
    assert ["--yes --no-install-recommends espeak-ng \\"] == re.findall(r"apt-get install (.*)", text)
    assert "\nUSER 10001:10001\n" in last
    assert '\nENTRYPOINT ["tocsin"]\n' in last
    assert "*" == (ROOT / ".dockerignore").read_text("utf-8").splitlines()[1]
