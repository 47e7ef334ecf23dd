"""Commands that draw textbook pictures: plot."""

from pathlib import Path
from typing import Annotated

import typer

from cutaway.cli.options import Device, Force, Json, Trust, example, option


@example("cutaway plot mse,mae,huber --set delta=2 --html losses.html")
def plot(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="An activation (sigmoid), losses (huber or mse,mae), a formula of x in quotes "
            r"('x\*\*4 - 2\*x\*\*2'), curve (one with all kinds of points), dropout, or a RUN with "
            "--weight; see --list.",
        ),
    ] = "sigmoid",
    weight: Annotated[
        str | None,
        option("Of a run: L over this weight, such as 0:1,0.", metavar="LAYER:INDEX"),
    ] = None,
    row: Annotated[int, typer.Option(help="Row of the run's data, from 0.")] = 0,
    data: Annotated[
        Path | None, option("Data with the row. [default: the training data]", "--input")
    ] = None,
    lr: Annotated[
        float | None, option("Learning rate η of the step that is drawn. [default: 0.1]")
    ] = None,
    y: Annotated[
        float | None, option("Target of a loss. [default: 0, or both classes]", "--y")
    ] = None,
    x_range: Annotated[
        str | None, option("Range of a formula. [default: -3,3]", "--range", metavar="LOW,HIGH")
    ] = None,
    sizes: Annotated[
        str | None,
        option("Layers of the network with dropout. [default: 3,5,5,1]", metavar="N,N,..."),
    ] = None,
    fixed: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Option of an activation, a loss or dropout: slope=0.2, delta=2, p=0.5, seed=1; "
            "repeatable.",
            show_default=False,
        ),
    ] = None,
    png: Annotated[Path | None, option("PNG image to write.", metavar="FILE")] = None,
    html: Annotated[Path | None, option("HTML page to write.", metavar="FILE")] = None,
    force: Force = False,
    trust: Trust = False,
    listed: Annotated[
        bool, typer.Option("--list", help="List activations, with their slopes, and losses.")
    ] = False,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Plot an activation or loss beside its slope, a loss over one weight, or a formula."""
    from cutaway.cli.plot import list_plots, plot_command

    if listed:
        list_plots(as_json=as_json)
        return
    given = {
        "weight": weight,
        "row": row,
        "data": data,
        "lr": lr,
        "y": y,
        "x_range": None if x_range is None else _range(x_range),
        "sizes": None if sizes is None else tuple(map(_integer, _numbers(sizes, "--sizes 3,5,1"))),
        "fixed": fixed,
        "trust": trust,
    }
    plot_command(what, given=given, png=png, html=html, force=force, as_json=as_json)


def _range(text: str) -> tuple[float, ...]:
    found = _numbers(text, "--range -3,3")
    if len(found) != 2:
        from cutaway.errors import OptionError

        raise OptionError(
            f"the range {text!r}", expected="two numbers", fix="write for example --range=-3,3"
        )
    return found


def _numbers(text: str, example: str) -> tuple[float, ...]:
    from cutaway.runs.options.flags import parse_numbers

    return parse_numbers(
        text,
        what="the numbers",
        expected="numbers separated by commas",
        fix=f"write for example {example}",
    )


def _integer(value: float):
    return int(value) if value == int(value) else value
