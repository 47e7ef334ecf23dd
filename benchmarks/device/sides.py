"""One network of networks.py in Cutaway and in PyTorch, ready to be called step by step."""

import contextlib
import time

import numpy as np


class Ours:
    """A network of Cutaway on JAX's device; a call is a step, or an epoch."""

    name = "cutaway"

    def __init__(self, case):
        import jax

        import cutaway as ct

        ct.seed(0)
        self.case = case
        self.net = net = case.ours()
        self.parameters = sum(p.data.size for p in net.parameters())
        self.optimizer = ct.Adam(net, lr=1e-4)
        losses = ct.losses
        self.loss = (
            losses.mean_squared_error
            if case.loss == "squares"
            else losses.sparse_categorical_cross_entropy_with_logits
        )
        x, y = case.data(np.random.default_rng(0))
        began = time.perf_counter()
        if case.epoch:
            self._prepare_epochs(x, y)
        else:
            self.x, self.y = jax.device_put(x), jax.device_put(y)
            self._compiled = ct.jit(self._step, net, self.optimizer)
        self.call()
        self.wait()
        self.first_seconds = time.perf_counter() - began

    def _step(self, x, y):
        loss = self.loss(self.net(x), y)
        loss.backward()
        self.optimizer.step()
        return loss

    def _prepare_epochs(self, x, y):
        import cutaway as ct
        from cutaway.train.blocks import ArrayRows, to_device

        self._trainer = ct.Trainer(
            self.net, loss=self.loss, optimizer=self.optimizer, precision=self.case.precision
        )
        self._memory = ArrayRows(*to_device(x, y))
        self._rng = np.random.default_rng(0)
        self.net.train()

    def call(self):
        import cutaway as ct

        if self.case.epoch:
            for x, y, order, steps in self._memory.epoch(self._rng, self.case.batch_size):
                for chunk in self._trainer._runner.steps.run(x, y, order, steps):
                    self.last = chunk.losses[-1]
            return
        with ct.matmul_precision(self.case.precision):
            self.last = self._compiled(self.x, self.y).data

    def wait(self):
        self.last = float(self.last)

    def lowered(self):
        """What one step runs, as JAX's Lowered; None where epochs are run."""
        import cutaway as ct

        if self.case.epoch:
            return None
        with ct.matmul_precision(self.case.precision):
            return self._compiled.lower(self.x, self.y)


class Theirs:
    """The network of PyTorch, eager or compiled, on its device; a call is a step, or an epoch."""

    name = "torch"

    def __init__(self, case, *, compiled: bool = False):
        import torch

        self.torch, self.case = torch, case
        torch.manual_seed(0)
        torch.backends.cudnn.benchmark = True
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        if self.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        self.net = case.theirs().to(self.device)
        self.parameters = sum(p.numel() for p in self.net.parameters())
        x, y = case.data(np.random.default_rng(0))
        self.x = self._tensor(x)
        self.y = self._tensor(y, is_target=True)
        if case.is_images and x.ndim == 4:
            self.net = self.net.to(memory_format=torch.channels_last)
            self.x = self.x.contiguous(memory_format=torch.channels_last)
        self.run = torch.compile(self.net) if compiled else self.net
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=1e-4)
        is_squares = case.loss == "squares"
        self.loss = torch.nn.MSELoss() if is_squares else torch.nn.CrossEntropyLoss()
        began = time.perf_counter()
        self.call()
        self.wait()
        self.first_seconds = time.perf_counter() - began

    def _tensor(self, array, *, is_target=False):
        if self.case.is_images and not is_target:
            array = np.moveaxis(array, -1, 1).copy()
        tensor = self.torch.from_numpy(array).to(self.device)
        return tensor if tensor.is_floating_point() else tensor.long()

    def _computing(self):
        if self.case.precision != "bfloat16":
            return contextlib.nullcontext()
        return self.torch.autocast(self.device, self.torch.bfloat16)

    def step(self, x, y):
        self.optimizer.zero_grad()
        with self._computing():
            out = self.run(x)
            out = getattr(out, "logits", out)
            loss = self.loss(out.float(), y)
        loss.backward()
        self.optimizer.step()
        return loss

    def call(self):
        if not self.case.epoch:
            self.last = self.step(self.x, self.y)
            return
        order = self.torch.randperm(len(self.x), device=self.device)
        for rows in order.split(self.case.batch_size):
            self.last = self.step(self.x[rows], self.y[rows])

    def wait(self):
        self.last = self.last.item()  # the host waits for all that was asked for before

    def peak_bytes(self):
        if self.device != "cuda":
            return None
        return self.torch.cuda.max_memory_allocated()

    def flops(self):
        from torch.utils.flop_counter import FlopCounterMode

        with FlopCounterMode(display=False) as counter:
            self.step(self.x, self.y)
        return float(counter.get_total_flops())


def seconds_each(side, seconds: float) -> float:
    """Mean seconds of a call: as many as fit in that time, then one wait for the device."""
    side.call()
    side.wait()
    began = time.perf_counter()
    side.call()
    side.wait()
    count = max(1, int(seconds / max(time.perf_counter() - began, 1e-6)))
    began = time.perf_counter()
    for _ in range(count):
        side.call()
    side.wait()
    return (time.perf_counter() - began) / count
