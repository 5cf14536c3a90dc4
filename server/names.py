"""Resource names: `runSets/x`, `laws/x`, `plans/x`, `operations/x`; nobody else takes them apart.

An *id* is the last segment, a *name* the whole path. Ids that callers choose are lower-case words, so that they are
safe in paths, files and logs.
"""

from __future__ import annotations

import re
import secrets

from planner.errors import InvalidInput, Violation

RUN_SETS, LAWS, PLANS, OPERATIONS = "runSets", "laws", "plans", "operations"
ACCELERATORS, MODEL_SHAPES = "accelerators", "modelShapes"
INTERCONNECTS, CLUSTERS = "interconnects", "clusters"
CALIBRATIONS, PRICE_BOOKS = "calibrations", "priceBooks"

_USER_ID = re.compile(r"[a-z][a-z0-9-]{0,61}")
_MAX_LENGTH = 200


def full(collection: str, identity: str) -> str:
    """The name of the resource `identity` in `collection`."""
    return f"{collection}/{identity}"


def identity(collection: str, name: str, field: str = "name") -> str:
    """The id in `name`; the bare id will do. Raises InvalidInput naming `field`."""
    bare = name.removeprefix(f"{collection}/")
    if not bare or len(bare) > _MAX_LENGTH or not bare.isprintable() or bare != bare.strip():
        raise InvalidInput(Violation(field, repr(name[:80]), f"a name like {collection}/my-id"))
    return bare


def new_identity(field: str, asked: str, prefix: str) -> str:
    """The id a caller asked for, or a random one. Raises InvalidInput naming `field`."""
    if not asked:
        return f"{prefix}-{secrets.token_hex(8)}"
    if not _USER_ID.fullmatch(asked):
        allowed = "1 to 62 of a-z, 0-9 and -, the first a letter"
        raise InvalidInput(Violation(field, repr(asked[:80]), allowed))
    return asked
