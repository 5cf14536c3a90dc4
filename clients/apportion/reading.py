"""Messages into answers: one generic reader instead of one function a message.

An answer class has the fields of its message under the same names. What each becomes follows from the
message's descriptor and the class's type hints: enums their names, unset optional fields None, repeated
fields tuples, maps dicts, timestamps datetimes, messages answers again.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Hashable
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar, cast

from google.protobuf.message import Message

from apportion.answers import Answer
from apportion.tables import Table

A = TypeVar("A", bound=Answer)


def read(kind: type[A], message: Message) -> A:
    """The answer of class `kind` that `message` holds."""
    nested = _nested(cast(Hashable, kind))
    descriptors = message.DESCRIPTOR.fields_by_name
    values = {name: _value(descriptors[name], message, inner) for name, inner in nested.items()}
    answer = kind(**values)
    object.__setattr__(answer, "_message", message)
    return answer


@cache
def _nested(kind: Any) -> dict[str, type[Answer] | None]:
    """For each field of an answer class the answer class inside its type, if there is one."""
    hints = typing.get_type_hints(kind)
    return {field.name: next(_answers_in(hints[field.name]), None) for field in dataclasses.fields(kind)}


def _answers_in(hint: Any) -> typing.Iterator[type[Answer]]:
    if isinstance(hint, type) and issubclass(hint, Answer):
        yield hint
    for inner in typing.get_args(hint):
        yield from _answers_in(inner)


def _value(field: Any, message: Message, inner: type[Answer] | None) -> Any:
    held = getattr(message, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return {key: read(inner, held[key]) if inner else held[key] for key in sorted(held)}
    if field.is_repeated:
        return tuple(read(inner, item) for item in held) if inner else tuple(held)
    if field.message_type is not None and field.message_type.full_name == "google.protobuf.Timestamp":
        return datetime.fromtimestamp(held.ToNanoseconds() / 1e9, UTC) if message.HasField(field.name) else None
    if field.message_type is not None and field.message_type.full_name == "apportion.v1.Table":
        return Table.from_proto(held)
    if inner is not None:
        # A plan always has a decision to look at, if an empty one.
        missing = not message.HasField(field.name) and field.name != "decision"
        return None if missing else read(inner, held)
    if field.has_presence and not message.HasField(field.name):
        return None
    if field.enum_type is not None:
        return field.enum_type.values_by_number[held].name if held in field.enum_type.values_by_number else str(held)
    return held
