"""What a person should know before trusting a plan to serve: formats, shapes, limits on the edge, calibrations."""

from __future__ import annotations

from collections.abc import Mapping

from planner.allocation.cells import ServingLayout
from planner.allocation.plan import Estimate
from planner.allocation.problem import DeploymentProblem
from planner.hardware import ModelShape
from planner.hardware.hypothetical import distance_from_known
from planner.hardware.intervals import probability_within
from planner.hardware.recalibration import Recalibration
from planner.laws import Caution


def calibrated_elsewhere(own: Recalibration, group: str) -> Caution:
    """What a stack's constants say of hardware or a model that was not measured with it."""
    known = ", ".join(own.group_levels)
    sentence = f"{own.name or 'the calibration'} was measured on {known}, not on {group.strip()}"
    return Caution("CALIBRATED_ELSEWHERE", f"{sentence}: only what is common to the stack is carried over")


def unsure_limits(limits: Mapping[str, float], estimates: Mapping[str, Estimate]) -> tuple[Caution, ...]:
    """Limits that the estimate keeps but its interval does not, with the probability that they are kept."""
    found = []
    for name, limit in limits.items():
        value, lower, upper = (getattr(estimates[name], end) for end in ("value", "lower", "upper"))
        if lower < value <= limit < upper:
            probability = float(probability_within(limit, value, lower, upper))
            sentence = f"{name} <= {limit:.6g} is kept with {100 * probability:.0f} % probability"
            found.append(Caution("UNSURE_LIMIT", f"{sentence}; planned for {limit * value / upper:.3g}, with 90 %"))
    return tuple(found)


def quantised(layout: ServingLayout) -> tuple[Caution, ...]:
    """A narrow format is cheap because its effect on quality is in no metric of the plan."""
    if layout.cell.weight_bytes_per_parameter >= 2.0:
        return ()
    sentence = (
        f"what {layout.cell.precision} costs in quality is not in this plan: check it, or name the precisions allowed"
    )
    return (Caution("QUANTISED", sentence),)


def shape_cautions(problem: DeploymentProblem, shape: ModelShape) -> tuple[Caution, ...]:
    """How far the shape of what is served can be trusted."""
    found = []
    if not problem.model:
        factor = distance_from_known(float(shape.active_parameters), float(shape.total_parameters))
        nearest = "of a size that is known" if factor < 1.01 else f"a factor of {factor:.2g} from the nearest known one"
        sentence = f"depth, width and cache follow power laws over known dense models, not a real model: {nearest}"
        found.append(Caution("HYPOTHETICAL_SHAPE", sentence))
    if shape.doubt:
        found.append(Caution("DOUBTFUL_SHAPE", shape.doubt))
    return tuple(found)
