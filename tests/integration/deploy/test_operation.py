"""What lies in deploy/: alerts name figures there are, settings name settings there are, and each tool reads its file."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from services.channels import service as _  # noqa: F401  with the settings of its own
from services.commands import variables
from services.roles import ROLES
from services.shared.crypto.sealing import USES, Keys
from services.shared.web.edge import MAX_BODY
from tests.kit.deployed import over

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
PROMETHEUS_OWN = {"up"}
NO_METRIC = {
    "max", "min", "sum", "by", "rate", "absent", "on", "unless", "and", "or", "max_over_time", "min_over_time",
}  # fmt: skip


def metrics_in(expression: str) -> set[str]:
    """The names of metrics in a PromQL expression."""
    bare = re.sub(r'\{[^}]*\}|\[[^\]]*\]|"[^"]*"|\bby\s*\([^)]*\)|\bon\s*\([^)]*\)', " ", expression)
    return set(re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", bare)) - NO_METRIC - {"e6"}


def rules() -> list[dict[str, object]]:
    found = yaml.safe_load((DEPLOY / "alerts.yml").read_text("utf-8"))
    return [rule for group in found["groups"] for rule in group["rules"]]


async def test_every_alert_names_figures_there_are(tmp_path: Path) -> None:
    """Each metric of each expression is in /metrics of a real process; one that is not is found."""
    async with over(f"sqlite+aiosqlite:///{tmp_path / 'tocsin.db'}") as station:
        text = await station.text()
    shown = set(re.findall(r"^# TYPE (\S+) (?:gauge|counter)$", text, re.M)) | PROMETHEUS_OWN
    summaries = re.findall(r"^# TYPE (\S+) summary$", text, re.M)
    shown |= {f"{name}_{part}" for name in summaries for part in ("sum", "count")}
    for rule in rules():
        named = metrics_in(str(rule["expr"]))
        assert named, rule["alert"]
        assert set() == named - shown, rule["alert"]
    assert {"tocsin_gone"} == metrics_in('max by (tier) (tocsin_gone{tier="red"}) > 0') - shown


def test_every_alert_says_whom_it_wakes_and_what_to_do() -> None:
    """A page or a ticket, what happened, what to do; no name twice."""
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names) > 15
    for rule in rules():
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert isinstance(rule["labels"], dict)
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert isinstance(rule["annotations"], dict)
        assert {"summary", "do"} == set(rule["annotations"])


def test_prometheus_asks_every_process_of_the_compose_file() -> None:
    """A process added to one file is added to the other."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    serving = {f"{name}:8080" for name, s in compose.items() if s.get("command", [""])[0] == "serve"}
    scraped = yaml.safe_load((DEPLOY / "prometheus.yml").read_text("utf-8"))["scrape_configs"][0]["static_configs"]
    assert serving == {target for group in scraped for target in group["targets"]}
    assert {name for g in scraped for name in [g["labels"]["service"]]} == {
        s["command"][1] for s in compose.values() if s.get("command", [""])[0] == "serve"
    }


def known_variables() -> frozenset[str]:
    """Every variable a setting is read from."""
    return variables.known_variables() - variables.OURS - variables.TESTS


@pytest.mark.parametrize("name", ["deploy/env.example", "docker-compose.yml"])
def test_every_variable_that_is_named_is_one_that_is_read(name: str) -> None:
    """No setting of ours is misspelt in what people copy."""
    elsewhere = {"TOCSIN_SITE", "TOCSIN_SECRETS_DIR"}  # read by compose and Caddy; by settings before there is a model
    named = set(re.findall(r"\bTOCSIN_[A-Z0-9_]+", (ROOT / name).read_text("utf-8")))
    assert set() == named - known_variables() - elsewhere


def test_every_setting_people_are_shown_reaches_a_process_under_compose() -> None:
    """What stands in env.example or the documents and is not passed on would be set in vain."""
    embedded = {"TOCSIN_DATA_DIR", "TOCSIN_HOST", "TOCSIN_PORT"}
    pages = [
        ROOT / "README.md",
        *(ROOT / "docs" / "how-to").glob("*.md"),
        *(ROOT / "docs" / "explanation").glob("*.md"),
    ]
    told = "\n".join(page.read_text("utf-8") for page in pages)
    readme = set(re.findall(r"\bTOCSIN_[A-Z0-9_]+\b", told)) & known_variables()
    secret = {f"TOCSIN_{name}" for name in ("DATABASE_URL", "AMQP_URL", "TWILIO_AUTH_TOKEN", "OIDC_SECRET")}
    shown = readme - secret | set(
        re.findall(r"^(?:# )?(TOCSIN_[A-Z0-9_]+)=", (DEPLOY / "env.example").read_text("utf-8"), re.MULTILINE)
    )
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    passed = {name for service in services.values() for name in service.get("environment", {})}
    assert set() == shown - passed - embedded


