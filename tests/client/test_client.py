"""The two clients against a running service: the same answers, the same errors, deadlines, and what is left behind."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from apportion import (
    AlreadyExists,
    AsyncClient,
    Cancelled,
    Client,
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    NotIdentified,
    Unavailable,
)
from apportion.channel import Endpoint
from apportion.demo import RUNS

# E, A, B, alpha, beta of besiroglu-2024 (Besiroglu et al. 2024, Table 2).
E, A, B, ALPHA, BETA = 1.8172, 482.01, 2085.43, 0.3478, 0.3658


@pytest.fixture
def client(endpoint: str) -> Iterator[Client]:
    with Client(endpoint) as opened:
        yield opened


def test_a_training_plan_is_the_closed_form(client: Client) -> None:
    plan = client.plan_training(training_flops=1e22, law="besiroglu-2024")
    assert plan.outcome == "OPTIMAL"
    count = (ALPHA * A / (BETA * B)) ** (1 / (ALPHA + BETA)) * (1e22 / 6) ** (BETA / (ALPHA + BETA))
    assert plan.decision.parameter_count == pytest.approx(count, rel=1e-3)
    assert plan.decision.token_count == pytest.approx(1e22 / 6 / count, rel=1e-3)
    loss = E + A / count**ALPHA + B / (1e22 / 6 / count) ** BETA
    assert plan.metrics["loss"].value == pytest.approx(loss, rel=1e-4)
    assert plan.certificate is not None
    assert plan.certificate.feasible


async def test_both_clients_give_the_same_plan(client: Client, endpoint: str) -> None:
    async with AsyncClient(endpoint) as other:
        awaited = await other.plan_training(training_flops=1e21)
    blocking = client.plan_training(training_flops=1e21)
    assert awaited.decision == blocking.decision
    assert awaited.metrics == blocking.metrics


async def test_both_clients_raise_the_same_error(client: Client, endpoint: str) -> None:
    with pytest.raises(NotFound) as blocking:
        client.law("hofmann-2022")
    async with AsyncClient(endpoint) as other:
        with pytest.raises(NotFound) as awaited:
            await other.law("hofmann-2022")
    assert blocking.value.suggestions == awaited.value.suggestions
    assert "hoffmann-2022" in blocking.value.suggestions
    assert blocking.value.message == awaited.value.message


def test_both_clients_have_the_same_methods() -> None:
    def methods(kind: type) -> dict[str, inspect.Signature]:
        found = inspect.getmembers(kind, inspect.isfunction)
        return {name: inspect.signature(f) for name, f in found if not name.startswith("_")}

    assert methods(Client).keys() == methods(AsyncClient).keys()
    assert str(methods(Client)["predict"]).startswith("(self, /, law: ")


async def test_many_awaited_calls_share_one_client(endpoint: str) -> None:
    async with AsyncClient(endpoint) as client:
        budgets = [10.0**power for power in range(19, 25)]
        plans = await asyncio.gather(*(client.plan_training(training_flops=c) for c in budgets))
    assert [plan.decision.training_flops for plan in plans] == pytest.approx(budgets)


def test_threads_share_one_client(client: Client) -> None:
    with ThreadPoolExecutor(4) as pool:
        plans = list(pool.map(lambda c: client.plan_training(training_flops=c), [1e20, 1e21, 1e22, 1e23]))
    losses = [plan.metrics["loss"].value for plan in plans]
    assert losses == sorted(losses, reverse=True)


def test_a_stored_plan_can_be_had_again_explained_listed_and_deleted(client: Client) -> None:
    plan = client.plan_training(training_flops=1e22, plan_id="kept")
    assert plan.name == "plans/kept"
    assert client.get_plan("kept").decision == plan.decision
    assert "parameters" in client.explain_plan(plan)
    assert "plans/kept" in [item.name for item in client.list_plans()]
    with pytest.raises(AlreadyExists):
        client.plan_training(training_flops=1e21, plan_id="kept")
    client.delete_plan("kept")
    with pytest.raises(NotFound):
        client.get_plan("kept")


def test_a_law_is_fitted_shown_used_and_forgotten(client: Client) -> None:
    stages: list[str] = []
    law = client.fit(RUNS, form="chinchilla", where="epochs <= 4", bootstrap=50, name="mine", on_stage=stages.append)
    try:
        assert (law.name, law.form, law.grade) == ("laws/mine", "chinchilla", "FITTED")
        assert set(law.coefficients) == {"E", "A", "B", "alpha", "beta"}
        assert client.law("mine", draws=True).draws is not None
        assert client.law("mine").draws is None
        table = client.predict(law, {"N": [1e9, 4e9], "D": [2e10, 8e10]})
        assert table["N"] == (1e9, 4e9)
        for low, middle, high in zip(
            table["predicted_loss_lower"], table["predicted_loss"], table["predicted_loss_upper"]
        ):
            assert low < middle < high  # type: ignore[operator]
    finally:
        client.delete_law("mine")
    assert "laws/mine" not in [item.name for item in client.laws()]


def test_a_stored_run_set_is_fitted_and_stays(client: Client) -> None:
    runs = client.import_runs(RUNS, name="kept-runs")
    assert runs.row_count == 294
    law = client.fit(runs, form="chinchilla", where="epochs <= 4", bootstrap=0)
    client.delete_law(law.name)
    assert "runSets/kept-runs" in [item.name for item in client.run_sets()]
    client.delete_run_set("kept-runs")


@pytest.mark.parametrize(
    ("runs", "kind", "field"),
    [
        ({"N": [1e9], "D": [2e10], "loss": [2.5]}, (NotIdentified, InvalidArgument), ""),
        ({"N": ["big", "small"], "D": [1e9, 2e9], "loss": [3, 2]}, (InvalidArgument,), "N"),
        ({"N": [1e9, float("nan")], "D": [1e9, 2e9], "loss": [3, 2]}, (InvalidArgument,), "N"),
        ({"N": [1e9, -1], "D": [1e9, 2e9], "loss": [3, 2]}, (InvalidArgument, NotIdentified), "N"),
    ],
)
def test_a_refused_fit_leaves_nothing_stored(
    client: Client, runs: dict[str, list[object]], kind: tuple[type[Exception], ...], field: str
) -> None:
    before = client.run_sets()
    with pytest.raises(kind) as refusal:
        client.fit(runs, form="chinchilla")
    assert field in str(refusal.value)
    assert client.run_sets() == before


def test_a_fit_out_of_time_is_cancelled_and_leaves_nothing_stored(client: Client) -> None:
    before = client.run_sets()
    with pytest.raises(DeadlineExceeded):
        client.fit(RUNS, form="chinchilla", bootstrap=5000, timeout_seconds=0.01)
    assert client.run_sets() == before


def test_estimates_keep_rows_and_columns(client: Client) -> None:
    points = {
        "note": ["b", "a"],
        "model": ["meta-llama/Meta-Llama-3.1-70B"] * 2,
        "system": ["h100_sxm", "h200_sxm"],
        "n_gpus": [8, 8],
        "tp": [8, 8],
        "precision": ["fp8", "fp8"],
        "isl": [1024, 1024],
        "osl": [1024, 1024],
        "concurrency": [16, 64],
    }
    table = client.estimate_serving(points)
    assert list(table.columns)[: len(points)] == list(points)
    assert table["note"] == ("b", "a")
    assert set(table["supported"]) <= {True, False}
    assert len(table["predicted_tpot_seconds_upper"]) == 2


def test_hardware_can_be_looked_up(client: Client) -> None:
    assert client.accelerator("h100-sxm").name == "accelerators/H100-SXM"
    assert "accelerators/L40S" in [item.name for item in client.accelerators()]
    assert client.model_shape("Meta-Llama-3.1-70B").layer_count == 80
    assert len(client.model_shapes()) > 20
    with pytest.raises(NotFound) as refusal:
        client.accelerator("H300-SXM")
    assert refusal.value.suggestions


def test_a_front_is_computed_and_nothing_in_it_is_dominated(client: Client) -> None:
    front = client.front(
        objectives=["loss", "lifetime_flops"], points=8, inference_tokens=1e12, training_flops=1e22, max_loss=2.6
    )
    values = [[point.metrics[name].value for name in front.objectives] for point in front.points]
    assert len(values) >= 2
    for one in values:
        assert not any(other != one and all(a <= b for a, b in zip(other, one)) for other in values)


def test_an_infeasible_plan_is_an_answer(client: Client) -> None:
    plan = client.plan_training(max_loss=2.0, training_flops=1e20, law="besiroglu-2024")
    assert (plan.outcome, plan.feasible) == ("INFEASIBLE", False)
    assert plan.conflicts
    assert plan.relaxation[0].factor != 1


def test_nobody_there_is_unavailable_and_names_the_endpoint() -> None:
    started = time.monotonic()
    with Client("127.0.0.1:1") as client, pytest.raises(Unavailable, match=r"127\.0\.0\.1:1"):
        client.laws()
    assert time.monotonic() - started < 6


def test_a_deadline_ends_a_call(client: Client) -> None:
    with pytest.raises(DeadlineExceeded):
        client.plan_training(training_flops=1e22, timeout_seconds=1e-4)


def test_a_closed_client_refuses_calls(endpoint: str) -> None:
    client = Client(endpoint)
    client.close()
    with pytest.raises(Cancelled):
        client.laws()


def test_the_environment_names_the_endpoint(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPORTION_ENDPOINT", f"grpc://{endpoint}")
    with Client() as client:
        assert client.laws()
        assert client.embedded_server is None


@pytest.mark.parametrize("endpoint_text", ["nonsense", ":50051", "host:port", "host:0", "host:99999"])
def test_what_is_no_endpoint_is_refused(endpoint_text: str) -> None:
    with pytest.raises(InvalidArgument, match="endpoint"):
        Client(endpoint_text)


def test_a_token_travels_in_the_clear_only_on_this_machine() -> None:
    near, away = Endpoint.named("127.0.0.1:50051", "secret"), Endpoint.named("planner.example:443", "secret")
    assert near is not None
    assert away is not None
    assert (near.tls, away.tls) == (False, True)
    assert away.metadata == (("authorization", "Bearer secret"),)


def test_calls_are_retried_while_nobody_answers_yet() -> None:
    """A server that refuses twice with UNAVAILABLE is asked a third time, with the same request id."""
    seen: list[str] = []

    def refuse(request: bytes, context: grpc.ServicerContext) -> bytes:
        seen.append(request.decode("latin-1"))
        if len(seen) < 3:
            context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        return b""

    handler = grpc.method_handlers_generic_handler(
        "apportion.v1.Planning", {"PlanTraining": grpc.unary_unary_rpc_method_handler(refuse)}
    )
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with Client(f"127.0.0.1:{port}") as client:
            assert client.plan_training(training_flops=1e22).outcome == "OUTCOME_UNSPECIFIED"
    finally:
        server.stop(None)
    assert len(seen) == 3
    assert len(set(seen)) == 1


def test_an_embedded_server_starts_at_the_first_call_outlives_its_thread_and_stops_with_the_client(
    tmp_path: Path,
) -> None:
    client = Client(store=tmp_path / "own.db")
    assert client.embedded_server is None
    thread = threading.Thread(target=client.laws)
    thread.start()
    thread.join()
    assert client.laws()
    server = client.embedded_server
    assert server is not None
    client.close()
    client.close()
    assert not Path(f"/proc/{server.process_id}").exists()
    assert not server.log_path.exists()


async def test_an_embedded_server_for_asyncio(tmp_path: Path) -> None:
    async with AsyncClient(store=tmp_path / "own.db") as client:
        assert len(await client.laws()) >= 7


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with Client(store=tmp_path / "file" / "x.db") as client, pytest.raises(Unavailable, match="embedded server"):
        client.laws()
