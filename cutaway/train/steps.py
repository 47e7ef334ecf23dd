"""The compiled steps of an epoch, in chunks short enough for a progress display."""

import contextlib
import dataclasses
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cutaway.engine import Tensor, as_array
from cutaway.nn.lifting import Compiled, jit
from cutaway.nn.state import Held
from cutaway.nn.trees import leaves, map_leaves
from cutaway.runtime import are_known, distributed, on_cpu
from cutaway.train.control import Control
from cutaway.train.program import Program

CHUNK_SECONDS = 0.2
CAPACITY = 1024  # maximum steps per chunk


@dataclasses.dataclass
class Chunk:
    """Steps that ran in one program.

    Attributes:
        start: index of the first step within its block, from 0.
        losses: (steps,) float32.
        terms: {column: (steps,)} of the named terms of the loss.
        before: the values of all variables before the first step.
        data: (x, y) of the block.
    """

    start: int
    losses: np.ndarray
    terms: dict[str, np.ndarray]
    before: list
    data: tuple


class EpochSteps:
    """Runs a program's steps over a block of rows, as far as `control` permits.

    For a small network on a table, where a step takes microseconds, a whole epoch runs in one
    program with a fixed number of steps. Anything else runs in a program whose number of steps is
    an argument, so the duration of a chunk can be adapted without recompiling.

    Attributes:
        data: (x, y) of the block that runs. While the fit is paused, rows of the same shapes may
            take their place.
    """

    def __init__(self, program: Program, control: Control):
        self.program = program
        self.control = control
        self.accumulate = 1  # micro-batches per step
        self.data: tuple = ()
        # no donation: the values from before a chunk are needed if its loss becomes NaN
        self._looped = self._jit(self._numbered_step)
        self._once = self._jit(self.step)
        self._scanned = None
        self._quick_loop = None
        self._rate = None
        self._chunk_steps = None

    def run(self, x, y, order, steps: int):
        """Yield Chunks that together make `steps` steps; order is (>= steps, batch_size)."""
        self.data = (x, y)
        batch_size = order.shape[1]
        order = self.parts(order)
        is_quick = self.is_quick(x, steps, batch_size)
        if is_quick and not self.control.is_used:
            if self._scanned is None:
                self._scanned = self.compiled(self.step, batch_size)
            before = self.values()
            with self.undone_by_errors(before):
                losses = _on_host(self._scanned.scan(order[:steps], x, y), steps)
            yield Chunk(0, losses.pop("loss"), losses, before, self.data)
            return
        looped = self.looped(x, steps, batch_size)
        order = jax.device_put(order)
        done = 0
        while done < steps:
            count = min(self._chunk_steps or 2, steps - done, CAPACITY)
            count = self.control.permitted(count, (self, order[done]))
            x, y = self.data
            before = self.values()
            began = time.perf_counter()
            with self.undone_by_errors(before):
                losses = looped.loop(done, done + count, order, x, y, capacity=CAPACITY)
                losses = _on_host(losses, count)
            seconds = (time.perf_counter() - began) / count
            # the first call compiles, so its time is not representative
            fitting = 2 if self._chunk_steps is None else _fitting(seconds)
            self._chunk_steps = int(distributed.most(fitting)[0])
            yield Chunk(done, losses.pop("loss"), losses, before, (x, y))
            done += count

    def looped(self, x, steps: int, batch_size: int) -> Compiled:
        """The step of number i: (i, order, x, y) -> its loss and terms, for Compiled.loop.

        The bits are those of `run`.

        Args:
            x, steps, batch_size: the inputs, and of an epoch of them.
        """
        if not self.is_quick(x, steps, batch_size):
            return self._looped
        if self._quick_loop is None:  # the same options as in the scan
            self._quick_loop = self.compiled(self._numbered_step, batch_size)
        return self._quick_loop

    def rewind(self, chunk: Chunk, step: int, order) -> None:
        """Restore the values from before step `step` of the block."""
        self.restore(chunk.before)
        for i in range(chunk.start, step):
            self._once(self.parts(order)[i], *chunk.data)

    @contextlib.contextmanager
    def undone_by_errors(self, before):
        """Context that restores the values `before` on exceptions: JAX raises them when results
        are read, and then the new values are invalid too."""
        try:
            yield
        except BaseException:
            self.restore(before)
            raise

    def restore(self, values):
        """Give the program's Variables these values, as `values` returned them."""
        for variable, value in zip(self.program.variables().values(), values, strict=True):
            variable.data = as_array(value)

    def parts(self, order):
        """(steps, batch_size) as (steps, micro-batches, rows per micro-batch), if several."""
        if self.accumulate == 1:
            return order
        return order.reshape(len(order), self.accumulate, -1)

    def step(self, rows, x, y) -> dict[str, Tensor]:
        """One update by these rows of x and y; rows (micro-batches, rows) are accumulated."""
        rows = Tensor(distributed.over_rows(rows.data, axis=rows.ndim - 1))
        if rows.ndim == 1:
            return self.program.step(_take(x, rows), _take(y, rows))
        return self.program.accumulated_step(lambda part: (_take(x, part), _take(y, part)), rows)

    def _numbered_step(self, i, order, x, y):
        return self.step(Tensor(order.data[i.data]), x, y)

    def compiled(self, step, batch_size: int):
        """`step`, of the program's Variables, with the options for quick steps."""
        return self._jit(step, self._quick_options(batch_size))

    def _jit(self, step, options=None):
        owners = self.program.owners().values()
        return jit(step, *owners, donate=False, compiler_options=options)

    def is_quick(self, x, steps, batch_size) -> bool:
        """Whether an epoch over the inputs x takes milliseconds."""
        inputs = leaves(x)
        if any(leaf.ndim != 2 for leaf in inputs) or steps > CAPACITY:
            return False
        # in a row of tokens, the weights are applied to each
        times = max(1 if jnp.issubdtype(a.dtype, jnp.floating) else a.shape[1] for a in inputs)
        # on an H100, steps of 784-512-256-10 took 65 µs in a scan and 85 in a loop
        most = 5e8 if on_cpu() else 5e11
        return self._weights() * batch_size * steps * times < most

    def _quick_options(self, batch_size) -> dict | None:
        """XLA's options for steps of microseconds, where threads cost more than they save.

        Measured with Adam, batch size 32, µs per step: 4-3-2-1 4.4 by default, 3.9 with one thread,
        2.3 with one thread and fused reductions; 11-64-64-6 15.8, 14.3, 16.5. XLA's older emitters
        compile in half the time (4-3-2-1: 0.29 s instead of 0.61); the smallest steps take as long
        (10% less to 4% more), those of 11-32-1 10% longer.
        """
        if not on_cpu():
            return None
        options: dict = {"xla_cpu_multi_thread_eigen": False}
        if self._weights() * batch_size < 20_000:
            options["xla_cpu_experimental_ynn_fusion_type"] = "LIBRARY_FUSION_TYPE_REDUCE"
        if self._weights() * batch_size < 5_000:
            options["xla_cpu_use_fusion_emitters"] = False
        return options if are_known(options) else None

    def _weights(self) -> int:
        return sum(p.size for p in self.program.optimizer.parameters)

    def rates(self, every: int = 0, count: int = 1) -> list[float]:
        """The learning rate now, and before it every `every` steps: `count` in all, in order."""
        optimizer = self.program.optimizer
        if optimizer.schedule is None:
            return [float(optimizer.lr)] * count
        if self._rate is None:
            self._rate = jit(self._rate_at, optimizer, donate=False)
        last = int(optimizer.step_count.data)
        steps = range(last - every * (count - 1), last + 1, every or 1)
        return [self._rate(np.int32(step)).item() for step in steps]

    def _rate_at(self, step):
        optimizer = self.program.optimizer
        with Held([optimizer.step_count], [(step.data, None)]):
            return Tensor(jnp.asarray(optimizer.lr))

    def values(self) -> list:
        return [v.data for v in self.program.variables().values()]


def _fitting(seconds_per_step: float) -> int:
    return max(1, min(CAPACITY, int(CHUNK_SECONDS / max(seconds_per_step, 1e-6))))


def _on_host(losses: Any, steps: int) -> dict[str, np.ndarray]:
    return {name: values.numpy()[:steps] for name, values in losses.items()}


def _take(tree, rows: Tensor):
    # the row indices are known to be in bounds: no clamping
    return map_leaves(
        lambda leaf: Tensor(leaf.data.at[rows.data].get(mode="promise_in_bounds")), tree
    )
