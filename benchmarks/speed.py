"""Training steps a second against PyTorch, in one process, taking turns.

    python benchmarks/speed.py [--rounds 5] [--only NAME,NAME] [--json FILE] [--markdown FILE]

First multilayer perceptrons (speed_mlp.py), whole epochs in one program, then the networks of
networks.py, a call a step. Both sides make the same step on the same batch: forward, cross-entropy,
backward, Adam; and the forward pass of one row. PyTorch runs eagerly and, with --compile, as
torch.compile makes it. The ratio is taken round by round, so that it holds when the machine's
speed drifts. The ceiling is a 1024³ matrix product measured in the same rounds; the arithmetic of
a step is counted by PyTorch.
"""

import argparse
import json
import platform
import statistics
import time
from pathlib import Path

import numpy as np
import speed_mlp
from networks import CASES

import cutaway.engine  # noqa: F401  # first, as in a program of its own: it sets up the memory

SECONDS = 1.0  # how long each side runs in a round
ROW_CALLS = 20


class Ours:
    """A network of Cutaway with its compiled step."""

    def __init__(self, case, x, y):
        import jax

        import cutaway as ct

        ct.seed(0)
        self.net = net = case.ours()
        optimizer = ct.Adam(net)
        self.x, self.y, self.row = map(jax.device_put, (x, y, x[:1]))
        loss_of = ct.losses.sparse_categorical_cross_entropy_with_logits

        def step(x, y):
            loss = loss_of(net(x), y)
            loss.backward()
            optimizer.step()
            return loss

        self.compiled = ct.jit(step, net, optimizer)
        began = time.perf_counter()
        self.step()
        self.compile_seconds = time.perf_counter() - began
        analysis = self.compiled.lower(self.x, self.y).compile().memory_analysis()
        self.megabytes = (analysis.temp_size_in_bytes + analysis.argument_size_in_bytes) / 2**20
        self.predict = ct.jit(ct.no_grad()(lambda x: net(x)), net, donate=False)

    def step(self):
        return self.compiled(self.x, self.y).data.block_until_ready()

    def infer(self):
        self.predict(self.row).data.block_until_ready()

    def train(self, mode):
        self.net.train(mode)


class Theirs:
    """A network of PyTorch with its eager step."""

    def __init__(self, case, x, y, *, compiled=False):
        import torch

        self.torch = torch
        torch.manual_seed(0)
        self.net = case.theirs()
        if compiled:
            self.net = torch.compile(self.net)
        self.optimizer = torch.optim.Adam(self.net.parameters())
        x = np.moveaxis(x, -1, 1).copy() if case.channels_first else x
        self.x = torch.from_numpy(x)
        if not self.x.is_floating_point():
            self.x = self.x.long()
        self.y = torch.from_numpy(y).long()
        self.loss = torch.nn.CrossEntropyLoss()
        began = time.perf_counter()
        self.step()
        self.compile_seconds = time.perf_counter() - began

    def step(self):
        self.optimizer.zero_grad()
        loss = self.loss(self.net(self.x), self.y)
        loss.backward()
        self.optimizer.step()
        return loss

    def infer(self):
        with self.torch.no_grad():
            self.net(self.x[:1])

    def train(self, mode):
        self.net.train(mode)

    def flops(self):
        from torch.utils.flop_counter import FlopCounterMode

        with FlopCounterMode(display=False) as counter:
            self.step()
        return counter.get_total_flops()


def seconds_each(call, seconds):
    """Mean seconds of a call, over as many as fit in that time, at least two."""
    began, count = time.perf_counter(), 0
    while count < 2 or time.perf_counter() - began < seconds:
        call()
        count += 1
    return (time.perf_counter() - began) / count


