"""Answers by what was asked: a bounded least-recently-used map in memory.

The key covers everything an answer depends on: the request without its ids, the content of the law, the planner's
version; laws and the planner's tables do not change under their names within a version, so a hit is exact.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping

from google.protobuf.message import Message

from server import VERSION

_NOT_ASKED = ("plan_id", "request_id", "validate_only", "explain")


class PlanCache:
    """At most `entries` serialised answers."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._answers: OrderedDict[str, bytes] = OrderedDict()

    def get(self, key: str) -> bytes | None:
        """The answer under `key`, or None."""
        answer = self._answers.get(key)
        if answer is not None:
            self._answers.move_to_end(key)
        return answer

    def put(self, key: str, answer: bytes) -> None:
        """Keep an answer, and drop the one that was not used for longest."""
        if not self._entries:
            return
        self._answers[key] = answer
        self._answers.move_to_end(key)
        while len(self._answers) > self._entries:
            self._answers.popitem(last=False)


def key_of(kind: str, request: Message, attachments: Mapping[str, bytes]) -> str:
    """Digest of a planning question."""
    body = type(request)()
    body.CopyFrom(request)
    for field in _NOT_ASKED:
        if field in body.DESCRIPTOR.fields_by_name:
            body.ClearField(field)
    digest = hashlib.sha256(f"{VERSION}\0{kind}\0".encode())
    digest.update(body.SerializeToString(deterministic=True))
    for name in sorted(attachments):
        digest.update(name.encode() + b"\0" + hashlib.sha256(attachments[name]).digest())
    return digest.hexdigest()
