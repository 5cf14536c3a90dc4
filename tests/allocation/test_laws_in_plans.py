"""Every published law either plans training or says plainly why it cannot."""

import pytest

from planner.allocation import Outcome, TrainingProblem, plan_training
from planner.errors import InvalidInput
from planner.laws import laws

ONE_OF_EACH_FORM = list({entry.form.form_name: entry for entry in laws()}.values())


def plan_or_refusal(law):
    try:
        return plan_training(TrainingProblem(law, {"training_flops": 1e21}))
    except InvalidInput as refusal:
        return refusal


@pytest.mark.parametrize("law", ONE_OF_EACH_FORM, ids=lambda law: law.form.form_name)
def test_a_law_plans_or_is_refused_by_name(law):
    answer = plan_or_refusal(law)
    if isinstance(answer, InvalidInput):
        assert [v.field for v in answer.violations] == ["law"]
        assert law.form.form_name in str(answer)
    else:
        assert answer.outcome is Outcome.OPTIMAL
        assert answer.decision.active_parameter_count == answer.decision.parameter_count


def test_most_forms_are_refused_and_the_plain_ones_are_not():
    planned = {law.form.form_name for law in ONE_OF_EACH_FORM if not isinstance(plan_or_refusal(law), InvalidInput)}
    assert {"chinchilla", "kaplan", "data-constrained", "joint-moe"} <= planned
