"""Limits of size: what a file declares or unpacks to is checked before memory is asked for.

There is one number, the most bytes that a single thing that is read may take: a file, a table, an
array, a picture. By default it follows from the memory at hand. What unpacks to much more than the
size of its file has a lower limit, since a few bytes can declare anything.
"""

import gzip
import io
import os
import re
import zlib
from pathlib import Path
from typing import NoReturn

from cutaway.errors import CutawayError, DataError, OptionError

FRACTION = 2  # of the free memory, one half may be taken by a single thing
UNKNOWN = 2 * 2**30  # bytes of memory where nothing says how much is free
ROOM = 128 * 2**20  # bytes that anything may unpack to, however small its file is
RATIO = 100  # beyond that, times the size of its file; tables and pictures rarely exceed 30
COLUMN_BYTES = 2**14  # memory that a column of a table takes, however few its rows are
PIECE = 2**20  # bytes that are unpacked at a time
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
UNITS |= {f"{unit}i": 2 ** (10 * k) for k, unit in enumerate("kmgt", 1)}

_given: int | None = None


def set_max_bytes(size: int | str | None) -> None:
    """Set the most bytes that a single thing that is read may take, for the whole process.

    A file, a table, an array or a picture that is larger, or says that it is, is refused. By
    default the limit is half of the free memory; what is packed may unpack to 128 MiB, or to 100
    times the size of its file.

    Args:
        size: number of bytes, or a text such as "8GB" or "500 MiB"; None for the default.

    Raises:
        OptionError: not a positive size.

    Example:
        >>> from cutaway.files.limits import max_bytes, set_max_bytes
        >>> set_max_bytes("16 GiB")
        >>> max_bytes() == 16 * 2**30
        True
        >>> set_max_bytes(None)
    """
    global _given
    _given = None if size is None else _as_bytes(size)


def given_max_bytes() -> int | None:
    """What was given to `set_max_bytes`; None for the default."""
    return _given


def max_bytes() -> int:
    """The most bytes that a single thing that is read may take."""
    if _given is not None:
        return _given
    free = free_memory()
    return (UNKNOWN if free is None else free) // FRACTION


def unpacked_limit(packed: int) -> int:
    """The most bytes that a file of `packed` bytes may unpack to."""
    if _given is not None:
        return _given
    return min(max_bytes(), max(ROOM, RATIO * packed))


def expect_bytes(size: int, came: str, *, error: type[CutawayError] = DataError) -> None:
    """Raise an error unless something that takes `size` bytes is within the limit.

    Args:
        came: the first words of the message: what it is; its size follows.
        error: class of the error.

    Raises:
        DataError: it is larger.
    """
    if size > ROOM or _given is not None:
        limit = max_bytes()
        if size > limit:
            _refuse(f"{came}: {in_words(size)}", size, limit, None, error)


def expect_unpacked(
    size: int, packed: int, came: str, *, error: type[CutawayError] = DataError
) -> None:
    """As expect_bytes, for what comes from a file (or a part of it) of `packed` bytes."""
    if size > ROOM or _given is not None:
        limit = unpacked_limit(packed)
        if size > limit:
            came = f"{came}: {in_words(size)}, from {in_words(packed)}"
            _refuse(came, size, limit, packed, error)


def expect_columns(count: int, path) -> None:
    """Raise DataError unless a table with so many columns is within the limit."""
    most = max(1, max_bytes() // COLUMN_BYTES)
    if count > most:
        _refuse(
            f"{path} has {count:,} columns, which take {in_words(count * COLUMN_BYTES)}",
            count * COLUMN_BYTES,
            max_bytes(),
            None,
            DataError,
        )


def unpack_gzip(content: bytes, path) -> bytes:
    """What gzip has packed, counted while it is unpacked.

    Raises:
        DataError: it is larger than the limit, or damaged.
    """
    limit, parts, total = unpacked_limit(len(content)), [], 0
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
            while part := packed.read(PIECE):
                parts.append(part)
                total += len(part)
                if total > limit:
                    whole = in_words(len(content))
                    came = f"{path} unpacks to more than {in_words(limit)}, from {whole}"
                    _refuse(came, 2 * limit, limit, len(content), DataError)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read: not a valid gzip file ({error})",
            expected="a complete file packed by gzip",
            fix="copy it again",
        ) from error
    return b"".join(parts)


def in_words(size: int) -> str:
    """A number of bytes as people write it.

    Example:
        >>> from cutaway.files.limits import in_words
        >>> in_words(1300), in_words(5 * 2**30)
        ('1.3 KiB', '5.0 GiB')
    """
    value, units = float(size), ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    if units[0] == "bytes":
        return f"{size:,} bytes"
    return f"{value:,.1f} {units[0]}" if value < 10**6 else f"{value:.3g} {units[0]}"


def free_memory() -> int | None:
    """Bytes of memory that this process may still take; None where nothing says it.

    The least of the machine's free memory, of what its control group leaves, and of the limit on
    its addresses.
    """
    found = [_number_of("/proc/meminfo", r"MemAvailable:\s+(\d+) kB", 1024), *_limit_of_group()]
    found += _limit_of_addresses()
    known = [size for size in found if size is not None]
    return max(0, min(known)) if known else None


def _limit_of_group() -> list[int]:
    """What the control group (of a container) leaves; [] without a limit."""
    for used, most in (
        ("memory.current", "memory.max"),
        ("memory/memory.usage_in_bytes", "memory/memory.limit_in_bytes"),
    ):
        whole = _number_of(f"/sys/fs/cgroup/{most}", r"(\d+)\s*$", 1)
        taken = _number_of(f"/sys/fs/cgroup/{used}", r"(\d+)\s*$", 1)
        if whole is not None and taken is not None and whole < 2**60:
            return [whole - taken]
    return []


def _limit_of_addresses() -> list[int]:
    try:
        import resource
    except ImportError:  # only on Unix
        return []
    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    if most == resource.RLIM_INFINITY:
        return []
    pages = _number_of("/proc/self/statm", r"^(\d+)", os.sysconf("SC_PAGE_SIZE"))
    return [most - (pages or 0)]


def _number_of(path: str, pattern: str, unit: int) -> int | None:
    """The first match of the pattern in a small file, times the unit; None without one."""
    try:
        found = re.search(pattern, Path(path).read_text())
    except OSError:
        return None
    return None if found is None else int(found[1]) * unit


def _as_bytes(size: int | str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?(?:ytes)?", str(size).strip().lower())
    if found is None or found[2] not in UNITS or float(found[1]) * UNITS[found[2]] < 1:
        raise OptionError(
            f"max_bytes is {size!r}",
            expected="a positive number of bytes, or a size such as 8GB or 500MiB",
            fix="choose a size that fits in memory",
        )
    return int(float(found[1]) * UNITS[found[2]])


def _refuse(
    came: str, size: int, limit: int, packed: int | None, error: type[CutawayError]
) -> NoReturn:
    if _given is not None:
        why = "set by max_bytes"
    elif packed is None or limit not in (ROOM, RATIO * packed):
        why = "half of the free memory"
    else:
        why = "for a small file" if limit == ROOM else f"{RATIO} times the size of the file"
    enough = f"{-(-size // 10**9)}GB"
    raise error(
        came,
        expected=f"at most {in_words(limit)} ({why})",
        fix=f"if you trust it and the memory suffices, raise the limit: --max-bytes {enough}, in "
        f'Python cutaway.files.set_max_bytes("{enough}")',
    )
