"""Requests from what a person wrote: keywords, YAML or flags in, one checked message out.

`build(TRAINING, {"training_flops": "1e22", "accelerator": "H100-SXM"})` resolves each key (a short name of
`apportion.fields`, or the contract's own name, with - or _), coerces each value to the type of its place (a
scalar where a list is meant, `metric=value` where a map is meant, numbers in text) and raises one
InvalidArgument that names everything wrong at once. What only the service can judge (ranges, names of laws)
is left to it.
"""

from __future__ import annotations

import difflib
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from apportion.errors import InvalidArgument, Violation
from apportion.fields import Kind

_INT32 = 2**31
_REFERENCES = {"law": "laws/"}


def build(kind: Kind, given: Mapping[str, Any]) -> Any:
    """The request message that `given` describes; keys whose value is None are as if not given.

    Raises InvalidArgument naming every unknown key and every value of the wrong type.
    """
    message = kind.message()
    problems: list[Violation] = []
    _fill(message, "", given, kind, problems)
    if problems:
        raise InvalidArgument(violations=problems)
    _inherit_hardware(message, given)
    stamp(message)
    return message


def stamp(message: Any) -> None:
    """Give a request that stores something its id, once a user call, so that a retry does nothing twice."""
    if "request_id" in message.DESCRIPTOR.fields_by_name and not message.request_id:
        message.request_id = str(uuid.uuid4())


def resource(collection: str, name: str) -> str:
    """`laws/x` from `x` or `laws/x`."""
    return name if name.startswith(f"{collection}/") else f"{collection}/{name}"


def column_variables(given: Any, field: str = "map") -> dict[str, str]:
    """A mapping from column (`n`, `n*1e9`, `1-acc`) to variable out of a mapping, or of texts `column=variable`."""
    return {key: str(value) for key, value in _pairs(given, field).items()}


def coefficients(given: Any, field: str = "fix") -> dict[str, float]:
    """A mapping from coefficient to value out of a mapping, or of texts `coefficient=value`."""
    return {key: _number(value, f"{field}[{key}]") for key, value in _pairs(given, field).items()}


def whole_number(value: Any, field: str) -> int:
    """`value` as an integer that fits the wire. Raises InvalidArgument naming `field`."""
    number = _number(value, field)
    if not number.is_integer() or abs(number) >= _INT32:
        raise _refuse(field, value, "a whole number")
    return int(number)


def _fill(message: Message, place: str, given: Any, kind: Kind, problems: list[Violation]) -> None:
    if not isinstance(given, Mapping):
        problems.append(Violation(place.rstrip(".") or kind.title, repr(given), "a mapping from field to value"))
        return
    for key, value in given.items():
        path = _path(kind, place, str(key))
        if path is None:
            problems.append(_unknown(kind, place, str(key)))
        elif value is not None:
            _set(message, path[len(place) :].split("."), place + str(key), path, value, kind, problems)


def _path(kind: Kind, place: str, key: str) -> str | None:
    """The place that `key` fills inside `place`, as a dotted path from the root; None if there is none."""
    name = key.strip().replace("-", "_")
    for field in kind.fields:
        if field.path.startswith(place) and name in (field.name, field.path[len(place) :]):
            return field.path
    descriptor: Any = kind.message.DESCRIPTOR
    for part in [*place.split("."), *name.split(".")] if place else name.split("."):
        if not part:
            continue
        found = descriptor.fields_by_name.get(part) if descriptor else None
        if found is None:
            return _plural(kind, place, name)
        descriptor = found.message_type if found.message_type and not _is_map(found) else None
    return place + name


def _plural(kind: Kind, place: str, name: str) -> str | None:
    """A list may be called by its last segment (`accelerators`) or as the plural of its flag."""
    for field in kind.fields:
        inside = field.path.startswith(place)
        if inside and name in (field.path.rsplit(".", 1)[-1], f"{field.name}s"):
            return field.path
    return None


def _unknown(kind: Kind, place: str, key: str) -> Violation:
    known = [field.name for field in kind.fields if field.path.startswith(place)]
    near = difflib.get_close_matches(key.replace("-", "_"), known, n=3, cutoff=0.5)
    allowed = f"no such field; did you mean {', '.join(near)}?" if near else f"one of {', '.join(known)}"
    return Violation(place + key, "unknown", allowed)


