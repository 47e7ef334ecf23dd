"""cutaway launch, and cutaway train --processes."""

import os
import sys
from pathlib import Path

from cutaway.errors import OptionError, expect_range


def launch_script(script: Path, arguments: list[str], processes: int, restarts: int) -> None:
    """Run a script in several processes; ends with their exit code."""
    if not script.is_file():
        raise OptionError(
            f"there is no script {script}",
            expected="a Python file",
            fix="name one; its own arguments follow it",
        )
    from cutaway.runtime.launcher import launch

    sys.exit(launch([sys.executable, str(script), *arguments], processes, restarts=restarts))


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
