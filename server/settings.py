"""What can be configured, one class per concern.

Order of precedence: command-line flags, then environment variables (`APPORTION_` and the field's name), then the
defaults here. A variable that looks like a misspelt setting stops the start; variables of other parts (the client's
`APPORTION_ENDPOINT`, say) are left alone.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

_PREFIX = "APPORTION_"
_CONFIG = SettingsConfigDict(env_prefix=_PREFIX, extra="forbid", frozen=True)
_CLIENT_VARIABLES = frozenset({"ENDPOINT", "SHARED", "OUTPUT", "TIMEOUT", "TOKEN"})


class SettingsError(Exception):
    """The configuration cannot be used; the message names every fault."""


class ListenSettings(BaseSettings):
    """Where to listen."""

    model_config = _CONFIG
    listen: str = Field("127.0.0.1:50051", description="host:port of gRPC; port 0 picks a free one")
    metrics_listen: str = Field("127.0.0.1:9464", description="host:port of /metrics; empty for none")
    insecure: bool = Field(False, description="allow plain text on other than loopback addresses")
    reflection: bool = Field(True, description="serve gRPC reflection")


class StoreSettings(BaseSettings):
    """Where results are kept."""

    model_config = _CONFIG
    store: str = Field(default_factory=lambda: str(default_store()), description="SQLite file, or a SQLAlchemy URL")

    @property
    def url(self) -> str:
        """The store as a SQLAlchemy URL."""
        return self.store if "://" in self.store else f"sqlite:///{Path(self.store).expanduser().resolve()}"

    @property
    def is_sqlite(self) -> bool:
        return self.url.startswith("sqlite")

    @property
    def masked(self) -> str:
        """The URL with its password hidden."""
        from sqlalchemy.engine import make_url  # late: the workers are started before anything heavy is loaded

        return make_url(self.url).render_as_string(hide_password=True)


class ExecutionSettings(BaseSettings):
    """The worker processes."""

    model_config = _CONFIG
    workers: int = Field(default_factory=lambda: min(os.cpu_count() or 1, 8), ge=1, le=256)
    queue_per_worker: int = Field(8, ge=1, le=1000, description="jobs waiting or running per worker, then refused")
    kill_grace_seconds: float = Field(0.5, ge=0, le=60, description="a job may overrun its caller this long")
    operation_timeout_seconds: float = Field(1800.0, gt=0, description="limit on one long-running operation")
    operation_limit: int = Field(1000, ge=1, description="operations open at a time, then refused")
    operation_attempts: int = Field(2, ge=1, le=10, description="starts of an operation whose server died")
    plan_cache_entries: int = Field(1024, ge=0, le=1_000_000)
    start_timeout_seconds: float = Field(120.0, gt=0, description="limit on getting the first worker ready")


class LimitSettings(BaseSettings):
    """What one caller may ask for."""

    model_config = _CONFIG
    max_concurrent_calls: int = Field(256, ge=1)
    default_deadline_seconds: float = Field(60.0, gt=0, description="for calls that come without a deadline")
    max_deadline_seconds: float = Field(600.0, gt=0)
    max_request_bytes: int = Field(16 << 20, ge=1024)
    max_table_cells: int = Field(1_000_000, ge=1)
    drain_seconds: float = Field(10.0, ge=0, description="time for calls in flight when stopping")


class LogSettings(BaseSettings):
    """What is logged."""

    model_config = _CONFIG
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$")
    slow_call_seconds: float = Field(1.0, gt=0, description="slower calls are logged as warnings")


class Settings:
    """All concerns together."""

    def __init__(
        self,
        listen: ListenSettings,
        store: StoreSettings,
        execution: ExecutionSettings,
        limits: LimitSettings,
        log: LogSettings,
    ) -> None:
        self.listen, self.store, self.execution, self.limits, self.log = listen, store, execution, limits, log

    @classmethod
    def load(cls, flags: Mapping[str, Any] | None = None) -> Self:
        """Settings from flags (None means not given), environment and defaults. Raises SettingsError."""
        given = {name: value for name, value in (flags or {}).items() if value is not None}
        concerns = (ListenSettings, StoreSettings, ExecutionSettings, LimitSettings, LogSettings)
        faults = _misspelt(os.environ, {name for c in concerns for name in c.model_fields})
        built: list[Any] = []
        for concern in concerns:
            try:
                built.append(concern(**{n: v for n, v in given.items() if n in concern.model_fields}))
            except ValidationError as error:
                faults += [f"{e['loc'][0]} = {e['input']!r}: {e['msg']}" for e in error.errors()]
        if not faults:
            faults = _unsafe(built[0])
        if faults:
            raise SettingsError("; ".join(faults))
        return cls(*built)

    def effective(self) -> dict[str, Any]:
        """Every setting by name, secrets masked."""
        values: dict[str, Any] = {}
        for concern in (self.listen, self.store, self.execution, self.limits, self.log):
            values |= concern.model_dump()
        return values | {"store": self.store.masked}


def default_store() -> Path:
    """`$XDG_STATE_HOME/apportion/apportion.db`, by default under ~/.local/state."""
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "apportion" / "apportion.db"


def split_address(address: str) -> tuple[str, int]:
    """(host, port) of `host:port`; an IPv6 host stands in brackets. Raises ValueError."""
    host, separator, port = address.rpartition(":")
    if not separator or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{address!r}: must be host:port")
    return host.strip("[]"), int(port)


def _misspelt(environment: Mapping[str, str], known: set[str]) -> list[str]:
    faults = []
    for variable in environment:
        name = variable.removeprefix(_PREFIX)
        if name == variable or name.lower() in known or name in _CLIENT_VARIABLES:
            continue
        near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.8)
        if near:
            faults.append(f"{variable}: no such setting; did you mean {_PREFIX}{near[0].upper()}?")
    return faults


def _unsafe(listen: ListenSettings) -> list[str]:
    faults = []
    for name in ("listen", "metrics_listen"):
        address = getattr(listen, name)
        if name == "metrics_listen" and not address:
            continue
        try:
            host, _ = split_address(address)
        except ValueError as error:
            faults.append(f"{name} = {error}")
            continue
        if name == "listen" and not listen.insecure and not _loopback(host):
            faults.append(f"listen = {address}: plain text beyond loopback must be allowed with --insecure")
    return faults


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
