"""`apportion hardware interconnects | clusters`: what accelerators talk over, and how they come together."""

from __future__ import annotations

from typing import Annotated

import typer

from apportion.cli import show_networks
from apportion.cli.options import EndpointOption, Output, OutputOption, StoreOption
from apportion.cli.session import client, emit

interconnects = typer.Typer(no_args_is_help=True)
clusters = typer.Typer(no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME")]


@interconnects.command("list")
def list_interconnects(
    output: OutputOption = Output.TABLE, endpoint: EndpointOption = None, store: StoreOption = None
) -> None:
    """All interconnects."""
    with client(endpoint, store) as c:
        found = c.interconnects()
    document = {"interconnects": [item.to_dict() for item in found]}
    emit(output, document, lambda to: to.print(show_networks.interconnects(found)))


@interconnects.command("show")
def show_interconnect(
    name: Name, output: OutputOption = Output.TABLE, endpoint: EndpointOption = None, store: StoreOption = None
) -> None:
    """One interconnect."""
    with client(endpoint, store) as c:
        found = c.interconnect(name)
    emit(output, found.to_dict(), lambda to: to.print(show_networks.interconnect(found)))


@clusters.command("list")
def list_clusters(
    output: OutputOption = Output.TABLE, endpoint: EndpointOption = None, store: StoreOption = None
) -> None:
    """All clusters."""
    with client(endpoint, store) as c:
        found = c.clusters()
    document = {"clusters": [item.to_dict() for item in found]}
    emit(output, document, lambda to: to.print(show_networks.clusters(found)))


@clusters.command("show")
def show_cluster(
    name: Name, output: OutputOption = Output.TABLE, endpoint: EndpointOption = None, store: StoreOption = None
) -> None:
    """One cluster."""
    with client(endpoint, store) as c:
        found = c.cluster(name)
    emit(output, found.to_dict(), lambda to: to.print(show_networks.cluster(found)))
