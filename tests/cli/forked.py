"""Commands in processes of their own, which begin where `cutaway` is imported already.

A process that has imported everything, and has computed nothing, forks for each command. What a
command does is what `python -m cutaway` does; the second that imports take is saved. Imports
themselves are tested by processes that begin from nothing, see test_ctrl_c and test_first_screen.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SECONDS = 120  # of a command
POLL_SECONDS = 0.002


class Forking:
    """A process that forks for each command.

    Args:
        environment: of all commands.
    """

    def __init__(self, environment: dict[str, str]):
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.cli.forked"],
            cwd=Path(__file__).parents[2],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments, folder) -> subprocess.CompletedProcess:
        """The finished process of `cutaway ARGUMENTS` in a folder."""
        command = ["cutaway", *map(str, arguments)]
        assert self._server.stdin is not None and self._server.stdout is not None
        with tempfile.TemporaryDirectory() as place:
            asked = {"command": command, "folder": str(folder), "place": place}
            self._server.stdin.write(json.dumps(asked) + "\n")
            self._server.stdin.flush()
            code = int(self._server.stdout.readline())
            out, err = (Path(place, name).read_text() for name in ("out", "err"))
        if code == -signal.SIGALRM:
            raise subprocess.TimeoutExpired(command, SECONDS, out, err)
        return subprocess.CompletedProcess(command, code, out, err)

    def end(self) -> None:
        """End the process that forks."""
        self._server.communicate(timeout=SECONDS)


def serve() -> None:
    """Fork for each line of standard input, and print the exit code."""
    _import_everything()
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(**asked)
            from cutaway.cli import main

            main()
            sys.exit()
        print(_code_of(child), flush=True)


def _import_everything() -> None:
    import importlib
    import pkgutil

    import polars  # noqa: F401  # which commands import late
    import safetensors.numpy  # noqa: F401

    import cutaway.cli
    import cutaway.runs.kinds

    for package in (cutaway.cli, cutaway.runs.kinds):
        for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            importlib.import_module(module.name)


def _become(command: list[str], folder: str, place: str) -> None:
    """Be the process of a command."""
    os.chdir(folder)
    sys.argv = command
    sys.path[:] = [path for path in sys.path if path not in ("", str(Path(__file__).parents[2]))]
    for number, path in enumerate((os.devnull, f"{place}/out", f"{place}/err")):
        file = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(file, number)
        os.close(file)


def _code_of(child: int) -> int:
    """The exit code of a process once it has ended; it is killed if it takes too long."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(POLL_SECONDS)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -signal.SIGALRM


if __name__ == "__main__":
    serve()
