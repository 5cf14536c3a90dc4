"""`apportion hardware prices list | books | show | replace | delete`."""

from __future__ import annotations

from typing import Annotated

import typer

from apportion.cli import show_hardware
from apportion.cli.options import EndpointOption, Output, OutputOption, StoreOption
from apportion.cli.session import client, emit

app = typer.Typer(no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME", help="a price book")]


@app.command("list")
def list_prices(
    accelerator: Annotated[str, typer.Argument(metavar="[ACCELERATOR]", help="of this one only")] = "",
    output: OutputOption = Output.TABLE,
    endpoint: EndpointOption = None,
    store: StoreOption = None,
) -> None:
    """The offers on record, with source and date."""
    with client(endpoint, store) as c:
        chips = [c.accelerator(accelerator)] if accelerator else c.accelerators()
    found = [offer for chip in chips for offer in chip.offers]
    emit(output, {"offers": [o.to_dict() for o in found]}, lambda to: to.print(show_hardware.offers(found)))


@app.command("books")
def list_books(output: OutputOption = Output.TABLE, endpoint: EndpointOption = None, store: StoreOption = None) -> None:
    """Price books of your own, newest first."""
    with client(endpoint, store) as c:
        found = c.price_books()
    emit(output, {"price_books": [b.to_dict() for b in found]}, lambda to: to.print(show_hardware.price_books(found)))


@app.command("show")
def show_book(
    name: Name, output: OutputOption = Output.TABLE, endpoint: EndpointOption = None, store: StoreOption = None
) -> None:
    """The offers of one price book."""
    with client(endpoint, store) as c:
        found = c.price_book(name)
    emit(output, found.to_dict(), lambda to: to.print(show_hardware.offers(found.offers)))


@app.command("replace")
def replace_book(
    name: Name,
    offers: Annotated[str, typer.Argument(metavar="OFFERS", help="CSV or TOML, one offer a row")],
    exclusive: Annotated[bool, typer.Option("--exclusive", help="only these offers count")] = False,
    output: OutputOption = Output.TABLE,
    endpoint: EndpointOption = None,
    store: StoreOption = None,
) -> None:
    """Keep offers of your own under a name, instead of what was there."""
    with client(endpoint, store) as c:
        found = c.replace_price_book(name, offers, exclusive=exclusive)
    emit(output, found.to_dict(), lambda to: to.print(show_hardware.offers(found.offers)))


@app.command("delete")
def delete_book(
    name: Name, output: OutputOption = Output.TABLE, endpoint: EndpointOption = None, store: StoreOption = None
) -> None:
    """Forget a price book."""
    with client(endpoint, store) as c:
        c.delete_price_book(name)
    emit(output, {"deleted": name}, lambda to: to.print(f"deleted {name}", markup=False))
