"""/metrics over HTTP, on a port of its own."""

from __future__ import annotations

from threading import Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import start_http_server

from server.settings import split_address
from server.telemetry.metrics import Metrics


class Exposition:
    """A small HTTP server in a thread; `address` is where it really listens. Raises OSError if it cannot."""

    def __init__(self, listen: str, metrics: Metrics) -> None:
        host, port = split_address(listen)
        started: tuple[WSGIServer, Thread] = start_http_server(port, addr=host, registry=metrics.registry)
        self._server, self._thread = started
        self.address = f"{host}:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)
