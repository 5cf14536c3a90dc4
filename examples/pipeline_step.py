"""A training question as a step of a Python pipeline.

`plan_step` takes and gives plain mappings, so that any framework can call it, store its answer and draw its graph.
What a retry can cure it raises as `RetryLater`; everything else fails the step at once.

    python examples/pipeline_step.py examples/request.yaml
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from apportion import Client, DeadlineExceeded, Unavailable


class RetryLater(Exception):
    """The service is away, full or out of time."""


class NoPlan(Exception):
    """No plan meets the limits; the message says which limit would have to give, and how far."""


def plan_step(request: Mapping[str, Any], endpoint: str | None = None) -> dict[str, Any]:
    """The plan for `request` (the fields of a training plan, by name) as a JSON-ready mapping."""
    try:
        with Client(endpoint) as client:
            plan = client.plan_training(**request)
    except (Unavailable, DeadlineExceeded) as error:
        raise RetryLater(str(error)) from error
    if not plan.feasible:
        needed = (f"{item.metric} {item.limit:g} → {item.smallest_feasible_limit:g}" for item in plan.relaxation)
        raise NoPlan("; ".join(needed))
    return plan.to_dict()


if __name__ == "__main__":
    print(json.dumps(plan_step(yaml.safe_load(Path(sys.argv[1]).read_text())), indent=2))
