"""load_into: another framework's weights into a network, all of them or none."""

import jax.numpy as jnp
import numpy as np

from cutaway.errors import DataError
from cutaway.nn.state import named_variables
from cutaway.weights.download import fetch
from cutaway.weights.names import PYTORCH, WeightNames
from cutaway.weights.read import read_weights


def load_into(net, source, names: WeightNames = PYTORCH, *, but=()) -> None:
    """Give `net` the weights of `source`, renamed by `names`.

    Args:
        source: path, address or known name of a file (see `fetch`), or {their name: array}.
        names: the table of their names; by default a network of the same paths as PyTorch's.
        but: beginnings of our paths that stay as they are, such as a new "head".

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
                f"the value for {path} has numbers that are not finite",
                expected="weights of a training that went well",
                fix="take the file from its source again",
            )
    variables = named_variables(net)
    for path, value in values.items():
        variables[path].data = jnp.array(value, dtype=variables[path].dtype)
