"""IDX files, the format of MNIST and related data sets."""

import math
import struct
from pathlib import Path

import numpy as np

from cutaway.errors import DataError
from cutaway.files.content import naming, read_content
from cutaway.files.limits import unpack_gzip

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path) -> np.ndarray:
    """Read the array in an IDX file, optionally compressed with gzip.

    Raises:
        DataError: no such file, not IDX, or shorter or longer than its header says.

    References:
        LeCun, Cortes & Burges, "The MNIST database of handwritten digits".
    """
    path = Path(path)
    content = read_content(path)
    if content[:2] == b"\x1f\x8b":
        content = unpack_gzip(content, path)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in TYPES:
        raise DataError(
            f"{path} is not an IDX file: it starts with {content[:4].hex(' ') or 'nothing'}",
            expected="two zero bytes, a type from 08 to 0e, the number of axes",
        )
    axes = content[3]
    header = 4 + 4 * axes
    shape = struct.unpack(f">{axes}I", content[4:header]) if len(content) >= header else ()
    dtype = np.dtype(TYPES[content[2]])
    needed = header + math.prod(shape) * dtype.itemsize
    if len(content) != needed or len(shape) != axes:
        raise DataError(
            f"{path} has {len(content):,} bytes",
            expected=f"{needed:,} bytes for shape {tuple(shape)}",
            fix="the file is truncated or damaged: copy it again",
        )
    with naming(path, "an IDX file"):
        array = np.frombuffer(content, dtype, offset=header).reshape(shape)
        return array.astype(dtype.newbyteorder("="))


def find_idx(folder) -> dict:
    """{"train": (images, labels), "test": ...}: pairs of IDX files with MNIST's file names.

    Example:
        >>> from cutaway.data import find_idx
        >>> find_idx(".")
        {}
    """
    found = {}
    for split, prefixes in (("train", ("train", "training")), ("test", ("t10k", "test"))):
        for images in sorted(Path(folder).glob("*-images*")):
            labels = [
                path
                for path in images.parent.glob("*-labels*")
                if path.name.split("-labels")[0] == images.name.split("-images")[0]
            ]
            if labels and images.name.split("-images")[0] in prefixes:
                found[split] = (images, labels[0])
    return found
