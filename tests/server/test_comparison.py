"""Forms are compared as an operation, and a law can be fitted in the form that wins."""

from __future__ import annotations

from typing import Any

import grpc
import numpy as np
import pytest
from google.longrunning import operations_pb2
from google.protobuf import duration_pb2

from apportion.tables import Table
from apportion.v1 import comparison_pb2, law_pb2, laws_service_pb2
from planner.laws import law

Compare = laws_service_pb2.CompareFormsRequest


def wait(server: Any, operation: operations_pb2.Operation) -> operations_pb2.Operation:
    request = operations_pb2.WaitOperationRequest(name=operation.name, timeout=duration_pb2.Duration(seconds=60))
    done: operations_pb2.Operation = server.operations.WaitOperation(request, timeout=70)
    assert done.done
    return done


@pytest.fixture(scope="module")
def run_set(server: Any, runs: Any) -> str:
    return str(server.laws.ImportRuns(laws_service_pb2.ImportRunsRequest(table=runs)).name)


def test_the_form_that_made_the_runs_wins(server: Any, run_set: str) -> None:
    request = Compare(run_set=run_set, forms=["Chinchilla", "kaplan"], holdout="N > 5e9", bootstrap_draw_count=100)
    found = comparison_pb2.FormComparison()
    assert wait(server, server.laws.CompareForms(request)).response.Unpack(found)
    assert found.chosen_form == "chinchilla"
    assert found.ranking[0].form == "chinchilla"
    assert found.ranking[0].holdout_error.value < 0.02
    assert found.trustworthy
    assert found.error_kind == "log_ratio"
    assert (found.row_count, found.holdout_row_count) == (50, 10)
    assert {score.form for score in found.ranking if score.baseline} == {"nearest-run", "log-plane", "constant"}
    assert all(len(score.split_errors) == len(found.splits) for score in found.ranking)


def test_auto_fits_the_winner(server: Any, run_set: str) -> None:
    request = laws_service_pb2.FitLawRequest(run_set=run_set, form="auto", bootstrap_draw_count=10)
    law = law_pb2.Law()
    assert wait(server, server.laws.FitLaw(request)).response.Unpack(law)
    assert "by extrapolation" in law.provenance["option.form chosen"]
    assert law.coefficients


def test_what_cannot_be_compared_is_refused(server: Any, run_set: str, refused: Any) -> None:
    unknown = refused(server.laws.CompareForms, Compare(run_set=run_set, forms=["chinchila"]))
    assert (unknown.code, unknown.reason) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_NAME")
    everything = refused(server.laws.CompareForms, Compare(run_set=run_set, forms=["kaplan"], holdout="N > 1"))
    assert (everything.code, everything.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["holdout"])
    draws = refused(server.laws.CompareForms, Compare(run_set=run_set, bootstrap_draw_count=-1))
    assert draws.fields == ["bootstrap_draw_count"]
    missing = refused(server.laws.CompareForms, Compare(run_set="runSets/none"))
    assert missing.code == grpc.StatusCode.NOT_FOUND


@pytest.fixture(scope="module")
def profiles(server: Any) -> str:
    """Five isoFLOP budgets of a published law, with a second column of losses and two recipes."""
    truth = law("besiroglu-2024").form
    flops = np.repeat(np.geomspace(1e19, 1e21, 5), 7)
    n = np.sqrt(flops / 120.0) * np.tile(np.geomspace(0.3, 3.0, 7), 5)
    d = flops / (6.0 * n)
    luck = np.exp(0.002 * np.random.default_rng(2).standard_normal(35))
    loss = np.asarray(truth.loss(parameter_count=n, token_count=d)) * luck
    columns = {"N": n, "D": d, "loss": loss, "code": 0.6 * loss, "recipe": [str(k % 2) for k in range(35)]}
    request = laws_service_pb2.ImportRunsRequest(table=Table.read(columns).to_proto())
    return str(server.laws.ImportRuns(request).name)


def test_several_columns_of_losses_share_a_form(server: Any, profiles: str) -> None:
    request = laws_service_pb2.CompareTargetsRequest(
        run_set=profiles, targets=["loss", "code"], forms=["chinchilla", "kaplan"], bootstrap_draw_count=50
    )
    found = comparison_pb2.TargetComparison()
    assert wait(server, server.laws.CompareTargets(request)).response.Unpack(found)
    assert set(found.targets) == {"loss", "code"}
    assert {each.chosen_form for each in found.targets.values()} == {found.chosen_form}


