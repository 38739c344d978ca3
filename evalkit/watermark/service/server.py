"""`serve`: the service on an address of this machine, until it is told to stop."""

from __future__ import annotations

import importlib.util
import ipaddress
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.errors import EvalkitError, MissingDependency
from evalkit.watermark.service.engine import Engine, Settings
from evalkit.watermark.service.limits import Limits
from evalkit.watermark.service.log import AuditLog

if TYPE_CHECKING:
    import uvicorn

PACKAGES = ("fastapi", "uvicorn", "python_multipart")
CONNECTIONS = 1000  # at a time
KEPT_ALIVE, STOPPING = 5, 30  # seconds


@dataclass(frozen=True)
class Address:
    """Where to listen. `port` 0: any that is free. `proxies`: addresses whose X-Forwarded-For is believed, joined by ","."""

    host: str = "127.0.0.1"
    port: int = 8000
    proxies: str = ""

    def __post_init__(self) -> None:
        for each in filter(None, map(str.strip, self.proxies.split(","))):
            try:
                ipaddress.ip_network(each)
            except ValueError:
                raise EvalkitError(
                    f"{each[:64]!r} is no address of a proxy. Give --behind 10.0.0.1, or a network such as 10.0.0.0/24"
                ) from None


@dataclass(frozen=True)
class Allowed:
    """What a client may ask: images `per_minute`, `burst` of them at once; files of `most_bytes`, `images` of a batch."""

    per_minute: float = 60.0
    burst: int = 64
    most_bytes: int = 2**25
    images: int = 64


def make_server(
    ring: str | Path, log: str | Path, settings: Settings | None = None, address: Address | None = None,
    allowed: Allowed | None = None,
) -> tuple[uvicorn.Server, socket.socket]:  # fmt: skip
    """(a server that is ready to run, the socket on which it will listen).

    Raises `EvalkitError` where the ring or the log is not right, the address is taken, or packages are missing.
    """
    if any(importlib.util.find_spec(each) is None for each in PACKAGES):
        raise MissingDependency("the service", "serve")
    import uvicorn

    from evalkit.watermark.service import connection
    from evalkit.watermark.service.app import make_app
    from evalkit.watermark.service.bounds import Bounds
    from evalkit.watermark.service.desk import Desk

    address, allowed = address or Address(), allowed or Allowed()
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # or damaged forms of strangers fill the disk
    limits = Limits(allowed.per_minute, allowed.burst)
    bounds = Bounds(allowed.most_bytes, min(allowed.images, allowed.burst))  # a larger form could never pass
    listening = _listening(address)
    try:
        kept = AuditLog(log)
        desk = Desk(Engine(ring, settings), kept)
    except BaseException:
        listening.close()
        raise
    config = uvicorn.Config(
        make_app(desk, limits, bounds),
        access_log=False,
        server_header=False,
        log_level="error",
        proxy_headers=bool(address.proxies),
        forwarded_allow_ips=address.proxies or None,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=KEPT_ALIVE,
        timeout_graceful_shutdown=STOPPING,
        ws="none",
        http=connection.Bounded,
    )
    return uvicorn.Server(config), listening


def serve(
    ring: str | Path, log: str | Path, settings: Settings | None = None, address: Address | None = None,
    allowed: Allowed | None = None, told: Callable[[str], None] = lambda url: None,
) -> None:  # fmt: skip
    """Answer until SIGTERM or Ctrl-C; who waits then is still answered. `told` gets the address before the first request."""
    server, listening = make_server(ring, log, settings, address, allowed)
    told(url_of(listening))
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:  # the signal that stopped it, raised once more when all was done
        if not server.started:
            raise


def url_of(listening: socket.socket) -> str:
    """The address of a socket for browsers and clients."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listening(address: Address) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        return socket.create_server((address.host, address.port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise EvalkitError(
            f"{address.host}:{address.port} cannot be listened on ({reason}). Give another --port"
        ) from None
