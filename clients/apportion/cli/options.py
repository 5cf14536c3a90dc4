"""Options that commands share, and flags made from the short names of request fields.

`@request_options(TRAINING)` gives a command one flag for each short name in `apportion.fields`; what was given
arrives in one mapping, as text, so that flags, YAML and Python are read and refused by the same code.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from apportion.errors import InvalidArgument, Violation
from apportion.fields import Field, Kind


class Output(StrEnum):
    """How a command answers."""

    TABLE = "table"
    JSON = "json"


class TableOutput(StrEnum):
    """How a command answers whose answer is a table."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


OutputOption = Annotated[Output, typer.Option("--output", "-o", help="table for people, json for programs")]
TableOutputOption = Annotated[TableOutput, typer.Option("--output", "-o", help="table, json or csv")]
EndpointOption = Annotated[
    str | None, typer.Option("--endpoint", metavar="HOST:PORT", help="a running service (or APPORTION_ENDPOINT)")
]
StoreOption = Annotated[
    str | None, typer.Option("--store", metavar="FILE", help="where an embedded server keeps its results")
]
TimeoutOption = Annotated[
    float | None, typer.Option("--timeout-seconds", min=0.001, help="give up after this many seconds")
]
MapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--map", metavar="COLUMN=VARIABLE", help="which column is what: size=N, size*1e9=N, 1-acc=loss (repeat)"
    ),
]
RequestFile = Annotated[
    str | None, typer.Option("--file", "-f", metavar="REQUEST.yaml", help="the request; flags override it")
]


def request_options(kind: Kind) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the flags of `kind`; it receives what was given as `wishes`, a mapping of short names."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "wishes"]
        flags = [_flag(field, kind) for field in kind.fields]

        def run(**given: Any) -> None:
            said = {field.name: given.pop(field.name) for field in kind.fields}
            command(**given, wishes={name: value for name, value in said.items() if value not in (None, [])})

        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in [*own, *flags]]
        vars(run)["__signature__"] = inspect.Signature(parameters)
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        return run

    return decorate


def _flag(field: Field, kind: Kind) -> inspect.Parameter:
    place: Any = kind.message.DESCRIPTOR
    *inside, last = field.path.split(".")
    for part in inside:
        place = place.fields_by_name[part].message_type
    descriptor = place.fields_by_name[last]
    flag = f"--{field.name.replace('_', '-')}"
    if descriptor.cpp_type == descriptor.CPPTYPE_BOOL:
        annotation: Any = Annotated[bool | None, typer.Option(flag, help=field.meaning)]
    elif descriptor.is_repeated:
        metavar = "NAME=NUMBER" if descriptor.message_type is not None else _metavar(descriptor)
        annotation = Annotated[list[str] | None, typer.Option(flag, metavar=metavar, help=field.meaning)]
    else:
        annotation = Annotated[str | None, typer.Option(flag, metavar=_metavar(descriptor), help=field.meaning)]
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _metavar(descriptor: Any) -> str:
    return "NAME" if descriptor.cpp_type == descriptor.CPPTYPE_STRING else "NUMBER"


def read_request(path: str | None) -> Mapping[str, Any]:
    """The mapping in a YAML (or JSON) file; `-` is standard input; nothing when no file is named.

    Raises InvalidArgument: no such file, not YAML, not a mapping.
    """
    if path is None:
        return {}
    import yaml

    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
        found = yaml.safe_load(text)
    except OSError as error:
        raise _refuse(path, f"a file that can be read ({error.strerror or error})") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise _refuse(path, f"YAML ({' '.join(str(error).split())})") from None
    if not isinstance(found, dict):
        raise _refuse(path, "a mapping from field to value")
    return {str(key): value for key, value in found.items()}


def _refuse(path: str, allowed: str) -> InvalidArgument:
    return InvalidArgument(violations=[Violation("file", path, allowed)])
