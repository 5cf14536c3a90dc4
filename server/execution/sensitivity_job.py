"""The worker's part of the Sensitivity service: a serialised request in, a serialised answer out."""

from __future__ import annotations

from apportion.v1 import sensitivity_service_pb2
from planner import fitting
from server.convert import problems, tables
from server.convert.runs import to_runs

_FIELDS = {"where": "filter", "mapping": "column_variables", "coefficients": "published_laws"}
_COLUMNS = (
    "kind",
    "treatment",
    "rows",
    "parameter_exponent",
    "exponent_sd",
    "parameter_count",
    "token_count",
    "loss_regret",
    "compute_regret",
    "note",
)


def analyze_sensitivity(serialised: bytes) -> tuple[bytes, ...]:
    """(AnalyzeSensitivityResponse,)."""
    request = sensitivity_service_pb2.AnalyzeSensitivityRequest.FromString(serialised)
    with problems.named_after(_FIELDS):
        found = fitting.plan_sensitivity(
            to_runs(request.runs),
            request.training_flops if request.HasField("training_flops") else None,
            request.form or "chinchilla",
            where=request.filter or None,
            mapping=dict(request.column_variables) or None,
            group=request.group_column or None,
            regions=tuple(request.regions),
            coefficients=tuple(name.removeprefix("laws/") for name in request.published_laws) or None,
            seed=request.seed,
        )
    table = tables.to_table({name: [getattr(v, name) for v in found.variants] for name in _COLUMNS})
    answer = sensitivity_service_pb2.AnalyzeSensitivityResponse(
        table=table, training_flops=found.training_flops, loss=found.loss
    )
    return (answer.SerializeToString(),)
