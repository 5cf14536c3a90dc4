"""Pictures: complete in themselves, safe whatever the names, and an honest refusal without the extra."""

from __future__ import annotations

import json
import re
import sys

import pytest
from plotly.offline import get_plotlyjs

from apportion import InvalidArgument, Table, answers
from apportion.charts import front_png, law_png
from apportion.front_page import front_page, page_data
from apportion.reading import read
from apportion.v1 import estimate_pb2, law_pb2, plan_pb2

PNG = b"\x89PNG\r\n"


def a_front(objectives: tuple[str, ...], accelerator: str = "H100-SXM") -> answers.Front:
    front = plan_pb2.Front(objectives=objectives, hypervolume_gap=0.01)
    for number in range(5):
        point = front.points.add(outcome=plan_pb2.Plan.OPTIMAL)
        point.decision.parameter_count = 1e9 * (number + 1)
        point.decision.accelerator = accelerator if number % 2 else "L40S"
        for place, name in enumerate(objectives):
            value = 10.0 ** (number if place % 2 else 4 - number)
            point.metrics[name].CopyFrom(estimate_pb2.Estimate(value=value, lower=value, upper=2 * value, level=0.8))
    return read(answers.Front, front)


@pytest.mark.parametrize(
    "objectives",
    [
        ("loss", "lifetime_usd"),
        ("loss", "lifetime_usd", "tpot_seconds"),
        ("loss", "lifetime_usd", "tpot_seconds", "joules_per_token"),
    ],
)
def test_a_front_of_two_to_four_objectives_is_drawn(objectives: tuple[str, ...]) -> None:
    assert front_png(a_front(objectives)).startswith(PNG)


def test_a_front_of_one_point_is_drawn() -> None:
    front = a_front(("loss", "lifetime_usd"))
    message = front.to_proto()
    del message.points[1:]  # type: ignore[attr-defined]
    assert front_png(read(answers.Front, message)).startswith(PNG)


def test_the_page_holds_the_points_and_the_library_and_asks_nobody() -> None:
    page = front_page(a_front(("loss", "lifetime_usd", "tpot_seconds")))
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert found
    data = json.loads(found[1])
    assert [point["values"]["loss"] for point in data["points"]] == [1e4, 1e3, 1e2, 1e1, 1.0]
    assert data["points"][0]["decision"] == {"parameter_count": "1 B", "accelerator": "L40S"}
    own = page.replace(get_plotlyjs(), "")
    assert len(own) < len(page) / 10
    assert not re.search(r'(src|href)="(https?:)?//', own)


def test_a_name_cannot_break_out_of_the_page() -> None:
    page = front_page(a_front(("loss", "lifetime_usd"), accelerator="</script><script>alert(1)</script>"))
    assert "<script>alert(1)" not in page


def test_the_page_knows_which_axes_are_logarithmic() -> None:
    metrics = {metric["name"]: metric for metric in page_data(a_front(("loss", "lifetime_usd")))["metrics"]}
    assert metrics["lifetime_usd"]["logarithmic"]
    assert metrics["lifetime_usd"]["title"] == "lifetime cost (USD)"


def test_a_law_is_drawn_over_its_runs() -> None:
    plans = [plan_pb2.Plan(decision=plan_pb2.Decision(training_flops=10.0**power)) for power in (18, 19, 20, 21)]
    for number, plan in enumerate(plans):
        plan.metrics["loss"].CopyFrom(estimate_pb2.Estimate(value=4 - number / 2, lower=3.9 - number / 2, upper=4.2))
    runs = Table.read({"N": [1e8, 1e9], "D": [2e9, 2e10], "loss": [3.5, 2.8]})
    law = read(answers.Law, law_pb2.Law(name="laws/x", form="chinchilla"))
    assert law_png(runs, [read(answers.Plan, plan) for plan in plans], law).startswith(PNG)


@pytest.mark.parametrize(("module", "draw"), [("matplotlib", front_png), ("plotly.offline", front_page)])
def test_without_the_extra_the_refusal_names_it(module: str, draw: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InvalidArgument, match=r"apportion\[charts\]"):
        draw(a_front(("loss", "lifetime_usd")))  # type: ignore[operator]
