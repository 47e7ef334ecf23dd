"""PyTorch's files: a pickle that describes tensors, and the bytes of their storages.

since 1.6   an uncompressed zip archive: NAME/data.pkl, NAME/data/KEY, NAME/byteorder
before      five consecutive pickles (magic number, protocol, system, the object, keys of the
            storages), then each storage: its number of elements as int64, and its bytes
"""

import io
import math
import struct
import zipfile
from typing import Literal

import ml_dtypes
import numpy as np

from cutaway.errors import RunError
from cutaway.files.content import naming
from cutaway.files.limits import expect_unpacked
from cutaway.weights import pickles
from cutaway.weights.pickles import StorageRef, TensorRef

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001

_TYPES = {
    "FloatStorage": "f4", "DoubleStorage": "f8", "HalfStorage": "f2", "LongStorage": "i8",
    "IntStorage": "i4", "ShortStorage": "i2", "CharStorage": "i1", "ByteStorage": "u1",
    "BoolStorage": "?", "ComplexFloatStorage": "c8", "ComplexDoubleStorage": "c16",
    "UntypedStorage": "u1", "BFloat16Storage": ml_dtypes.bfloat16, "bfloat16": ml_dtypes.bfloat16,
    "float8_e4m3fn": ml_dtypes.float8_e4m3fn, "float8_e5m2": ml_dtypes.float8_e5m2,
}  # fmt: skip


def read_pth(content: bytes, path):
    """The object of a PyTorch file, its tensors as read-only arrays; `path` is used in errors.

    Raises:
        RunError: the file is corrupted, or contains more than tensors and plain containers.
    """
    damaged = naming(
        path,
        "a PyTorch file",
        failed="is corrupted or truncated",
        expected="a complete file written by torch.save",
        fix="download or copy it again",
        error=RunError,
    )
    with damaged:
        return _read_zip(content) if content[:4] == b"PK\x03\x04" else _read_legacy(content)


def _read_zip(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = {info.filename.partition("/")[2]: info for info in archive.infolist()}
        _expect_plain(archive.infolist(), len(content))
        if "data.pkl" not in entries:
            raise RunError(
                "it is a zip archive, but not a PyTorch file: it has no data.pkl",
                expected="a file written by torch.save",
            )
        order = archive.read(entries["byteorder"]) if "byteorder" in entries else b"little"
        if order not in (b"little", b"big"):
            raise ValueError(f"byte order {order[:20]!r}")
        described = pickles.load(io.BytesIO(archive.read(entries["data.pkl"])))
        storages = {}

        def storage(ref: StorageRef):
            if ref.key not in storages:
                storages[ref.key] = archive.read(entries[f"data/{ref.key}"])
            return storages[ref.key]

        return _with_arrays(described, storage, "<" if order == b"little" else ">")


def _expect_plain(infos, size):
    packed = [info.filename for info in infos if info.compress_type != zipfile.ZIP_STORED]
    if packed or sum(info.file_size for info in infos) > size:
        raise RunError(
            f"it is a zip archive of {size} bytes that would unpack to more"
            if not packed
            else f"its entry {packed[0]} is compressed",
            expected="an uncompressed archive, as written by torch.save",
            fix="download the file again",
        )


def _read_legacy(content):
    if content[257:262] == b"ustar":
        raise RunError(
            "it is a tar archive, PyTorch's format before 2017",
            expected="the format of PyTorch 0.4 or later",
            fix="load it with PyTorch elsewhere and save it again with torch.save",
        )
    file = io.BytesIO(content)
    if pickles.load(file) != _MAGIC:
        raise RunError(
            "it is a pickle, but not a PyTorch file",
            expected="a file written by torch.save",
        )
    if pickles.load(file) != _PROTOCOL:
        raise ValueError("the protocol is not 1001")
    pickles.load(file)  # sizes of types on the machine that wrote it
    described = pickles.load(file)
    kinds = {ref.key: ref.kind for ref in _storages_of(described)}
    storages = {}
    for key in pickles.load(file):
        (count,) = struct.unpack("<q", file.read(8))
        wanted = count * _dtype(kinds[key], "<").itemsize
        storages[key] = file.read(wanted) if 0 <= wanted <= len(content) else b""
        if len(storages[key]) != wanted:
            raise ValueError(f"storage {key} should have {wanted} bytes")
    return _with_arrays(described, lambda ref: storages[ref.key], "<")


def _storages_of(described):
    """All storages of the tensors in nested containers, without recursion."""
    waiting, seen = [described], set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, TensorRef):
            yield value.storage
        elif isinstance(value, dict | list | tuple) and id(value) not in seen:
            seen.add(id(value))
            waiting += value.values() if isinstance(value, dict) else value


def _with_arrays(described, storage, order):
    """The described object with an array for each tensor, up to four containers deep."""
    done = {}  # a shared container is built once

    def built(value, depth):
        if isinstance(value, TensorRef):
            return _array(value, storage(value.storage), order)
        if not depth or not isinstance(value, dict):
            return value
        place = (id(value), depth)
        if place not in done:
            done[place] = {key: built(item, depth - 1) for key, item in value.items()}
        return done[place]

    return built(described, 4)


def _array(ref: TensorRef, content: bytes, order: Literal["<", ">"]) -> np.ndarray:
    kind = ref.storage.kind
    dtype = _dtype(ref.dtype or kind, order)
    promised = ref.storage.numel * _dtype(kind, order).itemsize
    if promised != len(content):
        raise ValueError(
            f"storage {ref.storage.key} has {len(content)} bytes instead of {promised}"
        )
    if ref.storage.view is not None:
        _, start, numel = ref.storage.view
        numbers = np.frombuffer(content, dtype)[start : start + numel]
    else:
        numbers = np.frombuffer(content, dtype)
    steps = (ref.offset, *ref.size, *ref.stride)
    if len(ref.size) != len(ref.stride) or any(type(n) is not int or n < 0 for n in steps):
        raise ValueError(f"a tensor of size {ref.size} with strides {ref.stride}")
    if 0 in ref.size:
        return np.zeros(ref.size, dtype)
    last = ref.offset + sum((n - 1) * s for n, s in zip(ref.size, ref.stride, strict=True))
    if last >= len(numbers):
        raise ValueError(f"a tensor reads element {last} of a storage of {len(numbers)}")
    if not dtype.isnative:
        dtype = dtype.newbyteorder("=")
        numbers = numbers.astype(dtype)
    # a view takes no memory, but what is computed from it does
    whole = math.prod(ref.size) * dtype.itemsize
    if whole > len(content):
        came = f"a tensor of size {ref.size} repeats the elements of a storage"
        expect_unpacked(whole, len(content), came, error=RunError)
    return np.lib.stride_tricks.as_strided(
        numbers[ref.offset :],
        ref.size,
        tuple(s * dtype.itemsize for s in ref.stride),
        writeable=False,
    )


def _dtype(kind: str, order: Literal["<", ">"]) -> np.dtype:
    dtype = np.dtype(_TYPES.get(kind, kind))
    return dtype.newbyteorder(order) if dtype.itemsize > 1 else dtype
