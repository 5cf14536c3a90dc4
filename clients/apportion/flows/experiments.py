"""Which pilot runs to buy."""

from __future__ import annotations

from typing import Any

from google.longrunning import operations_pb2

from apportion import answers, fields, requests
from apportion.flows.calls import FIT_SECONDS, TABLE_SECONDS, Flow, OnStage, ask, outcome_of
from apportion.reading import read
from apportion.tables import Table
from apportion.v1 import experiment_pb2, laws_service_pb2


def design_experiment(
    *, timeout_seconds: float = FIT_SECONDS, on_stage: OnStage | None = None, **wishes: Any
) -> Flow[answers.ExperimentDesign]:
    """Which pilot runs to buy for at most `budget_flops`; asked again with their results in `runs`, the next ones.

    Wishes: `target_flops` (decide the best size at this compute) or `target_points` (the loss there); `candidates`;
    `runs` (with a column `loss`); `form`, `law`, `seed`. Tables of any kind, in columns that name the form's variables.
    Raises InvalidArgument, NotFound, DeadlineExceeded after `timeout_seconds` (the work is then cancelled).
    """
    tables = {name: wishes.pop(name, None) for name in ("runs", "candidates", "target_points")}
    request = requests.build(fields.EXPERIMENT, wishes)
    for name, table in tables.items():
        if table is not None:
            getattr(request, name).CopyFrom(Table.read(table, name).to_proto())
    operation = yield ask("Laws", request, operations_pb2.Operation, TABLE_SECONDS)
    metadata = laws_service_pb2.DesignExperimentMetadata
    found = yield from outcome_of(operation, experiment_pb2.ExperimentDesign, metadata, timeout_seconds, on_stage)
    return read(answers.ExperimentDesign, found)
