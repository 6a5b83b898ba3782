"""What every service of a compose file must be, beyond what its schema can say: one sentence a fault."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from services.roles import HOLDERS

MAY_ADD = {"caddy": ["NET_BIND_SERVICE"]}
MAY_PUBLISH = {"caddy"}
MAY_REACH_OUT = {"caddy", "gateway", "channels-1", "channels-2"}
KEYS = {  # who may hold which key
    **{
        f"secrets/{use}": {name for name in ("registry", "channels-1", "channels-2") if name.partition("-")[0] in roles}
        for use, roles in HOLDERS.items()
    },
    "audit_key": {"gateway"},
    "index_key": {"registry", "channels-1", "channels-2"},
    "channels_key": {"channels-1", "channels-2"},
    "channels_pub": {"registry", "channels-1", "channels-2"},
}
EXACT = re.compile(r"[a-z0-9./-]+:\d+\.\d+(\.\d+)?(-[a-z0-9.]+)?(@sha256:[0-9a-f]{64})?")
# in these stands where the key lies, in a folder that only its owner has
NAMES_A_FILE = {"TOCSIN_PUSH_KEY", "TOCSIN_CAP_SIGN_KEY", "TOCSIN_CELL_BROADCAST_KEY"}
A_SECRET = re.compile(r"(PASSWORD|TOKEN|SECRET|KEY|_URL)$")


def faults_in(compose: Mapping[str, Any]) -> list[str]:
    """Every convention that is broken, as 'service: what'."""
    found = [f"{name}: {fault}" for name, service in compose["services"].items() for fault in _of(name, service)]
    core = compose.get("networks", {}).get("core") or {}
    if core.get("internal") is not True:
        found.append("networks: core reaches the outside")
    for name, secret in compose.get("secrets", {}).items():
        if set(secret) != {"file"}:
            found.append(f"secrets: {name} is no file")
    for key, owners in KEYS.items():
        holders = {n for n, s in compose["services"].items() if key in _secrets(s)}
        found += [f"{n}: holds {key}" for n in sorted(holders - owners)]
        found += [f"{n}: lacks {key}" for n in sorted(owners - holders)]
    return found


def _of(name: str, service: Mapping[str, Any]) -> Iterator[str]:
    user = str(service.get("user", ""))
    if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", user):
        yield f"runs as {user or 'whoever the image says'}"
    if service.get("read_only") is not True:
        yield "its file system can be written"
    if service.get("cap_drop") != ["ALL"] or service.get("cap_add", []) != MAY_ADD.get(name, []):
        yield "keeps capabilities"
    if service.get("privileged") or "no-new-privileges:true" not in service.get("security_opt", []):
        yield "may gain privileges"
    if not EXACT.fullmatch(service.get("image", "")):
        yield f"its image has no exact version: {service.get('image')}"
    if _seconds(service.get("stop_grace_period", "10s")) < 45:
        yield "is killed before it has drained"
    health = service.get("healthcheck", {})
    if not health.get("test") and not (name == "migrate" and health.get("disable")):
        yield "nobody asks after its health"
    limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
    if not {"memory", "cpus", "pids"} <= set(limits):
        yield "has no limits"
    if service.get("ports") and name not in MAY_PUBLISH:
        yield "publishes a port"
    networks = set(service.get("networks", ["default"]))
    if networks - {"core"} and (networks != {"core", "edge"} or name not in MAY_REACH_OUT):
        yield f"is in the networks {', '.join(sorted(networks))}"
    if "max-size" not in service.get("logging", {}).get("options", {}):
        yield "its log grows without end"
    for variable, value in (service.get("environment") or {}).items():
        if A_SECRET.search(variable) and variable not in {"TOCSIN_PUBLIC_URL", *NAMES_A_FILE} and value:
            yield f"has a secret in its environment: {variable}"
    for volume in service.get("volumes", []):
        if "docker.sock" in volume:
            yield "holds the engine's socket"


def _secrets(service: Mapping[str, Any]) -> set[str]:
    folders = {v.partition(":")[0] for v in service.get("volumes", [])}
    return {s["source"] if isinstance(s, dict) else s for s in service.get("secrets", [])} | {
        folder.removeprefix("./deploy/") for folder in folders if folder.startswith("./deploy/secrets/")
    }


def _seconds(period: str) -> float:
    match = re.fullmatch(r"(\d+)(s|m)", period)
    return float(match[1]) * (60 if match[2] == "m" else 1) if match else 0.0
