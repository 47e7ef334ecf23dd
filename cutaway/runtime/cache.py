"""Compiled programs are kept on disk, so that the next process need not compile them again.

JAX keeps them; here it is told where, if nobody has told it before. A program is found again by
its code, its options, the versions of JAX and XLA and the kind of machine, so an old one is never
taken for a new one, and gives the same bits.
"""

import contextlib
import hashlib
import os
import platform
import sys
import tempfile
import warnings
from pathlib import Path

import jax

LIMIT_BYTES = 2**30

_decided = False


def cache_programs(folder) -> None:
    """Keep compiled programs in `folder`, or nowhere if it is None.

    Without a call, they are kept in the user's cache folder: `$XDG_CACHE_HOME/cutaway` or
    `~/.cache/cutaway` on Linux, `~/Library/Caches/cutaway` on macOS, `%LOCALAPPDATA%\\cutaway` on
    Windows. JAX's own settings come first: JAX_ENABLE_COMPILATION_CACHE=false turns it off for
    one command, JAX_COMPILATION_CACHE_DIR names another folder. Where the folder cannot be
    written to, nothing is kept and nothing is said. Of more than 1 GiB the oldest are deleted.

    Whoever may write to the folder decides what code runs: do not share it.

    Example:
        >>> import cutaway as ct
        >>> ct.cache_programs("~/scratch/programs")                    # doctest: +SKIP
    """
    global _decided
    _decided = True
    if folder is None:
        jax.config.update("jax_compilation_cache_dir", None)
        return
    # programs are made for the instructions of one kind of processor, and for so many of them
    folder = Path(folder).expanduser().absolute() / f"programs-{_machine()}"
    if not _is_writable(folder):
        return
    _sweep(folder)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    if jax.config.jax_persistent_cache_min_compile_time_secs == 1.0:  # JAX's default
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    # a full disk, or a file that a killed process left behind: then it is compiled as ever
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache entry")


def cache_programs_by_default() -> None:
    """Once a process, before the first program is compiled: use the user's folder."""
    global _decided
    if _decided:
        return
    _decided = True
    if jax.config.jax_enable_compilation_cache and not jax.config.jax_compilation_cache_dir:
        with contextlib.suppress(RuntimeError):  # no home
            cache_programs(_user_folder())


def _user_folder() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "cutaway"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "cutaway"
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (named if named.is_absolute() else Path.home() / ".cache") / "cutaway"


def _machine() -> str:
    """A short name for processors that have the same instructions, and as many as may be used.

    XLA divides a program's work among the threads that it had when it compiled it, and JAX finds
    the program again by everything but their number: what one core compiled would run on one
    core ever after.
    """
    features = platform.processor()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        told = ("model name", "flags", "Features", "CPU part")
        features = "".join(sorted({line for line in lines if line.startswith(told)}))
    text = f"{platform.machine()} {features} {_threads()}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _threads() -> str:
    """What XLA counts its threads by: NPROC, or the cores that this process may use."""
    if "NPROC" in os.environ:
        return os.environ["NPROC"]
    try:
        return str(len(os.sched_getaffinity(0)))
    except AttributeError:  # Linux has it
        return str(os.cpu_count())


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _sweep(folder: Path) -> None:
    """Delete the programs that were not used for longest, until half of the limit is free."""
    found = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):  # another process may sweep too
                status = entry.stat()
                found.append((max(status.st_atime, status.st_mtime), status.st_size, entry.path))
    total = sum(size for _, size, _ in found)
    if total <= LIMIT_BYTES:
        return
    for _, size, path in sorted(found):
        with contextlib.suppress(OSError):
            os.unlink(path)
        total -= size
        if total <= LIMIT_BYTES / 2:
            return
