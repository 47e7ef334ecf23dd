"""recompute: saves memory for a little more time by recomputing activations when needed."""

import jax
import jax.numpy as jnp

from cutaway.engine import Tensor, gradients, no_grad
from cutaway.engine.operation import operation
from cutaway.errors import GradientError, OptionError
from cutaway.nn.modes import with_modes
from cutaway.nn.module import Module, watch
from cutaway.nn.state import Held, Parameter, named_variables
from cutaway.ops.precision import current_precision, matmul_precision
from cutaway.runtime import on_cpu


@operation(name="recompute", saves=True)
def recompute_operation(*arrays, block, count, precision):
    """block applied to the first `count` arrays; the others are the values of its Variables."""
    with no_grad():
        out = block.inner(*(Tensor(x) if _is_array(x) else x for x in arrays[:count]))
    if not isinstance(out, Tensor):
        raise OptionError(
            f"recompute: {type(block.inner).__name__} returns a {type(out).__name__}",
            expected="a block with one Tensor as output",
            fix="wrap its parts individually",
        )
    return out.data, {id(m): m.training for m in block.inner.modules().values()}


@recompute_operation.backward
def recompute_backward(grad, out, modes, *arrays, block, count, **options):
    grad, arrays = jax.lax.optimization_barrier((grad, arrays))
    inputs = [_leaf(x) for x in _apart(grad, arrays[:count])]
    variables = block.variables()
    held = Held(variables, [(value, None) for value in arrays[count:]])
    with held, with_modes(modes), matmul_precision(options["precision"]):
        with watch(block.inner, _nothing):
            result = block.inner(*inputs)
        found = gradients(result, grad) if result.requires_grad else []
    by_leaf = {id(leaf): g for leaf, g in found}
    ours = [*inputs, *variables]
    if set(by_leaf) - {id(x) for x in ours}:
        raise GradientError(
            f"recompute: {type(block.inner).__name__} uses a Tensor that is neither its input nor "
            "one of its parameters",
            expected="everything that requires a gradient as input or parameter of the block",
            fix="pass the Tensor to the block as another input",
        )
    return tuple(by_leaf.get(id(x)) for x in ours)


@recompute_operation.decomposition
def recompute_decomposition(label, *inputs, block, count, precision):
    return block.inner(*inputs[:count])


def _apart(grad, inputs) -> list:
    """The inputs of the second run, disguised so that XLA does not reuse the first run's results.

    On CPUs XLA drops barriers before it eliminates common subexpressions. There the inputs go
    through a `where` with a constant condition that XLA cannot simplify: no number is larger than
    infinity. It also makes the second run wait for the gradient.
    """
    if not on_cpu() or grad.size == 0:
        return list(inputs)
    never = grad.ravel()[0] > jnp.inf
    return [jnp.where(never, jnp.zeros_like(x), x) if _is_array(x) else x for x in inputs]


def _is_array(x) -> bool:
    return isinstance(x, jax.Array)


def _leaf(x):
    if not _is_array(x):
        return x
    return Tensor(x, requires_grad=jnp.issubdtype(x.dtype, jnp.floating))


def _nothing(module, inputs, out):
    pass


class Recompute(Module):
    """A block whose activations are not stored for the backward pass, which reruns the block.

    Only the inputs of the block stay in memory, at the cost of another forward pass. The second
    run uses the random keys and running statistics of the first, so dropout drops the same units;
    they are updated once. Made by `recompute`.

    Args:
        inner: the block, with any number of inputs and one output.

    References:
        Chen et al. 2016, "Training deep nets with sublinear memory cost", arXiv:1604.06174.
    """

    is_wrapper = True

    def __init__(self, inner: Module):
        self.inner = inner

    def variables(self) -> list:
        """The Variables of the block, each once."""
        return list(named_variables(self.inner).values())

    def forward(self, *inputs):
        variables = self.variables()
        # values before the first run; parameters stay Tensors, so the backward pass finds them
        values = [v if isinstance(v, Parameter) else v.data for v in variables]
        return recompute_operation(
            *inputs, *values, block=self, count=len(inputs), precision=current_precision()
        )


def recompute(block: Module) -> Recompute:
    """The block with its activations recomputed instead of stored; see Recompute.

    Example:
        >>> import cutaway as ct
        >>> from cutaway.nn import Linear, Sequential, Tanh
        >>> net = Sequential(*(ct.recompute(Sequential(Linear(4, 4), Tanh())) for _ in range(3)))
        >>> list(net.state_dict())[:2]
        ['0.inner.0.weight', '0.inner.0.bias']
    """
    return Recompute(block)
