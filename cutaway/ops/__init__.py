"""Operations with their derivatives and ONNX forms below them, one file per family."""

from cutaway.engine import Activation, Operation
from cutaway.engine.operation import operation
from cutaway.leaves import objects_of
from cutaway.ops import methods
from cutaway.ops.activations import (
    elu,
    gelu,
    gelu_tanh,
    hard_sigmoid,
    hard_swish,
    leaky_relu,
    linear,
    log_softmax,
    mish,
    parametric_relu,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
    swish,
    tanh,
    threshold,
)
from cutaway.ops.arithmetic import (
    add,
    divide,
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    matmul,
    maximum,
    minimum,
    multiply,
    not_equal,
    power,
    subtract,
)
from cutaway.ops.conv import convolution, pad_borders, transposed_convolution
from cutaway.ops.dot_product_attention import attention, attention_weights, rotary
from cutaway.ops.elementwise import (
    absolute,
    clip,
    cos,
    exp,
    expm1,
    log,
    log1p,
    negative,
    sign,
    sin,
    smooth_clip,
    sqrt,
    square,
    where,
)
from cutaway.ops.jax_function import from_jax
from cutaway.ops.normalization import (
    batch_norm,
    group_norm,
    instance_norm,
    layer_norm,
    local_response_norm,
    moments,
    normalize,
    rms_norm,
)
from cutaway.ops.pooling import adaptive_average_pool, average_pool, max_pool
from cutaway.ops.recurrence import gru, lstm, rnn
from cutaway.ops.reductions import argmax, argmin, logsumexp, max, mean, min, std, sum, var
from cutaway.ops.resampling import upsample_linear, upsample_nearest
from cutaway.ops.shapes import (
    astype,
    broadcast_to,
    concatenate,
    expand_dims,
    flip,
    getitem,
    one_hot,
    pad,
    reshape,
    split,
    squeeze,
    stack,
    take,
    transpose,
)
from cutaway.ops.turns import cos_turns, sin_turns
from cutaway.runtime import keep_freed_memory

__all__ = [
    "ACTIVATION_FUNCTIONS",
    "ACTIVATION_TRAITS",
    "Operation",
    "abs",
    "absolute",
    "adaptive_average_pool",
    "add",
    "argmax",
    "argmin",
    "astype",
    "attention",
    "attention_weights",
    "average_pool",
    "batch_norm",
    "broadcast_to",
    "clip",
    "concatenate",
    "convolution",
    "cos",
    "cos_turns",
    "divide",
    "elu",
    "equal",
    "exp",
    "expand_dims",
    "expm1",
    "flip",
    "from_jax",
    "gelu",
    "gelu_tanh",
    "getitem",
    "greater",
    "greater_equal",
    "group_norm",
    "gru",
    "hard_sigmoid",
    "hard_swish",
    "instance_norm",
    "layer_norm",
    "leaky_relu",
    "less",
    "less_equal",
    "linear",
    "local_response_norm",
    "log",
    "log1p",
    "log_softmax",
    "logsumexp",
    "lstm",
    "matmul",
    "max",
    "max_pool",
    "maximum",
    "mean",
    "min",
    "minimum",
    "mish",
    "moments",
    "multiply",
    "negative",
    "normalize",
    "not_equal",
    "one_hot",
    "pad",
    "pad_borders",
    "parametric_relu",
    "power",
    "relu",
    "relu6",
    "reshape",
    "rms_norm",
    "rnn",
    "rotary",
    "selu",
    "sigmoid",
    "sign",
    "silu",
    "sin",
    "sin_turns",
    "smooth_clip",
    "softmax",
    "softplus",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "subtract",
    "sum",
    "swish",
    "take",
    "tanh",
    "threshold",
    "transpose",
    "transposed_convolution",
    "upsample_linear",
    "upsample_nearest",
    "var",
    "where",
]

abs: Operation = absolute


def _is_operation(value) -> bool:
    return isinstance(value, Operation) and not value.__name__.startswith("_")


# new files are found automatically; an operation shadows a file of the same name
_found = objects_of(__name__, __path__, _is_operation)
globals().update({o.__name__: o for o in _found})

# by the names of their layers; if two have the same name, the first
ACTIVATION_FUNCTIONS: dict[str, Operation] = {}
ACTIVATION_TRAITS: dict[str, Activation] = {}
for _function in reversed(_found):
    if _function.traits.activation is not None:
        ACTIVATION_TRAITS[_function.traits.activation.title] = _function.traits.activation
        ACTIVATION_FUNCTIONS[_function.traits.activation.title] = _function

operation.from_jax = from_jax

keep_freed_memory()  # before XLA starts its threads: nothing has been computed so far
