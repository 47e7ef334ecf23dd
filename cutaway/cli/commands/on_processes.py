"""The command that starts a script in several processes: launch."""

from pathlib import Path
from typing import Annotated

import typer

from cutaway.cli.options import example


@example("cutaway launch --processes 2 --restarts 3 train.py --epochs 20")
def launch(
    script: Annotated[
        Path,
        typer.Argument(
            metavar="SCRIPT.py",
            help="A Python script that calls ct.distributed.start() first.",
        ),
    ],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[ARGUMENTS]", help="Of the script.")
    ] = None,
    processes: Annotated[
        int, typer.Option("--processes", metavar="N", help="Processes on this machine.")
    ] = 2,
    restarts: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Times that all are started anew after one failed: a script that resumes from "
            "checkpoints goes on.",
        ),
    ] = 0,
    nodes: Annotated[
        str | None,
        typer.Option(
            metavar="MIN[:MAX]", help="Hosts that train together: the same command on each."
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="With --nodes: of the host that leads, as all reach it."
        ),
    ] = None,
    wait: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", help="With --nodes: how long hosts wait for each other.  [300]"
        ),
    ] = None,
) -> None:
    """Run a script in several processes, on one host or several, that train one network."""
    from cutaway.cli.launch import launch_script

    launch_script(script, arguments or [], processes, restarts, nodes, address, wait)


# what follows the script is the script's own
launch.context_settings = {"ignore_unknown_options": True, "allow_interspersed_args": False}
