"""What every answer is, and the small answers that several others hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message


class Answer:
    """Base of all answers: a frozen dataclass that remembers the message it was read from."""

    _message: Message

    def to_dict(self) -> dict[str, Any]:
        """The answer as JSON-ready mappings, field names as in the contract; fields with no value are left out."""
        return json_format.MessageToDict(
            self._message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )

    def to_proto(self) -> Message:
        """A copy of the message behind the answer."""
        copy = type(self._message)()
        copy.CopyFrom(self._message)
        return copy


@dataclass(frozen=True)
class Estimate(Answer):
    """A number with its interval, meant to hold with probability `level`."""

    value: float
    lower: float
    upper: float
    standard_error: float | None
    level: float


@dataclass(frozen=True)
class PlanWarning(Answer):
    """Something to know before trusting a number: a stable `code` and a sentence."""

    code: str
    message: str


@dataclass(frozen=True)
class ValueRange(Answer):
    """A closed range of a quantity."""

    lower: float
    upper: float
