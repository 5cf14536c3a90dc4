"""What is known of the call being answered, for whoever needs it further in: a context variable."""

from __future__ import annotations

import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Call:
    """One call. `notes` end up in its line of log."""

    request_id: str
    caller: str
    deadline: float = float("inf")  # on time.monotonic's clock
    notes: dict[str, Any] = field(default_factory=dict)

    def remaining_seconds(self) -> float:
        """Time left until the deadline."""
        return self.deadline - time.monotonic()


_current: ContextVar[Call | None] = ContextVar("call", default=None)


def current() -> Call:
    """The call being answered; outside of calls an anonymous one without a deadline."""
    return _current.get() or Call("", "")


def begin(call: Call) -> None:
    """Make `call` the one being answered in this task."""
    _current.set(call)
