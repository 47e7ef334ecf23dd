"""cutaway launch, and cutaway train --processes."""

import os
import sys
from pathlib import Path

from cutaway.errors import OptionError, expect_range


def launch_script(
    script: Path,
    arguments: list[str],
    processes: int,
    restarts: int,
    nodes: str | None = None,
    address: str | None = None,
    wait: float | None = None,
) -> None:
    """Run a script in several processes; ends with their exit code."""
    if not script.is_file():
        raise OptionError(
            f"there is no script {script}",
            expected="a Python file",
            fix="name one; its own arguments follow it",
        )
    command = [sys.executable, str(script), *arguments]
    if nodes is None and address is None and wait is None:
        from cutaway.runtime.launcher import launch

        sys.exit(launch(command, processes, restarts=restarts))
    if nodes is None or address is None:
        raise OptionError(
            f"launch got {'--nodes' if nodes else '--address' if address else '--wait'} alone",
            expected="--nodes MIN[:MAX] and --address HOST:PORT together",
            fix="name the number of hosts, and the one that leads; for one host neither",
        )
    from cutaway.runtime.hosts import PATIENCE_SECONDS, launch_on_hosts, parsed_nodes

    patience = PATIENCE_SECONDS if wait is None else wait
    code = launch_on_hosts(
        command, processes, address, parsed_nodes(nodes), restarts=restarts, patience=patience
    )
    sys.exit(code)


def launch_itself(processes: int) -> None:
    """Run this command in several processes; ends with their exit code."""
    from cutaway.runtime.launcher import launch

    expect_range(processes, what="--processes", least=1, most=os.cpu_count() or 1)
    arguments = _without_count(sys.argv[1:])
    sys.exit(launch([sys.executable, "-P", "-m", "cutaway", *arguments], processes))


def _without_count(arguments: list[str]) -> list[str]:
    """Arguments of a command without `--processes N`."""
    found, is_value = [], False
    for argument in arguments:
        if not is_value and not argument.startswith("--processes="):
            is_value = argument == "--processes"
            found += [] if is_value else [argument]
        else:
            is_value = False
    return found
