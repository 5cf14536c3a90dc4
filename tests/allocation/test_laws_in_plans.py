"""Every form of the catalogue plans: no allowed decision drawn at random is better than the plan.

The question is made from the form itself (what can be enumerated is, budgets bound parameters and tokens, the rest has
its usual range), so a form is covered by being in the catalogue.
"""

from dataclasses import replace

import numpy as np
import pytest

from planner.allocation import HardwareChoice, LawVariable, Outcome, TrainingProblem, explain, plan_training
from planner.allocation.lawvariables import FREE
from planner.errors import InvalidInput
from planner.laws import FORMS, Law, OptimisationClass, laws
from planner.laws.law import Provenance
from planner.laws.variables import variable

BUDGET = 1e20
ONE_VARIABLE = (OptimisationClass.INVERTED, OptimisationClass.SEARCH)
PUBLISHED = {entry.form.form_name: entry for entry in reversed(laws())}


def law_of(kind):
    """A published law of the form, or one with coefficients from the middle of where fits look for them."""
    if kind.form_name in PUBLISHED:
        return PUBLISHED[kind.form_name]
    middles = [np.sqrt(np.prod(c.search)) if c.logarithmic else np.mean(c.search) for c in kind.coefficients]
    return Law(
        name=f"middle-{kind.form_name}",
        form=kind.from_vector(np.array(middles)),
        grade="unverified",
        residual_log_sd=0.01,
        provenance=Provenance("published"),
        metric="" if kind.observed == "loss" else "what is observed",
    )


def choices_of(kind):
    """What each of the law's variables may be, as far as a budget does not say."""
    budgeted = {"parameter_count", "token_count"} & set(kind.variables)
    if len(budgeted) < 2 or kind.optimisation_class is OptimisationClass.INVERTED:
        budgeted = set()
    open_ones = [name for name in kind.variables if name not in kind.enumerated and name not in budgeted]
    found = {}
    for name in kind.variables:
        low, high = variable(name).usual
        if name in kind.enumerated:
            found[name] = LawVariable((low, high))
        elif name in budgeted:
            continue
        elif kind.optimisation_class in ONE_VARIABLE and (budgeted or name != open_ones[0]):
            found[name] = LawVariable((low + 0.5 * (high - low),))
        else:
            found[name] = LawVariable(lower=low, upper=high)
    if kind.optimisation_class in ONE_VARIABLE:  # these are monotone, or searched, for one value of the others
        found |= {name: LawVariable(found[name].values[:1]) for name in kind.enumerated}
    return found, bool(budgeted)


def decisions_at_random(kind, choices, flops_of, count=3000):
    """Allowed values of the law's variables, any hyper-parameters; parameters and tokens spend the whole budget."""
    generator = np.random.default_rng(0)
    drawn = {}
    for name in kind.variables:
        choice = choices.get(name)
        if choice is None and name in kind.hyper_parameters:
            drawn[name] = np.exp(generator.uniform(*np.log(variable(name).usual), count))
        elif choice is None:
            drawn[name] = 10.0 ** generator.uniform(6, 12, count)
        elif choice.values:
            drawn[name] = generator.choice(choice.values, count)
        elif choice.lower > 0:
            drawn[name] = np.exp(generator.uniform(np.log(choice.lower), np.log(choice.upper), count))
        else:
            drawn[name] = generator.uniform(choice.lower, choice.upper, count)
    if "token_count" in drawn and "token_count" not in choices:
        drawn["token_count"] = drawn["token_count"] * BUDGET / flops_of(drawn)
    return drawn


@pytest.mark.parametrize("kind", FORMS, ids=lambda kind: kind.form_name)
def test_no_decision_is_better_than_the_plan(kind):
    law = law_of(kind)
    choices = {}
    if kind.optimisation_class is OptimisationClass.CONVEX:
        plan = plan_training(TrainingProblem(law, {}))
        mixtures = np.random.default_rng(0).dirichlet(np.ones(len(kind.variables)), 3000)
        others = law.loss(**dict(zip(kind.variables, mixtures.T, strict=True)))
    else:
        choices, budgeted = choices_of(kind.tuned_form or kind)
        limits = {"training_flops": BUDGET} if budgeted else {}
        plan = plan_training(TrainingProblem(law, limits, law_variables=choices))
        drawn = decisions_at_random(
            kind, choices, lambda at: np.asarray(law.form.training_flops(law.compute_model, **at))
        )
        others = law.loss(**drawn)
    value, others = plan.metrics["loss"].value, np.asarray(others)[np.isfinite(others)]
    assert len(others) > 1000
    slack = 1e-6 * abs(value)
    if kind.larger_is_better:
        assert value >= others.max() - slack
    else:
        assert value <= others.min() + slack
    searching = (kind.tuned_form or kind).optimisation_class is OptimisationClass.SEARCH
    signed = any(choice.lower is not None and choice.lower <= 0 for choice in choices.values())
    assert plan.outcome is (Outcome.FEASIBLE if signed or searching else Outcome.OPTIMAL)
    assert explain(plan)


