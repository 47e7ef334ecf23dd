"""Files that others have packed: gzip, zip, bzip2, xz and zstd, unpacked within the limits."""

import bz2
import io
import lzma
import os
import zipfile
from pathlib import PurePosixPath

from cutaway.errors import DataError
from cutaway.files.content import naming
from cutaway.files.limits import PIECE, expect_unpacked, unpack_gzip, unpacked_limit

GZIP, ZIP, BZIP2 = b"\x1f\x8b", b"PK\x03\x04", b"BZh"
XZ, ZSTD = b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd"
ENDINGS = {".gz": GZIP, ".zip": ZIP, ".bz2": BZIP2, ".xz": XZ, ".zst": ZSTD}
NAMES = {".gz": "gzip", ".zip": "zip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd"}


def unpack(content: bytes, path) -> tuple[bytes, str]:
    """What a file holds unpacked, and the name that it has then; as it is, if it is not packed.

    The name says how it is packed, or, if it does not, how the content begins.

    Args:
        content: of the file.
        path: of the file.

    Raises:
        DataError: damaged, larger than the limit, or a zip archive of several files.
    """
    name = os.path.basename(path)
    ending = os.path.splitext(name)[1].lower()
    found = ending if ending in ENDINGS else ""
    # PK also begins what spreadsheet programs write, under other names
    for begin in (e for e in ENDINGS if e != ".zip" and content.startswith(ENDINGS[e])):
        found = found or begin
    if not found or not content:
        return content, name
    inner = os.path.splitext(name)[0] if ending == found else name
    if found == ".gz":
        return unpack_gzip(content, path), inner
    if found == ".zip":
        return _unzip(content, path)
    opened = {".bz2": bz2.open, ".xz": lzma.open, ".zst": _open_zstd}[found]
    with _reading(path, NAMES[found]), opened(io.BytesIO(content)) as file:
        return _counted(file, len(content), path), inner


def _reading(path, kind: str):
    return naming(
        path, f"a file packed by {kind}", failed=f"cannot be read: not a valid {kind} file"
    )


def _counted(file, packed: int, path) -> bytes:
    """All that an open file unpacks to, counted while it does."""
    limit, parts, total = unpacked_limit(packed), [], 0
    while part := file.read(PIECE):
        parts.append(part)
        total += len(part)
        if total > limit:
            expect_unpacked(total, packed, f"{path} unpacks to much")
    return b"".join(parts)


def _unzip(content: bytes, path) -> tuple[bytes, str]:
    """The only file in a zip archive, besides what macOS and editors hide in it."""
    with _reading(path, "zip"), zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [entry for entry in archive.infolist() if not _is_hidden(entry)]
        if len(members) != 1:
            names = ", ".join(entry.filename for entry in members[:5])
            raise DataError(
                f"{path} holds {len(members)} files" + (f": {names}" if names else ""),
                expected="a zip archive of one file",
                fix="unpack it, and name one of its files",
            )
        if members[0].flag_bits & 1:
            raise DataError(f"{path} is protected by a password", fix="unpack it first")
        expect_unpacked(members[0].file_size, len(content), f"{path} unpacks to much")
        with archive.open(members[0]) as file:
            inner = _counted(file, len(content), path)
    return inner, PurePosixPath(members[0].filename).name


def _is_hidden(entry) -> bool:
    parts = PurePosixPath(entry.filename).parts
    return entry.is_dir() or any(p.startswith(".") or p == "__MACOSX" for p in parts)


def _open_zstd(file):
    try:
        from compression import zstd  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise DataError(
            "it is packed by zstd, which this version of Python cannot unpack",
            expected="Python 3.14 or later, or another packing",
            fix="unpack it: unzstd FILE",
        ) from None
    return zstd.open(file)
