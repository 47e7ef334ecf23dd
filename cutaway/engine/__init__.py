"""Backpropagation: tensors, the tape, operations with their rules. Knows no networks."""

from cutaway.engine.check import check_gradient
from cutaway.engine.operation import Operation
from cutaway.engine.tape import Record, module_scope, no_grad
from cutaway.engine.tensor import Tensor, as_array, float64, gradients, on_device
from cutaway.engine.traits import Activation, Traits

__all__ = [
    "Activation",
    "Operation",
    "Record",
    "Tensor",
    "Traits",
    "as_array",
    "check_gradient",
    "float64",
    "gradients",
    "module_scope",
    "no_grad",
    "on_device",
]
