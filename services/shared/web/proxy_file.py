"""Writes the Caddyfile from the table of paths: a proxy before the four services, nothing else shown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from services.shared.errors import Refused
from services.shared.web.edge import LIST_PATH, MAX_BODY, MAX_LIST, PREFIXES

SERVICES = ("gateway", "registry", "router", "channels")
EXACT = (("/", "gateway"), ("/static/*", "gateway"), ("/vendor/*", "gateway"))  # every process has them; one is asked
COMPOSE = {  # the names in docker-compose.yml; several upstreams share a service's requests
    "gateway": ("gateway:8080",),
    "registry": ("registry:8080",),
    "router": ("router-1:8080", "router-2:8080"),
    "channels": ("channels-1:8080", "channels-2:8080"),
}
COMPOSE_SITE = "{$TOCSIN_SITE}"
_UPSTREAM = re.compile(r"([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9a-f:]+\]):([0-9]{1,5})")
_HEAD = """\
# Made by `tocsin proxy` from the table of paths in services/shared/web/edge.py: do not edit, make it again.
# What the table does not name is answered 404 here: /livez, /readyz and /metrics stay on each process's own port.
{
	admin off
	# No access log is written, and no URI even in an error: a link to a list or an answer is as good as its owner.
	log {
		format filter {
			wrap json
			fields {
				request>uri delete
				request>headers delete
				request>remote_ip delete
				request>client_ip delete
				resp_headers delete
			}
		}
	}
	servers {
		max_header_size 16KB
		timeouts {
			read_header 10s
			read_body 60s
			write 180s
			idle 2m
		}
	}
}

"""
_SITE = """\
%(site)s {
	# The application refuses a body above %(limit)s itself, in words; this stops one that is far too large or never ends.
	# A list of people is taken as it comes, up to %(lists)s.
	@ordinary not path %(list_path)s
	request_body @ordinary {
		max_size 10MB
	}
	request_body %(list_path)s {
		max_size %(lists)s
	}
	# X-Forwarded-* are set by Caddy, which believes no client's; these others nobody sets here.
	request_header -Forwarded
	request_header -X-Real-IP
	# The application sets its own security headers; only what it cannot know is added.
	header -Server
	@tls protocol https
	header @tls Strict-Transport-Security "max-age=31536000"

	@large {
		not path %(list_path)s
		header_regexp Content-Length [0-9]{8}
	}
	handle @large {
		respond 413 {
			close
		}
	}

"""
_SERVICE = """\
	@%(name)s path %(paths)s
	handle @%(name)s {
		reverse_proxy %(upstreams)s {
			lb_try_duration 5s
%(choice)s			header_down -Server
			transport http {
				dial_timeout 2s
				response_header_timeout 120s
				keepalive 30s
			}
		}
	}

"""
_CHOICE = """\
			lb_policy least_conn
			health_uri /readyz
			health_interval 2s
			health_timeout 5s
			health_status 200
"""
_TAIL = """\
	handle {
		respond 404
	}
}
"""


def paths_of(service: str) -> list[str]:
    """Caddy's path patterns of a service: a prefix is itself and what lies below it, so /l is not /live."""
    found = [path for path, name in EXACT if name == service]
    for prefix, name in PREFIXES:
        if name == service:
            found += [prefix, f"{prefix}/*"]
    return found


def caddyfile(upstreams: Mapping[str, Sequence[str]], site: str = ":8080") -> str:
    """The whole Caddyfile. `upstreams`: host:port of every process of each service; `site`: Caddy's site address.

    Raises Refused where a service has no upstream or one is not host:port.
    """
    if not site or re.search(r"[\s\"`]|\{(?!\$\w+\})", site):
        raise Refused(
            f"--site {site!r}: give one address, like https://warn.example.org or :8080", field="site", given=site
        )
    limits = {"limit": f"{MAX_BODY // 1024**2} MiB", "lists": f"{MAX_LIST // 1024**3}GiB", "list_path": LIST_PATH}
    parts = [_HEAD, _SITE % ({"site": site} | limits)]
    for service in SERVICES:
        given = upstreams.get(service, ())
        wrong = next((u for u in given if not _is_upstream(u)), None)
        if wrong is not None or not given:
            raise Refused(
                f"--{service} {wrong or ''!r}: give host:port, several joined by commas",
                field=service,
                rule="host:port",
                given=wrong,
            )
        filled = {
            "name": service,
            "paths": " ".join(paths_of(service)),
            "upstreams": " ".join(given),
            # one process is asked whether it says it is ready or not: there is none to ask instead
            "choice": _CHOICE if len(given) > 1 else "",
        }
        parts.append(_SERVICE % filled)
    return "".join([*parts, _TAIL])


def _is_upstream(text: str) -> bool:
    match = _UPSTREAM.fullmatch(text)
    return match is not None and 0 < int(match[2]) < 65536