def test_a_fitted_law_of_repeated_data_plans_without_a_limit_on_unique_tokens():
    kind = next(kind for kind in FORMS if kind.form_name == "data-constrained")
    published = law_of(kind)
    draws = np.array(list(published.form.values().values())) * np.exp(np.random.default_rng(0).normal(0, 0.01, (60, 7)))
    base = replace(published, name="base", form=published.form.base)
    plan = plan_training(TrainingProblem(replace(published, draws=draws), {"training_flops": BUDGET}))
    unlimited = plan_training(TrainingProblem(base, {"training_flops": BUDGET})).decision
    assert plan.decision.parameter_count == pytest.approx(unlimited.parameter_count, rel=1e-6)
    interval = plan.decision_intervals["parameter_count"]
    assert interval.lower < plan.decision.parameter_count < interval.upper


@pytest.mark.parametrize("kind", [kind for kind in FORMS if set(kind.variables) - set(FREE)], ids=lambda k: k.form_name)
def test_what_no_budget_bounds_has_to_be_said(kind):
    needed = set(kind.variables) - set(FREE) - set(kind.hyper_parameters) - {"expert_count", "unique_token_count"}
    if kind.optimisation_class is OptimisationClass.CONVEX or not needed:
        return
    with pytest.raises(InvalidInput) as refusal:
        plan_training(TrainingProblem(law_of(kind), {"training_flops": BUDGET}))
    assert {f"law_variables.{name}" for name in needed} <= {v.field for v in refusal.value.violations}


def test_a_settled_size_leaves_the_tokens_to_the_budget():
    published = next(entry for entry in laws() if entry.name == "muennighoff-2023")
    size = {"parameter_count": LawVariable((2e9,))}
    plan = plan_training(
        TrainingProblem(published, {"training_flops": BUDGET}, unique_token_count=1e9, law_variables=size)
    )
    assert plan.decision.parameter_count == 2e9
    assert plan.decision.token_count == pytest.approx(BUDGET / (6 * 2e9), rel=1e-6)


def test_a_target_of_a_metric_that_grows_is_a_floor():
    """Hilton et al. 2023: least compute of a performance; N E is least where both terms share by their exponents."""
    kind = next(kind for kind in FORMS if kind.form_name == "intrinsic-performance")
    law = law_of(kind)
    ranges = {name: LawVariable(lower=1.0, upper=1e12) for name in kind.variables}
    best = plan_training(TrainingProblem(law, {"parameter_count": 1e6}, law_variables=ranges))
    target = 0.5 * best.metrics["loss"].value
    cheap = plan_training(TrainingProblem(law, {"loss": target}, minimize="parameter_count", law_variables=ranges))
    assert cheap.metrics["loss"].value == pytest.approx(target, rel=1e-5)
    assert cheap.decision.parameter_count < 1e6


def test_a_law_without_embeddings_says_so_where_hardware_is_charged():
    """Pearce & Song 2024: total = N + 47491 N^(1/3)."""
    published = next(entry for entry in laws() if entry.name == "kaplan-2020")
    in_flops = plan_training(TrainingProblem(published, {"training_flops": BUDGET}))
    on_hardware = plan_training(
        TrainingProblem(published, {"training_usd": 1e4}, hardware=HardwareChoice(("H100-SXM",)))
    )
    n = on_hardware.decision.parameter_count
    assert on_hardware.decision.total_parameter_count == pytest.approx(n + 47491 * n ** (1 / 3))
    assert "EMBEDDINGS_LEFT_OUT" in {w.code for w in on_hardware.warnings}
    assert "EMBEDDINGS_LEFT_OUT" not in {w.code for w in in_flops.warnings}
