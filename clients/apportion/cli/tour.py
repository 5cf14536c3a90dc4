"""`apportion demo`: the tour, from real runs to a front, on a service of its own that it starts and stops."""

from __future__ import annotations

import re
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table as Grid

from apportion.answers import Plan
from apportion.charts import front_png, law_png
from apportion.cli import show
from apportion.cli.options import Output, OutputOption
from apportion.cli.session import console, emit, errors
from apportion.client import Client
from apportion.demo import RUNS
from apportion.embedded import EmbeddedServer
from apportion.errors import InvalidArgument, Violation
from apportion.quantities import shown
from apportion.tables import Table

TRAINING_FLOPS = 1e22
# Up to four passes, repeated tokens are worth nearly as much as fresh ones (Muennighoff et al. 2023): within these the
# plain form holds.
MAX_EPOCHS = 4
ROWS = f"epochs <= {MAX_EPOCHS}"
WORKLOAD: dict[str, Any] = {
    "requests_per_second": 5,
    "input_tokens": 1024,
    "output_tokens": 512,
    "max_tpot_seconds": 0.05,
}
ACCELERATORS = ("H100-SXM", "L40S")
FRONT: dict[str, Any] = {
    "objectives": "loss,lifetime_usd,tpot_seconds",
    "points": 40,
    "inference_tokens": 2e12,
    "training_flops": TRAINING_FLOPS,
    "deadline_hours": 2160,
    "max_loss": 2.8,
    "requests_per_second": 5,
    "input_tokens": 1024,
    "output_tokens": 512,
    "max_tpot_seconds": 0.2,
    "accelerator": ["H100-SXM", "A100-SXM-80GB", "L40S"],
}
_METRICS = re.compile(
    r"(grpc_server_handled_total|grpc_server_handling_seconds_count|apportion_\w+?_(total|count|info))[{ ]"
)
_MAX_METRICS = 14


def demo(
    folder: Annotated[str, typer.Option("--output-dir", metavar="FOLDER", help="for the pictures")] = "demo-output",
    output: OutputOption = Output.TABLE,
) -> None:
    """The tour: fit a law, plan training and serving, draw a front. About a minute; writes to demo-output/."""
    to = console() if output is Output.TABLE else errors()
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        allowed = f"a folder that can be written ({error.strerror or error})"
        raise InvalidArgument(violations=[Violation("output-dir", folder, allowed)]) from None
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="apportion-demo-") as state:
        server = EmbeddedServer(Path(state) / "demo.db", workers=2)
        try:
            with _step(to, "1/7", "starting the service on loopback"):
                server.wait()
            to.print(f"  gRPC on {server.endpoint}, metrics on http://{server.metrics_endpoint}/metrics")
            with Client(server.endpoint) as client:
                document = _tour(client, to, target)
            _show_metrics(server.metrics_endpoint, to)
        finally:
            with _step(to, "7/7", "stopping the service"):
                server.stop()
    to.print(f"\n[bold]done[/] in {time.monotonic() - started:.0f} s; open {target / 'front.html'} in a browser")
    if output is Output.JSON:
        emit(output, document, lambda _: None)


def _tour(client: Client, to: Console, target: Path) -> dict[str, Any]:
    with _step(to, "2/7", f"fitting the chinchilla form to real runs (Muennighoff et al. 2023, {ROWS})"):
        law = client.fit(RUNS, form="chinchilla", name="data-constrained-runs", where=ROWS, bootstrap=1000)
    to.print(show.law(law))

    with _step(to, "3/7", f"planning training for {TRAINING_FLOPS:.0e} FLOP within 30 days, with that law"):
        training = client.plan_training(
            law=law.name, training_flops=TRAINING_FLOPS, deadline_hours=720, accelerator="H100-SXM"
        )
    to.print(show.plan(training))

    deployments = []
    for accelerator in ACCELERATORS:
        with _step(to, "4/7", f"planning its serving on {accelerator}, 50 ms a token at the 99th percentile"):
            deployment = client.plan_deployment(
                parameter_count=training.decision.parameter_count,
                accelerator=accelerator,
                alternatives=3,
                **WORKLOAD,
            )
        to.print(show.plan(deployment))
        deployments.append(deployment)
    to.print(_comparison(deployments))

    with _step(to, "5/7", "trading loss against lifetime cost against latency: a front"):
        front = client.front(law=law.name, **FRONT)
    to.print(show.front(front))

    with _step(to, "6/7", "drawing"):
        (target / "front.html").write_text(front.to_html(), encoding="utf-8")
        (target / "front.csv").write_text(front.to_table().to_csv(), encoding="utf-8")
        (target / "front.png").write_bytes(front_png(front))
        budgets = [10 ** (17 + step / 4) for step in range(25)]
        best = [client.plan_training(law=law.name, training_flops=flops, alternatives=0) for flops in budgets]
        (target / "law.png").write_bytes(law_png(_fitted_runs(), best, law))
    for name in ("front.html", "front.csv", "front.png", "law.png"):
        to.print(f"  wrote {target / name}", markup=False)
    return {
        "law": law.to_dict(),
        "training": training.to_dict(),
        "deployments": [plan.to_dict() for plan in deployments],
        "front": front.to_dict(),
    }


def _fitted_runs() -> Table:
    """The rows that `ROWS` keeps, for the picture."""
    return Table.read([row for row in Table.read(RUNS).rows() if float(row["epochs"] or 0) <= MAX_EPOCHS])


def _comparison(found: list[Plan]) -> Grid:
    names = ("usd_per_million_tokens", "tpot_seconds", "ttft_seconds", "joules_per_token")
    grid = Grid("side by side", *names, box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for plan in found:
        cells = (plan.metrics[name].value if name in plan.metrics else None for name in names)
        d = plan.decision
        line = f"{d.accelerator_count} × {d.accelerator} {d.precision}" if plan.feasible else plan.outcome
        grid.add_row(line, *(shown(name, cell) for name, cell in zip(names, cells, strict=True)))
    return grid


def _show_metrics(endpoint: str, to: Console) -> None:
    with urllib.request.urlopen(f"http://{endpoint}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    to.print("\na few of the metrics that the service gave:", style="bold")
    chosen = [line for line in lines if _METRICS.match(line) and not line.endswith(" 0.0")]
    for line in chosen[:_MAX_METRICS]:
        to.print(f"  {line}", markup=False, soft_wrap=True)


@contextmanager
def _step(to: Console, number: str, words: str) -> Iterator[None]:
    """Says what is being done, spins while it is, and says how long it took."""
    began = time.monotonic()
    if to.is_terminal:
        with to.status(f"[bold cyan]{number}[/] {words} …"):
            yield
    else:
        to.print(f"{number} {words} …")
        yield
    to.print(f"[bold cyan]{number}[/] {words}  [dim]{time.monotonic() - began:.1f} s[/]")
