"""Every published law either plans training or says plainly why it cannot."""

import pytest

from planner.allocation import Outcome, TrainingProblem, plan_training
from planner.errors import InvalidInput
from planner.laws import laws

ONE_OF_EACH_FORM = list({entry.form.form_name: entry for entry in laws()}.values())


@pytest.mark.parametrize("law", ONE_OF_EACH_FORM, ids=lambda law: law.form.form_name)
def test_a_law_plans_or_is_refused_by_name(law):
    try:
        plan = plan_training(TrainingProblem(law, {"training_flops": 1e21}))
    except InvalidInput as error:
        assert [v.field for v in error.violations] == ["law"]
        assert law.form.form_name in str(error)
    else:
        assert plan.outcome is Outcome.OPTIMAL
        assert plan.decision.active_parameter_count == plan.decision.parameter_count
