"""Pictures as PNG by matplotlib (extra `charts`), for the tour and for reports.

A front: one panel for each pair of objectives: what is given up along one axis to gain along the other. The third
objective colours the points, so that the panels can be read together; the marker says what it is served on.
"""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from apportion.errors import InvalidArgument, Violation
from apportion.quantities import shown, title
from apportion.tables import Table

if TYPE_CHECKING:  # a front draws itself by way of this module
    from apportion.answers import Front, Law, Plan

INK, FAINT, PAPER, ACCENT, SEA = "#1c2733", "#d7dde3", "#ffffff", "#d1495b", "#26828e"
MARKERS = ("o", "s", "^", "D", "P", "X", "v", "*")
_LOG_FROM = 3.0  # a metric that spans more than this factor is drawn on a logarithmic axis
_DPI = 160


def hardware(point: Plan) -> str:
    """What a plan runs on, as a legend names it."""
    decision = point.decision
    if decision.serving_accelerator and decision.serving_accelerator != decision.accelerator:
        return f"{decision.accelerator} → {decision.serving_accelerator}"
    return decision.accelerator or decision.serving_accelerator or "FLOPs alone"


def metric(front: Front, name: str) -> list[float]:
    """One metric of all points."""
    return [point.metrics[name].value for point in front.points]


def logarithmic(values: list[float]) -> bool:
    """Should an axis for these be logarithmic?"""
    return min(values) > 0 and max(values) > _LOG_FROM * min(values)


def front_png(front: Front) -> bytes:
    """The front as a PNG file. Raises InvalidArgument when matplotlib is missing."""
    figure_module, canvas_module = _matplotlib()
    pairs = list(itertools.combinations(front.objectives, 2))
    columns = min(len(pairs), 3)
    rows = math.ceil(len(pairs) / columns)
    figure = figure_module.Figure(figsize=(4.9 * columns + 0.9, 4.1 * rows + 0.9), dpi=_DPI, facecolor=PAPER)
    canvas_module.FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False)
    used = list(dict.fromkeys(hardware(point) for point in front.points))
    for axes, pair in itertools.zip_longest(grid.flat, pairs):
        if pair is None:
            axes.set_visible(False)
        else:
            third = next((name for name in front.objectives if name not in pair), "")
            _panel(figure, axes, front, pair, third, used)
    _legend(figure, used)
    words = " · ".join(title(name).split(" (")[0] for name in front.objectives)
    figure.suptitle(f"{len(front.points)} plans that nothing dominates: {words}", color=INK, fontsize=12.5, x=0.5)
    figure.tight_layout(rect=(0, 0.06 if len(used) > 1 else 0, 1, 0.98), w_pad=2.0)
    return _png(figure)


def _panel(figure: Any, axes: Any, front: Front, pair: tuple[str, str], third: str, used: list[str]) -> None:
    across, up = metric(front, pair[0]), metric(front, pair[1])
    colours = metric(front, third) if third else []
    if not third:
        order = sorted(range(len(across)), key=across.__getitem__)
        axes.plot([across[i] for i in order], [up[i] for i in order], color=FAINT, linewidth=1.6, zorder=1)
    drawn = None
    for number, name in enumerate(used):
        here = [place for place, point in enumerate(front.points) if hardware(point) == name]
        paint: dict[str, Any] = {"color": SEA}
        if third:
            scale = "log" if logarithmic(colours) else "linear"
            paint = {"c": [colours[i] for i in here], "cmap": "viridis_r", "norm": scale}
        drawn = axes.scatter(
            [across[i] for i in here],
            [up[i] for i in here],
            marker=MARKERS[number % len(MARKERS)],
            s=46,
            edgecolors=PAPER,
            linewidths=0.8,
            zorder=2,
            **paint,
        )
        if third:
            drawn.set_clim(min(colours), max(colours))
    for axis, name, values in ((axes.xaxis, pair[0], across), (axes.yaxis, pair[1], up)):
        _dress_axis(axes, axis, name, values)
    _dress_frame(axes)
    if third and drawn is not None:
        _bar(figure, axes, drawn, third, colours)


def _dress_axis(axes: Any, axis: Any, name: str, values: list[float]) -> None:
    if logarithmic(values):
        getattr(axes, f"set_{axis.axis_name}scale")("log")
    axis.set_label_text(title(name), color=INK, fontsize=9.5)
    _label_ticks(axis, name, logarithmic(values), sparse=axis.axis_name == "x" and max(values) > 30 * min(values))


