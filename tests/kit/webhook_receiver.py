"""A department's receiver, as a process of its own: checks our signature by the public key alone, and says what it took.

    python webhook_receiver.py PUBLIC.pem SAID.jsonl

It prints its port, and writes a line for each request. What it answers stands in PUBLIC.pem's folder, file `answer`: `ok`,
a status, or `slow`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import sys
import time
from pathlib import Path

from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key


def base_of(request: web.Request, names: list[str], params: str) -> str:
    """What was signed, made anew from what came (RFC 9421, 2.5)."""
    path, _, query = request.raw_path.partition("?")
    own = {"@method": request.method, "@authority": request.headers["Host"], "@path": path, "@query": f"?{query}"}
    lines = [f'"{name}": {own.get(name) or request.headers[name]}' for name in names]
    return "\n".join([*lines, f'"@signature-params": {params}'])


def judge(request: web.Request, body: bytes, key: Ed25519PublicKey, seen: set[str]) -> str:
    """Why it is not taken; empty where it is."""
    params = request.headers["Signature-Input"].removeprefix("tocsin=")
    names = re.findall(r'"([^"]+)"', params.partition(")")[0])
    signature = base64.b64decode(request.headers["Signature"].removeprefix("tocsin=:").removesuffix(":"))
    try:
        key.verify(signature, base_of(request, names, params).encode())
    except InvalidSignature:
        return "signature"
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    if "content-digest" not in names or request.headers["Content-Digest"] != f"sha-256=:{digest}:":
        return "digest"
    created, nonce = re.search(r"created=(\d+)", params), re.search(r'nonce="([^"]+)"', params)
    if created is None or abs(time.time() - int(created[1])) > 300:
        return "too old"
    if nonce is None or nonce[1] in seen:
        return "sent twice"
    seen.add(nonce[1])
    return ""


async def main(key: Ed25519PublicKey, folder: Path, said: Path) -> None:
    seen: set[str] = set()

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        why = judge(request, body, key, seen)
        how = (folder / "answer").read_text().strip()
        line = {"why": why, "how": how, "id": request.headers["Tocsin-Event-Id"], "body": json.loads(body)}
        with said.open("a") as file:
            file.write(json.dumps(line) + "\n")
        if how == "slow":
            await asyncio.Event().wait()
        return web.Response(status=400 if why else 204 if how == "ok" else int(how))

    app = web.Application()
    app.router.add_post("/{any:.*}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    pem = Path(sys.argv[1])
    public = load_pem_public_key(pem.read_bytes())
    assert isinstance(public, Ed25519PublicKey)
    asyncio.run(main(public, pem.parent, Path(sys.argv[2])))