def _set(
    message: Message, parts: list[str], shown: str, path: str, value: Any, kind: Kind, problems: list[Violation]
) -> None:
    """Put `value` at `parts` below `message`, the messages on the way included."""
    for part in parts[:-1]:
        message = getattr(message, part)
    message.SetInParent()
    name = parts[-1]
    field: Any = message.DESCRIPTOR.fields_by_name[name]
    try:
        if _is_map(field):
            cells = field.message_type.fields_by_name["value"]
            for key, cell in _pairs(value, shown, split=cells.message_type is None).items():
                if cells.message_type is None:
                    getattr(message, name)[key] = _scalar(cells, cell, f"{shown}[{key}]")
                else:
                    _choose(getattr(message, name)[key], cell, f"{shown}[{key}]")
        elif field.message_type is not None:
            nested = getattr(message, name)
            nested.SetInParent()
            _fill(nested, f"{path}.", value, kind, problems)
        elif field.is_repeated:
            message.ClearField(name)  # said again (a flag over a file), it is said anew
            getattr(message, name).extend(_scalar(field, cell, shown) for cell in _listed(value))
        else:
            setattr(message, name, _scalar(field, value, shown))
    except InvalidArgument as refusal:
        problems.extend(refusal.violations)


def _scalar(field: Any, value: Any, shown: str) -> Any:
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        if not isinstance(value, str):
            raise _refuse(shown, value, "a text")
        prefix = _REFERENCES.get(field.name, "")
        return value if value.startswith(prefix) else prefix + value
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        if not isinstance(value, bool):
            raise _refuse(shown, value, "true or false")
        return value
    if field.cpp_type == FieldDescriptor.CPPTYPE_INT32:
        return whole_number(value, shown)
    return _number(value, shown)


def _number(value: Any, shown: str) -> float:
    # YAML 1.1 reads 1e22 as a text, and flags are texts anyhow.
    if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
        raise _refuse(shown, value, "a number")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise _refuse(shown, value, "a number") from None


def _listed(value: Any) -> Iterable[Any]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, Iterable) and not isinstance(value, Mapping):
        return [part for item in value for part in (_listed(item) if isinstance(item, str) else [item])]
    return [value]


def _choose(choice: Any, value: Any, shown: str) -> None:
    """A `LawVariable` of one value, several (a list, or a,b,c), or a range (lower and upper, or low..high)."""
    choice.Clear()
    ends: Any = value if isinstance(value, Mapping) else {}
    if isinstance(value, str) and ".." in value:
        lower, _, upper = value.partition("..")
        ends = {"lower": lower.strip() or None, "upper": upper.strip() or None}
    unknown = [str(key) for key in ends if key not in choice.DESCRIPTOR.fields_by_name]
    if unknown:
        raise _refuse(shown, ", ".join(unknown), "values, or lower and upper")
    for end in ("lower", "upper"):
        if ends.get(end) is not None:
            setattr(choice, end, _number(ends[end], shown))
    values = ends.get("values", ()) if ends else value
    choice.values.extend(_number(cell, shown) for cell in _listed(values))


def _pairs(value: Any, shown: str, *, split: bool = True) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {str(key): cell for key, cell in value.items()}
    pairs: dict[str, Any] = {}
    for item in _listed(value) if split else [value] if isinstance(value, str) else value:
        key, equals, cell = str(item).partition("=")
        if not equals or not key.strip() or not cell.strip():
            raise _refuse(shown, item, "name=value")
        pairs[key.strip()] = cell.strip()
    return pairs


def _inherit_hardware(message: Any, given: Mapping[str, Any]) -> None:
    """Short names `serving_…` differ from the training hardware only in what they say; the rest is the same."""
    problem = message.problem if "problem" in message.DESCRIPTOR.fields_by_name else message
    fields = problem.DESCRIPTOR.fields_by_name
    if "serving_hardware" not in fields or not problem.HasField("serving_hardware"):
        return
    spelt_out = {str(key).replace("-", "_") for key in given}
    if "serving_hardware" in spelt_out or "problem" in spelt_out or not problem.HasField("training_hardware"):
        return
    said = problem.serving_hardware
    merged = type(said)()
    merged.CopyFrom(problem.training_hardware)
    for descriptor, _ in said.ListFields():
        merged.ClearField(descriptor.name)
    merged.MergeFrom(said)
    said.CopyFrom(merged)


def _is_map(field: Any) -> bool:
    return bool(field.message_type is not None and field.message_type.GetOptions().map_entry)


def _refuse(field: str, value: Any, allowed: str) -> InvalidArgument:
    return InvalidArgument(violations=[Violation(field, str(value), allowed)])
