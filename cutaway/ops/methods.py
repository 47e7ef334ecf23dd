"""Operators and methods of Tensor: `a + b`, `x.sum(axis=0)`, `x[1:3]`.

They are declared in engine/tensor.py; the engine does not import operations, which register here.
"""

from cutaway.engine.tensor import OPERATIONS
from cutaway.ops import activations, arithmetic, elementwise, reductions, shapes

OPERATIONS.update(
    {
        function.__name__: function
        for function in (
            *(arithmetic.add, arithmetic.subtract, arithmetic.multiply, arithmetic.divide),
            *(arithmetic.power, arithmetic.matmul, arithmetic.equal, arithmetic.not_equal),
            *(arithmetic.less, arithmetic.less_equal, arithmetic.greater),
            *(arithmetic.greater_equal, elementwise.negative, elementwise.absolute),
            *(elementwise.exp, elementwise.log, elementwise.sqrt, elementwise.square),
            *(elementwise.clip, activations.sigmoid, activations.tanh, activations.relu),
            *(reductions.sum, reductions.mean, reductions.max, reductions.min, reductions.var),
            *(reductions.std, reductions.argmax, reductions.argmin, shapes.getitem),
            *(shapes.reshape, shapes.transpose, shapes.squeeze, shapes.expand_dims),
            *(shapes.take, shapes.split, shapes.astype),
        )
    }
)
