"""Where did the NaN begin? One step again, eagerly, looking at every layer."""

import jax.numpy as jnp

from cutaway.engine import Tensor, gradients
from cutaway.nn.module import watch


def find_origin(net, loss, x, y) -> str:
    """The first place where one training step on (x, y) is not finite, in words.

    Looks at parameters, then at layer after layer of the forward pass, then at the loss, then at
    the gradients.
    """
    for path, parameter in net.named_parameters().items():
        if not _finite(parameter.data):
            return f"the weights {path} were no longer finite"
    found = []

    def look(module, inputs, out):
        if not found and not _finite(out.data):
            largest = max((float(jnp.abs(i.data).max()) for i in inputs), default=0.0)
            found.append(
                f"it began in the output of layer {call.path_of(module) or 'net'} "
                f"({type(module).__name__}), whose input went up to {largest:.3g}"
            )

    net.train()
    with watch(net, look) as call:
        prediction = net(Tensor(x))
    if found:
        return found[0]
    result = loss(prediction, Tensor(y))
    if not _finite(result.data):
        largest = float(jnp.abs(prediction.data).max())
        return f"it began in the loss itself, with predictions up to {largest:.3g}"
    names = {id(p): path for path, p in net.named_parameters().items()}
    for leaf, grad in gradients(result):
        if not _finite(grad):
            return f"it began in the gradient of {names.get(id(leaf), 'an input')}"
    return "the same step alone is finite, so it began in the optimizer's arithmetic"


def _finite(array) -> bool:
    return bool(jnp.isfinite(array).all())