def compare(case, rounds, product, with_compile):
    x, y = case.data(np.random.default_rng(0), case.batch)
    ours, theirs = Ours(case, x, y), Theirs(case, x, y)
    sides = [ours, theirs]
    if with_compile:
        try:
            sides.append(Theirs(case, x, y, compiled=True))
        except Exception as error:  # whatever stops torch.compile, the others count
            print(f"torch.compile: {type(error).__name__}: {str(error).splitlines()[0]}")
    flops = theirs.flops()
    taken = []
    for _ in range(rounds):
        ceiling = 2 * speed_mlp.CEILING**3 / product()
        taken.append([seconds_each(side.step, SECONDS) for side in sides] + [ceiling])
    for side in sides:
        side.train(False)
    rows = []
    for _ in range(rounds):
        for side in sides[:2]:
            side.infer()
        rows.append(
            [sum(seconds_each(s.infer, 0) for _ in range(ROW_CALLS)) / ROW_CALLS for s in sides[:2]]
        )
    columns = list(zip(*taken, strict=True))
    ratios = sorted(r[1] / r[0] for r in taken)
    return {
        "network": case.name,
        "batch": case.batch,
        "cutaway_ms": statistics.median(columns[0]) * 1e3,
        "torch_ms": statistics.median(columns[1]) * 1e3,
        "torch_compile_ms": statistics.median(columns[2]) * 1e3 if len(sides) > 2 else None,
        "times_torch": statistics.median(ratios),
        "times_torch_spread": [ratios[0], ratios[-1]],
        "times_torch_asked": case.asked,
        "times_torch_compile": statistics.median(r[2] / r[0] for r in taken)
        if len(sides) > 2
        else None,
        "share_of_ceiling": statistics.median(flops / r[0] / r[-1] for r in taken),
        "gflop": flops / 1e9,
        "row_ms": statistics.median(r[0] for r in rows) * 1e3,
        "row_torch_ms": statistics.median(r[1] for r in rows) * 1e3,
        "row_times_torch": statistics.median(r[1] / r[0] for r in rows),
        "compile_seconds": ours.compile_seconds,
        "megabytes": ours.megabytes,
    }


HEADINGS = (
    "network", "batch", "ms", "steps/s", "PyTorch ms", "x PyTorch", "(spread)", "asked",
    "x compiled", "ceiling", "one row x", "compile s", "MB",
)  # fmt: skip


def cells(r):
    low, high = r["times_torch_spread"]
    compiled = r["times_torch_compile"]
    return (
        r["network"], r["batch"], f"{r['cutaway_ms']:.1f}", f"{1e3 / r['cutaway_ms']:.1f}",
        f"{r['torch_ms']:.1f}", f"{r['times_torch']:.2f}", f"({low:.2f}-{high:.2f})",
        f"{r['times_torch_asked']:.1f}", f"{compiled:.2f}" if compiled else "",
        f"{r['share_of_ceiling']:.0%}", f"{r['row_times_torch']:.1f}",
        f"{r['compile_seconds']:.1f}", f"{r['megabytes']:,.0f}",
    )  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="parts of names, with commas; mlp for those")
    parser.add_argument("--compile", action="store_true", help="torch.compile too")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    only = [part for part in options.only.split(",") if part]
    results = {"machine": machine()}
    if not only or "mlp" in only:
        results["mlp"] = speed_mlp.run(options.rounds)
    product = speed_mlp.product_seconds()
    chosen = [c for c in CASES if not only or any(part in c.name for part in only)]
    results["networks"] = []
    if chosen:
        print("  ".join(HEADINGS))
    for case in chosen:
        results["networks"].append(compare(case, options.rounds, product, options.compile))
        print("  ".join(map(str, cells(results["networks"][-1]))), flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    if options.markdown:
        options.markdown.write_text(as_markdown(results))


def machine():
    import jax
    import torch

    name = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            name = line.split(":")[1].strip()
    versions = f"jax {jax.__version__}, torch {torch.__version__}"
    return f"{name}, {torch.get_num_threads()} threads; {versions}"


def as_markdown(results):
    rows = [HEADINGS, tuple("---" for _ in HEADINGS), *map(cells, results["networks"])]
    table = "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)
    return f"{results['machine']}\n\n{table}\n"


if __name__ == "__main__":
    main()
