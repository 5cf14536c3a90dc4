"""How a plan changes when the runs behind it are treated otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from apportion import requests
from apportion.flows.calls import TABLE_SECONDS, Flow, ask
from apportion.tables import Table
from apportion.v1 import sensitivity_service_pb2


def sensitivity(
    runs: Any,
    *,
    training_flops: float | None = None,
    form: str = "chinchilla",
    where: str = "",
    group: str = "",
    regions: Iterable[str] = (),
    laws: Iterable[str] = (),
    seed: int | None = None,
    mapping: Any = None,
    timeout_seconds: float = TABLE_SECONDS,
) -> Flow[Table]:
    """What the best model at `training_flops` becomes when the same runs are treated otherwise, one row a treatment.

    Rounded, with new noise, cut to regions (`regions`: more of them, as row filters), without outliers, with other
    objectives, by other approaches, or with published coefficients (`laws`); with the regret in loss and in compute.
    Raises InvalidArgument, NotFound, NotIdentified.
    """
    request = sensitivity_service_pb2.AnalyzeSensitivityRequest(
        runs=Table.read(runs, "runs").to_proto(),
        training_flops=training_flops,
        form=form,
        filter=where,
        group_column=group,
        regions=regions,
        published_laws=laws,
        seed=None if seed is None else requests.whole_number(seed, "seed"),
        column_variables=requests.column_variables(mapping or {}),
    )
    answer = yield ask("Sensitivity", request, sensitivity_service_pb2.AnalyzeSensitivityResponse, timeout_seconds)
    return Table.from_proto(answer.table)
