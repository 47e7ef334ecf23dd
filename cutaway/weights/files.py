"""A network's own weights as safetensors: a header of names, types and shapes, then the data."""

import functools
from pathlib import Path

import ml_dtypes
import numpy as np

from cutaway.errors import RunError
from cutaway.files import write_atomically
from cutaway.files.content import exists, naming, read_content

_TYPES = {
    "F64": "f8", "F32": "f4", "F16": "f2", "I64": "i8", "I32": "i4", "I16": "i2", "I8": "i1",
    "U64": "u8", "U32": "u4", "U16": "u2", "U8": "u1", "BOOL": "?", "C64": "c8",
    "BF16": ml_dtypes.bfloat16, "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
}  # fmt: skip


def save_weights(net, path) -> None:
    """Write net.state_dict() to `path` as safetensors, atomically."""
    write_tensors(net.state_dict(), path)


def load_weights(net, path) -> None:
    """Load the safetensors file `path`, written by `save_weights`, into `net`.

    Raises:
        RunError: a missing or corrupted file, or weights of another architecture.
        ShapeError: weights of other sizes. In every case `net` is unchanged.
    """
    path = Path(path)
    net.load_state_dict(read_safetensors(read_bytes(path), path))


def write_tensors(tensors: dict, path) -> None:
    """Write {name: array} to `path` as safetensors, atomically."""
    from safetensors.numpy import save

    tensors = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    write_atomically(path, save(tensors, metadata={"format": "cutaway"}))


def read_safetensors(content: bytes, path) -> dict:
    """{name: array} of the content of a safetensors file; `path` is used in errors."""
    from safetensors import deserialize

    damaged = functools.partial(
        naming,
        path,
        "a safetensors file",
        failed="is corrupted",
        fix="train or download again, or restore the file from a backup",
        error=RunError,
    )
    with damaged():
        tensors = deserialize(content)
    unknown = sorted({tensor["dtype"] for _, tensor in tensors} - set(_TYPES))
    if unknown:
        raise RunError(
            f"{path} has tensors of type {', '.join(unknown)}",
            expected="one of " + ", ".join(_TYPES),
        )
    with damaged():
        return {name: _array(tensor) for name, tensor in tensors}


def _array(tensor) -> np.ndarray:
    dtype, shape = _TYPES[tensor["dtype"]], tensor["shape"]
    if 0 in shape:  # frombuffer takes no empty buffer
        return np.zeros(shape, dtype)
    return np.frombuffer(tensor["data"], dtype).reshape(shape)


def read_bytes(path: Path) -> bytes:
    """The file's content.

    Raises:
        RunError: it cannot be read.
    """
    expected = "a weights file written by `save_weights`, `cutaway train`, PyTorch or Hugging Face"
    if not exists(path):
        raise RunError(f"{path} cannot be read: No such file or directory", expected=expected)
    return read_content(path, error=RunError)
