"""The command line of the server: `serve`, `check`, `migrate`.

    python -m server serve --listen 127.0.0.1:50051 --store PATH

Every flag is also an environment variable, `APPORTION_` and its name. Exits 0 when stopped, 2 for a configuration that
cannot be used, 1 for a server that cannot start.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from server import VERSION
from server.settings import Settings, SettingsError, default_store

_SETTINGS = (
    ("listen", "HOST:PORT", "where gRPC listens (127.0.0.1:50051; port 0 picks a free one)"),
    ("metrics-listen", "HOST:PORT", "where /metrics listens (127.0.0.1:9464; empty for none)"),
    ("store", "PATH", f"SQLite file or SQLAlchemy URL ({default_store()})"),
    ("workers", "N", "worker processes (one per core, at most 8)"),
    ("drain-seconds", "S", "time for calls in flight when stopping (10)"),
    ("log-level", "LEVEL", "debug, info, warning or error (info)"),
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        settings = Settings.load(_flags(parsed))
    except SettingsError as error:
        print(f"configuration: {error}", file=sys.stderr)
        return 2
    commands = {"serve": _serve, "check": _check, "migrate": _migrate}
    return commands[parsed.command](settings, parsed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m server", description="The apportion planning server.")
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="serve until stopped")
    check = commands.add_parser("check", help="print the effective configuration, secrets masked")
    migrate = commands.add_parser("migrate", help="bring the store to the newest schema")
    for command in (serve, check, migrate):
        for name, metavar, text in _SETTINGS:
            command.add_argument(f"--{name}", metavar=metavar, help=text)
        command.add_argument("--insecure", action="store_true", default=None, help="plain text beyond loopback")
    serve.add_argument("--announce-file", type=Path, metavar="PATH", help="write the addresses here once serving")
    serve.add_argument("--exit-with-parent", action="store_true", help="stop when the starting process ends")
    return parser


def _flags(parsed: argparse.Namespace) -> dict[str, Any]:
    own = {"command", "announce_file", "exit_with_parent"}
    return {name: value for name, value in vars(parsed).items() if name not in own}


def _serve(settings: Settings, parsed: argparse.Namespace) -> int:
    from server.errors import CannotServe, ServiceError  # late: `check` and `--help` need none of it
    from server.lifetime import run
    from server.telemetry import logs

    logs.configure(settings.log.log_level)
    try:
        asyncio.run(run(settings, parsed.announce_file, parsed.exit_with_parent))
    except (OSError, CannotServe, ServiceError) as error:
        print(f"cannot serve: {error}", file=sys.stderr)
        return 1
    return 0


def _check(settings: Settings, parsed: argparse.Namespace) -> int:
    print(json.dumps(settings.effective(), indent=2, sort_keys=True))
    return 0


def _migrate(settings: Settings, parsed: argparse.Namespace) -> int:
    from server.storage import migrate
    from server.storage.schema import HEAD
    from server.storage.store import open_engine

    engine = open_engine(settings.store.url)
    try:
        before = migrate.migrate(engine)
    except migrate.SchemaMismatch as error:
        print(f"cannot migrate: {error}", file=sys.stderr)
        return 1
    finally:
        engine.dispose()
    print(f"{settings.store.masked}: schema {before or 'none'} -> {HEAD}")
    return 0
