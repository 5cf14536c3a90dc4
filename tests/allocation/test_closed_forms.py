"""Plans against closed forms: the sharpest truth there is, over fifteen decades of compute."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from planner.allocation import LifecycleProblem, Outcome, TrainingProblem, plan_lifecycle, plan_training
from planner.laws import Chinchilla, Kaplan, law, laws

DECADES = [10.0**k for k in range(15, 31)]
CLOSED = [entry.name for entry in laws() if isinstance(entry.form, Chinchilla | Kaplan)]


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize("flops", DECADES)
def test_the_training_plan_is_the_closed_form(name, flops):
    chosen = law(name)
    plan = plan_training(TrainingProblem(chosen, {"training_flops": flops}))
    n, d = chosen.form.compute_optimal(flops, chosen.compute_model)
    assert plan.outcome is Outcome.OPTIMAL
    assert plan.decision.parameter_count == pytest.approx(n, rel=1e-6)
    assert plan.decision.token_count == pytest.approx(d, rel=1e-6)
    assert plan.metrics["loss"].value == pytest.approx(chosen.loss(parameter_count=n, token_count=d), rel=1e-8)
    assert plan.certificate.relative_gap < 1e-9


# Optima for the published coefficients (Besiroglu et al. 2024, Hoffmann et al. 2022), rounded to the digits shown.
@pytest.mark.parametrize(
    ("name", "flops", "parameters", "tokens", "loss"),
    [
        ("hoffmann-2022-rounded", 1e21, 1.824e9, 9.136e10, 2.3289),
        ("hoffmann-2022", 5.76e23, 4.036e10, 2.379e12, 1.9184),
        ("besiroglu-2024", 1e20, 8.535e8, 1.953e10, 2.5534),
        ("besiroglu-2024", 5.76e23, 7.225e10, 1.329e12, 1.9744),
        ("besiroglu-2024", 3.8e25, 6.187e11, 1.024e13, 1.8917),
        ("muennighoff-2023-base", 5.76e23, 6.996e10, 1.372e12, 2.0252),
    ],
)
def test_known_optima(name, flops, parameters, tokens, loss):
    plan = plan_training(TrainingProblem(law(name), {"training_flops": flops}))
    assert plan.decision.parameter_count == pytest.approx(parameters, rel=5e-4)
    assert plan.decision.token_count == pytest.approx(tokens, rel=5e-4)
    assert plan.metrics["loss"].value == pytest.approx(loss, abs=5e-5)


# Ludziejewski et al. 2025 (2502.05172), Table 1: compute-optimal active parameters and tokens by number of experts.
@pytest.mark.parametrize(
    ("flops", "experts", "parameters", "tokens"),
    [
        (1e20, 1, 1.7e9, 9.7e9),
        (1e20, 8, 0.99e9, 17e9),
        (1e20, 32, 0.669e9, 24.9e9),
        (1e21, 1, 5.7e9, 29.3e9),
        (1e21, 8, 3.8e9, 44.3e9),
        (1e21, 32, 2.85e9, 58.4e9),
        (1e22, 1, 18.8e9, 88.6e9),
        (1e22, 8, 14.4e9, 115.8e9),
        (1e22, 32, 12.2e9, 136.9e9),
    ],
)
def test_the_mixture_of_experts_table(flops, experts, parameters, tokens):
    problem = TrainingProblem(law("ludziejewski-2025"), {"training_flops": flops}, expert_counts=(experts,))
    plan = plan_training(problem)
    assert plan.decision.parameter_count == pytest.approx(parameters, rel=0.02)
    assert plan.decision.token_count == pytest.approx(tokens, rel=0.02)


def test_more_experts_are_better_at_fixed_compute():
    plan = plan_training(TrainingProblem(law("ludziejewski-2025"), {"training_flops": 1e21}))
    assert plan.decision.expert_count == 32
    losses = [plan.metrics["loss"].value, *(a.metrics["loss"] for a in plan.alternatives)]
    assert losses == sorted(losses)
    assert "16 experts instead of 32" in plan.alternatives[0].why_not


def test_serving_shifts_the_optimum_as_sardana_says():
    """Sardana et al. 2023: (αA N^-α)/(βB D^-β) = 1 + D_inf/(3 D); the saving is against the compute-optimal 30B."""
    besiroglu, inference = law("besiroglu-2024"), 5e12
    problem = LifecycleProblem(besiroglu, inference, as_good_as_parameter_count=30e9)
    plan = plan_lifecycle(problem)
    n, d = plan.decision.parameter_count, plan.decision.token_count
    form = besiroglu.form
    ratio = (form.alpha * form.A * n**-form.alpha) / (form.beta * form.B * d**-form.beta)
    assert ratio == pytest.approx(1.0 + inference / (3.0 * d), rel=1e-6)
    assert n == pytest.approx(1.366e10, rel=0.005)
    assert d == pytest.approx(1.728e12, rel=0.005)
    usual_tokens = form.tokens_for_parameters(30e9)
    saving = 1.0 - plan.metrics["lifetime_flops"].value / (6 * 30e9 * usual_tokens + 2 * 30e9 * inference)
    assert saving == pytest.approx(0.31, abs=0.005)


def test_repeated_data_against_a_fine_search_over_parameters():
    """Muennighoff et al. 2023: with C fixed the plan is one-dimensional, so scipy can search it."""
    constrained, flops, unique = law("muennighoff-2023"), 1e22, 25e9

    def loss(log_n):
        n = np.exp(log_n)
        return constrained.loss(parameter_count=n, token_count=flops / (6 * n), unique_token_count=unique)

    best = minimize_scalar(loss, bounds=(np.log(1e8), np.log(1e12)), method="bounded", options={"xatol": 1e-10})
    plan = plan_training(TrainingProblem(constrained, {"training_flops": flops}, unique_token_count=unique))
    assert plan.metrics["loss"].value == pytest.approx(best.fun, rel=1e-8)
    assert plan.decision.parameter_count == pytest.approx(np.exp(best.x), rel=2e-3)
    assert plan.decision.parameter_count == pytest.approx(7.0e9, rel=0.02)
    assert plan.decision.epoch_count == pytest.approx(9.5, abs=0.3)
    assert plan.metrics["loss"].value == pytest.approx(2.2221, abs=5e-4)


@pytest.mark.parametrize("unique", [1e14, None])
def test_abundant_data_leave_the_plan_alone(unique):
    constrained = law("muennighoff-2023")
    plenty = plan_training(TrainingProblem(constrained, {"training_flops": 1e22}, unique_token_count=unique))
    n, d = constrained.form.base.compute_optimal(1e22)
    assert plenty.decision.parameter_count == pytest.approx(n, rel=1e-3)
    assert plenty.decision.epoch_count in (None, pytest.approx(1.0))
    assert plenty.metrics["loss"].value == pytest.approx(
        constrained.form.base.loss(parameter_count=n, token_count=d), rel=1e-8
    )


def test_a_target_loss_is_the_inverse_of_a_budget():
    besiroglu = law("besiroglu-2024")
    forward = plan_training(TrainingProblem(besiroglu, {"training_flops": 3e22}))
    back = plan_training(TrainingProblem(besiroglu, {"loss": forward.metrics["loss"].value}))
    assert back.objective == "training_flops"
    assert back.metrics["training_flops"].value == pytest.approx(3e22, rel=1e-6)
    assert back.decision.parameter_count == pytest.approx(forward.decision.parameter_count, rel=1e-6)
