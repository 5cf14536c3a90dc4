"""A realizable laboratory: students learn from a teacher they could match exactly, so every error has a known cause.

A fixed two-layer network (the teacher, `TEACHER_WIDTH` units) labels Gaussian inputs, with noise of known size or none.
Students of the same shape learn from finitely many labels by full-batch descent (Adam, cosine to zero). A student at
least as wide as the teacher can represent it: what error it has on noiseless test labels is not lack of capacity. So:

    noise               the labels' own variance: what no student can predict
    realizability       error of the narrow student with unlimited data and long training, above that of the wide one
    learning deficiency error left on the training data itself, where a perfect optimiser would leave none
    uncertainty         the rest: what finitely many labels leave open

After Rosenfeld 2021 (2108.07686), who finds that in such a setting a power law persists, and that realizability is not
the main term. Numpy only. `python examples/teacher_student/laboratory.py` takes a few minutes, `--quick` some seconds.
"""

from __future__ import annotations

import argparse
import itertools
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.fitting import FittedLaw, Runs, fit_law

Array = NDArray[np.float64]
INPUTS = 8
TEACHER_WIDTH = 24
TEST_POINTS = 4000


@dataclass(frozen=True)
class Study:
    """The grid of runs: training points, widths, label noise (standard deviation), steps of training, seeds."""

    points: tuple[int, ...] = (64, 128, 256, 512, 1024, 2048, 4096)
    widths: tuple[int, ...] = (3, 12, 24)
    noises: tuple[float, ...] = (0.0, 0.3)
    steps: tuple[int, ...] = (150, 600, 2400)
    seeds: tuple[int, ...] = (0, 1)


QUICK = Study(points=(64, 256, 384, 512, 1024, 2048), widths=(3, 24), steps=(150, 600), seeds=(0,))


@dataclass(frozen=True)
class Run:
    """One student: its setting, its error on noiseless test labels, and its error on its own training labels."""

    points: int
    width: int
    noise: float
    steps: int
    seed: int
    parameters: int
    test_error: float  # mean squared, over the variance of the teacher's output
    training_error: float  # likewise, against the labels it was given

    @property
    def uncertainty(self) -> float:
        """Of a noiseless run: the error on new points above that on its own, at least a thousandth of it."""
        return max(self.test_error - self.training_error, 1e-3 * self.test_error)


@dataclass(frozen=True)
class Causes:
    """Error of one setting by cause; the four add up to the error against noisy labels."""

    realizability: float
    uncertainty: float
    learning_deficiency: float
    noise: float


def teacher() -> tuple[Array, Array]:
    """Weights of the two layers: (inputs, units) and (units,), so scaled that its output has unit variance."""
    generator = np.random.default_rng(2021)
    inner = generator.standard_normal((INPUTS, TEACHER_WIDTH))
    rank = np.arange(1, TEACHER_WIDTH + 1)
    outer = np.where(rank % 2, 1.0, -1.0) / rank  # ever fainter units: there is always something left to learn
    x = generator.standard_normal((20_000, INPUTS))
    return inner, outer / np.std(np.tanh(x @ inner) @ outer)


def train(points: int, width: int, noise: float, steps: int, seed: int) -> Run:
    """Train one student. Everything follows from the arguments."""
    generator = np.random.default_rng([seed, points, width, steps])
    inner, outer = teacher()
    data = np.random.default_rng([seed, 7])  # students of a seed share their data: larger sets contain the smaller
    x = data.standard_normal((points, INPUTS))
    clean = np.tanh(x @ inner) @ outer
    y = clean + noise * np.random.default_rng([seed, 8]).standard_normal(points)
    w = generator.standard_normal((INPUTS, width)) / np.sqrt(INPUTS) * 1.5
    v = generator.standard_normal(width) / np.sqrt(width)
    weights: list[Array] = [w, v]
    mean = [np.zeros_like(p) for p in weights]
    square = [np.zeros_like(p) for p in weights]
    for step in range(1, steps + 1):
        hidden = np.tanh(x @ weights[0])
        error = (hidden @ weights[1] - y) / points
        back = (error[:, None] * weights[1]) * (1.0 - hidden**2)
        rate = 0.03 * 0.5 * (1.0 + np.cos(np.pi * step / steps))
        for k, gradient in enumerate((x.T @ back, hidden.T @ error)):
            mean[k] = 0.9 * mean[k] + 0.1 * gradient
            square[k] = 0.999 * square[k] + 0.001 * gradient**2
            corrected = mean[k] / (1.0 - 0.9**step)
            weights[k] = weights[k] - rate * corrected / (np.sqrt(square[k] / (1.0 - 0.999**step)) + 1e-9)
    test = np.random.default_rng(99).standard_normal((TEST_POINTS, INPUTS))
    missed = np.tanh(test @ weights[0]) @ weights[1] - np.tanh(test @ inner) @ outer
    left = np.tanh(x @ weights[0]) @ weights[1] - y
    parameters = INPUTS * width + width
    return Run(points, width, noise, steps, seed, parameters, float(np.mean(missed**2)), float(np.mean(left**2)))


