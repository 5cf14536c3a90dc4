"""What travels with a job: the content of stored runs."""

from __future__ import annotations

from server import names
from server.storage import resources
from server.storage.schema import run_sets
from server.storage.store import Store


async def run_set_attachment(store: Store, name: str) -> dict[str, bytes]:
    """The content of a run set, for a job. Raises NotFound."""
    identity = names.identity(names.RUN_SETS, name, "run_set")
    row = await store.read("get_run_set", resources.get, run_sets, identity, name)
    return {name: resources.unpack(row.content)}
