"""The loss of the compute-optimal model of a size: what "as good as a 30B model" means.

On the way along the compute-optimal line the size grows with the budget, so the budget whose optimum has the size is
found by bisection where the law has no closed form.
"""

from __future__ import annotations

from planner.errors import InvalidInput, Violation
from planner.laws import Chinchilla, DataConstrained, Form, JointMoE, Kaplan, Law
from planner.laws.tied_exponents import TiedExponents

SMALLEST_BUDGET, LARGEST_BUDGET = 1e3, 1e40


def loss_of_optimum(law: Law, parameter_count: float) -> float:
    """Loss of the compute-optimal model of that size under the law (of its dense variant, with unique data).

    Raises InvalidInput where the law has no compute-optimal line in parameters and tokens.
    """
    form = _dense(law.form)
    if isinstance(form, Chinchilla):
        tokens = form.tokens_for_parameters(parameter_count)
        return float(form.loss(parameter_count=parameter_count, token_count=tokens))
    if isinstance(form, Kaplan):
        low, high = SMALLEST_BUDGET, LARGEST_BUDGET
        for _ in range(200):
            middle = (low * high) ** 0.5
            low, high = (middle, high) if form.compute_optimal(middle)[0] < parameter_count else (low, middle)
        n, d = form.compute_optimal(high)
        return float(form.loss(parameter_count=n, token_count=d))
    raise InvalidInput(Violation("as_good_as_parameter_count", f"{parameter_count:g}", f"unset for {law.name}"))


def _dense(form: Form) -> Form:
    if isinstance(form, JointMoE):
        return form.at_expert_count(1.0)
    return form.base if isinstance(form, DataConstrained | TiedExponents) else form
