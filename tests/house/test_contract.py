"""The contract keeps to Google's API Improvement Proposals where buf cannot check it.

Over the descriptors of the committed stubs (which lint holds equal to the protos): AIP-141 (quantities), AIP-203
(field behaviour), AIP-158 (pages), AIP-155 (request ids), AIP-122 (names), AIP-133 to -135 (standard methods).
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.api import field_behavior_pb2, field_info_pb2, resource_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor, MethodDescriptor

ROOT = Path(__file__).resolve().parents[2]
FILES: list[FileDescriptor] = [
    importlib.import_module(f"apportion.v1.{path.stem}_pb2").DESCRIPTOR
    for path in sorted((ROOT / "proto/apportion/v1").glob("*.proto"))
]
UNSIGNED = {
    FieldDescriptor.TYPE_UINT32,
    FieldDescriptor.TYPE_UINT64,
    FieldDescriptor.TYPE_FIXED32,
    FieldDescriptor.TYPE_FIXED64,
}
INTEGERS = {FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_INT64}
UNITS = (
    "_count", "_counts", "_flops", "_usd", "_hours", "_seconds", "_bytes", "_joules", "_watts", "_usd_per_hour",
    "_bytes_per_second", "_bytes_per_token", "requests_per_second", "_percentile", "_loss",
)  # fmt: skip
# Integers that are no counts: an order, a width, a number of ways, a row.
ORDINALS = {
    "page_size", "seed", "version", "hidden_size", "intermediate_size", "vocabulary_size", "batch_size", "blank_rows",
}  # fmt: skip
WAYS = "_parallel"


def messages() -> Iterator[Descriptor]:
    pending = [message for file in FILES for message in file.message_types_by_name.values()]
    while pending:
        message = pending.pop()
        if not message.GetOptions().map_entry:
            yield message
        pending += message.nested_types


def methods() -> Iterator[MethodDescriptor]:
    for file in FILES:
        for service in file.services_by_name.values():
            yield from service.methods


def asked() -> Iterator[Descriptor]:
    """Request messages, and the messages of ours that they alone hold."""
    for message in messages():
        if message.name.endswith("Request") or message.name in {"HardwareChoice", "Workload"}:
            yield message


def behaviour(field: FieldDescriptor) -> set[int]:
    return set(field.GetOptions().Extensions[field_behavior_pb2.field_behavior])


def test_no_quantity_is_unsigned() -> None:
    assert not [f.full_name for m in messages() for f in m.fields if f.type in UNSIGNED]


def test_integers_are_named_as_counts() -> None:
    wrong = [
        field.full_name
        for message in messages()
        for field in message.fields
        if field.type in INTEGERS
        and not re.search(r"_counts?$", field.name)
        and field.name not in ORDINALS
        and not field.name.endswith(WAYS)
    ]
    assert not wrong


def test_no_count_is_named_num() -> None:
    assert not [
        f.full_name for m in messages() for f in m.fields if re.match(r"(num|n)_|.*_(num|number|ms|gb)$", f.name)
    ]


def test_what_is_asked_for_in_numbers_bears_its_unit() -> None:
    dimensionless = {"level", "prefix_hit_share", "acceptance_rate", "draft_step_share"}
    wrong = [
        field.full_name
        for message in asked()
        for field in message.fields
        if field.type == FieldDescriptor.TYPE_DOUBLE
        and not field.name.endswith(UNITS)
        and field.name not in dimensionless
    ]
    assert not wrong


def test_an_optional_number_tells_zero_from_unset() -> None:
    wrong = [
        field.full_name
        for message in asked()
        for field in message.fields
        if field.type == FieldDescriptor.TYPE_DOUBLE
        and field_behavior_pb2.OPTIONAL in behaviour(field)
        and not field.has_presence
    ]
    assert not wrong


def test_every_field_of_a_request_says_whether_it_is_needed() -> None:
    said = {field_behavior_pb2.REQUIRED, field_behavior_pb2.OPTIONAL}
    assert not [f.full_name for m in asked() for f in m.fields if len(behaviour(f) & said) != 1]


def test_every_field_of_a_resource_says_who_sets_it() -> None:
    resources = [m for m in messages() if m.GetOptions().HasExtension(resource_pb2.resource)]
    assert resources
    for resource in resources:
        assert behaviour(resource.fields_by_name["name"]) == {field_behavior_pb2.IDENTIFIER}
        assert not [f.full_name for f in resource.fields if not behaviour(f)]


def test_lists_come_in_pages() -> None:
    lists = [method for method in methods() if method.name.startswith("List")]
    assert lists
    for method in lists:
        request, answer = method.input_type.fields_by_name, method.output_type.fields_by_name
        assert request["page_size"].type == FieldDescriptor.TYPE_INT32, method.full_name
        assert request["page_token"].type == FieldDescriptor.TYPE_STRING, method.full_name
        assert answer["next_page_token"].type == FieldDescriptor.TYPE_STRING, method.full_name
        assert method.output_type.fields[0].is_repeated, method.full_name


def test_whatever_stores_something_can_be_repeated_safely() -> None:
    for method in methods():
        fields = method.input_type.fields_by_name
        makes = method.output_type.full_name == "google.longrunning.Operation" or any(n.endswith("_id") for n in fields)
        if not makes:
            continue
        assert "request_id" in fields, method.full_name
        info = fields["request_id"].GetOptions().Extensions[field_info_pb2.field_info]
        assert info.format == field_info_pb2.FieldInfo.UUID4, method.full_name


@pytest.mark.parametrize("verb", ["Get", "Delete"])
def test_standard_methods_have_their_standard_shape(verb: str) -> None:
    for method in methods():
        if not method.name.startswith(verb):
            continue
        name = method.input_type.fields_by_name["name"]
        assert behaviour(name) == {field_behavior_pb2.REQUIRED}, method.full_name
        assert name.GetOptions().Extensions[resource_pb2.resource_reference].type, method.full_name
        gives = "Empty" if verb == "Delete" else method.name.removeprefix(verb)
        assert method.output_type.name == gives, method.full_name


def test_enums_start_unspecified() -> None:
    enums = [e for f in FILES for e in f.enum_types_by_name.values()] + [e for m in messages() for e in m.enum_types]
    assert enums
    assert not [e.full_name for e in enums if not e.values_by_number[0].name.endswith("_UNSPECIFIED")]
