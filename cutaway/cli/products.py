"""Files that commands write: never over their input, a run's own files or what others wrote."""

import contextlib
import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import typer

from cutaway.errors import OptionError
from cutaway.files import Manifest, write_atomically
from cutaway.files.manifest import NAME as MANIFEST
from cutaway.runs.own_files import is_own, remember


@contextlib.contextmanager
def product(path, option: str, *, inputs=(), force: bool = False) -> Iterator[None]:
    """Context in which a command writes the file at `path`, once this is known to be wanted.

    It may be a device or a pipe, which is written to. A file that is there is replaced if Cutaway
    wrote it and it has not been changed since; otherwise with `force`, or after asking in a
    terminal.

    Args:
        path: of the file; None: none is written.
        option: of the command, for errors: "--out".
        inputs: paths that the command reads.
        force: whether to replace files that others wrote.

    Raises:
        OptionError: it is an input, a run's own file, or one that Cutaway did not write.
    """
    if path is None:
        yield
        return
    path = Path(path)
    _expect_name(path, option)
    _expect_no_input(path, option, inputs)
    _expect_no_run_file(path, option)
    is_file = os.path.lexists(path) and stat.S_ISREG(_mode(path))
    if is_file and not force and not is_own(path) and not _confirmed(path):
        raise OptionError(
            f"{option} {path} exists, and Cutaway did not write it (or it was changed since)",
            expected="a new file, or one that an earlier command wrote",
            fix="choose another name, or add --force to replace it",
        )
    yield
    if path.is_file():
        remember(path)


@contextlib.contextmanager
def product_folder(
    path, option: str, names, *, inputs=(), force: bool = False
) -> Iterator[Callable[[str, bytes | Callable[[Path], None]], None]]:
    """Context in which a command writes several files to a folder, as `product` writes one.

    All of them are looked at before the first is written.

    Args:
        path: of the folder; it is made if it is not there.
        option: of the command, for errors: "--out".
        names: of the files, below the folder.
        inputs, force: see `product`.

    Returns:
        function (name, content) that writes a file; the content is bytes, or a function that writes
        the file at a path.

    Raises:
        OptionError: the path is a file; a file of these names is an input, a run's own file, or one
            that Cutaway did not write.
    """
    folder = Path(path)
    if str(path) in ("", ".") or (os.path.lexists(folder) and not folder.is_dir()):
        shown = "is empty" if str(path) in ("", ".") else f"{folder} is a file"
        raise OptionError(
            f"{option} {shown}",
            expected="a folder for the predictions, new or not",
            fix=f"name a folder, for example {option} predictions",
        )
    with contextlib.ExitStack() as stack:
        for name in names:
            stack.enter_context(product(folder / name, option, inputs=inputs, force=force))

        def write(name: str, content) -> None:
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            if callable(content):
                content(file)
            else:
                write_atomically(file, content)

        yield write


def _expect_name(path: Path, option: str) -> None:
    if path.is_dir() or path.name in ("", ".", ".."):
        shown = "is empty" if str(path) == "." else f"{path} is a folder"
        raise OptionError(
            f"{option} {shown}",
            expected="the path of a file to write",
            fix=f"name a file, for example {option} {path / 'result'}",
        )


def _expect_no_input(path: Path, option: str, inputs) -> None:
    for given in inputs:
        with contextlib.suppress(OSError):
            if given is not None and os.path.samefile(path, given):
                raise OptionError(
                    f"{option} {path} is the file that is read",
                    expected="another file",
                    fix="choose another name; the input was not changed",
                )


def _expect_no_run_file(path: Path, option: str) -> None:
    folder = Path(os.path.realpath(path)).parent
    if not (folder / MANIFEST).exists():
        return
    own = {MANIFEST, "config.json", "weights.safetensors", "preprocessing.json", "study.db"}
    with contextlib.suppress(Exception):  # a manifest that is damaged
        own |= set(Manifest(folder).names)
    if path.name in own:
        raise OptionError(
            f"{option} {path} is a file of the run {folder}",
            expected="another file",
            fix="choose another name",
        )


def _confirmed(path: Path) -> bool:
    """Whether the user, asked in a terminal, wants the file to be replaced."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    return typer.confirm(f"{path} exists. Replace it?", err=True)


def _mode(path: Path) -> int:
    try:
        return os.stat(path).st_mode
    except OSError:
        return 0
