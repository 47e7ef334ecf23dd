"""Training steps a second against PyTorch, Flax and Keras, in one process, taking turns.

    python -m benchmarks.speed [--rounds 5] [--only NAME,NAME] [--compile] [--peers flax,keras]
                               [--json FILE] [--markdown FILE]
    python -m benchmarks.speed --known [--rounds 5] [--only NAME,NAME] [--channels-last]
                               [--threads N] [--json FILE] [--markdown FILE]

First multilayer perceptrons (speed_mlp.py), whole epochs in one program, then the networks of
networks.py, a call a step. All sides make the same step on the same batch: forward, cross-entropy,
backward, Adam; and the forward pass of one row. The ratio is taken round by round, so that it holds
when the machine's speed drifts. The ceiling is a 1024³ matrix product measured in the same rounds;
the arithmetic of a step is counted by PyTorch.

PyTorch runs eagerly and, with --compile, as torch.compile makes it (needs a C++ compiler). Flax and
Keras are asked for with --peers and are installed for this alone, best beside a Cutaway in an
environment of their own (pip install flax optax keras):

- flax: networks_flax.py, Flax NNX and Optax; nnx.jit and nnx.cached_partial around the step.
- keras: networks_keras.py, Keras 3 on JAX; model.compile and model.train_on_batch.

A side that is missing or fails is named in a line, and its column stays empty. All networks must
have as many parameters as Cutaway's, but for the biases that APART names in each file. Every side
gets the memory setting that importing Cutaway makes. The machine must be idle: where the cores are
shared, PyTorch's threads wait for each other and its steps may take ten times as long.

With --known instead: networks with known weights, ResNet-50 and BERT-base in use and EfficientNet
and MiniLM in fine-tuning, with the same weights on both sides; see known_networks.py.
"""

import argparse
import importlib
import json
import os
import platform
import statistics
import time
from functools import partial
from pathlib import Path

import numpy as np

import cutaway.ops  # noqa: F401  # first, as in a program of its own: it sets up the memory
from benchmarks import known_networks, networks, speed_mlp

SECONDS = 1.0  # how long each side runs in a round
ROW_SECONDS = 0.2
AWAKE = 0.05  # of calls before a turn that do not count
PEERS = {"flax": "flax optax", "keras": "keras"}  # what to install for each


class Ours:
    """A network of Cutaway with its compiled step."""

    def __init__(self, case, x, y):
        import jax

        import cutaway as ct

        ct.seed(0)
        self.net = net = case.ours()
        self.parameters = sum(p.data.size for p in net.parameters())
        self.x, self.y, self.row = map(jax.device_put, (x, y, x[:1]))
        step, owners = case.steps.step_of_ours(net) if case.steps else _step_of(net)
        self.compiled = ct.jit(step, *owners)
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


