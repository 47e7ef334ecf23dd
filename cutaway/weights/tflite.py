"""Convolutions of a TensorFlow Lite model, with their weights.

The file is a FlatBuffer of the schema tensorflow/lite/schema/schema.fbs, version 3: tables whose
fields are found through a table of offsets. Only what leads to kernels and biases is read:

    Model       operator_codes (1), subgraphs (2), buffers (4)
    SubGraph    tensors (0), operators (3)
    Tensor      shape (0), type (1), buffer (2), name (3)
    Operator    opcode_index (0), inputs (1), outputs (2)
    Buffer      data (0)

Values of 16 bits are followed by an operator DEQUANTIZE, which makes them float32.
"""

import dataclasses
import struct

import numpy as np

from cutaway.errors import RunError

IDENTIFIER = b"TFL3"
DTYPES = {0: np.dtype("<f4"), 1: np.dtype("<f2")}
CONVOLUTION, DEPTHWISE, DEQUANTIZE = 3, 4, 6  # codes of operators


@dataclasses.dataclass(frozen=True)
class TfliteConvolution:
    """A convolution of the model.

    Attributes:
        name: of the tensor with its kernel.
        kernel: float32 (height, width, in, out), of a depthwise one (height, width, 1, channels).
        bias: float32 (out,).
        is_depthwise: whether each channel has a kernel of its own.
        input: number of the tensor that it reads.
    """

    name: str
    kernel: np.ndarray
    bias: np.ndarray
    is_depthwise: bool
    input: int


def read_tflite(content: bytes, source) -> list[TfliteConvolution]:
    """The convolutions of the first subgraph, in the order in which they are computed.

    Args:
        content: of the file.
        source: what the file is called in errors.

    Raises:
        RunError: no TensorFlow Lite model, or one with convolutions whose weights are not 16- or
            32-bit floats.
    """
    if content[4:8] != IDENTIFIER:
        raise _unlike(source, f"its bytes 4 to 8 are {content[4:8]!r}, not {IDENTIFIER!r}")
    try:
        return list(_convolutions(_Buffer(memoryview(content))))
    except (struct.error, ValueError, IndexError, KeyError) as error:
        raise _unlike(source, f"{type(error).__name__}: {error}") from error


def _unlike(source, why: str) -> RunError:
    return RunError(
        f"{source} is no TensorFlow Lite model that can be read: {why}",
        expected="a .tflite file of schema version 3 with kernels of 16- or 32-bit floats",
        fix="download it again",
    )


def _convolutions(file: "_Buffer"):
    model = file.follow(0)
    codes = [max(file.scalar(t, 0, "b"), file.scalar(t, 3, "i")) for t in file.tables(model, 1)]
    (graph, *_) = file.tables(model, 2)
    buffers = list(file.tables(model, 4))
    tensors = list(file.tables(graph, 0))
    full = {}  # {tensor of 32 bits: the one of 16 bits that it is made of}

    def values(number):
        tensor = tensors[full.get(number, number)]
        dtype = DTYPES[file.scalar(tensor, 1, "b")]
        data = file.numbers(buffers[file.scalar(tensor, 2, "I")], 0, "B")
        shape = file.numbers(tensor, 0, "i")
        return data.view(dtype).reshape(shape).astype(np.float32), file.text(tensor, 3)

    for operator in file.tables(graph, 3):
        code = codes[file.scalar(operator, 0, "I")]
        inputs = file.numbers(operator, 1, "i").tolist()
        if code == DEQUANTIZE:
            full[int(file.numbers(operator, 2, "i")[0])] = inputs[0]
        elif code in (CONVOLUTION, DEPTHWISE):
            kernel, name = values(inputs[1])
            bias, _ = values(inputs[2])
            # theirs is (out, height, width, in), depthwise (1, height, width, channels)
            order = (1, 2, 0, 3) if code == DEPTHWISE else (1, 2, 3, 0)
            yield TfliteConvolution(
                name, kernel.transpose(order), bias, code == DEPTHWISE, inputs[0]
            )


def named_weights(convolutions: list[TfliteConvolution]) -> dict[str, np.ndarray]:
    """{"NAME.weight": kernel, "NAME.bias": bias}; of joined names the first counts."""
    found = {}
    for one in convolutions:
        name = one.name.partition(";")[0]
        found |= {f"{name}.weight": one.kernel, f"{name}.bias": one.bias}
    return found


class _Buffer:
    """Fields of the tables of a FlatBuffer; a table is the place where it begins."""

    def __init__(self, content: memoryview):
        self.content = content

    def unpack(self, form: str, place: int) -> int:
        (value,) = struct.unpack_from(f"<{form}", self.content, place)
        return value

    def follow(self, place: int) -> int:
        return place + self.unpack("I", place)

    def field(self, table: int, number: int) -> int | None:
        """Where a field of a table stands; None if it is not there."""
        offsets = table - self.unpack("i", table)
        at = 4 + 2 * number
        if at >= self.unpack("H", offsets):
            return None
        distance = self.unpack("H", offsets + at)
        return table + distance if distance else None

    def scalar(self, table: int, number: int, form: str) -> int:
        place = self.field(table, number)
        return 0 if place is None else self.unpack(form, place)

    def numbers(self, table: int, number: int, form: str) -> np.ndarray:
        place = self.field(table, number)
        if place is None:
            return np.empty(0, f"<{'u1' if form == 'B' else 'i4'}")
        start = self.follow(place)
        count = self.unpack("I", start)
        dtype = "u1" if form == "B" else "<i4"
        return np.frombuffer(self.content, dtype, count, start + 4)

    def tables(self, table: int, number: int):
        place = self.field(table, number)
        if place is None:
            return
        start = self.follow(place)
        for k in range(self.unpack("I", start)):
            yield self.follow(start + 4 + 4 * k)

    def text(self, table: int, number: int) -> str:
        place = self.field(table, number)
        if place is None:
            return ""
        start = self.follow(place)
        length = self.unpack("I", start)
        return bytes(self.content[start + 4 : start + 4 + length]).decode("utf-8", "replace")
