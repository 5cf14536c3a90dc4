"""Everything that can go wrong in the planner.

    PlanningError                       base: a stable `reason`, a sentence, a hint
    ├── InvalidInput                    one or more fields hold a value that is not allowed
    │   └── UnsupportedCombination      each field is fine alone, together they are not
    ├── UnknownName                     no law, form, accelerator, model … of that name (with suggestions)
    └── NotIdentified                   the data cannot support the fit that was asked for

An infeasible plan is not an error but an answer: see `planner.allocation`.
`reason` is the same string here, in the wire's `ErrorInfo.reason` and in `docs/errors.md`.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Violation:
    """One field that holds a value which is not allowed."""

    field: str
    value: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.field} = {self.value}: {self.allowed}"


class PlanningError(Exception):
    """Base of all errors the planner raises on purpose."""

    reason = "PLANNING_ERROR"
    hint = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or type(self).hint

    def metadata(self) -> dict[str, str]:
        """Everything variable in the message, as strings."""
        return {}


class InvalidInput(PlanningError):
    """One or more fields hold a value that is not allowed; all of them are named at once."""

    reason = "INVALID_INPUT"

    def __init__(self, *violations: Violation, hint: str = "") -> None:
        super().__init__("; ".join(str(v) for v in violations), hint=hint)
        self.violations = violations

    def metadata(self) -> dict[str, str]:
        first = self.violations[0]
        return {"field": first.field, "value": first.value, "allowed": first.allowed}


class UnsupportedCombination(InvalidInput):
    """Each field is fine alone, together they cannot be planned with."""

    reason = "UNSUPPORTED_COMBINATION"


class UnknownName(PlanningError):
    """A name that no catalogue entry bears; carries the nearest ones."""

    reason = "UNKNOWN_NAME"

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        options = {k.lower(): k for k in known}
        near = difflib.get_close_matches(name.lower(), options, n=3, cutoff=0.4)
        near += [k for k in options if name and name.lower() in k and k not in near]
        self.kind, self.name = kind, name
        self.suggestions = tuple(options[k] for k in near[:3])
        allowed = ", ".join(self.suggestions) if self.suggestions else ", ".join(sorted(options.values())[:12])
        super().__init__(f"{kind} = {name}: no such {kind}; " + (f"nearest: {allowed}" if options else "there is none"))

    def metadata(self) -> dict[str, str]:
        return {"field": self.kind, "value": self.name, "suggestions": ", ".join(self.suggestions)}


class NotIdentified(PlanningError):
    """The data cannot support the fit that was asked for."""

    reason = "NOT_IDENTIFIED"
    hint = "add runs that differ in every variable of the form, or choose a form with fewer coefficients"


@dataclass(frozen=True)
class Range:
    """A physical range of one quantity: the door check that keeps 1e200 FLOP out.

    `check` returns the violations of a value (none, or one), so that a caller can gather all of them.
    """

    lower: float
    upper: float
    unit: str

    def check(self, field: str, value: float) -> tuple[Violation, ...]:
        if math.isfinite(value) and self.lower <= value <= self.upper:
            return ()
        allowed = f"a finite number between {self.lower:g} and {self.upper:g} {self.unit}".rstrip()
        return (Violation(field, f"{value:g}", allowed),)


def require(*violations: Violation) -> None:
    """Raise one `InvalidInput` naming all violations, if there are any."""
    if violations:
        raise InvalidInput(*violations)
