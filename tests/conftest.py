"""What several folders of tests need: the tables beside the repository, and one running service."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)  # a busy machine is no reason for a property to fail
settings.load_profile("patient")
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of tables that may not be shipped; the test skips where it is absent."""
    folder = Path(os.environ.get("APPORTION_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"no tables at {folder} (APPORTION_SHARED names another place)")
    return folder


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """host:port of a service with an empty store, started once a test process."""
    from apportion.embedded import EmbeddedServer

    server = EmbeddedServer(store=tmp_path_factory.mktemp("service") / "apportion.db")
    try:
        server.wait()
        yield server.endpoint
    finally:
        server.stop()
