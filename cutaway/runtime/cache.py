"""Compiled programs are cached on disk, which saves the next process from compiling them again.

JAX does the caching; this module sets the folder, unless it is configured already. A program is
identified by its code, its options, the versions of JAX and XLA and the kind of machine, so an
outdated one is never used, and results are the same bit for bit.
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

from cutaway.errors import expect_path

LIMIT_BYTES = 2**30

_decided = False


def cache_programs(folder) -> None:
    """Cache compiled programs in `folder`; None disables the cache.

    By default they are cached in the user's cache folder: `$XDG_CACHE_HOME/cutaway` or
    `~/.cache/cutaway` on Linux, `~/Library/Caches/cutaway` on macOS, `%LOCALAPPDATA%\\cutaway` on
    Windows. JAX's own settings take precedence: JAX_ENABLE_COMPILATION_CACHE=false disables the
    cache for one command, JAX_COMPILATION_CACHE_DIR sets another folder. If the folder is not
    writable, nothing is cached, silently. Above 1 GiB the least recently used are deleted.

    Anyone with write access to the folder can decide what code runs: do not share it.

    Example:
        >>> import cutaway as ct
        >>> ct.cache_programs("~/scratch/programs")                    # doctest: +SKIP
    """
    global _decided
    _decided = True
    if folder is None:
        jax.config.update("jax_compilation_cache_dir", None)
        return
    expect_path(folder, what="cache_programs: folder")
    # programs depend on the instruction set of the processor and on the number of threads
    folder = Path(folder).expanduser().absolute() / f"programs-{_machine()}"
    if not _is_writable(folder):
        return
    _sweep(folder)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    if _setting("jax_persistent_cache_min_compile_time_secs") == 1.0:  # JAX's default
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    # a full disk, or a partial file from a killed process: then it is compiled as usual
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache entry")


def cache_programs_by_default() -> None:
    """Use the user's cache folder; takes effect once per process, before the first compilation."""
    global _decided
    if _decided:
        return
    _decided = True
    enabled = _setting("jax_enable_compilation_cache")
    if enabled and not _setting("jax_compilation_cache_dir"):
        with contextlib.suppress(RuntimeError):  # no home
            cache_programs(user_folder())


def _setting(name: str):
    """A setting of JAX, which it adds to its config at runtime."""
    return getattr(jax.config, name)


def user_folder() -> Path:
    """The user's cache folder of Cutaway.

    Raises:
        RuntimeError: the user has no home.
    """
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "cutaway"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "cutaway"
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (named if named.is_absolute() else Path.home() / ".cache") / "cutaway"


def _machine() -> str:
    """A short name for machines with the same instruction set and number of usable cores.

    XLA fixes the number of threads of a program when it compiles it, but JAX's cache key does not
    include that number: a program compiled on one core would always run on one core.
    """
    features = platform.processor()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        fields = ("model name", "flags", "Features", "CPU part")
        features = "".join(sorted({line for line in lines if line.startswith(fields)}))
    text = f"{platform.machine()} {features} {_threads()}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _threads() -> str:
    """What XLA derives its number of threads from: NPROC, or the cores usable by this process."""
    if "NPROC" in os.environ:
        return os.environ["NPROC"]
    try:
        return str(len(os.sched_getaffinity(0)))
    except AttributeError:  # only on Linux
        return str(os.cpu_count())


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _sweep(folder: Path) -> None:
    """Delete the least recently used programs until half of the limit is free."""
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
