"""A front as one page to open in a browser: complete in itself, no network (extra `charts` for plotly.js).

Choose what is on the axes and what gives the colour, hover a point for its decision, click it to keep it and
see every metric with its interval. The page is `front_page.html`; this module fills in the data and the library.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING, Any

from apportion.charts import hardware, logarithmic, metric
from apportion.errors import InvalidArgument, Violation
from apportion.quantities import shown, title

if TYPE_CHECKING:  # an answer draws itself: `Front.to_html`
    from apportion.answers import Front, Plan


def front_page(front: Front) -> str:
    """The page as HTML text. Raises InvalidArgument when plotly is missing."""
    template = resources.files("apportion").joinpath("front_page.html").read_text(encoding="utf-8")
    # No `<` in the data, so nothing in it can end or nest the script element; JSON may write it as \u003c.
    data = json.dumps(page_data(front), allow_nan=False).replace("<", "\\u003c")
    return template.replace("/*DATA*/", data).replace("/*PLOTLY*/", _plotly())


def page_data(front: Front) -> dict[str, Any]:
    """What the page shows, as JSON-ready mappings."""
    names = list(front.objectives)
    names += sorted({name for point in front.points for name in point.metrics} - set(names))
    everywhere = [name for name in names if all(name in point.metrics for point in front.points)]
    return {
        "objectives": list(front.objectives),
        "metrics": [
            {"name": name, "title": title(name), "logarithmic": logarithmic(metric(front, name))} for name in everywhere
        ],
        "points": [_point(point, everywhere) for point in front.points],
        "gap": front.hypervolume_gap,
        "seconds": front.search.planning_seconds if front.search else None,
        "solves": front.search.solve_count if front.search else None,
        "warnings": [f"{warning.code}: {warning.message}" for warning in front.warnings],
        "provenance": dict(front.provenance),
    }


def _point(point: Plan, names: list[str]) -> dict[str, Any]:
    return {
        "group": hardware(point),
        "outcome": point.outcome,
        "values": {name: point.metrics[name].value for name in names},
        "decision": {name: shown(name, value) for name, value in point.decision.values().items()},
        "metrics": {
            name: [shown(name, e.value), shown(name, e.lower), shown(name, e.upper)]
            for name, e in point.metrics.items()
        },
    }


def _plotly() -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        allowed = "pip install 'apportion[charts]'"
        raise InvalidArgument(violations=[Violation("plotly", "not installed", allowed)]) from None
    source: str = get_plotlyjs()
    return source
