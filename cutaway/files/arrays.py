"""Arrays in npz files: read after their declared shapes are checked."""

import io
import math
import zipfile

import numpy as np

from cutaway.errors import CutawayError, DataError
from cutaway.files.content import naming, read_content
from cutaway.files.limits import expect_unpacked


def read_arrays(
    path, names, *, expected: str, fix: str, error: type[CutawayError] = DataError
) -> dict[str, np.ndarray]:
    """{name: array} of an npz file; nothing in it is unpickled.

    Args:
        path: of the file.
        names: of the arrays, all of which it must hold.
        expected, fix, error: of errors.

    Raises:
        DataError: no such file, damaged, or larger than the limit.
    """
    content = read_content(path, error=error)
    damaged = naming(
        path, "an npz file", expected=expected, fix=fix, failed="is damaged", error=error
    )
    with (
        damaged,
        zipfile.ZipFile(io.BytesIO(content)) as archive,
    ):
        sizes = sum(entry.file_size for entry in archive.infolist())
        expect_unpacked(sizes, len(content), f"{path} declares arrays", error=error)
        return {name: _array(archive, f"{name}.npy") for name in names}


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    size = archive.getinfo(name).file_size
    with archive.open(name) as entry:
        version = np.lib.format.read_magic(entry)
        read = {(1, 0): np.lib.format.read_array_header_1_0}
        shape, in_columns, dtype = read.get(version, np.lib.format.read_array_header_2_0)(entry)
        if dtype.hasobject:
            raise ValueError(f"{name} holds objects")
        needed = math.prod(shape) * dtype.itemsize
        if needed > size:
            raise ValueError(f"{name} has the shape {shape}, and {size:,} bytes")
        values = np.frombuffer(entry.read(), dtype, count=math.prod(shape))
    return values.reshape(shape, order="F" if in_columns else "C")
