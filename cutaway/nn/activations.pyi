# Written by scripts/write_stubs.py: do not edit.
from typing import Any

from cutaway.engine import Operation, Tensor
from cutaway.nn.module import Module
from cutaway.nn.state import Parameter

class ActivationLayer(Module):
    activation_function: Operation
    def __init__(self, *values: Any, **options: Any) -> None: ...
    def forward(self, z: Any) -> Tensor: ...
    def describe(self) -> str: ...

class PReLU(Module):
    slope: Parameter
    activation_function: Operation
    def __init__(self, features: int = 1) -> None: ...
    def forward(self, z: Any) -> Tensor: ...

class LogSoftmax(ActivationLayer):
    axis: int
    def __init__(self, axis: int = -1) -> None: ...

class Softmax(ActivationLayer):
    axis: int
    def __init__(self, axis: int = -1) -> None: ...

class GELU(ActivationLayer):
    def __init__(self) -> None: ...

class HardSwish(ActivationLayer):
    def __init__(self) -> None: ...

class HardSigmoid(ActivationLayer):
    def __init__(self) -> None: ...

class Mish(ActivationLayer):
    def __init__(self) -> None: ...

class SiLU(ActivationLayer):
    def __init__(self) -> None: ...

class Softplus(ActivationLayer):
    def __init__(self) -> None: ...

class SELU(ActivationLayer):
    def __init__(self) -> None: ...

class ELU(ActivationLayer):
    alpha: float
    def __init__(self, alpha: float = 1.0) -> None: ...

class LeakyReLU(ActivationLayer):
    slope: float
    def __init__(self, slope: float = 0.01) -> None: ...

class ReLU6(ActivationLayer):
    def __init__(self) -> None: ...

class ReLU(ActivationLayer):
    def __init__(self) -> None: ...

class Tanh(ActivationLayer):
    def __init__(self) -> None: ...

class Sigmoid(ActivationLayer):
    def __init__(self) -> None: ...

class Identity(ActivationLayer):
    def __init__(self) -> None: ...

class Threshold(ActivationLayer):
    at: float
    def __init__(self, at: float = 0.0) -> None: ...

Swish = SiLU

LAYERS: dict[str, type[Module]]
ACTIVATIONS: dict[str, type[Module]]
