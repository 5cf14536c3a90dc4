"""A form is judged by the mean over the ways it was fitted, on what it has to say of all variables."""

from __future__ import annotations

from planner.fitting.merit import LEFT_OUT, best_ways, handicaps
from planner.fitting.refit import SQUARES
from planner.fitting.way import Way
from planner.laws.chinchilla import Chinchilla
from planner.laws.compute_sigmoid import ComputeSigmoid
from planner.laws.coupled import Coupled
from planner.laws.data_constrained import DataConstrained
from planner.laws.farseer import Farseer
from planner.laws.kaplan import Kaplan


def test_one_low_error_of_two_is_luck_until_the_other_agrees() -> None:
    errors = {Way(Kaplan): 0.010, Way(Kaplan, delta=SQUARES): 0.020, Way(Coupled): 0.011}
    errors[Way(Coupled, delta=SQUARES)] = 0.012
    assert list(best_ways(errors).values()) == [Way(Coupled), Way(Kaplan)]


def test_the_better_delta_of_the_best_form_is_taken() -> None:
    errors = {Way(Coupled): 0.012, Way(Coupled, delta=SQUARES): 0.011}
    assert best_ways(errors)[Coupled] == Way(Coupled, delta=SQUARES)


def test_what_was_not_tried_in_every_way_comes_after_what_was() -> None:
    errors = {Way(Kaplan): 0.010, Way(Coupled): 0.011, Way(Coupled, delta=SQUARES): 0.012}
    assert next(iter(best_ways(errors))) is Coupled


def test_a_form_blind_to_repetition_has_to_be_twice_as_good() -> None:
    simpler = handicaps([Kaplan])[Kaplan]
    assert handicaps([DataConstrained, Kaplan])[Kaplan] == LEFT_OUT * simpler
    assert next(iter(best_ways({Way(DataConstrained): 0.019, Way(Kaplan): 0.010}))) is DataConstrained
    assert next(iter(best_ways({Way(DataConstrained): 0.021, Way(Kaplan): 0.010}))) is Kaplan


def test_compute_stands_for_parameters_and_tokens() -> None:
    together, alone = handicaps([Chinchilla, ComputeSigmoid]), handicaps([ComputeSigmoid])
    assert together[ComputeSigmoid] == alone[ComputeSigmoid]


def test_of_forms_that_do_alike_the_simpler_is_taken() -> None:
    assert next(iter(best_ways({Way(Farseer): 0.00978, Way(Coupled): 0.00979}))) is Coupled
