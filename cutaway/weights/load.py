"""load_into: loads another framework's weights into a network, all of them or none."""

import os

import numpy as np

from cutaway.engine import on_device
from cutaway.errors import DataError, expect_type
from cutaway.nn import Module
from cutaway.nn.state import named_variables
from cutaway.weights.download import fetch
from cutaway.weights.names import PYTORCH, WeightNames
from cutaway.weights.read import read_weights


def load_into(net, source, names: WeightNames = PYTORCH, *, but=()) -> None:
    """Load the weights of `source`, renamed by `names`, into `net`.

    A file that Cutaway wrote says so, and is loaded as it is.

    Args:
        source: path, URL, address of the Hub (hf://org/name) or published name of a file (see
            `fetch`), or {source name: array}.
        names: table of names; by default those of a PyTorch network with the same paths.
        but: prefixes of our paths to leave unchanged, such as a new "head".

    Raises:
        RunError: weights of another architecture, or a file that cannot be read.
        ShapeError: weights of other sizes.
        DataError: weights that are not finite. In every case `net` is unchanged.
    """
    expect_type(net, Module, what="load_into: net", expected="a Module")
    if not isinstance(source, dict):
        expect_type(
            source,
            str | os.PathLike,
            what="load_into: source",
            expected="a path, URL or published name, or {name: array}",
        )
        source = read_weights(fetch(source))
    values = names.translate(source, net, but=but)
    for path, value in values.items():
        if not np.isfinite(value.astype(np.float32)).all():
            raise DataError(
                f"the value for {path} contains NaN or infinity",
                expected="finite weights",
                fix="download the file again",
            )
    variables = named_variables(net)
    for path, value in values.items():
        variables[path].data = on_device(np.array(value, variables[path].dtype))
