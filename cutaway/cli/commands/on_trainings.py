"""Commands that look at trainings: doctor, race."""

from pathlib import Path
from typing import Annotated

import typer

from cutaway.cli.options import Device, Force, Json, MaxBytes, Trust, example, option
from cutaway.runs.options.quoted import parse_names


@example("cutaway doctor runs/students --treat")
def doctor(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RUN|FILE.py:NAME",
            help="Folder of a run, or a name in a Python file: (trainer, x, y), a TrainingPlan, or "
            "a function that returns one of these.",
        ),
    ],
    treat: Annotated[
        bool,
        typer.Option(
            "--treat", help="Test the prescriptions against a control and a random change."
        ),
    ] = False,
    seeds: Annotated[
        int, typer.Option(help="Trainings per prescription, each with its own seed.")
    ] = 5,
    budget: Annotated[
        int | None, option("Maximum number of trainings. [default: no limit]")
    ] = None,
    apply: Annotated[
        bool,
        typer.Option("--apply", help="Test, and train a new run with the most helpful change."),
    ] = False,
    out: Annotated[
        Path | None,
        option("Folder for the new run. [default: a new one in runs/]", metavar="RUN"),
    ] = None,
    html: Annotated[Path | None, option("HTML report to write.", metavar="FILE")] = None,
    force: Force = False,
    trust: Trust = False,
    device: Device = None,
    max_bytes: MaxBytes = None,
    as_json: Json = False,
) -> None:
    """Diagnose a training and test what fixes it. Exit code 1 means that it is not healthy."""
    from cutaway.cli.doctor import doctor_command

    doctor_command(
        what,
        treated=treat,
        seeds=seeds,
        budget=budget,
        applied=apply,
        out=out,
        html=html,
        force=force,
        trust=trust,
        as_json=as_json,
    )


@example('cutaway race "x**2 + 3*y**2" --start 2,1 --optimizer sgd,adam --html race.html')
def race(
    surface: Annotated[
        str | None,
        typer.Argument(
            metavar="SURFACE",
            help="Test function, see --list; or a formula of x and y in quotes: numbers, pi, e, "
            "+ - * / ** and sin, cos, exp, log, sqrt, tanh, abs. [default: ravine; with "
            "--batch-size regression]",
            show_default=False,
        ),
    ] = None,
    optimizer: Annotated[
        str | None, option("Optimizers. [default: all ten]", metavar="NAME,...")
    ] = None,
    steps: Annotated[
        int | None, option("Number of steps. [default: depends on the surface]")
    ] = None,
    start: Annotated[
        str | None,
        option("Starting point. [default: depends on the surface]", metavar="X,Y"),
    ] = None,
    lr: Annotated[
        float | None,
        option("Learning rate for all. [default: chosen for each; the output says how]"),
    ] = None,
    batch_size: Annotated[
        str | None,
        option(
            "Of the surface regression: compare gradients of so many rows, such as all,4,1.",
            metavar="N,...",
        ),
    ] = None,
    png: Annotated[Path | None, option("PNG image to write.", metavar="FILE")] = None,
    html: Annotated[Path | None, option("HTML report to write.", metavar="FILE")] = None,
    force: Force = False,
    listed: Annotated[bool, typer.Option("--list", help="List the surfaces.")] = False,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Race optimizers on a test function from one starting point, and say where they end."""
    from cutaway.cli.race import list_command, race_command

    if listed:
        list_command(as_json=as_json)
        return
    race_command(
        surface,
        None if optimizer is None else parse_names(optimizer),
        steps=steps,
        start=None if start is None else _numbers(start),
        lr=lr,
        batch_sizes=None if batch_size is None else parse_names(batch_size),
        png=png,
        html=html,
        force=force,
        as_json=as_json,
    )


def _numbers(text: str) -> tuple[float, ...]:
    from cutaway.runs.options.flags import parse_numbers

    return parse_numbers(
        text,
        what="the starting point",
        expected="two numbers separated by a comma",
        fix="write for example --start -2,1.5",
    )
