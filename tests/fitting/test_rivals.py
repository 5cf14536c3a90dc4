"""What the choice of a form leaves open is inside the interval of the exponent; what does not vary is said."""

from __future__ import annotations

import numpy as np
import pytest

from planner.fitting import Runs, fit_best, fit_law
from planner.fitting.rivals import widened_by
from planner.laws.chinchilla import Chinchilla

TRUTH = Chinchilla(1.8, 480.0, 2100.0, 0.35, 0.37)
EXPONENT = 0.37 / (0.35 + 0.37)


def table(tokens: float | None = None, seed: int = 0) -> Runs:
    random = np.random.default_rng(seed)
    n = np.exp(random.uniform(np.log(5e7), np.log(5e9), 40))
    d = n * np.exp(random.uniform(np.log(3), np.log(300), 40)) if tokens is None else np.full(40, tokens)
    loss = TRUTH.loss(parameter_count=n, token_count=d) * np.exp(0.001 * random.standard_normal(40))
    return Runs.from_columns({"N": n, "D": d, "loss": loss})


@pytest.mark.parametrize("seed", range(2))
def test_the_exponent_of_a_chosen_form_takes_in_those_of_forms_that_do_nearly_as_well(seed: int) -> None:
    law = fit_best(table(seed=seed), bootstrap=60)
    assert law.compute_optimal_exponent is not None
    interval = law.compute_optimal_exponent.parameters
    assert interval.lower <= EXPONENT <= interval.upper


def test_other_exponents_widen_both_intervals_and_are_named() -> None:
    law = fit_law(table(), bootstrap=60)
    own = law.compute_optimal_exponent
    assert own is not None
    alike = {"kaplan": (own.parameters.value, own.tokens.value)}
    assert widened_by(law, alike) is law
    wider = widened_by(law, {**alike, "coupled": (0.3, 0.7)})
    assert wider.compute_optimal_exponent is not None
    assert wider.compute_optimal_exponent.parameters.lower == 0.3
    assert wider.compute_optimal_exponent.parameters.upper == own.parameters.upper
    assert wider.compute_optimal_exponent.tokens.upper == 0.7
    assert wider.warnings[-1].code == "FORMS_DISAGREE"
    assert "0.300 by coupled" in wider.warnings[-1].sentence
    assert "kaplan" not in wider.warnings[-1].sentence


def test_what_does_not_vary_is_said() -> None:
    notes = {w.code: w.sentence for w in fit_best(table(tokens=2e10), bootstrap=0).warnings}
    assert notes["ONE_VALUE"].startswith("D is 2e+10 in all runs")
    assert "ONE_VALUE" not in {w.code for w in fit_best(table(), bootstrap=0).warnings}