def test_systemd_reads_the_unit_and_finds_it_closed(tmp_path: Path) -> None:
    """systemd's own verifier has nothing to say, and its rating of the exposure is low."""
    unit = tmp_path / "tocsin.service"
    text = (DEPLOY / "tocsin.service").read_text("utf-8")
    unit.write_text(text.replace("/opt/tocsin/.venv/bin/tocsin", "/bin/true"), "utf-8")

    def analyze(*words: str) -> tuple[int, str]:
        done = subprocess.run(["systemd-analyze", *words, str(unit)], capture_output=True, text=True, timeout=30)
        return done.returncode, done.stdout + done.stderr

    assert (0, "") == analyze("verify")
    code, said = analyze("security", "--offline=true", "--threshold=20")
    assert 0 == code, said
    unit.write_text(unit.read_text("utf-8").replace("ProtectSystem=strict", "ProtectSystem=very"), "utf-8")
    assert "very" in analyze("verify")[1]


def test_prepare_makes_every_secret_once(tmp_path: Path) -> None:
    """Keys that fit each other and our own reader, passwords in the addresses; a second run changes nothing."""

    def prepare(*words: str) -> str:
        return subprocess.run(
            ["bash", str(DEPLOY / "prepare.sh"), *words, str(tmp_path)], capture_output=True, text=True, timeout=30, check=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TOCSIN_PLANE": "drill"},
        ).stdout  # fmt: skip

    prepare()
    folder = tmp_path / "secrets"
    secrets = {str(file.relative_to(folder)): file for file in folder.rglob("*") if file.is_file()}
    before = {name: file.read_bytes() for name, file in secrets.items()}
    assert {0o400} == {file.stat().st_mode & 0o777 for file in secrets.values()}
    keys = Keys(tmp_path / "secrets")
    public = X25519PrivateKey.from_private_bytes(keys.private).public_key().public_bytes_raw()
    assert before["channels.pub"] == public == keys.public
    assert 32 == len(keys.index)
    assert {use: [1] for use in USES} == {use: list(keys.versions(use)) for use in USES}
    password = before["postgres_password"].decode().strip()
    assert f"postgresql+asyncpg://tocsin:{password}@postgres:5432/tocsin" == before["owner_database_url"].decode()
    users = {user["name"]: user["password_hash"] for user in json.loads(before["rabbitmq_definitions.json"])["users"]}
    for service in ROLES:
        password = before[f"roles/postgres_{service}"].decode().strip()
        url = f"postgresql+asyncpg://tocsin_{service}:{password}@postgres:5432/tocsin"
        assert url == before[f"{service}_database_url"].decode()
        password = before[f"broker/{service}"].decode().strip()
        assert (
            f"amqp://tocsin_{service}:{password}@rabbitmq:5672/tocsin-drill" == before[f"{service}_amqp_url"].decode()
        )
        kept = base64.b64decode(users[f"tocsin_{service}"])
        assert hashlib.sha256(kept[:4] + password.encode()).digest() == kept[4:]
    assert b"@" not in before["rabbitmq_definitions.json"]
    assert "made" not in prepare()
    assert before == {name: file.read_bytes() for name, file in secrets.items()}
    assert [["prepare: made secrets/links/2.key"], ["prepare: made secrets/links/3.key"]] == [
        prepare("--new", "links").splitlines() for _again in range(2)
    ]
    assert [1, 2, 3] == list(keys.versions("links"))
    with pytest.raises(subprocess.CalledProcessError):
        prepare("--new", "mac")


def test_the_broker_takes_what_we_say_and_no_more() -> None:
    """Its limit of a message lies far above a hint and below a body; every line is one setting."""
    lines = (DEPLOY / "rabbitmq.conf").read_text("utf-8").splitlines()
    settings = dict(line.split(" = ") for line in lines if line and not line.startswith("#"))
    assert 100_000 < int(settings["max_message_size"]) < MAX_BODY
    assert "pause_minority" == settings["cluster_partition_handling"]
