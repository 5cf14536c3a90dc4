"""The solved case of data pruning against a simulation, a textbook's constant, and the form assumed for real data."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import pytest

from planner.errors import InvalidInput
from planner.fitting import Runs, fit_law
from planner.laws.pruning_theory import perceptron_error


def simulated(parameters: int, per_parameter: float, share: float, keep: str, seed: int) -> float:
    """Test error of the classifier of largest margin, by quadratic programming."""
    generator = np.random.default_rng(seed)
    teacher = generator.standard_normal(parameters)
    examples = generator.standard_normal((int(per_parameter * parameters / share), parameters))
    margin = examples @ teacher
    order = np.argsort(np.abs(margin))
    count = int(per_parameter * parameters)
    kept = order[:count] if keep == "hard" else order[-count:]
    student = cp.Variable(parameters)
    right = cp.multiply(np.sign(margin[kept]), examples[kept] @ student) >= 1
    cp.Problem(cp.Minimize(cp.sum_squares(student)), [right]).solve()
    overlap = student.value @ teacher / np.linalg.norm(student.value) / np.linalg.norm(teacher)
    return float(np.arccos(overlap) / np.pi)


@pytest.mark.parametrize(
    ("per_parameter", "share", "keep"), [(2.0, 1.0, "hard"), (5.0, 0.3, "hard"), (2.0, 0.3, "easy")]
)
def test_theory_is_what_a_simulation_finds(per_parameter: float, share: float, keep: str) -> None:
    found = np.mean([simulated(80, per_parameter, share, keep, seed) for seed in range(5)])
    assert found == pytest.approx(perceptron_error(per_parameter, share, keep), rel=0.12)  # type: ignore[arg-type]


def test_without_pruning_the_error_is_half_an_example_per_parameter() -> None:
    """Opper & Kinzel: the perceptron of largest margin errs as 0.5005/α."""
    assert perceptron_error(200.0, 1.0) * 200.0 == pytest.approx(0.5005, abs=5e-4)


def test_hard_examples_pay_where_data_abound_and_easy_ones_where_they_are_scarce() -> None:
    assert perceptron_error(10.0, 0.3) < perceptron_error(10.0, 0.3, "easy") < perceptron_error(10.0, 1.0)
    assert perceptron_error(0.5, 0.3, "easy") < perceptron_error(0.5, 1.0) < perceptron_error(0.5, 0.3)


def test_the_best_share_makes_errors_fall_faster_than_any_power() -> None:
    """With as many examples to choose from as one likes, the slope of log error in log kept examples grows."""
    kept = np.array([0.5, 1.0, 2.0, 4.0])
    shares = np.geomspace(0.01, 1.0, 15)
    best = np.array([min(perceptron_error(a, f) for f in shares) for a in kept])
    slopes = np.diff(np.log(best)) / np.diff(np.log(kept))
    assert np.all(np.diff(slopes) < 0)
    assert slopes[-1] < -2.0


def test_theory_is_solved_all_over_its_range() -> None:
    for per_parameter in (0.1, 1.0, 30.0, 1000.0):
        for share in (0.01, 0.2, 1.0):
            for keep in ("hard", "easy"):
                assert 0.0 < perceptron_error(per_parameter, share, keep) < 0.5


def test_the_form_assumed_for_real_data_fits_the_solved_case() -> None:
    per_parameter, share = (x.ravel() for x in np.meshgrid(np.geomspace(1, 12, 8), [0.2, 0.35, 0.6, 1.0]))
    errors = np.array([perceptron_error(a, f) for a, f in zip(per_parameter, share, strict=True)])
    columns = {"token_count": 1e6 * per_parameter, "kept_share": share}
    fitted = fit_law(Runs.from_columns({**columns, "loss": errors}), "data-pruning", bootstrap=0)
    missed = np.abs(np.log(fitted.form.loss(**columns) / errors))
    assert np.median(missed) < 0.08
    assert missed.max() < np.log(1.8)


def test_no_share_of_nothing() -> None:
    with pytest.raises(InvalidInput, match="kept_share"):
        perceptron_error(1.0, 0.0)
