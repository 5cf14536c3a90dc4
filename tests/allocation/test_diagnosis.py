"""Where a plan's loss comes from and what to fix first: against closed forms, first-order conditions, multipliers."""

from __future__ import annotations

import numpy as np
import pytest

from planner.allocation import (
    HardwareChoice,
    LawVariable,
    LifecycleProblem,
    Plan,
    TrainingProblem,
    explain,
    nyquist_scenario,
    plan_lifecycle,
    plan_training,
)
from planner.allocation.diagnosis import learning_deficiency
from planner.errors import InvalidInput
from planner.fitting import Runs, fit_law
from planner.laws import Chinchilla, law

BESIROGLU = law("besiroglu-2024")
GOPHER = 5.76e23


def form() -> Chinchilla:
    assert isinstance(BESIROGLU.form, Chinchilla)
    return BESIROGLU.form


@pytest.fixture(scope="module")
def dense() -> Plan:
    return plan_training(TrainingProblem(law=BESIROGLU, limits={"training_flops": GOPHER}))


@pytest.fixture(scope="module")
def repeated() -> Plan:
    published = law("muennighoff-2023")
    return plan_training(TrainingProblem(law=published, limits={"training_flops": 1e22}, unique_token_count=25e9))


def test_the_terms_add_up_to_the_loss(dense: Plan, repeated: Plan) -> None:
    for plan in (dense, repeated):
        found = plan.diagnosis
        assert found["model"] + found["data"] + found["floor"] == pytest.approx(plan.metrics["loss"].value, rel=1e-9)


def test_at_the_optimum_the_model_s_share_is_the_other_exponent_s(dense: Plan) -> None:
    """Hoffmann et al. 2022: of the reducible loss, β/(α+β) is the model term."""
    found, law_ = dense.diagnosis, form()
    share = found["model"] / (found["model"] + found["data"])
    assert share == pytest.approx(law_.beta / (law_.alpha + law_.beta), abs=1e-6)


def test_at_the_optimum_money_is_worth_the_same_wherever_it_goes(dense: Plan) -> None:
    """And each per cent gains what the closed form says: L - E falls as C^(-αβ/(α+β))."""
    law_, loss = form(), dense.metrics["loss"].value
    power = law_.alpha * law_.beta / (law_.alpha + law_.beta)
    for name in ("parameter_count", "token_count"):
        gain = dense.diagnosis[f"per_percent_of_training_cost.{name}"]
        assert gain == pytest.approx(-0.01 * power * (loss - law_.E), rel=1e-5)


def test_unique_tokens_are_worth_the_ratio_of_the_multipliers(repeated: Plan) -> None:
    binding = {limit.metric: limit.elasticity for limit in repeated.binding}
    worth = repeated.diagnosis["worth_in_training_cost.unique_token_count"]
    assert worth == pytest.approx(binding["unique_token_count"] / binding["training_flops"], rel=1e-3)
    assert worth == pytest.approx(1.09, abs=0.01)


def test_with_serving_in_the_bill_parameters_gain_more_than_tokens_per_cost_of_training() -> None:
    """Sardana et al. 2023: (α A N^-α) / (β B D^-β) = 1 + D_inf / (3 D) at the optimum."""
    problem = LifecycleProblem(law=BESIROGLU, inference_token_count=5e12, as_good_as_parameter_count=30e9)
    plan = plan_lifecycle(problem)
    found, tokens = plan.diagnosis, plan.decision.token_count
    assert tokens is not None
    ratio = found["elasticity.parameter_count"] / found["elasticity.token_count"]
    assert ratio == pytest.approx(1.0 + 5e12 / (3.0 * tokens), rel=1e-3)
    assert "Fix first: 1 % more training cost" in explain(plan)
    assert "buys parameters" in explain(plan)


def test_with_prices_gains_are_per_dollar_too() -> None:
    hardware = HardwareChoice(accelerators=("H100-SXM",))
    plan = plan_training(TrainingProblem(law=BESIROGLU, limits={"training_usd": 1e6}, hardware=hardware))
    found = plan.diagnosis
    usd = plan.metrics["training_usd"].value
    assert found["per_usd.token_count"] * 0.01 * usd == pytest.approx(found["per_percent_of_training_cost.token_count"])


def test_the_best_runs_behind_a_law_show_what_training_may_still_gain() -> None:
    """Runs above the law by |noise|: their best tenth lies where the noise is smallest."""
    generator = np.random.default_rng(0)
    n = np.exp(generator.uniform(np.log(1e8), np.log(1e10), 200))
    d = n * np.exp(generator.uniform(np.log(4.0), np.log(100.0), 200))
    lucky = np.where(np.arange(200) % 5 == 0, -0.03, 0.0)
    loss = np.asarray(BESIROGLU.loss(parameter_count=n, token_count=d)) * np.exp(lucky)
    fitted = fit_law(Runs.from_columns({"N": n, "D": d, "loss": loss}), bootstrap=0)
    assert learning_deficiency(fitted, 2.0) == pytest.approx(2.0 * -np.expm1(-0.03), rel=0.02)
    assert learning_deficiency(BESIROGLU, 2.0) is None


def test_the_explanation_says_where_the_loss_comes_from_and_what_is_hypothetical(repeated: Plan) -> None:
    text = explain(repeated)
    assert "Of the loss, 1.869 is the floor, 0.196 the model term and 0.157 the data term." in text
    assert "1 % more unique tokens is worth 1.1 % more training cost." in text
    assert "Hypothetical" in text


def test_an_error_is_not_called_a_loss_in_nats_and_has_no_term_that_goes_alone() -> None:
    """Rosenfeld et al. 2020 on all of ImageNet: an error of 0.279."""
    scales = {name: LawVariable(lower=0.1, upper=1.0) for name in ("model_scale", "data_scale")}
    problem = TrainingProblem(law=law("rosenfeld-2020-imagenet"), limits={}, minimize="loss", law_variables=scales)
    plan = plan_training(problem)
    found = plan.diagnosis
    assert found["model"] + found["data"] + found["floor"] == pytest.approx(0.279, abs=1e-3)
    assert "hypothetical.nyquist_loss" not in found
    assert "nats" not in explain(plan)
    assert f"of {law('rosenfeld-2020-imagenet').metric}" in explain(plan)


def test_the_nyquist_scenario_has_no_data_term_beyond_the_critical_tokens() -> None:
    found = nyquist_scenario(BESIROGLU, GOPHER, 1e12)
    law_ = form()
    assert found.reached
    assert found.hypothetical
    assert found.parameter_count == pytest.approx(GOPHER / 6e12)
    assert found.loss == pytest.approx(law_.E + law_.A * (GOPHER / 6e12) ** -law_.alpha)
    assert found.loss < found.loss_by_law == pytest.approx(1.9744, abs=1e-4)


def test_critical_tokens_out_of_reach_change_nothing() -> None:
    found = nyquist_scenario(BESIROGLU, GOPHER, 1e15)
    assert not found.reached
    assert found.loss == found.loss_by_law
    assert found.parameter_count == found.parameter_count_by_law


def test_the_scenario_is_for_laws_of_parameters_and_tokens_only() -> None:
    with pytest.raises(InvalidInput, match="chinchilla"):
        nyquist_scenario(law("kaplan-2020"), GOPHER, 1e12)
    with pytest.raises(InvalidInput):
        nyquist_scenario(BESIROGLU, GOPHER, -1.0)
