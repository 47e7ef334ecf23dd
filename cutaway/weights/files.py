"""A network's own weights as safetensors: a header of names, types and shapes, then the data."""

import functools
import io
import json
from pathlib import Path
from typing import IO

import ml_dtypes
import numpy as np

from cutaway.errors import RunError, expect_path, expect_type
from cutaway.files import replacing
from cutaway.files.content import exists, naming, read_content
from cutaway.nn import Module
from cutaway.weights.hub import local_file

_TYPES = {
    "F64": "f8", "F32": "f4", "F16": "f2", "I64": "i8", "I32": "i4", "I16": "i2", "I8": "i1",
    "U64": "u8", "U32": "u4", "U16": "u2", "U8": "u1", "BOOL": "?", "C64": "c8",
    "BF16": ml_dtypes.bfloat16, "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
}  # fmt: skip
OWN = "cutaway"  # the format in the header of a file in our layout
FRAMEWORKS = {"pt": "PyTorch", "tf": "TensorFlow", "flax": "Flax", "mlx": "MLX", "np": "NumPy"}
_NAMES = {np.dtype(dtype): name for name, dtype in _TYPES.items()}


class OwnWeights(dict):
    """{path: array} of a file that Cutaway wrote: its names and layout are those of the network."""


def save_weights(net, path) -> None:
    """Write net.state_dict() to `path` as safetensors, atomically.

    The file says that it is in Cutaway's layout, which `load_into` then does not convert.

    Raises:
        OptionError: net is no Module, path no path. RunError: it cannot be written.
    """
    _expect_net(net, "save_weights")
    expect_path(path, what="save_weights: path")
    write_tensors(net.state_dict(), path)


def load_weights(net, path) -> None:
    """Load the safetensors file `path`, written by `save_weights`, into `net`.

    Args:
        path: of the file; or an address of the Hub, hf://org/name[@revision][/file].

    Raises:
        RunError: a missing or corrupted file, or weights of another architecture or framework.
        ShapeError: weights of other sizes. In every case `net` is unchanged.
    """
    _expect_net(net, "load_weights")
    expect_path(path, what="load_weights: path")
    path = local_file(path)
    content = read_bytes(path)
    tensors = read_safetensors(content, path)
    stated = stated_format(content)
    if stated not in (None, OWN):  # of square layers the shapes do not tell
        raise RunError(
            f"{path} says that it is in the layout of {FRAMEWORKS.get(stated, stated)}",
            expected="a file written by ct.save_weights",
            fix="ct.load_into(net, path), which converts names and layout",
        )
    net.load_state_dict(tensors)


def _expect_net(net, where: str):
    expect_type(net, Module, what=f"{where}: net", expected="a Module")


def write_tensors(tensors: dict, path) -> None:
    """Write {name: array} to `path` as safetensors, atomically."""
    size = sum(np.asarray(array).nbytes for array in tensors.values())
    with replacing(path, size=size) as partial:
        save_tensors(tensors, partial, {"format": OWN})


def as_safetensors(tensors: dict) -> bytes:
    """{name: array} as the content of a safetensors file."""
    content = io.BytesIO()
    _put_tensors(tensors, content, {"format": OWN})
    return content.getvalue()


def save_tensors(tensors: dict, path, metadata: dict[str, str]) -> None:
    """Write {name: array} to a new file as safetensors.

    Raises:
        OSError: the folder is not writable, or the disk is full.
    """
    with open(path, "xb") as file:
        _put_tensors(tensors, file, metadata)


def _put_tensors(tensors: dict, file: IO[bytes], metadata: dict[str, str]) -> None:
    """Write {name: array} as safetensors [1], the widest types first, so that all are aligned.

    The library itself writes to a file beside the one that is named, which a kill would leave.

    References:
        [1] https://github.com/huggingface/safetensors#format
    """
    arrays = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    names = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    header: dict = {"__metadata__": metadata}
    end = 0
    for name in names:
        begin, end = end, end + arrays[name].nbytes
        header[name] = {
            "dtype": _NAMES[arrays[name].dtype],
            "shape": arrays[name].shape,
            "data_offsets": (begin, end),
        }
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for name in names:
        file.write(arrays[name].reshape(-1).view(np.uint8).data)


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


def stated_format(content: bytes) -> str | None:
    """What a safetensors file says of its layout: "cutaway", "pt", ...; None: nothing.

    Args:
        content: that `read_safetensors` has read.
    """
    size = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + size]).get("__metadata__", {}).get("format")


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
