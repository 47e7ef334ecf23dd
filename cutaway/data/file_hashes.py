"""Hashes of files: 64 bits of what is in each, of large sets of a sample of it."""

import hashlib
import os
from collections.abc import Sequence

import numpy as np

from cutaway.data.prefetch import in_threads

WHOLE_BYTES = 2 * 2**30  # of all files of a set: above, only a sample of each is read
SAMPLE = 2**16  # bytes at the beginning, in the middle and at the end of a file of a large set
MOST_FILES = 100_000  # of a large set, evenly spaced, of which a sample is read; of others the size
PIECE = 2**20
UNKNOWN = 0  # the hash of a file that is empty or cannot be read


def is_large(paths: Sequence) -> bool:
    """Whether files have too many bytes together to read them only for their hashes."""
    total = 0
    for path in paths:
        total += max(0, _size(path))
        if total > WHOLE_BYTES:
            return True
    return False


def hash_files(paths: Sequence, *, sampled: bool) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of the contents of files; a file that is named twice is read once.

    Args:
        paths: of the files.
        sampled: whether only the size and a sample of each is taken.

    Returns:
        (hashes (n,) uint64, UNKNOWN where nothing can be read; whether each is of the content
        (n,), not of the size alone).
    """
    distinct = list(dict.fromkeys(map(str, paths)))
    read = np.ones(len(distinct), bool)
    if sampled and len(distinct) > MOST_FILES:
        read[:] = False
        read[np.linspace(0, len(distinct) - 1, MOST_FILES).astype(int)] = True

    def hashed(k: int) -> int:
        return _hash(distinct[k], sampled, bool(read[k]))

    found = np.array(in_threads(hashed, range(len(distinct))), np.uint64)
    place = {path: k for k, path in enumerate(distinct)}
    rows = np.array([place[str(path)] for path in paths], int)
    return found[rows], read[rows]


def _hash(path: str, sampled: bool, with_content: bool) -> int:
    size = _size(path)
    if size <= 0:
        return UNKNOWN
    digest = hashlib.blake2b(size.to_bytes(8, "little"), digest_size=8)
    try:
        if with_content:
            with open(path, "rb") as file:
                if sampled and size > 3 * SAMPLE:
                    for start in (0, size // 2, size - SAMPLE):
                        file.seek(start)
                        digest.update(file.read(SAMPLE))
                else:
                    while part := file.read(PIECE):
                        digest.update(part)
    except OSError:
        return UNKNOWN
    return int.from_bytes(digest.digest(), "little")


def _size(path) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return -1
