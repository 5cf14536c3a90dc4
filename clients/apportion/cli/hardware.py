"""`apportion hardware accelerators | models | interconnects | clusters | prices`: the catalogue, and what is added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from apportion import requests
from apportion.cli import networks, prices, show_hardware
from apportion.cli.options import (
    EndpointOption,
    Output,
    OutputOption,
    RequestFile,
    StoreOption,
    read_request,
    request_options,
)
from apportion.cli.session import client, emit
from apportion.fields import ACCELERATOR, MODEL_SHAPE

app = typer.Typer(no_args_is_help=True)
accelerators = typer.Typer(no_args_is_help=True)
models = typer.Typer(no_args_is_help=True)
app.add_typer(accelerators, name="accelerators", help="Accelerators with their prices.")
app.add_typer(models, name="models", help="Shapes of known models.")
app.add_typer(networks.interconnects, name="interconnects", help="What accelerators talk over.")
app.add_typer(networks.clusters, name="clusters", help="Accelerators with the network between their nodes.")
app.add_typer(prices.app, name="prices", help="Offers on record, and price books of your own.")
Name = Annotated[str, typer.Argument(metavar="NAME")]
NewName = Annotated[str, typer.Argument(metavar="NAME", help="what to call it; a-z, 0-9 and -")]


@accelerators.command("list")
def list_accelerators(
    output: OutputOption = Output.TABLE, endpoint: EndpointOption = None, store: StoreOption = None
) -> None:
    """All accelerators; those of your own last."""
    with client(endpoint, store) as c:
        found = c.accelerators()
    document = {"accelerators": [item.to_dict() for item in found]}
    emit(output, document, lambda to: to.print(show_hardware.accelerators(found)))


@accelerators.command("show")
def show_accelerator(
    name: Name, output: OutputOption = Output.TABLE, endpoint: EndpointOption = None, store: StoreOption = None
) -> None:
    """One accelerator with its offers."""
    with client(endpoint, store) as c:
        found = c.accelerator(name)
    emit(output, found.to_dict(), lambda to: to.print(show_hardware.accelerator(found)))


@accelerators.command("add")
@request_options(ACCELERATOR)
def add_accelerator(
    name: NewName,
    wishes: Mapping[str, Any],
    file: RequestFile = None,
    output: OutputOption = Output.TABLE,
    endpoint: EndpointOption = None,
    store: StoreOption = None,
) -> None:
    """Add an accelerator of your own, by flags or from a file."""
    facts = {**read_request(file), **wishes}
    requests.build(ACCELERATOR, facts)  # before a server is started for nothing
    with client(endpoint, store) as c:
        found = c.create_accelerator(name, **facts)
    emit(output, found.to_dict(), lambda to: to.print(show_hardware.accelerator(found)))


@accelerators.command("delete")
def delete_accelerator(
    name: Name, output: OutputOption = Output.TABLE, endpoint: EndpointOption = None, store: StoreOption = None
) -> None:
    """Forget an accelerator of your own."""
    with client(endpoint, store) as c:
        c.delete_accelerator(name)
    emit(output, {"deleted": name}, lambda to: to.print(f"deleted {name}", markup=False))


@models.command("list")
def list_models(
    output: OutputOption = Output.TABLE, endpoint: EndpointOption = None, store: StoreOption = None
) -> None:
    """All models whose shape is known; those of your own last."""
    with client(endpoint, store) as c:
        found = c.model_shapes()
    document = {"model_shapes": [item.to_dict() for item in found]}
    emit(output, document, lambda to: to.print(show_hardware.model_shapes(found)))


@models.command("show")
def show_model(
    name: Name, output: OutputOption = Output.TABLE, endpoint: EndpointOption = None, store: StoreOption = None
) -> None:
    """The shape of one model."""
    with client(endpoint, store) as c:
        found = c.model_shape(name)
    emit(output, found.to_dict(), lambda to: to.print(show_hardware.model_shapes([found])))


@models.command("add")
@request_options(MODEL_SHAPE)
def add_model(
    name: NewName,
    wishes: Mapping[str, Any],
    config: Annotated[str | None, typer.Option(metavar="config.json", help="its Hugging Face configuration")] = None,
    output: OutputOption = Output.TABLE,
    endpoint: EndpointOption = None,
    store: StoreOption = None,
) -> None:
    """Add a model of your own, from its configuration or by flags."""
    requests.build(MODEL_SHAPE, wishes)  # before a server is started for nothing
    with client(endpoint, store) as c:
        found = c.create_model_shape(name, config, **wishes)
    emit(output, found.to_dict(), lambda to: to.print(show_hardware.model_shapes([found])))


@models.command("delete")
def delete_model(
    name: Name, output: OutputOption = Output.TABLE, endpoint: EndpointOption = None, store: StoreOption = None
) -> None:
    """Forget a model of your own."""
    with client(endpoint, store) as c:
        c.delete_model_shape(name)
    emit(output, {"deleted": name}, lambda to: to.print(f"deleted {name}", markup=False))
