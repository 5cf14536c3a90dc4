"""`apportion compare`: forms, forms over several targets, or approaches."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from apportion.cli import show_comparisons
from apportion.cli.options import EndpointOption, MapOption, Output, OutputOption, StoreOption, TimeoutOption
from apportion.cli.session import client, emit, stages
from apportion.errors import InvalidArgument, Violation
from apportion.flows.calls import FIT_SECONDS


def compare(
    runs: Annotated[str, typer.Argument(metavar="RUNS.csv", help="CSV, Parquet, or a stored runSets/NAME")],
    forms: Annotated[
        str, typer.Option(metavar="A,B,…", help="the forms to compare; auto: all that the columns allow")
    ] = "auto",
    holdout: Annotated[
        str, typer.Option(metavar="EXPR", help="rows that no fit and no choice sees, e.g. 'C > 1e21'")
    ] = "",
    targets: Annotated[
        str, typer.Option(metavar="A,B,…", help="columns that hold losses: one form for all of them")
    ] = "",
    approaches: Annotated[
        bool, typer.Option("--approaches", help="envelope, isoFLOP parabolas and parametric law, not forms")
    ] = False,
    where: Annotated[str, typer.Option(metavar="EXPR", help="which rows, e.g. 'C < 1e22 and D > 1e9'")] = "",
    group: Annotated[str, typer.Option(metavar="COLUMN", help="groups that may have coefficients of their own")] = "",
    bootstrap: Annotated[
        int | None, typer.Option(metavar="K", help="draws; 1000 unless said (approaches: 300)")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="seed of the bootstrap")] = None,
    mapping: MapOption = None,
    timeout_seconds: TimeoutOption = None,
    output: OutputOption = Output.TABLE,
    endpoint: EndpointOption = None,
    store: StoreOption = None,
) -> None:
    """Rank forms by how well they predict runs they were not fitted to, and say whether to trust the best.

    With --targets on several columns of losses at once; with --approaches the exponent of the best model in three ways.
    """
    columns = _names(targets)
    if approaches and (columns or holdout or forms != "auto"):
        raise InvalidArgument(
            violations=[Violation("approaches", "with forms, holdout or targets", "alone: approaches are no forms")]
        )
    options: dict[str, Any] = {
        "where": where,
        "group": group,
        "bootstrap": bootstrap,
        "seed": seed,
        "mapping": mapping,
        "timeout_seconds": timeout_seconds or FIT_SECONDS,
    }
    with client(endpoint, store) as c, stages(output is Output.JSON) as on_stage:
        if approaches:
            ways = c.compare_approaches(runs, on_stage=on_stage, **options)
            answer, shown = ways.to_dict(), show_comparisons.approaches(ways)
        elif columns:
            several = c.compare_targets(
                runs, targets=columns, forms=_names(forms), holdout=holdout, on_stage=on_stage, **options
            )
            answer, shown = several.to_dict(), show_comparisons.targets(several)
        else:
            one = c.compare(runs, forms=_names(forms), holdout=holdout, on_stage=on_stage, **options)
            answer, shown = one.to_dict(), show_comparisons.forms(one)
    emit(output, answer, lambda to: to.print(shown))


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
