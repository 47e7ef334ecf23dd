"""Weights in the file format of the program darknet.

Redmon 2013-2016, "Darknet: open source neural networks in C", pjreddie.com/darknet. The file has no
names and no shapes: after a header come the numbers of all convolutions in the order of the
configuration. Of each, 32-bit floats, first the least significant byte:

    with batch norm       β, γ, running mean, running variance, kernel
    without               bias, kernel
    kernel                (out channels, in channels, height, width)

Header: major, minor and revision of the version, each an int32, and the number of pictures seen in
training: an int64 since version 0.2, before an int32.
"""

import dataclasses
import math
import os
import struct
from pathlib import Path

import numpy as np

from cutaway.engine import on_device
from cutaway.errors import DataError, RunError, expect_type
from cutaway.nn import BatchNorm, Conv2d, Module
from cutaway.weights.download import fetch
from cutaway.weights.files import read_bytes

DARKNET_EPS = 1e-6  # that darknet adds to a standard deviation


@dataclasses.dataclass(frozen=True)
class DarknetWeights:
    """Content of a weights file.

    Attributes:
        version: (major, minor, revision).
        seen: pictures of the training.
        numbers: all that follows the header, float32.
        source: the file.
    """

    version: tuple[int, int, int]
    seen: int
    numbers: np.ndarray
    source: str


def read_darknet(source) -> DarknetWeights:
    """The content of a weights file of darknet.

    Args:
        source: path, URL or published name of the file, see weights.fetch.

    Raises:
        RunError: no such file, or one of another form.
        DataError: numbers that are not finite.
    """
    path = Path(fetch(source))
    content = read_bytes(path)
    major, minor, revision = struct.unpack_from("<3i", content) if len(content) >= 20 else (-1,) * 3
    form = "<q" if major * 10 + minor >= 2 else "<i"
    start = 12 + struct.calcsize(form)
    if not (0 <= major < 10 and 0 <= minor < 10) or (len(content) - start) % 4:
        raise RunError(
            f"{path} is no weights file of darknet",
            expected="a version of three numbers, and 32-bit floats",
            fix="check the download: web pages are saved in place of files by mistake",
        )
    (seen,) = struct.unpack_from(form, content, 12)
    numbers = np.frombuffer(content, "<f4", offset=start)
    if not np.isfinite(numbers).all():
        raise DataError(
            f"{path} contains NaN or infinity", expected="finite weights", fix="download it again"
        )
    return DarknetWeights((major, minor, revision), seen, numbers, str(path))


def load_darknet(net: Module, source) -> DarknetWeights:
    """Load weights of darknet into the convolutions of `net`, in the order of its modules.

    A batch norm in the same container belongs to the convolution before it. Darknet divides by
    √σ² + 1e-6 and not by √(σ² + ε): the running variance is stored so that the quotient is the
    same.

    Args:
        net: with as many numbers as the file.
        source: see read_darknet.

    Raises:
        RunError: see read_darknet; weights of another network. `net` is then unchanged.
    """
    expect_type(net, Module, what="load_darknet: net", expected="a Module")
    found = read_darknet(os.fspath(source) if isinstance(source, os.PathLike) else source)
    layers = _layers(net)
    expected = sum(_count(conv, norm) for conv, norm in layers)
    if found.numbers.size != expected:
        raise RunError(
            f"{found.source} holds {found.numbers.size:,} numbers",
            expected=f"{expected:,}, as many as {type(net).__name__} has in {len(layers)} "
            "convolutions with their batch norms",
            fix="build the network of the configuration (.cfg) that belongs to this file, with its "
            "number of classes",
        )
    numbers, start = found.numbers, 0
    for conv, norm in layers:
        *window, depth, width = conv.weight.shape
        variables = [conv.bias]
        if norm is not None:
            variables = [norm.bias, norm.weight, norm.running_mean, norm.running_var]
        for variable in variables:
            value = numbers[start : start + width]
            start += width
            if norm is not None and variable is norm.running_var:
                value = (np.sqrt(value.astype(np.float64)) + DARKNET_EPS) ** 2 - norm.eps
            _put(variable, value)
        size = conv.weight.size
        kernel = numbers[start : start + size].reshape(width, depth, *window)
        _put(conv.weight, np.moveaxis(kernel, (0, 1), (-1, -2)))
        start += size
    return found


def _put(variable, value) -> None:
    variable.data = on_device(np.array(value, variable.dtype))


def _layers(net: Module) -> list[tuple[Conv2d, BatchNorm | None]]:
    """Each convolution with the batch norm that follows it in the same container, if one does."""
    found, latest = [], None
    for path, module in net.modules().items():
        container = path.rpartition(".")[0]
        if isinstance(module, Conv2d):
            found.append([module, None])
            latest = container
        elif isinstance(module, BatchNorm) and found and container == latest:
            found[-1][1] = module
    return [(conv, norm) for conv, norm in found]


def _count(conv, norm) -> int:
    return math.prod(conv.weight.shape) + conv.weight.shape[-1] * (1 if norm is None else 4)
