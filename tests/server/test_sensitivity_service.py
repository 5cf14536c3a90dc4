"""What a plan becomes under other treatments of the runs, asked for over the wire and on the command line."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from apportion import Client
from apportion.cli.main import app
from apportion.errors import InvalidArgument, NotFound


@pytest.fixture(scope="module")
def runs() -> dict[str, list[float]]:
    generator = np.random.default_rng(0)
    n = np.exp(generator.uniform(np.log(5e7), np.log(2e10), 40))
    d = n * np.exp(generator.uniform(np.log(2.0), np.log(200.0), 40))
    loss = 1.8172 + 482.01 * n**-0.3478 + 2085.43 * d**-0.3658
    return {"N": n.tolist(), "D": d.tolist(), "loss": loss.tolist()}


def test_a_client_gets_one_row_a_treatment(endpoint: str, runs: dict[str, list[float]]) -> None:
    with Client(endpoint) as client:
        table = client.sensitivity(runs, training_flops=5.76e23, regions=["N < 2e9"])
    rows = {row["treatment"]: row for row in csv.DictReader(io.StringIO(table.to_csv()))}
    assert float(rows["as given"]["parameter_count"]) == pytest.approx(7.225e10, rel=0.01)
    assert "only N < 2e9" in rows
    assert float(rows["coefficients of hoffmann-2022"]["compute_regret"]) > 0.08


def test_the_command_prints_a_table(endpoint: str, runs: dict[str, list[float]], tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    lines = [",".join(runs), *(",".join(map(repr, row)) for row in zip(*runs.values(), strict=True))]
    path.write_text("\n".join(lines), encoding="utf-8")
    done = CliRunner().invoke(app, ["--endpoint", endpoint, "sensitivity", str(path), "--output", "csv"])
    assert done.exit_code == 0, done.output
    assert "losses rounded to 1 decimal" in done.output


def test_what_cannot_be_asked_is_refused(endpoint: str, runs: dict[str, list[float]]) -> None:
    with Client(endpoint) as client:
        with pytest.raises(InvalidArgument):
            client.sensitivity(runs, form="joint-moe")
        with pytest.raises(InvalidArgument):
            client.sensitivity(runs, training_flops=-1.0)
        with pytest.raises(NotFound):
            client.sensitivity(runs, laws=["nobody-1999"])


def test_a_law_of_isoflop_parabolas_is_stored_and_refuses_to_predict(endpoint: str) -> None:
    budgets = np.repeat([1e19, 1e20, 1e21], 6)
    n = np.sqrt(budgets / 120.0) * np.tile(np.geomspace(0.4, 2.5, 6), 3)
    d = budgets / (6.0 * n)
    loss = 1.8172 + 482.01 * n**-0.3478 + 2085.43 * d**-0.3658
    table = {"N": n.tolist(), "D": d.tolist(), "C": budgets.tolist(), "loss": loss.tolist()}
    with Client(endpoint) as client:
        law = client.fit(table, form="isoflop", bootstrap=50)
        assert law.compute_optimal_exponent is not None
        assert law.compute_optimal_exponent.value == pytest.approx(0.5126, abs=0.01)
        assert law.compute_optimal_exponent.token_count.value == pytest.approx(0.4874, abs=0.01)
        with pytest.raises(InvalidArgument, match="loss formula"):
            client.predict(law, {"N": [1e9], "D": [2e10]})
        with pytest.raises(InvalidArgument):
            client.plan_training(law=law.name, training_flops=1e22)
        client.delete_law(law.name)