def _label_ticks(axis: Any, name: str, log: bool, sparse: bool = False) -> None:
    from matplotlib import ticker

    def words(value: float, _: int) -> str:
        return f"{value:.3g}" if name.endswith("loss") else shown(name, float(f"{value:.3g}"))

    if log:
        steps = (1.0, 3.0) if sparse else (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0) if name == "loss" else (1.0, 2.0, 5.0)
        axis.set_major_locator(ticker.LogLocator(subs=steps, numticks=9))
        axis.set_minor_formatter(ticker.NullFormatter())
    else:
        axis.set_major_locator(ticker.MaxNLocator(5))
    axis.set_major_formatter(ticker.FuncFormatter(words))


def _legend(figure: Any, used: list[str]) -> None:
    if len(used) < 2:
        return
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], marker=MARKERS[number % len(MARKERS)], linestyle="", color=INK, markersize=6, label=name)
        for number, name in enumerate(used)
    ]
    figure.legend(handles=handles, loc="lower center", ncols=min(len(used), 6), frameon=False, fontsize=9)


def _matplotlib() -> tuple[Any, Any]:
    try:
        from matplotlib import figure
        from matplotlib.backends import backend_agg
    except ImportError:
        allowed = "pip install 'apportion[charts]'"
        raise InvalidArgument(violations=[Violation("matplotlib", "not installed", allowed)]) from None
    return figure, backend_agg


def law_png(runs: Table, plans: Sequence[Plan], law: Law) -> bytes:
    """Runs and what their law promises as a PNG: loss over compute, the best loss for each budget as `plans` have
    it, with its interval, dotted beyond the dearest run. `runs` has columns N, D and loss (6·N·D is the compute).
    """
    figure_module, canvas_module = _matplotlib()
    sizes, tokens, losses = ([float(cell or 0) for cell in runs[name]] for name in ("N", "D", "loss"))
    compute = [6 * n * d for n, d in zip(sizes, tokens, strict=True)]
    figure = figure_module.Figure(figsize=(8.4, 5.0), dpi=_DPI, facecolor=PAPER)
    canvas_module.FigureCanvasAgg(figure)
    axes = figure.subplots()
    drawn = axes.scatter(
        compute, losses, c=sizes, norm="log", cmap="viridis_r", s=26, edgecolors=PAPER, linewidths=0.5, zorder=2
    )
    ordered = sorted(plans, key=lambda plan: plan.decision.training_flops or 0)
    budgets = [plan.decision.training_flops or 0 for plan in ordered]
    best = [plan.metrics["loss"] for plan in ordered]
    axes.fill_between(
        budgets, [e.lower for e in best], [e.upper for e in best], color=ACCENT, alpha=0.15, linewidth=0, zorder=3
    )
    seen = sum(budget <= max(compute) for budget in budgets)
    values = [estimate.value for estimate in best]
    axes.plot(budgets[:seen], values[:seen], color=ACCENT, linewidth=2.2, zorder=4, label="best loss, by the law")
    beyond = slice(max(seen - 1, 0), None)
    axes.plot(
        budgets[beyond],
        values[beyond],
        color=ACCENT,
        linewidth=2.2,
        linestyle=(0, (1.5, 1.5)),
        zorder=4,
        label="beyond the runs",
    )
    _dress_axis(axes, axes.xaxis, "training_flops", compute)
    _dress_axis(axes, axes.yaxis, "loss", losses)
    _whole_decades(axes.xaxis)
    _dress_frame(axes)
    _bar(figure, axes, drawn, "parameter_count", sizes)
    axes.legend(frameon=False, fontsize=9, labelcolor=INK, loc="upper right")
    axes.set_title(f"{len(losses)} finished runs and the {law.form} law fitted to them", color=INK, fontsize=12)
    figure.tight_layout()
    return _png(figure)


def _whole_decades(axis: Any) -> None:
    from matplotlib import ticker

    axis.set_major_locator(ticker.LogLocator(numticks=12))


def _dress_frame(axes: Any) -> None:
    axes.grid(True, color=FAINT, linewidth=0.6, zorder=0)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=8.5)
    axes.tick_params(which="minor", length=0)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(FAINT)


def _bar(figure: Any, axes: Any, drawn: Any, name: str, values: list[float]) -> None:
    bar = figure.colorbar(drawn, ax=axes, pad=0.02, fraction=0.05)
    bar.set_label(title(name), color=INK, fontsize=8.5)
    bar.outline.set_visible(False)
    _label_ticks(bar.ax.yaxis, name, logarithmic(values))
    bar.ax.tick_params(colors=INK, labelsize=8, length=0, which="both")


def _png(figure: Any) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()
