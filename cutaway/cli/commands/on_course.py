"""Commands of the course: learn, exercise."""

from pathlib import Path
from typing import Annotated

import typer

from cutaway.cli.options import Force, Json, example, option


@example("cutaway learn neuron")
def learn(
    lesson: Annotated[
        str | None,
        typer.Argument(
            metavar="[LESSON]", help="Its name or number. [default: list all]", show_default=False
        ),
    ] = None,
    notebook: Annotated[Path | None, option("Notebook to write (.ipynb).", metavar="FILE")] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Read a lesson of the course, its cells run here; or write it as a notebook."""
    from cutaway.cli.learn import learn_command, list_lessons

    if lesson is None:
        list_lessons(as_json=as_json)
    else:
        learn_command(lesson, notebook=notebook, force=force, as_json=as_json)


@example("cutaway exercise chain-rule --seed 3")
def exercise(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="[default: list all]", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Which one: each seed has other numbers.")] = 0,
    answer: Annotated[
        list[float] | None,
        typer.Option(
            "--answer", help="A number to check, in order; repeatable.", show_default=False
        ),
    ] = None,
    solution: Annotated[
        bool, typer.Option("--solution", help="Print the solution as well.")
    ] = False,
    count: Annotated[int, typer.Option(min=1, max=100, help="How many, for a sheet.")] = 1,
    pdf: Annotated[
        Path | None,
        option("Sheet to write, as PDF; the solutions go to FILE-solutions.pdf.", metavar="FILE"),
    ] = None,
    latex: Annotated[
        Path | None, option("The same as LaTeX, drawings as TikZ.", metavar="FILE")
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Calculate with pencil and paper: numbers are asked for, an answer says what is wrong."""
    from cutaway.cli.drill import exercise_command, list_exercises

    if name is None:
        list_exercises(as_json=as_json)
    else:
        exercise_command(
            name,
            seed,
            answer or [],
            with_solution=solution,
            sheets={"--pdf": pdf, "--latex": latex},
            count=count,
            force=force,
            as_json=as_json,
        )