def test_three_approaches_stand_side_by_side(server: Any, profiles: str) -> None:
    request = laws_service_pb2.CompareApproachesRequest(run_set=profiles, bootstrap_draw_count=50)
    found = comparison_pb2.ApproachComparison()
    assert wait(server, server.laws.CompareApproaches(request)).response.Unpack(found)
    assert [a.name for a in found.approaches] == ["envelope", "isoflop", "parametric"]
    values = [a.compute_optimal_exponent.value for a in found.approaches if a.HasField("compute_optimal_exponent")]
    assert len(values) >= 2
    assert found.disagreement == pytest.approx(max(values) - min(values))
    assert found.pooled.lower < 0.5126 < found.pooled.upper
    assert all(a.caveat for a in found.approaches)


def test_a_fit_on_profiles_says_what_other_approaches_read_off_them(server: Any, profiles: str) -> None:
    request = laws_service_pb2.FitLawRequest(run_set=profiles, form="chinchilla", bootstrap_draw_count=50)
    fitted = law_pb2.Law()
    assert wait(server, server.laws.FitLaw(request)).response.Unpack(fitted)
    assert {"parametric", "isoflop", "pooled"} <= set(fitted.approach_exponents)
    assert fitted.approach_exponents["parametric"].value == fitted.compute_optimal_exponent.value
    assert fitted.metric == "loss (in the unit of the runs)"
    stored = server.laws.GetLaw(laws_service_pb2.GetLawRequest(name=fitted.name))
    assert stored.approach_exponents["isoflop"] == fitted.approach_exponents["isoflop"]
    assert stored.drift_per_decade > 0.0


def test_coefficients_can_be_held(server: Any, run_set: str, refused: Any) -> None:
    fit = laws_service_pb2.FitLawRequest
    held = fit(run_set=run_set, form="chinchilla", bootstrap_draw_count=5, fixed_coefficients={"E": 1.7})
    fitted = law_pb2.Law()
    assert wait(server, server.laws.FitLaw(held)).response.Unpack(fitted)
    assert fitted.coefficients["E"] == 1.7
    assert fitted.provenance["option.fixed E"] == "1.7"
    auto = refused(server.laws.FitLaw, fit(run_set=run_set, form="auto", fixed_coefficients={"E": 1.7}))
    assert auto.fields == ["fixed_coefficients"]
    unknown = refused(server.laws.FitLaw, fit(run_set=run_set, form="chinchilla", fixed_coefficients={"e": 1.7}))
    assert (unknown.code, unknown.reason) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_NAME")


def test_groups_have_errors_of_their_own(server: Any, profiles: str) -> None:
    request = Compare(run_set=profiles, forms=["chinchilla"], group_column="recipe", bootstrap_draw_count=20)
    found = comparison_pb2.FormComparison()
    assert wait(server, server.laws.CompareForms(request)).response.Unpack(found)
    best = next(score for score in found.ranking if score.form == "chinchilla")
    assert set(best.group_errors) == {"0", "1"}
    assert best.group_errors[best.worst_group] == max(best.group_errors.values())


def test_targets_and_approaches_are_checked_beforehand(server: Any, run_set: str, refused: Any) -> None:
    targets, approaches = laws_service_pb2.CompareTargetsRequest, laws_service_pb2.CompareApproachesRequest
    none = refused(server.laws.CompareTargets, targets(run_set=run_set))
    assert none.fields == ["targets"]
    unknown = refused(server.laws.CompareTargets, targets(run_set=run_set, targets=["code"]))
    assert (unknown.code, unknown.reason) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_NAME")
    seed = refused(server.laws.CompareApproaches, approaches(run_set=run_set, seed=-1))
    assert seed.fields == ["seed"]
    assert server.laws.CompareApproaches(approaches(run_set=run_set, validate_only=True)).done


def test_checking_alone_starts_nothing(server: Any, run_set: str) -> None:
    answer = server.laws.CompareForms(Compare(run_set=run_set, forms=["kaplan"], validate_only=True))
    assert answer.done
    assert not answer.name
