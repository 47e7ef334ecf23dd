"""load_into: loads another framework's weights into a network, all of them or none."""

import numpy as np

from cutaway.engine import on_device
from cutaway.errors import DataError
from cutaway.nn.state import named_variables
from cutaway.weights.download import fetch
from cutaway.weights.names import PYTORCH, WeightNames
from cutaway.weights.read import read_weights


def load_into(net, source, names: WeightNames = PYTORCH, *, but=()) -> None:
    """Load the weights of `source`, renamed by `names`, into `net`.

    Args:
        source: path, URL or published name of a file (see `fetch`), or {source name: array}.
        names: table of names; by default those of a PyTorch network with the same paths.
        but: prefixes of our paths to leave unchanged, such as a new "head".

    Raises:
        RunError: weights of another architecture, or a file that cannot be read.
        ShapeError: weights of other sizes.
        DataError: weights that are not finite. In every case `net` is unchanged.
    """
    if not isinstance(source, dict):
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
