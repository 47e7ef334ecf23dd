"""Probes: what the layers of a network do while it trains, measured at some of its steps.

A measurement is one step on a fixed window of rows, in one compiled program, with the trainer's
own loss and optimizer. Nothing of it is kept but its numbers: weights, slots, statistics and
random keys stay as they were, so training under probes gives the same weights, bit for bit.
"""

import contextlib
import dataclasses
import itertools
import math
import time

import jax
import jax.numpy as jnp
import numpy as np

from cutaway.engine import Tensor, gradients
from cutaway.nn.jit import jit
from cutaway.nn.module import Module, watch
from cutaway.nn.recompute import Recompute
from cutaway.nn.recurrent import Recurrent
from cutaway.nn.state import Parameter, Stateful
from cutaway.optim import Adadelta, Adagrad, Adam, Nadam, RMSprop
from cutaway.train.callbacks import Callback
from cutaway.train.evaluation import TOKEN_NUMBERS

WINDOW_ROWS = (64, 256)  # least and most
WINDOW_NUMBERS = 2**18  # in the window, unless that are fewer rows
GROWTH = 1.1  # least ratio of the steps of two measurements, so that long trainings have few
FREE_SECONDS = 0.05  # that measuring may take in any case, besides the share
QUICK_SECONDS = 2.0  # a first measurement, compiled, after which another one tells the time
SATURATED = 0.05  # a slope below this share of the function's largest slope
SAMPLE = 1024  # elements of which quantiles are taken

# activation functions by the names of their operations: (class, largest slope, goes to 0 where off)
FUNCTIONS = {
    "threshold": ("Threshold", 1.0, True),
    "sigmoid": ("Sigmoid", 0.25, False),
    "tanh": ("Tanh", 1.0, False),
    "relu": ("ReLU", 1.0, True),
    "leaky_relu": ("LeakyReLU", 1.0, True),
    "parametric_relu": ("PReLU", 1.0, True),
    "elu": ("ELU", 1.0, True),
    "selu": ("SELU", 1.0507, True),
    "softplus": ("Softplus", 1.0, True),
    "silu": ("SiLU", 1.0, True),
    "gelu": ("GELU", 1.0, True),
    "gelu_tanh": ("GELU", 1.0, True),
}
SOFTMAX = {"softmax": "Softmax", "log_softmax": "LogSoftmax"}

