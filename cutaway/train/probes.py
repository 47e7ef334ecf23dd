"""Probes: statistics of the layers of a network during training, measured at some of its steps.

A measurement is one step on a fixed sample of rows, in one compiled program, with the trainer's
own loss and optimizer. Only the statistics are kept: weights, optimizer state, running statistics
and random keys are restored, so training with probes gives the same weights, bit for bit.
"""

import dataclasses
import io
import itertools
import math
import time
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from cutaway.errors import expect_range
from cutaway.nn.module import Module
from cutaway.nn.trees import count_rows, leaves, map_leaves
from cutaway.train.blocks import expect_examples, to_device
from cutaway.train.callbacks import Callback
from cutaway.train.evaluation import TOKEN_NUMBERS
from cutaway.train.given import as_tree
from cutaway.train.probe_step import ProbedStep

LEAST_ROWS, MOST_ROWS = 64, 256  # rows of the sample
WINDOW_NUMBERS = 2**18  # values in the sample, but at least LEAST_ROWS
GROWTH = 1.1  # minimum ratio of the steps of two measurements: few in long training runs
FREE_SECONDS = 0.1  # always allowed for measuring
LEAST_MOMENTS = 10  # always measured, if all of them take less than a second
WAITING_BYTES = 2**25  # of moments waiting until the program is compiled

