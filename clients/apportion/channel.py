"""How to reach the service: endpoint, channel options, credentials, and gRPC errors as exceptions.

Retries are gRPC's own, by service config: only UNAVAILABLE, at most five attempts, throttled so that a dead
server is not stormed. They are safe because every request that stores something carries its request id.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.rpc import status_pb2

from apportion.errors import ApportionError, InvalidArgument, Violation, read_status

ENDPOINT_VARIABLE = "APPORTION_ENDPOINT"
TOKEN_VARIABLE = "APPORTION_TOKEN"
_MAX_MESSAGE_BYTES = 64 << 20
_SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
    "retryThrottling": {"maxTokens": 20, "tokenRatio": 0.1},
}
OPTIONS: Sequence[tuple[str, Any]] = (
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 60_000),
)
STATUS_TRAILER = "grpc-status-details-bin"


@dataclass(frozen=True)
class Endpoint:
    """Where the service is and how to speak to it. `target` is host:port or any gRPC target."""

    target: str
    token: str = ""
    tls: bool = False
    root_certificates: bytes | None = None

    @staticmethod
    def named(
        target: str | None, token: str | None = None, tls: bool | None = None, root_certificates: str | None = None
    ) -> Endpoint | None:
        """The endpoint asked for, else that of APPORTION_ENDPOINT, else None.

        TLS is on when asked for, when certificates are given, and when a token would otherwise travel in
        the clear to another machine. Raises InvalidArgument when the endpoint cannot be one.
        """
        given = target or os.environ.get(ENDPOINT_VARIABLE, "")
        if not given:
            return None
        scheme, separator, rest = given.partition("://")
        plain = rest if separator and scheme in ("grpc", "grpcs", "http", "https") else given
        host, colon, port = plain.rstrip("/").rpartition(":")
        if "/" not in plain.rstrip("/") and not (colon and host and port.isdigit() and 0 < int(port) < 65536):
            allowed = "host:port, for example 127.0.0.1:50051, or a gRPC target such as dns:///name:50051"
            raise InvalidArgument(violations=[Violation("endpoint", given, allowed)])
        secret = token or os.environ.get(TOKEN_VARIABLE, "")
        away = host.strip("[]") not in ("127.0.0.1", "localhost", "::1")
        safe = bool(scheme in ("grpcs", "https") or root_certificates or (secret and away))
        roots = Path(root_certificates).read_bytes() if root_certificates else None
        return Endpoint(plain.rstrip("/"), secret, safe if tls is None else tls, roots)

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What every call carries."""
        return (("authorization", f"Bearer {self.token}"),) if self.token else ()

    def open(self) -> grpc.Channel:
        """A channel for blocking calls."""
        if self.tls:
            return grpc.secure_channel(self.target, self._credentials(), options=OPTIONS)
        return grpc.insecure_channel(self.target, options=OPTIONS)

    def open_async(self) -> grpc.aio.Channel:
        """A channel for awaited calls, of the running event loop."""
        if self.tls:
            return grpc.aio.secure_channel(self.target, self._credentials(), options=OPTIONS)
        return grpc.aio.insecure_channel(self.target, options=OPTIONS)

    def _credentials(self) -> grpc.ChannelCredentials:
        return grpc.ssl_channel_credentials(root_certificates=self.root_certificates)


def read_error(error: Any, target: str) -> ApportionError:
    """The exception that a failed call (blocking or awaited) stands for."""
    for key, value in error.trailing_metadata() or ():
        if key == STATUS_TRAILER:
            return read_status(status_pb2.Status.FromString(value))
    code, words = error.code(), error.details() or ""
    number = code.value[0]
    if code is grpc.StatusCode.UNAVAILABLE:
        words = f"endpoint = {target}: no answer ({words}); is the service running there?"
    elif code is grpc.StatusCode.DEADLINE_EXCEEDED:
        words = f"endpoint = {target}: no answer in time"
    return read_status(status_pb2.Status(code=number, message=words))
