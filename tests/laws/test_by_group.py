"""A form by group is spelled by its name, and a law by group predicts by the names of its groups."""

from __future__ import annotations

import json

import numpy as np
import pytest

from planner.allocation import LawVariable, TrainingProblem, plan_training
from planner.errors import InvalidInput, UnknownName
from planner.fitting import Runs, fit_law, from_document, to_document
from planner.laws.by_group import by_group, scales
from planner.laws.chinchilla import Chinchilla
from planner.laws.forms import form_class

LAWS = {"web": Chinchilla(1.7, 400.0, 2000.0, 0.34, 0.37), "books": Chinchilla(2.1, 550.0, 1500.0, 0.34, 0.37)}


def runs() -> Runs:
    random = np.random.default_rng(5)
    n, d = np.exp(random.uniform(np.log([5e7, 1e9]), np.log([5e9, 1e11]), (40, 2))).T
    corpus = np.where(np.arange(40) % 2 == 0, "web", "books")
    losses = [float(LAWS[c].loss(parameter_count=a, token_count=b)) for a, b, c in zip(n, d, corpus, strict=True)]
    return Runs.from_columns({"N": n, "D": d, "loss": losses, "corpus": corpus})


def test_the_name_says_what_groups_have_of_their_own() -> None:
    made = by_group(Chinchilla, scales(Chinchilla), 3)
    assert made.form_name == "chinchilla@3:E,A,B"
    assert form_class(made.form_name) is made


@pytest.mark.parametrize("name", ["chinchilla@0:E", "chinchilla@many:E", "chinchilla@2:F", "chinchila@2:E"])
def test_names_that_mean_nothing_are_refused(name: str) -> None:
    with pytest.raises(UnknownName):
        form_class(name)


@pytest.mark.parametrize("sharing", ["scales", "own"])
def test_a_law_by_group_predicts_each_group(sharing: str) -> None:
    law = fit_law(runs(), "chinchilla", group="corpus", sharing=sharing, bootstrap=20)
    again = from_document(json.loads(json.dumps(to_document(law))))
    for found in (law, again):
        assert found.groups == ("web", "books")
        point = {"parameter_count": [1e9, 1e9], "token_count": [2e10, 2e10], "group": ["books", "web"]}
        expected = [LAWS[c].loss(parameter_count=1e9, token_count=2e10) for c in ("books", "web")]
        assert np.allclose(found.predict(point).loss, expected, rtol=1e-5)


def test_shared_slopes_have_one_compute_optimal_exponent() -> None:
    found = fit_law(runs(), "chinchilla", group="corpus", sharing="scales", bootstrap=0).compute_optimal_exponent
    assert found is not None
    assert found.parameters.value == pytest.approx(0.37 / 0.71, abs=1e-4)


def test_a_group_that_was_not_fitted_is_refused_by_name() -> None:
    law = fit_law(runs(), "chinchilla", group="corpus", sharing="own", bootstrap=0)
    with pytest.raises(InvalidInput, match=r"corpus = code.*one of: web, books"):
        law.predict({"parameter_count": 1e9, "token_count": 2e10, "group": "code"})
    with pytest.raises(InvalidInput, match="group"):
        law.predict({"parameter_count": 1e9, "token_count": 2e10})


def test_plans_take_a_group_by_its_number() -> None:
    law = fit_law(runs(), "chinchilla", group="corpus", sharing="scales", bootstrap=20)
    by_name, by_number = (law.predict({"parameter_count": 1e9, "token_count": 2e10, "group": g}) for g in ("books", 2))
    assert by_name.loss == by_number.loss
    budget = {"training_flops": 1e21}
    with pytest.raises(InvalidInput, match="group"):
        plan_training(TrainingProblem(law, budget))
    plan = plan_training(TrainingProblem(law, budget, law_variables={"group": LawVariable(values=(2.0,))}))
    n, d = plan.decision.parameter_count, plan.decision.token_count
    assert plan.metrics["loss"].value == pytest.approx(LAWS["books"].loss(parameter_count=n, token_count=d), rel=1e-4)


def test_sharing_needs_groups() -> None:
    with pytest.raises(InvalidInput, match="a column that names groups"):
        fit_law(runs(), "chinchilla", sharing="own", bootstrap=0)
    with pytest.raises(InvalidInput, match="pooled, scales or own"):
        fit_law(runs(), "chinchilla", group="corpus", sharing="some", bootstrap=0)