OF_OUTPUT = ("mean", "std", "low", "high", "off", "dead", "saturated", "grad")
OF_WEIGHTS = ("weight", "weight_grad", "update", "step_size", "units_apart")


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer with weights, and what follows it.

    Attributes:
        path, module: of the layer.
        number: l, from 1, in the order of the forward pass.
        activation: name of the class of the activation after it ("ReLU"), "" for none.
        activation_path: where that activation is, "" for none.
        is_last: whether its output is the network's, but for an activation.
    """

    path: str
    module: Module
    number: int
    activation: str
    activation_path: str
    is_last: bool


@dataclasses.dataclass
class _Place:
    """Where something is measured: a layer's call or an activation function's record."""

    path: str
    module: Module | None
    kind: str
    role: str
    out: Tensor | None
    record: object
    made_by: list = dataclasses.field(default_factory=list)  # records whose gradients count
    number: int = 0
    activation: str = ""
    activation_path: str = ""
    is_last: bool = False
    grads: list = dataclasses.field(default_factory=list)

    @property
    def label(self):
        return (self.path, self.kind, self.role, self.number)


class Probes(Callback):
    """Measures layer by layer what a network does, at the start, now and then, and at the end.

    Args:
        x, y: rows to measure on, best some of the training rows; of more than 256 (fewer of
            pictures and texts, 64 at least) that many that are spread over all.
        share: of the time of training that measuring may take, compiling it not counted.

    Attributes:
        rows: list of dicts, one for each moment and layer: step, epoch (complete ones), loss (on
            the window, in training mode), layer (path), kind (class), number (l of the layer, or
            of the layer before an activation or norm), role ("weights", "activation" or "norm");
            of its output mean, std, low and high (quantiles, 1% and 99%), off (share that is
            exactly 0), dead (share of units that are 0 on every row, for activations), saturated
            (share of elements whose slope is below 5% of the function's largest, those that are
            off not counted), grad (root mean square of ∂L/∂output); growth (grad over that of
            the next layer of the same role); of its weights weight and weight_grad (norms),
            update (‖Δw‖/‖w‖ of one step), step_size (median of the rate by which the optimizer
            multiplies a gradient), units_apart (largest difference between the incoming weights
            of a unit and of the first one, by the largest norm of such; 0: all are the same).
            NaN where there is no such number.

    Example:
        >>> import cutaway as ct
        >>> x = np.random.default_rng(0).normal(size=(64, 3))
        >>> net = ct.Sequential(ct.Linear(3, 4), ct.ReLU(), ct.Linear(4, 1))
        >>> probes = Probes(x, x.sum(axis=1))
        >>> trainer = ct.Trainer(net, loss=ct.losses.mean_squared_error)
        >>> history = trainer.fit(x, x.sum(axis=1), epochs=2, callbacks=[probes])
        >>> [(row["layer"], row["kind"]) for row in probes.at(0)]
        [('0', 'Linear'), ('1', 'ReLU'), ('2', 'Linear')]
    """

    def __init__(self, x, y, *, share: float = 0.02):
        least, most = WINDOW_ROWS
        numbers = math.prod(np.shape(x)[1:]) * (TOKEN_NUMBERS if _is_tokens(x) else 1)
        count = min(len(x), most, max(least, WINDOW_NUMBERS // max(1, numbers)))
        rows = np.unique(np.linspace(0, len(x) - 1, count).astype(int))
        self.x, self.y = (_device_array(np.asarray(a)[rows]) for a in (x, y))
        self.share = share
        self.rows = []
        self._trainer = None
        self._traced = []  # [(label, sizes of its numbers)] of each program
        self._places = []
        self._clear()

    def _clear(self):
        self.rows.clear()
        self._spent = 0.0  # seconds of measuring since the start, the first two not counted
        self._paused = 0.0  # seconds that were no training
        self._cost = math.inf  # seconds of one measurement
        self._began = None
        self._last_step = -1

    # when

    def on_ready(self, trainer):
        if trainer.epoch == 0:
            self._clear()
        began = time.perf_counter()
        first = self.measure(trainer)
        self._cost = first / 4  # most of it was compiling
        if first < QUICK_SECONDS:
            self._cost = self._time(trainer)
        self._paused += time.perf_counter() - began
        self._began = began

    def on_chunk(self, trainer, done, total, loss):
        trained = time.perf_counter() - self._began - self._paused
        if self._spent + self._cost > max(self.share * trained, FREE_SECONDS):
            return
        step = int(trainer.optimizer.step_count.data)
        if step < GROWTH * self._last_step + 1:
            return
        self._cost = self.measure(trainer, trainer.epoch + (done == total))
        self._spent += self._cost
        self._paused += self._cost

    def on_end(self, trainer):
        if self._began is not None and int(trainer.optimizer.step_count.data) > self._last_step:
            self.measure(trainer)

    # what

    def measure(self, trainer, epoch: int | None = None) -> float:
        """Measure now; returns the seconds that it took.

        Args:
            epoch: how many are complete; None: as the trainer says.
        """
        began = time.perf_counter()
        step = int(trainer.optimizer.step_count.data)
        epoch = trainer.epoch if epoch is None else epoch
        loss, measured = self._run(trainer)
        rows = []
        for (path, kind, role, number), found in measured:
            row = {"step": step, "epoch": epoch, "loss": loss, "layer": path, "kind": kind}
            row |= {"number": number, "role": role}
            row |= {name: found[name] for name in OF_OUTPUT}
            rows.append(row | {"growth": None} | {name: found[name] for name in OF_WEIGHTS})
        for role in {row["role"] for row in rows}:
            same = [row for row in rows if row["role"] == role and not math.isnan(row["grad"])]
            for row, following in itertools.pairwise(same):
                row["growth"] = _ratio(row["grad"], following["grad"])
        self.rows += rows
        self._last_step = step
        return time.perf_counter() - began

    def _time(self, trainer) -> float:
        began = time.perf_counter()
        self._run(trainer)
        return time.perf_counter() - began

    def _run(self, trainer):
        """(loss, [(label of a place, its numbers)])."""
        if self._trainer is not trainer:
            self._trainer = trainer
            owners = trainer._owners().values()
            self._step = jit(lambda x, y: _one_step(self, trainer, x, y), *owners, donate=False)
        modes = [(module, module.training) for module in trainer._prepared.modules().values()]
        trainer._prepared.train()
        try:
            with trainer._computing():
                out = self._step(self.x, self.y)
        finally:
            for module, mode in modes:
                module.training = mode
        ((number, packed),) = out.items()
        packed = packed.numpy().astype(np.float64)
        found, at = [], 1
        for label, sizes in self._traced[int(number)]:
            numbers = {}
            for name, size in sizes.items():
                numbers[name] = packed[at : at + size]
                at += size
            found.append((label, _finished(numbers)))
        return float(packed[0]), found

    # what was found

    @property
    def table(self):
        """The rows as a polars DataFrame."""
        import polars as pl

        whole = {"step": pl.Int64, "epoch": pl.Int64, "number": pl.Int64}
        text = dict.fromkeys(("layer", "kind", "role"), pl.String)
        names = ("step", "epoch", "loss", "layer", "kind", "number", "role")
        names += (*OF_OUTPUT, "growth", *OF_WEIGHTS)
        return pl.DataFrame(
            self.rows, schema={name: (whole | text).get(name, pl.Float64) for name in names}
        )

    @property
    def steps(self) -> list:
        """The steps at which was measured."""
        return list(dict.fromkeys(row["step"] for row in self.rows))

    def at(self, moment: int) -> list:
        """The rows of one moment: 0 the first, -1 the last."""
        steps = self.steps
        return [row for row in self.rows if row["step"] == steps[moment]] if steps else []

    def layers(self, trainer) -> list:
        """[Layer] of the network, in the order of the forward pass."""
        modules = trainer.net.modules()
        return [
            Layer(p.path, modules[p.path], p.number, p.activation, p.activation_path, p.is_last)
            for p in self._places
            if p.role == "weights" and p.path in modules
        ]

    def _remember(self, places, sizes) -> str:
        """Keep what was traced for a program; the name under which it returns its numbers."""
        self._places = [
            dataclasses.replace(p, out=None, record=None, made_by=[], grads=[]) for p in places
        ]
        labels = [place.label for place in places]
        self._traced.append(list(zip(labels, sizes, strict=True)))
        return str(len(self._traced) - 1)


def _finished(numbers: dict) -> dict:
    """Numbers of a place, quantiles taken of what the program left as samples.

    Sorting here and not in the program halves the time of compiling it.
    """
    sample, rates = numbers.pop("sample"), numbers["step_size"]
    found = {name: float(value[0]) for name, value in numbers.items() if name != "step_size"}
    found["low"], found["high"] = np.quantile(sample, (0.01, 0.99)).tolist()
    found["step_size"] = float(np.median(rates))
    return found


def _one_step(probes, trainer, x, y):
    """One step of the trainer on the window; every Variable is put back."""
    variables = list(trainer._variables().values())
    before = [(v.data, v.grad) for v in variables]
    try:
        for v in variables:
            v.grad = None
        places, loss = _forward(trainer, x, y)
        _backward(places, loss)
        moved = {p: (p.data, p.grad) for p in trainer.optimizer.parameters if p.grad is not None}
        if moved:
            trainer.optimizer.step()
        rates = {p: _rate(trainer.optimizer, p) for p in moved}
        found = [{**_of_output(place), **_of_weights(place, moved, rates)} for place in places]
        parts = [_float(loss.data)] + [part for numbers in found for part in numbers.values()]
        sizes = [{name: np.size(part) for name, part in numbers.items()} for numbers in found]
        packed = jnp.concatenate([jnp.ravel(jnp.asarray(part, jnp.float32)) for part in parts])
        return {probes._remember(places, sizes): Tensor(packed)}
    finally:
        for v, (data, grad) in zip(variables, before, strict=True):
            v.data, v.grad = data, grad


def _forward(trainer, x, y):
    """(places in the order of the calls, loss)."""
    net = trainer.net
    paths = {id(module): path for path, module in net.modules().items()}
    calls, outputs = [], []

    def look(module, inputs, out):
        if id(module) not in paths or not isinstance(out, Tensor):
            return
        if module is net:
            outputs.append(out)
        role = _role(module)
        if role is not None:
            path = paths[id(module)]
            calls.append(_Place(path, module, type(module).__name__, role, out, out.record))

    with _kept(net), watch(net, look):
        loss = trainer._steps._loss(x, y)
    records = _records(loss)
    places = _merged(calls, _activations(records, net))
    for place in places:
        place.made_by = _made_by(place)
    _connect(places, outputs[-1] if outputs else loss)
    return places, loss


@contextlib.contextmanager
def _kept(net):
    """Context in which blocks of `recompute` run as if they were none, so that one sees inside."""
    blocks = [module for module in net.modules().values() if isinstance(module, Recompute)]
    for block in blocks:
        vars(block)["forward"] = block.inner  # before the method of the class
    try:
        yield
    finally:
        for block in blocks:
            del vars(block)["forward"]


def _role(module) -> str | None:
    own = _own_parameters(module)
    if not own:
        return None
    if any(p.ndim > 1 for p in own):
        return "weights"
    return "norm" if "Norm" in type(module).__name__ else None


def _own_parameters(module) -> list:
    """Parameters of the module itself, not those of modules inside it."""
    found, waiting = [], list(vars(module).values())
    while waiting:
        value = waiting.pop(0)
        if isinstance(value, Parameter):
            found.append(value)
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
        elif isinstance(value, Stateful) and not isinstance(value, Module):
            waiting += vars(value).values()
    return found


def _records(loss) -> list:
    """The records below the loss, in the order of time."""
    found, waiting = {}, [loss.record]
    while waiting:
        record = waiting.pop()
        if record is None or record.serial in found:
            continue
        found[record.serial] = record
        waiting += [t.record for t in record.inputs if t is not None]
    return [found[serial] for serial in sorted(found)]


def _activations(records, net) -> list:
    modules = net.modules()
    found = []
    for record in records:
        name = record.operation.name
        module = modules.get(record.module)
        own = type(module).__name__ if module is not None else ""
        if name in FUNCTIONS:
            kind = FUNCTIONS[name][0]
        elif SOFTMAX.get(name) == own:
            kind = own
        else:
            continue
        path = record.module if own == kind else f"{record.module}:{name}".lstrip(":")
        found.append(_Place(path, module, kind, "activation", None, record))
    return found


def _merged(calls, activations) -> list:
    """Calls and activations in the order of time; names that come again get a number."""
    latest = 0
    ordered = []
    for call in calls:
        # a call without a record (all of it frozen) keeps its place after the one before
        latest = call.record.serial if call.record is not None else latest
        ordered.append(((latest, len(ordered)), call))
    ordered += [((place.record.serial, 0), place) for place in activations]
    ordered.sort(key=lambda item: item[0])
    places, seen, number = [], {}, 0
    for _, place in ordered:
        count = seen[place.path] = seen.get(place.path, 0) + 1
        if count > 1:
            place.path = f"{place.path}#{count}"
        number += place.role == "weights"
        place.number = number
        places.append(place)
    return places


def _made_by(place) -> list:
    """The records whose outputs are a place's output, in pieces for a recurrent layer.

    Such a layer's outputs and its last state are cut out of what one operation made; those who
    read only the state leave the outputs without a gradient.
    """
    if not isinstance(place.module, Recurrent):
        return [place.record] if place.record is not None else []
    found, waiting = [], [place.record]
    while waiting:
        record = waiting.pop()
        if record is None:
            continue
        if record.operation.name in ("getitem", "_join"):
            waiting += [t.record for t in record.inputs if t is not None]
        else:
            found.append(record)
    return found


def _connect(places, output):
    """Tell each layer which activation follows it, and whether it is the last."""
    weights = [place for place in places if place.role == "weights"]
    layers = {record.serial: place for place in weights for record in place.made_by}
    functions = {p.record.serial: p for p in places if p.role == "activation"}
    for place in functions.values():
        for layer in _sources(place.record, layers, functions):
            if not layer.activation:
                layer.activation, layer.activation_path = place.kind, place.path
    if output.record is not None and layers:
        start = output.record
        at_once = layers.get(start.serial)
        ends = [at_once] if at_once else _sources(start, layers, {})
        if ends:
            max(ends, key=lambda place: place.number).is_last = True


def _sources(record, layers, functions) -> list:
    """The layers from which a record gets its inputs, with nothing that is trained between."""
    found, seen = [], {record.serial}
    waiting = [t.record for t in record.inputs if t is not None]
    while waiting:
        current = waiting.pop()
        if current is None or current.serial in seen or current.serial in functions:
            continue
        seen.add(current.serial)
        if current.serial in layers:
            found.append(layers[current.serial])
        else:
            waiting += [t.record for t in current.inputs if t is not None]
    return found


def _backward(places, loss):
    """Leave gradients in the parameters, and in the places that of their outputs."""
    wanted = {}
    for place in places:
        for record in place.made_by:
            wanted.setdefault(record.serial, []).append(place)

    def visit(record, grad, grads):
        for place in wanted.get(record.serial, ()):
            place.grads.append(grad)

    for leaf, grad in gradients(loss, visit=visit):
        leaf.grad = grad


def _of_output(place):
    out = place.out.data if place.record is None else place.record.out
    out = _float(out)
    off = out == 0
    dead = saturated = math.nan
    if place.role == "activation":
        dead = off.reshape(-1, out.shape[-1] if out.ndim else 1).all(axis=0).mean()
        saturated = _saturated(place, out)
    size = sum(g.size for g in place.grads)
    grad = _norm(place.grads) / math.sqrt(size) if size else math.nan
    return {
        "mean": out.mean(),
        "std": out.std(),
        "sample": _sample(out),
        "off": off.mean(),
        "dead": dead,
        "saturated": saturated,
        "grad": grad,
    }


def _saturated(place, out):
    record = place.record
    if record.operation.name == "softmax":
        return (out * (1 - out) < SATURATED * 0.25).mean()
    if record.operation.name == "log_softmax":
        return math.nan
    _, largest, has_off = FUNCTIONS[record.operation.name]
    slope = _float(record.operation.pull(record, jnp.ones_like(record.out))[0])
    flat = jnp.abs(slope) < SATURATED * largest
    return ((flat & (out != 0)) if has_off else flat).mean()


def _of_weights(place, moved, rates):
    if place.role == "activation":
        return dict.fromkeys(OF_WEIGHTS, math.nan)
    own = _own_parameters(place.module)
    own = [p for p in own if p.ndim > 1] or own
    weight = _norm([_before(p, moved) for p in own])
    grad = _norm([moved[p][1] for p in own if p in moved]) if moved else math.nan
    change = _norm([p.data - moved[p][0] for p in own if p in moved])
    update = change / jnp.where(weight > 0, weight, 1.0)
    rate = [_sample(rates[p]) for p in own if p in rates]
    return {
        "weight": weight,
        "weight_grad": grad,
        "update": update,
        "step_size": jnp.concatenate(rate) if rate else 0.0,
        "units_apart": _apart(place, own[0], moved),
    }


def _before(parameter, moved):
    """Its value before the step."""
    return moved[parameter][0] if parameter in moved else parameter.data


def _apart(place, weight, moved):
    if place.role != "weights" or place.kind == "Embedding":
        return math.nan
    w = _float(_before(weight, moved))
    w = w.reshape(-1, w.shape[-1])
    if w.shape[-1] < 2:
        return math.nan
    bias = getattr(place.module, "bias", None)
    if isinstance(bias, Parameter) and bias.shape == w.shape[-1:]:
        w = jnp.concatenate([w, _float(_before(bias, moved))[None]])
    largest = jnp.sqrt((w**2).sum(axis=0)).max()
    apart = jnp.sqrt(((w - w[:, :1]) ** 2).sum(axis=0)).max()
    return apart / jnp.where(largest > 0, largest, 1.0)


def _rate(optimizer, parameter):
    """By what the optimizer multiplies (a mean of) the gradient, for each element."""
    i = next(k for k, p in enumerate(optimizer.parameters) if p is parameter)
    slot = {name: optimizer.state[name][i].data for name in optimizer.slots}
    optimizer._each.moving = i
    try:
        lr = optimizer.lr
    finally:
        optimizer._each.moving = None
    if isinstance(optimizer, Adam | Nadam):
        v_hat = slot["v"] / (1 - optimizer.betas[1] ** optimizer.t)
        return lr / (jnp.sqrt(v_hat) + optimizer.eps)
    if isinstance(optimizer, RMSprop):
        return lr / (jnp.sqrt(slot["v"]) + optimizer.eps)
    if isinstance(optimizer, Adagrad):
        return lr / (jnp.sqrt(slot["total"]) + optimizer.eps)
    if isinstance(optimizer, Adadelta):
        past = jnp.sqrt(slot["mean_d2"] + optimizer.eps)
        return lr * past / jnp.sqrt(slot["mean_g2"] + optimizer.eps)
    return jnp.asarray(lr)[None]


def _sample(array):
    """About SAMPLE elements of an array, spread over it."""
    flat = array.ravel()
    return flat[:: max(1, flat.size // SAMPLE)]


def _norm(arrays):
    return jnp.sqrt(sum((_float(a) ** 2).sum() for a in arrays)) if arrays else jnp.zeros(())


def _float(array):
    return jnp.asarray(array).astype(jnp.float32)


def _ratio(a, b):
    return a / b if b else None


def _is_tokens(x) -> bool:
    return np.ndim(x) == 2 and np.asarray(x[:1]).dtype.kind in "iu"


def _device_array(array):
    if array.dtype == np.float64 and not jax.config.jax_enable_x64:
        array = array.astype(np.float32)
    return jnp.asarray(array)