OF_OUTPUT = ("mean", "std", "low", "high", "off", "dead", "saturated", "grad", "growth")
OF_WEIGHTS = ("weight", "weight_grad", "update", "step_size", "damped", "units_apart")
NUMBERS = (*OF_OUTPUT, *OF_WEIGHTS)
LABELS = ("layer", "kind", "role")
COLUMNS = ("step", "epoch", "loss", "top_class", "layer", "kind", "number", "role", *NUMBERS)


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer with weights, and what follows it.

    Attributes:
        path, module: of the layer.
        number: l, from 1, in the order of the forward pass.
        activation: class name of the activation after it ("ReLU"), "" for none.
        activation_path: path of that activation, "" for none.
        is_last: whether its output, up to an activation, is one of the network.
        follows: paths of the layers whose outputs it gets.
    """

    path: str
    module: Module
    number: int
    activation: str
    activation_path: str
    is_last: bool
    follows: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class WeightHistogram:
    """How the weights of a layer, or their gradients, were distributed at one moment.

    Attributes:
        step: of the optimizer.
        layer: path.
        name: "weight" or "weight_grad".
        counts: (bins,) of about 1,000 elements of each array, spread evenly over it.
        edges: (bins + 1,).
    """

    step: int
    layer: str
    name: str
    counts: np.ndarray
    edges: np.ndarray


class Probes(Callback):
    """Measures the layers of a network at the start of training, at intervals, and at the end.

    Args:
        x, y: rows to measure on, preferably training rows; at most 256 of them are used (fewer for
            images and texts, at least 64), evenly spaced.
        fraction: of the training time that measuring may take, excluding compilation.

    Attributes:
        rows: list of dicts, one per moment and layer: step, epoch (complete ones), loss (on the
            sample, in training mode), top_class (fraction of rows predicted as the most frequent
            class; NaN without classes), layer (path), kind (class), number (l of the layer, or of
            the layer before an activation or norm), role ("weights", "activation" or "norm"); of
            the output mean, std, low and high (1% and 99% quantiles), off (fraction that is
            exactly 0), dead (fraction of units that are 0 on every row, for activations),
            saturated (fraction of elements whose slope is below 5% of the function's largest,
            excluding those that are off), grad (root mean square of ∂L/∂output); growth (grad
            over that of the next layer with the same role); of the weights weight and weight_grad
            (norms), update (‖Δw‖/‖w‖ of one step), step_size (median factor on a gradient in the
            optimizer), damped (fraction of weights whose gradients are below the optimizer's ε,
            which limits their steps), units_apart (largest difference between the incoming
            weights of a unit and those of the first, over the largest norm; 0: all equal). NaN
            where a statistic is undefined.
        histograms: of the weights and their gradients, a WeightHistogram for each moment, layer and
            kind; not in checkpoints.
        spent: seconds of measuring in the last fit, without compilation.

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> x = np.random.default_rng(0).normal(size=(64, 3))
        >>> net = ct.Sequential(ct.Linear(3, 4), ct.ReLU(), ct.Linear(4, 1))
        >>> probes = ct.Probes(x, x.sum(axis=1))
        >>> trainer = ct.Trainer(net, loss=ct.losses.mean_squared_error)
        >>> history = trainer.fit(x, x.sum(axis=1), epochs=2, callbacks=[probes])
        >>> [(row["layer"], row["kind"]) for row in probes.at(0)]
        [('0', 'Linear'), ('1', 'ReLU'), ('2', 'Linear')]
    """

    def __init__(self, x, y, *, fraction: float = 0.02):
        expect_range(fraction, what="Probes: fraction", above=0)
        expect_examples(x, y, what="Probes")
        x, y = as_tree(x), as_tree(y)
        numbers = sum(
            math.prod(np.shape(leaf)[1:]) * (TOKEN_NUMBERS if _is_tokens(leaf) else 1)
            for leaf in leaves(x)
        )
        given = count_rows(x)
        count = min(given, MOST_ROWS, max(LEAST_ROWS, WINDOW_NUMBERS // max(1, numbers)))
        rows = np.unique(np.linspace(0, given - 1, count).astype(int))
        self.x, self.y = to_device(*map_leaves(lambda leaf: np.asarray(leaf)[rows], (x, y)))
        self.fraction = fraction
        self.rows: list[dict] = []
        self.histograms: list[WeightHistogram] = []
        self._step: ProbedStep | None = None  # of the last trainer
        self._locations = []
        self._compiling: Future | None = None
        self._clear()

    def _clear(self):
        self.rows.clear()
        self.histograms.clear()
        self.spent = self._paused = 0.0  # seconds of measuring
        self._cost = math.inf  # seconds of the fastest measurement: the first is slow
        self._is_running = False
        self._last_step = -1
        self._moments = 0

    # when

    def on_start(self, trainer):
        if trainer.epoch == 0:
            self._clear()
        self._is_running, self._waiting = False, []

    def on_ready(self, trainer):
        program = self._program(trainer)
        # compiled in the background; until then, moments wait with their values
        self._waiting = [(program, program.values(), _step_of(trainer), trainer.epoch)]
        self._locations = program.locations
        self._compiling = None
        if not program.is_large:
            self._compile(program)
        self._is_running = True
        self._began = time.perf_counter()
        self._paused = 0.0
        self._planned_steps = 0

    def _compile(self, program) -> Future:
        pool = ThreadPoolExecutor(1)
        self._compiling = compiling = pool.submit(program.compile)
        pool.shutdown(wait=False)
        return compiling

    def _program(self, trainer):
        if self._step is None or self._step.trainer is not trainer:
            self._step = ProbedStep(trainer, self.x, self.y)
        return self._step.program()

    def on_chunk(self, trainer, done, total, loss):
        epoch = trainer.epoch + (done == total)
        self._planned_steps = trainer.planned_epochs * total
        # a large program waits for the training step's: side by side, both take longer than one
        # after the other
        compiling = self._compiling or self._compile(self._waiting[0][0])
        if not compiling.done():
            self._wait(trainer, epoch)
            return
        self._catch_up()
        step = _step_of(trainer)
        if step >= GROWTH * self._last_step + 1 and self._affords(step):
            self._measure_now(trainer, epoch)

    def next_look(self, trainer):
        if not self._planned_steps:
            return trainer.epoch + 1
        per_epoch = self._planned_steps / trainer.planned_epochs
        due = (self._moments / LEAST_MOMENTS) ** 2 * self._planned_steps
        step = max(GROWTH * max(self._last_step, _step_of(trainer)) + 1, due)
        return max(trainer.epoch + 1, math.ceil(step / per_epoch))

    def on_end(self, trainer):
        if not self._is_running:
            return
        self._catch_up()
        if _step_of(trainer) > self._last_step:
            self._measure_now(trainer, trainer.epoch)

    def _affords(self, step: int) -> bool:
        """Whether the time budget allows measuring at this step, and once more at the end."""
        # the first one is slower than the rest
        limit = 1 / LEAST_MOMENTS if self._moments > 1 else 0.5
        # spread over the planned steps, denser at the beginning
        due = step >= (self._moments / LEAST_MOMENTS) ** 2 * self._planned_steps
        if due and self._moments < LEAST_MOMENTS and self._cost < limit:
            return True
        trained = time.perf_counter() - self._began - self._paused
        return self.spent + 2 * self._cost <= max(self.fraction * trained, FREE_SECONDS)

    def _wait(self, trainer, epoch):
        """Keep the values of this moment, for small networks, until the program is compiled."""
        program, values, last, _ = self._waiting[-1]
        size = sum(data.nbytes for data, _ in values)
        step = _step_of(trainer)
        if step >= GROWTH * last + 1 and size * (len(self._waiting) + 1) <= WAITING_BYTES:
            self._waiting.append((program, program.values(), step, epoch))

    def _catch_up(self):
        """Measure the waiting moments: the first, and those of the rest that the budget allows."""
        waiting, self._waiting = self._waiting, []
        if waiting and self._compiling is not None:
            self._compiling.result()
        for k, moment in enumerate(waiting):
            is_new = moment[2] > self._last_step  # not when resumed at a step that was measured
            if is_new and (k == 0 or self._affords(moment[2])):
                self._measure(*moment)

    def _measure_now(self, trainer, epoch):
        program = self._program(trainer)
        self._measure(program, program.values(), _step_of(trainer), epoch)

    def _measure(self, program, values, step, epoch):
        began = time.perf_counter()
        loss, top, found = program.run(values)
        self._locations = program.locations
        self._last_step = step
        self._moments += 1
        self.rows += _rows(step, epoch, loss, top, program.locations, found)
        self.histograms += [
            WeightHistogram(step, at.path, name, *drawn)
            for at, numbers in zip(program.locations, found, strict=True)
            for name, drawn in numbers["histograms"].items()
        ]
        seconds = time.perf_counter() - began
        self._cost = min(self._cost, seconds)
        self.spent += seconds
        self._paused += seconds

    # for who trains without callbacks

    def measure(self, trainer, *, step: int, epoch: int) -> None:
        """Measure now, however long it takes; the first time it compiles.

        Args:
            trainer: with the program in the state to be measured; it need not train.
            step, epoch: of the rows. A step that was measured is not measured again.
        """
        if step != self._last_step:
            program = self._program(trainer)
            self._measure(program, program.values(), step, epoch)

    def forget_after(self, step: int) -> None:
        """Drop the rows of later steps: the training went back."""
        self.rows[:] = [row for row in self.rows if row["step"] <= step]
        self.histograms[:] = [one for one in self.histograms if one.step <= step]
        self._last_step = self.rows[-1]["step"] if self.rows else -1

    def thin(self) -> None:
        """Drop every second moment between the first and the last."""
        steps = self.steps
        dropped = set(steps[1:-1:2])
        self.rows[:] = [row for row in self.rows if row["step"] not in dropped]
        self.histograms[:] = [one for one in self.histograms if one.step not in dropped]

    # for checkpoints

    def state(self):
        if not self.rows:
            return {}
        labels = [[row[name] for name in LABELS] for row in self.rows]
        distinct = [list(label) for label in dict.fromkeys(map(tuple, labels))]
        names = [name for name in COLUMNS if name not in LABELS]
        numbers = np.array([[row[name] for name in names] for row in self.rows], np.float64)
        which = np.array([distinct.index(label) for label in labels])
        return {"labels": distinct, "arrays": {"numbers": numbers, "which": which}}

    def load_state(self, state):
        if not state.get("arrays"):
            return
        names = [name for name in COLUMNS if name not in LABELS]
        self.rows = []
        numbers = np.asarray(state["arrays"]["numbers"]).tolist()
        for values, which in zip(numbers, state["arrays"]["which"].tolist(), strict=True):
            found = dict(zip(names, values, strict=True))
            found |= dict(zip(LABELS, state["labels"][which], strict=True))
            found |= {name: int(found[name]) for name in ("step", "epoch", "number")}
            found["growth"] = None if math.isnan(found["growth"]) else found["growth"]
            self.rows.append({name: found[name] for name in COLUMNS})
        self._last_step = self.rows[-1]["step"]

    # results

    @property
    def table(self):
        """The rows as a polars DataFrame."""
        import polars as pl

        types = {"step": pl.Int64, "epoch": pl.Int64, "number": pl.Int64}
        types |= dict.fromkeys(LABELS, pl.String)
        return pl.DataFrame(
            self.rows, schema={name: types.get(name, pl.Float64) for name in COLUMNS}
        )

    def to_parquet(self) -> bytes:
        """The table as a Parquet file."""
        file = io.BytesIO()
        self.table.write_parquet(file)
        return file.getvalue()

    @property
    def steps(self) -> list[int]:
        """The steps of the measurements."""
        return list(dict.fromkeys(row["step"] for row in self.rows))

    def at(self, moment: int) -> list[dict]:
        """The rows of one moment: 0 the first, -1 the last."""
        steps = self.steps
        return [row for row in self.rows if row["step"] == steps[moment]] if steps else []

    def layers(self, trainer) -> list[Layer]:
        """[Layer] of the network, in the order of the forward pass."""
        modules = trainer.net.modules()
        return [
            Layer(
                p.path,
                modules[p.path],
                p.number,
                p.activation,
                p.activation_path,
                p.is_last,
                p.follows,
            )
            for p in self._locations
            if p.role == "weights" and p.path in modules
        ]


def _rows(step, epoch, loss, top, locations, found) -> list:
    rows = []
    for at, numbers in zip(locations, found, strict=True):
        row = {"step": step, "epoch": epoch, "loss": loss, "top_class": top}
        row |= {"layer": at.path, "kind": at.kind, "number": at.number, "role": at.role}
        row |= {name: numbers.get(name, math.nan) for name in NUMBERS}
        row["growth"] = None
        rows.append(row)
    for role in {row["role"] for row in rows}:
        same = [row for row in rows if row["role"] == role and not math.isnan(row["grad"])]
        for row, following in itertools.pairwise(same):
            if following["grad"] > 0:
                row["growth"] = row["grad"] / following["grad"]
    return rows


def _step_of(trainer) -> int:
    return int(trainer.optimizer.step_count.data)


def _is_tokens(x) -> bool:
    return np.ndim(x) == 2 and np.asarray(x[:1]).dtype.kind in "iu"
