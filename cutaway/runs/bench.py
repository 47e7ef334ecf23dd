"""bench: training speed of a network on this machine, and how its steps were compiled."""

import math
import time

import jax

from cutaway.engine import Tensor, no_grad
from cutaway.nn import in_mode, jit, watch
from cutaway.nn.convolution import _Convolution
from cutaway.ops.correlation import choose
from cutaway.ops.precision import matmul_precision
from cutaway.ops.windows import padding_pairs
from cutaway.runs.networks import loss_of
from cutaway.runtime import device, explaining_exhaustion


def bench(experiment, *, seconds: float = 2.0) -> dict:
    """Time training steps of a prepared network on its first batch.

    Args:
        experiment: from `prepare`; its weights change.
        seconds: duration of the measurement.

    Returns:
        device, precision, parameters, batch_size, first_step_seconds (with compilation),
        steps_per_second, rows_per_second, megabytes (working memory of a step), plan and why (how
        it was compiled), convolutions: [(path, layer, algorithm)].

    Raises:
        OutOfMemoryError: a step does not fit into the memory of the device.
    """
    chosen, size = experiment.options.precision, experiment.batch_size
    what = f"a training step with batch_size={size}"
    explained = explaining_exhaustion(what, batch_size=size, accumulate=1, precision=chosen)
    with matmul_precision(chosen), explained:
        return {"device": str(device()), "precision": chosen, **_measured(experiment, seconds)}


def _measured(experiment, seconds: float) -> dict:
    net, rows = experiment.net.train(), experiment.training[: experiment.batch_size]
    x, y = map(jax.device_put, (experiment.x[rows], experiment.targets()[rows]))
    optimizer = experiment.options.make_optimizer(net, experiment.training_rows)
    measured = loss_of(experiment.spec)

    def step(x, y):
        loss = measured(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    compiled = jit(step, net, optimizer)
    began = time.perf_counter()
    compiled(x, y).data.block_until_ready()
    first = time.perf_counter() - began
    count, began = 0, time.perf_counter()
    while count < 3 or time.perf_counter() - began < seconds:
        compiled(x, y).data.block_until_ready()
        count += 1
    per_second = count / (time.perf_counter() - began)
    plan = compiled.plans[0]
    memory = compiled.lower(x, y).compile().memory_analysis()  # None where XLA cannot tell
    return {
        "parameters": net.summary().total,
        "batch_size": len(rows),
        "first_step_seconds": first,
        "steps_per_second": per_second,
        "rows_per_second": per_second * len(rows),
        "megabytes": math.nan if memory is None else memory.temp_size_in_bytes / 2**20,
        "plan": plan.options,
        "why": plan.why,
        "convolutions": convolution_algorithms(net, x),
    }


def convolution_algorithms(net, x) -> list:
    """[(path, layer, algorithm)] of the forward pass of each convolution layer of `net` on x."""
    found = []
    paths = {id(module): path for path, module in net.modules().items()}

    def note(module, inputs, out):
        if isinstance(module, _Convolution):
            shape, w = inputs[0].shape, module.weight.shape
            pairs = padding_pairs(
                module.padding, shape[1:-1], w[:-2], module.stride, module.dilation
            )
            ones = (1,) * module.axes
            algorithm = choose(
                shape, w, module.stride, pairs, ones, module.groups, dilation=module.dilation
            )
            found.append((paths[id(module)], repr(module), algorithm))

    @no_grad()
    def forward(x):
        with watch(net, note):
            return net(Tensor(x)).data

    with in_mode(net, False):
        jax.eval_shape(forward, jax.ShapeDtypeStruct(x.shape, x.dtype))
    return found
