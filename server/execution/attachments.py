"""Fitted laws as one piece of bytes, to go to a worker with a job."""

from __future__ import annotations

from apportion.v1 import law_pb2, table_pb2

_HEAD = 8  # bytes that hold the size of the law's message


def pack_law(law: law_pb2.Law, draws: law_pb2.LawDraws, residuals: table_pb2.NumberCells) -> bytes:
    """The law with its draws in it, and its residuals behind."""
    full = law_pb2.Law()
    full.CopyFrom(law)
    full.draws.CopyFrom(draws)
    head = full.SerializeToString(deterministic=True)
    return len(head).to_bytes(_HEAD, "big") + head + residuals.SerializeToString(deterministic=True)


def unpack_law(content: bytes) -> tuple[law_pb2.Law, law_pb2.LawDraws, table_pb2.NumberCells]:
    """What `pack_law` packed."""
    end = _HEAD + int.from_bytes(content[:_HEAD], "big")
    law = law_pb2.Law.FromString(content[_HEAD:end])
    return law, law.draws, table_pb2.NumberCells.FromString(content[end:])
