"""The best mixture under a law that is convex in the shares of domains.

Shares are non-negative and add up to one. The plan is proven by the Frank–Wolfe gap: a convex loss lies above its
tangent, so no mixture is better than the tangent's least value over all mixtures (Jaggi 2013, ICML, eq. 2).
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from planner.allocation.lawvariables import LawVariable
from planner.allocation.plan import Certificate, Decision, Estimate, Kind, Outcome, Plan, SearchEffort
from planner.allocation.provenance import law_provenance, versions
from planner.errors import InvalidInput, Violation, require
from planner.laws import Law

Array = NDArray[np.float64]
STEP = 1e-100  # of the complex derivative, which does not cancel
PROVEN = 1e-6


def plan_shares(law: Law, choices: Mapping[str, LawVariable], limits: Mapping[str, float], objective: str) -> Plan:
    """The shares of least loss within the ranges of `choices`, with their proof.

    Raises InvalidInput for limits on anything, since such a law knows shares only, and for ranges that cannot add up
    to one.
    """
    started = time.perf_counter()
    names = law.form.variables
    allowed = f"unset: {law.name} knows shares of domains only"
    found = [Violation(name, f"{limit:g}", allowed) for name, limit in limits.items()]
    found += [Violation(f"law_variables.{n}", "given", "one of " + ", ".join(names)) for n in choices if n not in names]
    found += [
        Violation(f"law_variables.{name}", "several values", "one value or a range")
        for name, choice in choices.items()
        if len(choice.values) > 1
    ]
    if objective not in ("", "loss"):
        found.append(Violation("minimize", objective, "loss"))
    require(*found)
    lower, upper = np.array([_ends(choices.get(name)) for name in names]).T
    if lower.sum() > 1.0 or upper.sum() < 1.0:
        span = f"sums from {lower.sum():g} to {upper.sum():g}"
        raise InvalidInput(Violation("law_variables", span, "ranges of shares that can add up to 1"))

    def loss(shares: Array) -> float:
        return float(np.real(law.form.loss(**dict(zip(names, shares, strict=True)))))

    def slope(shares: Array) -> Array:
        nudged = shares + 1j * STEP * np.eye(len(shares))
        return np.array([np.imag(law.form.loss(**dict(zip(names, row, strict=True)))) / STEP for row in nudged])

    start = lower + (upper - lower) * (1.0 - lower.sum()) / max((upper - lower).sum(), 1e-300)
    solved = minimize(
        loss,
        start,
        jac=slope,
        method="SLSQP",
        bounds=list(zip(lower, upper, strict=True)),
        constraints={"type": "eq", "fun": lambda r: r.sum() - 1.0, "jac": np.ones_like},
        options={"ftol": 1e-15, "maxiter": 500},
    )
    shares = _on_simplex(np.clip(solved.x, lower, upper), lower, upper)
    gradient, value = slope(shares), loss(shares)
    bound = value + float(gradient @ (_cheapest(gradient, lower, upper) - shares))
    gap = (value - bound) / abs(bound)
    at = {name: float(share) for name, share in zip(names, shares, strict=True)}
    prediction = law.predict(at)
    estimate = Estimate(value, float(prediction.lower), float(prediction.upper))
    ratio = float(prediction.extrapolation_ratio)
    method = "convexity in the shares: the tangent's least value over all mixtures"
    return Plan(
        Kind.TRAINING,
        Outcome.OPTIMAL if gap <= PROVEN else Outcome.FEASIBLE,
        "loss",
        decision=Decision(law_variables=at),
        metrics={"loss": estimate, "extrapolation_ratio": Estimate(ratio, ratio, ratio)},
        certificate=Certificate(max(gap, 0.0), True, method, bound, value),
        warnings=prediction.warnings,
        provenance={**law_provenance(law), **versions()},
        search=SearchEffort(1, 1, time.perf_counter() - started),
    )


def _ends(choice: LawVariable | None) -> tuple[float, float]:
    if choice is None:
        return 0.0, 1.0
    if choice.values:
        return choice.values[0], choice.values[0]
    return choice.lower or 0.0, 1.0 if choice.upper is None else choice.upper


def _cheapest(prices: Array, lower: Array, upper: Array) -> Array:
    """The mixture within the ranges of least total price: fill the cheapest first."""
    shares, left = lower.copy(), 1.0 - lower.sum()
    for j in np.argsort(prices):
        taken = min(left, upper[j] - lower[j])
        shares[j] += taken
        left -= taken
    return shares


def _on_simplex(shares: Array, lower: Array, upper: Array) -> Array:
    """Shares that add up to one exactly, the rest taken where there is room."""
    rest = 1.0 - shares.sum()
    room = (upper - shares) if rest > 0 else (shares - lower)
    return np.asarray(shares + rest * room / max(room.sum(), 1e-300))