def _step_of(net):
    """(a step of cross-entropy by Adam, what it changes)."""
    import cutaway as ct

    optimizer = ct.Adam(net)
    loss_of = ct.losses.sparse_categorical_cross_entropy_with_logits

    def step(x, y):
        loss = loss_of(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step, [net, optimizer]


class Theirs:
    """A network of PyTorch with its eager step."""

    def __init__(self, case, x, y, *, compiled=False):
        import torch

        self.torch = torch
        torch.manual_seed(0)
        self.net = case.theirs()
        self.parameters = sum(p.numel() for p in self.net.parameters())
        if compiled:
            self.net = torch.compile(self.net)
        self.optimizer = torch.optim.Adam(self.net.parameters())
        x = np.moveaxis(x, -1, 1).copy() if case.channels_first else x
        self.x = torch.from_numpy(x)
        if not self.x.is_floating_point():
            self.x = self.x.long()
        if y.dtype.kind == "f":
            self.y = torch.from_numpy(np.moveaxis(y, -1, 1).copy())
        else:
            self.y = torch.from_numpy(y).long()
        self.own_step = case.steps.step_of_theirs(self.net) if case.steps else None
        self.loss = torch.nn.CrossEntropyLoss()
        began = time.perf_counter()
        self.step()
        self.compile_seconds = time.perf_counter() - began

    def step(self):
        if self.own_step is not None:
            return self.own_step(self.x, self.y)
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
    """Mean seconds of a call, over as many as fit in that time, at least two.

    For AWAKE seconds before that nothing counts: what the other sides have pushed out of the
    processor's cache is fetched, and the threads that PyTorch keeps awake after its turn sleep.
    """
    began = time.perf_counter()
    call()
    while time.perf_counter() - began < AWAKE:
        call()
    began, count = time.perf_counter(), 0
    while count < 2 or time.perf_counter() - began < seconds:
        call()
        count += 1
    return (time.perf_counter() - began) / count


def build(case, x, y, with_compile, peers):
    """The sides that can be built, by name; what stops one of the others is printed."""
    makers = {"cutaway": (Ours, {}), "torch": (Theirs, networks.APART)}
    if with_compile:
        makers["torch_compile"] = (partial(Theirs, compiled=True), networks.APART)
    makers |= {name: (module.Side, module.APART) for name, module in peers.items() if module}
    sides = {}
    for name, (make, apart) in makers.items():
        try:
            sides[name] = side = make(case, x, y)
        except Exception as error:
            if name in ("cutaway", "torch"):
                raise
            first = next(iter(str(error).splitlines()), "")
            print(f"{case.name}: no {name}: {type(error).__name__}: {first}", flush=True)
            continue
        expected = sides["cutaway"].parameters + apart.get(case.name, 0)
        assert side.parameters == expected or name == "cutaway", (
            f"{case.name}: {name} has {side.parameters:,} parameters, not {expected:,}"
        )
    return sides


def timings(sides, rounds, call, product=None):
    """Seconds of each side in each round, {name: [...]}, and of the matrix product."""
    taken = {name: [] for name in (*sides, *(("product",) if product else ()))}
    for _ in range(rounds):
        if product:
            taken["product"].append(product())
        for name, side in sides.items():
            taken[name].append(call(side))
    return taken


def ratios(taken, name):
    """How many times Cutaway's speed is that of the other, round by round."""
    return sorted(t / own for t, own in zip(taken[name], taken["cutaway"], strict=True))


def compare(case, rounds, product, with_compile, peers):
    x, y = case.data(np.random.default_rng(0), case.batch)
    sides = build(case, x, y, with_compile, peers)
    flops = sides["torch"].flops()
    taken = timings(sides, rounds, lambda side: seconds_each(side.step, SECONDS), product)
    for side in sides.values():
        side.train(False)
    rows_of = {name: side for name, side in sides.items() if name != "torch_compile"}
    for side in rows_of.values():
        side.infer()  # compile
    rows = timings(rows_of, rounds, lambda side: seconds_each(side.infer, ROW_SECONDS))
    rate = 2 * speed_mlp.CEILING**3
    share = statistics.median(
        flops / own / (rate / p) for own, p in zip(taken["cutaway"], taken["product"], strict=True)
    )
    result = {
        "network": case.name,
        "batch": case.batch,
        "parameters": sides["cutaway"].parameters,
        "cutaway_ms": statistics.median(taken["cutaway"]) * 1e3,
        "row_ms": statistics.median(rows["cutaway"]) * 1e3,
        "times_torch_asked": case.asked,
        "share_of_ceiling": share,
        "gflop": flops / 1e9,
        "compile_seconds": sides["cutaway"].compile_seconds,
        "megabytes": sides["cutaway"].megabytes,
    }
    for name in ("torch", "torch_compile", *peers):
        result |= against(name, sides, taken, rows)
    return result


def against(name, sides, taken, rows):
    """What is known about one other side; None where it could not be had."""
    trained, forward = name in taken, name in rows
    of_step = ratios(taken, name) if trained else None
    return {
        f"{name}_ms": statistics.median(taken[name]) * 1e3 if trained else None,
        f"times_{name}": statistics.median(of_step) if trained else None,
        f"times_{name}_spread": [of_step[0], of_step[-1]] if trained else None,
        f"{name}_first_step_seconds": sides[name].compile_seconds if trained else None,
        f"{name}_parameters": sides[name].parameters if trained else None,
        f"row_{name}_ms": statistics.median(rows[name]) * 1e3 if forward else None,
        f"row_times_{name}": statistics.median(ratios(rows, name)) if forward else None,
    }


def compare_known(case, batch, rounds, channels_last):
    sides, apart = known_networks.build(case, batch, channels_last=channels_last)
    began = time.perf_counter()
    sides["cutaway"].call()
    compile_seconds = time.perf_counter() - began if case.trains else None
    sides["torch"].call()
    taken = timings(sides, rounds, lambda side: seconds_each(side.call, SECONDS))
    times = ratios(taken, "torch")
    return {
        "network": case.name,
        "batch": batch,
        "parameters": sides["cutaway"].parameters,
        "torch_parameters": sides["torch"].parameters,
        "largest_difference": apart,
        "cutaway_ms": statistics.median(taken["cutaway"]) * 1e3,
        "torch_ms": statistics.median(taken["torch"]) * 1e3,
        "times_torch": statistics.median(times),
        "times_torch_spread": [times[0], times[-1]],
        "times_torch_asked": known_networks.ASKED,
        "first_step_seconds": compile_seconds,
    }


def known_columns(r):
    """One line of the table of known networks."""
    return {
        "network": r["network"],
        "batch": r["batch"],
        "parameters": f"{r['parameters']:,}",
        "ms": f"{r['cutaway_ms']:.1f}",
        "PyTorch ms": f"{r['torch_ms']:.1f}",
        "x PyTorch": f"{r['times_torch']:.2f}",
        "(spread)": "({:.2f}-{:.2f})".format(*r["times_torch_spread"]),
        "asked": f"{r['times_torch_asked']:.1f}",
        "outputs apart": f"{r['largest_difference']:.0e}",
    }


def load(names):
    """The modules of the peers asked for, {name: module}; None where a package is missing."""
    peers = {}
    for name in names:
        try:
            peers[name] = importlib.import_module(f"benchmarks.networks_{name}")
        except ImportError as error:
            peers[name] = None
            print(f"{name} left out: {error}\n  fix: pip install {PEERS[name]}")
    return peers


def columns(r, with_compile, peers):
    """One line of the table, {heading: cell}."""

    def ratio(key, digits=2):
        return "" if r[key] is None else f"{r[key]:.{digits}f}"

    def spread(key):
        return "" if r[key] is None else "({:.2f}-{:.2f})".format(*r[key])

    cells = {
        "network": r["network"],
        "batch": r["batch"],
        "parameters": f"{r['parameters']:,}",
        "ms": f"{r['cutaway_ms']:.1f}",
        "steps/s": f"{1e3 / r['cutaway_ms']:.1f}",
        "PyTorch ms": f"{r['torch_ms']:.1f}",
        "x PyTorch": ratio("times_torch"),
        "(spread)": spread("times_torch_spread"),
        "asked": f"{r['times_torch_asked']:.1f}",
        "one row x": ratio("row_times_torch", 1),
    }
    others = {"torch_compile": "compiled"} if with_compile else {}
    for name, title in (others | {name: name.capitalize() for name in peers}).items():
        cells[f"x {title}"] = ratio(f"times_{name}")
        cells[f"({title} spread)"] = spread(f"times_{name}_spread")
        if name in peers:
            cells[f"one row x {title}"] = ratio(f"row_times_{name}", 1)
    return cells | {
        "ceiling": f"{r['share_of_ceiling']:.0%}",
        "compile s": f"{r['compile_seconds']:.1f}",
        "MB": f"{r['megabytes']:,.0f}",
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="parts of names, with commas; mlp for those")
    parser.add_argument("--compile", action="store_true", help="torch.compile too")
    parser.add_argument("--peers", default="", help="flax, keras, or both with a comma")
    parser.add_argument("--known", action="store_true", help="the networks of known_networks.py")
    parser.add_argument("--channels-last", action="store_true", help="with --known: for PyTorch")
    parser.add_argument("--threads", type=int, help="PyTorch's threads; default: as it has them")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    only = [part for part in options.only.split(",") if part]
    names = [name for name in options.peers.split(",") if name]
    if unknown := sorted(set(names) - set(PEERS)):
        parser.error(f"--peers: unknown: {', '.join(unknown)}; there are {', '.join(PEERS)}")
    peers = load(names)
    busy = busy_share()
    if busy > 0.1:
        print(f"others keep {busy:.0%} of the cores busy, and PyTorch loses most by it")
    if options.threads:
        import torch

        torch.set_num_threads(options.threads)
    results = {"machine": machine(peers), "busy_share": busy}

    def is_chosen(case):
        return not only or any(part in case.name for part in only)

    if options.known:
        runs = [
            partial(compare_known, case, batch, options.rounds, options.channels_last)
            for case in filter(is_chosen, known_networks.CASES)
            for batch in case.batches
        ]
        columns_of = known_columns
    else:
        if not only or "mlp" in only:
            results["mlp"] = speed_mlp.run(options.rounds)
        product = speed_mlp.product_seconds()
        runs = [
            partial(compare, case, options.rounds, product, options.compile, peers)
            for case in filter(is_chosen, networks.CASES)
        ]
        columns_of = partial(columns, with_compile=options.compile, peers=peers)
    results["networks"], lines = [], []
    for run in runs:
        result = run()
        results["networks"].append(result)
        lines.append(columns_of(result))
        if len(lines) == 1:
            print("  ".join(lines[0]))
        print("  ".join(str(cell) or "-" for cell in lines[-1].values()), flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    if options.markdown:
        options.markdown.write_text(as_markdown(results["machine"], lines))


def busy_share(seconds=2.0):
    """Share of the cores' time that other programs use (Linux; elsewhere by the load average)."""
    try:
        before, _, after = _times(), time.sleep(seconds), _times()
    except OSError:
        return min(1.0, os.getloadavg()[0] / os.cpu_count())
    idle, total = (sum(after[k] - before[k] for k in part) for part in ((3, 4), range(8)))
    return 1 - idle / max(total, 1)


def _times():
    """user, nice, system, idle, iowait, ... of all cores so far, in ticks."""
    return [int(ticks) for ticks in Path("/proc/stat").read_text().split(maxsplit=9)[1:9]]


def machine(peers):
    import jax
    import torch

    name = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            name = line.split(":")[1].strip()
    versions = [f"jax {jax.__version__}", f"torch {torch.__version__}"]
    versions += [module.VERSION for module in peers.values() if module]
    return f"{name}, {torch.get_num_threads()} threads; {', '.join(versions)}"


def as_markdown(about, lines):
    if not lines:
        return f"{about}\n"
    rows = [lines[0], ["---"] * len(lines[0]), *(line.values() for line in lines)]
    table = "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)
    return f"{about}\n\n{table}\n"


if __name__ == "__main__":
    main()
