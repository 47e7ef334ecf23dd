"""Backpropagation: tensors, the tape, operations with their rules. Knows no networks."""

from cutaway.engine.check import check_gradient
from cutaway.engine.from_jax import from_jax
from cutaway.engine.operation import Operation, operation
from cutaway.engine.tape import Record, module_scope, no_grad
from cutaway.engine.tensor import Tensor, as_array, float64, gradients
from cutaway.engine.traits import Activation, Traits

operation.from_jax = from_jax

__all__ = [
    "Activation",
    "Operation",
    "Record",
    "Tensor",
    "Traits",
    "as_array",
    "check_gradient",
    "float64",
    "from_jax",
    "gradients",
    "module_scope",
    "no_grad",
    "operation",
]
