"""Normalisation, in ONNX."""

import numpy as np

from cutaway import ops
from cutaway.errors import OptionError
from cutaway.export.operations.registry import exports


@exports(ops.normalise)
def _normalise(g, x, mean, variance, weight, bias, *, eps=1e-5):
    channels = x.shape[-1]
    weight = np.ones(channels, x.dtype) if weight is None else weight
    bias = np.zeros(channels, x.dtype) if bias is None else bias
    rest = (weight, bias, mean, variance)
    if x.ndim == 2:
        return g.out("BatchNormalization", x, *rest, epsilon=float(eps))
    names = [g.name(value) for value in rest]
    first = g.node("BatchNormalization", g.channels_first(x), *names, epsilon=float(eps))
    return g.result(first=first)


@exports(ops.layer_norm)
def _layer_norm(g, x, weight, bias, *, eps=1e-5):
    weight = np.ones(x.shape[-1], x.dtype) if weight is None else weight
    return g.out("LayerNormalization", x, weight, bias, axis=-1, epsilon=float(eps))


@exports(ops.rms_norm)
def _rms_norm(g, x, weight, *, eps=1e-6):
    squares = g.node("Mul", x, x)
    mean = g.node("ReduceMean", squares, g.constant(np.array([-1])), keepdims=1)
    root = g.node("Sqrt", g.node("Add", mean, g.constant(np.asarray(eps, x.dtype))))
    out = g.node("Div", x, root)
    return g.result(out if weight is None else g.node("Mul", out, weight))


@exports(ops.instance_norm)
def _instance_norm(g, x, weight, bias, *, eps=1e-5):
    return _by_groups(g, x, weight, bias, x.shape[-1], eps)


@exports(ops.group_norm)
def _group_norm(g, x, weight, bias, *, num_groups, eps=1e-5):
    return _by_groups(g, x, weight, bias, num_groups, eps)


def _by_groups(g, x, weight, bias, num_groups, eps):
    weight = np.ones(x.shape[-1], x.dtype) if weight is None else weight
    bias = np.zeros(x.shape[-1], x.dtype) if bias is None else bias
    names = [g.channels_first(x), g.name(weight), g.name(bias)]
    first = g.node("GroupNormalization", *names, num_groups=num_groups, epsilon=float(eps))
    return g.result(first=first) if x.ndim > 2 else g.result(first)


@exports(ops.local_response_norm)
def _local_response_norm(g, x, *, size, alpha=1e-4, beta=0.75, k=1.0):
    if size % 2 == 0:
        raise OptionError(
            f"local response norm over {size} channels cannot be written in ONNX",
            expected="an odd number of channels",
        )
    first = g.node("LRN", g.channels_first(x), size=size, alpha=float(alpha), beta=float(beta),
                   bias=float(k))  # fmt: skip
    return g.result(first=first)
