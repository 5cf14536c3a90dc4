"""apportion: plans for training and serving models, with prices, intervals and certificates.

    from apportion import Client

    with Client() as client:                      # APPORTION_ENDPOINT, or a server of its own
        plan = client.plan_training(training_flops=1e22)
        print(plan.outcome, plan.decision.parameter_count, plan.metrics["loss"].value)

Everything public is named here and imported on first use, so that `import apportion` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from apportion.answers import (
        Accelerator,
        Alternative,
        ApproachComparison,
        Calibration,
        Certificate,
        Decision,
        Estimate,
        ExperimentDesign,
        Front,
        Law,
        ModelShape,
        Plan,
        PriceBook,
        RunSet,
        TargetComparison,
    )
    from apportion.client import AsyncClient, Client
    from apportion.errors import (
        AlreadyExists,
        ApportionError,
        Cancelled,
        DeadlineExceeded,
        FailedPrecondition,
        InvalidArgument,
        NotFound,
        NotIdentified,
        Overloaded,
        PermissionDenied,
        RequestRefused,
        ServerError,
        Unavailable,
    )
    from apportion.tables import Table

__version__ = "0.1.0"

_HOMES = {
    "apportion.client": ("AsyncClient", "Client"),
    "apportion.answers": (
        "Accelerator",
        "Alternative",
        "ApproachComparison",
        "Calibration",
        "Certificate",
        "Decision",
        "Estimate",
        "ExperimentDesign",
        "FormComparison",
        "Front",
        "Law",
        "ModelShape",
        "Plan",
        "PriceBook",
        "RunSet",
        "TargetComparison",
    ),
    "apportion.errors": (
        "AlreadyExists",
        "ApportionError",
        "Cancelled",
        "DeadlineExceeded",
        "FailedPrecondition",
        "InvalidArgument",
        "NotFound",
        "NotIdentified",
        "Overloaded",
        "PermissionDenied",
        "RequestRefused",
        "ServerError",
        "Unavailable",
    ),
    "apportion.tables": ("Table",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Accelerator",
    "AlreadyExists",
    "Alternative",
    "ApportionError",
    "ApproachComparison",
    "AsyncClient",
    "Cancelled",
    "Calibration",
    "Certificate",
    "Client",
    "DeadlineExceeded",
    "Decision",
    "Estimate",
    "ExperimentDesign",
    "FailedPrecondition",
    "FormComparison",
    "Front",
    "InvalidArgument",
    "Law",
    "ModelShape",
    "NotFound",
    "NotIdentified",
    "Overloaded",
    "PermissionDenied",
    "Plan",
    "PriceBook",
    "RequestRefused",
    "RunSet",
    "ServerError",
    "Table",
    "TargetComparison",
    "Unavailable",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'apportion' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
