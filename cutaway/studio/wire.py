"""Messages to the page as bytes: a JSON header, then arrays."""

import struct
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

ALIGNMENT = 8
DTYPES = {"u1": np.uint8, "f4": np.float32, "i4": np.int32}
NAME_OF = {np.dtype(dtype): name for name, dtype in DTYPES.items()}


def packed(header: dict[str, Any], arrays: Mapping[str, np.ndarray] | None = None) -> bytes:
    """One message: [u32 length of the JSON][JSON][arrays], each padded to 8 bytes.

    Args:
        header: JSON values; "arrays" is added: [[name, dtype, shape, offset]], with the offset
            from the first array. Numbers that are not finite are null.
        arrays: {name: uint8, float32 or int32 array}.

    Example:
        >>> import numpy as np
        >>> from cutaway.studio.wire import packed, unpacked
        >>> message = packed({"type": "frame"}, {"w": np.ones((2, 3), np.float32)})
        >>> unpacked(message)[1]["w"].shape
        (2, 3)
    """
    listed, parts, offset = [], [], 0
    for name, array in (arrays or {}).items():
        array = np.ascontiguousarray(array)
        listed.append([name, NAME_OF[array.dtype], list(array.shape), offset])
        content = array.tobytes()
        padding = -len(content) % ALIGNMENT
        parts += [content, bytes(padding)]
        offset += len(content) + padding
    text = msgspec.json.encode({**header, "arrays": listed}, enc_hook=_plain)
    padding = -(4 + len(text)) % ALIGNMENT
    return b"".join([struct.pack("<I", len(text)), text, bytes(padding), *parts])


def unpacked(message: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """(header, arrays) of a message."""
    (length,) = struct.unpack_from("<I", message)
    header = msgspec.json.decode(message[4 : 4 + length])
    begin = 4 + length + -(4 + length) % ALIGNMENT
    arrays = {}
    for name, dtype, shape, offset in header.pop("arrays"):
        kind = np.dtype(DTYPES[dtype])
        count = int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.frombuffer(message, kind, count, begin + offset).reshape(shape)
    return header, arrays


def _plain(value: Any) -> Any:
    """A number of NumPy as one of Python, an array as lists."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} in a message to the page")