def surface(study: Study) -> list[Run]:
    """All runs of the grid."""
    grid = itertools.product(study.points, study.widths, study.noises, study.steps, study.seeds)
    return [train(*setting) for setting in grid]


def error_at(runs: list[Run], **setting: float) -> float:
    """Test error of a setting, the geometric mean over seeds."""
    chosen = [r.test_error for r in runs if all(getattr(r, k) == x for k, x in setting.items())]
    return float(np.exp(np.mean(np.log(chosen))))


def causes(runs: list[Run], points: int, width: int, noise: float, steps: int) -> Causes:
    """What makes up the error of one setting, from runs that differ from it in one respect each.

    `runs` must hold the noiseless runs of the largest data and longest training, of this width and of the widest.
    """
    most, longest = max(r.points for r in runs), max(r.steps for r in runs)
    widest = max(r.width for r in runs)
    error = error_at(runs, points=points, width=width, noise=noise, steps=steps)
    able = error_at(runs, points=most, width=widest, noise=0.0, steps=longest)
    capacity = error_at(runs, points=most, width=width, noise=0.0, steps=longest)
    realizability = min(max(capacity - able, 0.0), error)
    # Longer training of the same student on the same labels: what the optimiser has not found yet.
    trained = error_at(runs, points=points, width=width, noise=noise, steps=longest)
    # What even the longest training leaves on its own labels, beyond what width and noise excuse.
    mine = [r for r in runs if (r.points, r.width, r.noise, r.steps) == (points, width, noise, steps)]
    excused = realizability + noise**2 * max(1.0 - mine[0].parameters / points, 0.0)
    left = float(np.mean([r.training_error for r in mine])) - excused
    deficiency = min(max(error - trained, left, 0.0), error - realizability)
    return Causes(realizability, error - realizability - deficiency, deficiency, noise**2)


def fitted_small(runs: list[Run], most_points: int, width: int) -> tuple[FittedLaw, list[Run]]:
    """A power law of uncertainty in training points, from noiseless data sets of up to `most_points`; the runs beyond.

    Uncertainty is the error on new points above that on the student's own: what the optimiser leaves is in both. Fewer
    points than parameters are left out: there the student interpolates, and error follows no power law.
    """
    longest = max(r.steps for r in runs)
    mine = [r for r in runs if r.noise == 0.0 and r.width == width and r.steps == longest and r.points >= r.parameters]
    small, large = [r for r in mine if r.points <= most_points], [r for r in mine if r.points > most_points]
    columns = {"tokens": [float(r.points) for r in small], "loss": [r.uncertainty for r in small]}
    # Realizable and without noise: nothing keeps the error up, so the floor is held at next to nothing.
    return fit_law(Runs.from_columns(columns), "power-of-tokens", fixed={"E": 1e-9}, bootstrap=0), large


def report(study: Study, runs: list[Run]) -> None:
    """Print the surface, the causes, and what the small runs foretold of the large ones."""
    longest, most, noisy = max(study.steps), max(study.points), max(study.noises)
    print(f"test error (of the teacher's variance), {longest} steps; teacher width {TEACHER_WIDTH}")
    for noise in study.noises:
        print(f"  label noise {noise:g}" + "".join(f"{n:>10d}" for n in study.points) + "   points")
        for width in study.widths:
            errors = (error_at(runs, points=n, width=width, noise=noise, steps=longest) for n in study.points)
            print(f"  width {width:>8d}" + "".join(f"{e:>10.2g}" for e in errors))
    print(f"\n{'setting':<44}{'realizable':>11}{'uncertain':>11}{'learning':>11}{'noise':>8}")
    wide = study.widths[-1]
    middle = study.points[len(study.points) // 2]
    for points, width, noise, steps in (
        (most, study.widths[0], 0.0, longest),
        (study.points[0], wide, 0.0, longest),
        (middle, wide, noisy, longest),
        (most, wide, 0.0, study.steps[0]),
    ):
        found = causes(runs, points, width, noise, steps)
        name = f"{points} points, width {width}, noise {noise:g}, {steps} steps"
        print(
            f"{name:<44}{found.realizability:>11.2g}{found.uncertainty:>11.2g}"
            f"{found.learning_deficiency:>11.2g}{found.noise:>8.2g}"
        )
    small = study.points[-3]
    law, large = fitted_small(runs, small, wide)
    slope = float(np.mean(law.form.values()["alpha"]))
    print(f"\nnoiseless, width {wide}, fitted to {small} points and fewer: uncertainty falls as points^-{slope:.2f}")
    for r in large:
        foretold = float(law.loss(token_count=float(r.points)))
        print(f"  {r.points} points (seed {r.seed}): foretold {foretold:.2g}, measured {r.uncertainty:.2g}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small grid, some seconds")
    chosen = QUICK if parser.parse_args().quick else Study()
    begun = time.perf_counter()
    report(chosen, surface(chosen))
    print(f"\n{time.perf_counter() - begun:.0f} s")
