"""Changes of a training program: what prescriptions do. Each returns a new Program.

The Program that a change is applied to stays as it is. Weights that are drawn anew are the same
each time.
"""

import dataclasses
import functools
import inspect

import jax.numpy as jnp
import numpy as np

from cutaway import losses, nn, ops
from cutaway.doctor import surgery
from cutaway.doctor.outputs import ending
from cutaway.doctor.program import Program, copied
from cutaway.errors import OptionError, expect_choice, expect_range
from cutaway.losses import LOSSES, expects
from cutaway.nn.random import seeded
from cutaway.nn.recurrent import Recurrent
from cutaway.optim import OPTIMIZERS, Adam, AdamW, ClipNorm, Exponential, ExponentialAverage
from cutaway.train import EarlyStopping

SEED = 20  # of weights that a change draws
RECTIFIERS = ("ReLU", "ReLU6", "LeakyReLU", "PReLU", "ELU", "SiLU", "GELU", "Softplus")
RATES = {"sgd": 0.1, "momentum": 0.01, "averaged_momentum": 0.1, "nesterov": 0.01}
WITHOUT_DECAY = ("Adagrad", "Adadelta", "RMSprop", "Nadam")


class Change:
    """Base: a subclass has `text` and `_apply(program)`, whose trainer it may alter."""

    text: str

    def apply(self, program: Program) -> Program:
        """The program with this change.

        Raises:
            OptionError: it cannot be made on this network.
        """
        with seeded(SEED):
            changed = self._apply(dataclasses.replace(program, trainer=copied(program.trainer)))
        return dataclasses.replace(changed, trainer=copied(changed.trainer))

    def _apply(self, program: Program) -> Program:
        raise TypeError(f"{type(self).__name__} has no _apply")


# the optimizer


@dataclasses.dataclass(frozen=True)
class LearningRate(Change):
    """The learning rate times a factor; a schedule goes on as before, from there."""

    factor: float

    @property
    def text(self) -> str:
        word = "multiply" if self.factor >= 1 else "divide"
        by = self.factor if self.factor >= 1 else 1 / self.factor
        return f"{word} the learning rate by {by:.3g}"

    def _apply(self, program):
        optimizer = program.trainer.optimizer
        optimizer.lr = float(optimizer.base_lr.data) * self.factor
        return program


@dataclasses.dataclass(frozen=True)
class ConstantRate(Change):
    """No schedule: the learning rate stays as it is."""

    @property
    def text(self) -> str:
        return "train without the schedule, at a constant learning rate"

    def _apply(self, program):
        program.trainer.optimizer.schedule = None
        return program


@dataclasses.dataclass(frozen=True)
class UseOptimizer(Change):
    """Another optimizer, by its name in OPTIMIZERS; schedule and clipping are kept.

    lr None: its default; for gradient descent, which has none, 0.1, with momentum 0.01.
    """

    name: str
    lr: float | None = None

    @property
    def text(self) -> str:
        rate = "" if self.lr is None else f" with learning rate {self.lr:.3g}"
        return f"use {OPTIMIZERS[self.name].__name__}{rate} as optimizer"

    def _apply(self, program):
        expect_choice(self.name, OPTIMIZERS, what="optimizer")
        trainer = program.trainer
        old = trainer.optimizer
        lr = RATES.get(self.name) if self.lr is None else self.lr
        options = {} if lr is None else {"lr": lr}
        whole = len(old.parameters) == len(trainer.net.parameters())
        trainer.optimizer = OPTIMIZERS[self.name](
            trainer.net if whole else old.parameters,
            schedule=old.schedule,
            clip=old.clip,
            **options,
        )
        return program


@dataclasses.dataclass(frozen=True)
class Clip(Change):
    """Gradients scaled so that their common norm is at most `norm`."""

    norm: float

    @property
    def text(self) -> str:
        return f"clip the gradients to a norm of {self.norm:.3g}"

    def _apply(self, program):
        program.trainer.optimizer.clip = ClipNorm(self.norm)
        return program


@dataclasses.dataclass(frozen=True)
class WeightDecay(Change):
    """λ of the weight decay; a penalty on the loss is taken away.

    Adam becomes AdamW. Adaptive optimizers without decay get the penalty λ/2 ‖w‖² instead.
    """

    value: float

    @property
    def text(self) -> str:
        if self.value == 0:
            return "leave out the weight decay and penalties"
        return f"set the weight decay to {self.value:.3g}"

    def _apply(self, program):
        expect_range(self.value, what="weight_decay", least=0)
        trainer = program.trainer
        old = trainer.optimizer
        trainer.penalty = None
        if type(old).__name__ in WITHOUT_DECAY:
            if self.value:
                trainer.penalty = functools.partial(_half_squares, strength=self.value / 2)
        elif type(old) is Adam and self.value:
            new = AdamW(old.parameters, float(old.base_lr.data), betas=old.betas, eps=old.eps)
            new.weight_decay = self.value
            new.schedule, new.clip = old.schedule, old.clip
            trainer.optimizer = new.over(trainer.net)
        else:
            old.weight_decay = self.value
        return program


def _half_squares(net, *, strength):
    return losses.l2_penalty(net.parameters(), strength)


@dataclasses.dataclass(frozen=True)
class Unfreeze(Change):
    """Every parameter is trained."""

    text = "train all parameters (none frozen, none missing in the optimizer)"

    def _apply(self, program):
        program.trainer.net.unfreeze()
        return _with_new_parameters(program)


# the network


@dataclasses.dataclass(frozen=True)
class Activations(Change):
    """Hidden activations become another, by its name in nn.ACTIVATIONS.

    A network that has none gets them after its hidden layers.

    Args:
        to: "relu", "tanh", ...
        where: path of an activation (or of what it is in), or several; None: all hidden ones.
    """

    to: str
    where: str | tuple | None = None

    @property
    def text(self) -> str:
        which = "hidden activations" if self.where is None else f"activation {self._paths()}"
        return f"make the {which} {nn.ACTIVATIONS[self.to].__name__}"

    def _paths(self):
        return self.where if isinstance(self.where, str) else ", ".join(self.where or ())

    def _apply(self, program):
        expect_choice(self.to, nn.ACTIVATIONS, what="activation")
        trainer, make = program.trainer, nn.ACTIVATIONS[self.to]
        net = trainer.net
        found, _ = surgery.hidden_and_output(trainer, program.x)
        paths = {id(module): path for path, module in net.modules().items()}
        chosen = [m for m in found if self._meant(paths[id(m)])]
        for module in chosen:
            surgery.replace(net, module, make())
        functional = surgery.functional_activations(net)
        changed = [module for path, module in functional.items() if self._meant(path)]
        for module in changed:
            module.activation = getattr(ops, "linear" if self.to == "linear" else self.to)
        if not found and not functional:
            layers = surgery.hidden_layers(trainer, program.x)
            chosen = [None] * surgery.insert_after(net, layers, lambda layer: make())
        surgery.expect_some(len(chosen) + len(changed), "hidden activation")
        return _with_new_parameters(program)

    def _meant(self, path):
        wanted = (self.where,) if isinstance(self.where, str) else self.where
        return wanted is None or any(f"{path}.".startswith(f"{w}.") for w in wanted)


@dataclasses.dataclass(frozen=True)
class OutputActivation(Change):
    """The activation after the last layer: another by its name, or None for none."""

    name: str | None

    @property
    def text(self) -> str:
        if self.name is None:
            return "leave out the activation after the last layer"
        return f"put {nn.ACTIVATIONS[self.name].__name__} after the last layer"

    def _apply(self, program):
        trainer = program.trainer
        if self.name is not None:
            expect_choice(self.name, nn.ACTIVATIONS, what="activation")
        new = nn.Identity() if self.name is None else nn.ACTIVATIONS[self.name]()
        _, output = surgery.hidden_and_output(trainer, program.x)
        if output is None and ending(trainer, program.x).activation:
            output = surgery.last_without_weights(trainer, program.x)
        if output is not None:
            surgery.replace(trainer.net, output, new)
        elif self.name is None:
            surgery.expect_some(0, "activation after its last layer")
        elif isinstance(trainer.net, nn.Sequential):
            setattr(trainer.net, str(len(trainer.net)), new)
        else:
            trainer.net = nn.Sequential(trainer.net, new)
        return _with_new_parameters(program)


@dataclasses.dataclass(frozen=True)
class Reinitialise(Change):
    """Weights drawn anew by an initializer, biases 0, normalisations at 1 and 0.

    Args:
        name: in nn.init.INITIALIZERS; None: what fits the activations (He for rectifiers, LeCun
            for SELU, otherwise Glorot). Tables of vectors keep their own distribution.
        where: path of a layer, or several; None: all.
    """

    name: str | None = None
    where: str | tuple | None = None

    @property
    def text(self) -> str:
        how = "to fit the activations" if self.name is None else f"by {self.name}"
        which = "the weights" if self.where is None else f"the weights of {self.where}"
        return f"draw {which} anew {how}, with biases of 0"

    def _apply(self, program):
        trainer = program.trainer
        draw = nn.init.INITIALIZERS[self.name or _fitting(trainer, program.x)]
        wanted = (self.where,) if isinstance(self.where, str) else self.where
        for path, module in trainer.net.modules().items():
            if wanted is None or any(f"{path}.".startswith(f"{w}.") for w in wanted):
                _redraw(module, draw)
        if trainer.average is not None:
            trainer.average.restart()
        return program


def _fitting(trainer, x) -> str:
    hidden, _ = surgery.hidden_and_output(trainer, x)
    names = [type(module).__name__ for module in hidden]
    if "SELU" in names:
        return "lecun_normal"
    return "he_normal" if any(name in RECTIFIERS for name in names) else "glorot_uniform"


def _redraw(module, draw):
    if surgery.is_activation(module):
        return
    own = dict(module.__dict__)
    if isinstance(module, Recurrent):  # its weights are in lists, one of each layer and direction
        for direction in (*module.layers, *module.reversed_layers):
            own |= {f"{id(direction)}.{name}": value for name, value in vars(direction).items()}
    for name, value in own.items():
        if not isinstance(value, nn.Parameter):
            continue
        if value.ndim > 1:
            own = {"Embedding": 1 / np.sqrt(value.shape[-1]), "LearnedPositions": 0.02}
            std = own.get(type(module).__name__)
            new = draw(value.shape) if std is None else nn.init.normal(value.shape, std)
        else:
            new = np.full(value.shape, 0.0 if "bias" in name else 1.0)
        value.data = jnp.asarray(new, value.dtype)


@dataclasses.dataclass(frozen=True)
class OrthogonalRecurrence(Change):
    """Recurrent weights drawn orthogonal, each gate for itself, so that they stretch no state."""

    text = "draw the recurrent weights orthogonal"

    def _apply(self, program):
        named = program.trainer.net.named_parameters()
        found = [p for path, p in named.items() if path.split(".")[-1] == "hidden_weight"]
        surgery.expect_some(len(found), "recurrent layer")
        for p in found:
            rows, columns = p.shape
            gates = [nn.init.orthogonal((rows, rows)) for _ in range(columns // rows)]
            p.data = jnp.asarray(np.concatenate(gates, axis=1), p.dtype)
        return program


@dataclasses.dataclass(frozen=True)
class Dropout(Change):
    """Share of units dropped, of all dropout layers; put after hidden activations if none is."""

    p: float

    @property
    def text(self) -> str:
        return "leave out dropout" if self.p == 0 else f"drop {self.p:.0%} of the hidden units"

    def _apply(self, program):
        expect_range(self.p, what="p", least=0, below=1)
        trainer = program.trainer
        kinds = (nn.Dropout, nn.SpatialDropout)
        found = [m for m in trainer.net.modules().values() if isinstance(m, kinds)]
        for module in found:
            module.p = self.p
        if not found:
            hidden, _ = surgery.hidden_and_output(trainer, program.x)
            count = 0
            if self.p:
                make = functools.partial(nn.Dropout, self.p)
                count = surgery.insert_after(trainer.net, hidden, lambda layer: make())
            surgery.expect_some(count, "dropout or hidden activation")
        return program


@dataclasses.dataclass(frozen=True)
class LayerNorms(Change):
    """A LayerNorm after each hidden layer, before its activation."""

    text = "normalise after each hidden layer (LayerNorm)"

    def _apply(self, program):
        trainer = program.trainer
        layers = surgery.hidden_layers(trainer, program.x)
        count = surgery.insert_after(
            trainer.net, layers, lambda layer: nn.LayerNorm(layer.weight.shape[-1])
        )
        surgery.expect_some(count, "hidden layer in a Sequential")
        return _with_new_parameters(program)


def _with_new_parameters(program):
    """Optimizer and average over what the network now has."""
    trainer = program.trainer
    trainer.optimizer = trainer.optimizer.over(trainer.net)
    if trainer.average is not None:
        trainer.average = ExponentialAverage(trainer.net, trainer.average.decay)
    return program


# the data


@dataclasses.dataclass(frozen=True)
class ScaleInputs(Change):
    """Each input feature standardised, by mean and deviation of the training rows."""

    text = "standardise the inputs (mean 0, deviation 1)"

    def _apply(self, program):
        x = program.x
        embeds = any(isinstance(m, nn.Embedding) for m in program.trainer.net.modules().values())
        if x.dtype.kind not in "fiu" or embeds:
            raise OptionError("the inputs are classes, not numbers", expected="numbers")
        scale, _ = _standardised(x)
        validation = program.validation
        if validation is not None:
            validation = (scale(np.asarray(validation[0])), validation[1])
        return dataclasses.replace(program, x=scale(x), validation=validation)


@dataclasses.dataclass(frozen=True)
class ScaleTargets(Change):
    """Each target standardised, by mean and deviation of the training rows."""

    text = "standardise the targets (mean 0, deviation 1) and scale predictions back"

    def _apply(self, program):
        wants = expects(program.trainer.loss)
        if program.y.dtype.kind not in "fiu" or (wants is not None and wants.target != "real"):
            raise OptionError("the targets are classes, not numbers", expected="regression")
        scale, (mean, std) = _standardised(program.y)
        if program.target_scale is not None:
            before_mean, before_std = program.target_scale
            mean, std = mean * before_std + before_mean, std * before_std
        validation = program.validation
        if validation is not None:
            validation = (validation[0], scale(np.asarray(validation[1])))
        return dataclasses.replace(
            program, y=scale(program.y), validation=validation, target_scale=(mean, std)
        )


def _standardised(values):
    """(function that scales, (mean, deviation)); the last axis is features, if there is one."""
    axes = tuple(range(max(1, values.ndim - 1)))
    mean, std = values.mean(axes, dtype=np.float64), values.std(axes, dtype=np.float64)
    std = np.where(std > 0, std, 1.0)
    return lambda v: ((v - mean) / std).astype(np.float32), (mean, std)


# the loss


@dataclasses.dataclass(frozen=True)
class ReplaceLoss(Change):
    """Another loss, by its name in LOSSES; targets become class numbers or one-hot as it wants.

    A single output for a loss over class numbers becomes one for each class. Otherwise the
    network's output stays: see OutputActivation.
    """

    name: str

    @property
    def text(self) -> str:
        return f"use the loss {self.name.replace('_', ' ')}"

    def _apply(self, program):
        expect_choice(self.name, LOSSES, what="loss")
        trainer = program.trainer
        trainer.loss = LOSSES[self.name]
        to = expects(trainer.loss).target
        sizes = surgery.calls(trainer, program.x)[-1][1].shape
        if to == "labels" and sizes[-1] == 1 and program.y.size == len(program.y):
            # one output that was to be the number of the class: an output for each class instead
            classes = int(program.y.max()) + 1
            trainer = surgery.with_outputs(trainer, program.x, classes)
            sizes = (*sizes[:-1], classes)
        validation = program.validation
        if validation is not None:
            validation = (validation[0], _targets(np.asarray(validation[1]), to, sizes))
        y = _targets(program.y, to, sizes)
        return dataclasses.replace(program, trainer=trainer, y=y, validation=validation)


def _targets(y, to, sizes):
    """Targets as a loss wants them, for outputs of the given sizes."""
    classes = sizes[-1]
    is_one_hot = y.ndim == len(sizes) and y.shape[-1] == classes > 1
    if to == "labels" and is_one_hot:
        return y.argmax(-1).astype(np.int32)
    if to == "labels" and y.dtype.kind == "f":
        return y.reshape(len(y), *y.shape[1 : len(sizes) - 1]).astype(np.int32)
    if to in ("one_hot", "real", "binary") and classes > 1 and not is_one_hot:
        whole = y.reshape(y.shape[: len(sizes) - 1]) if y.ndim >= len(sizes) else y
        if np.array_equal(whole, np.round(whole)) and whole.min() >= 0 and whole.max() < classes:
            return np.eye(classes, dtype=np.float32)[whole.astype(int)]
    return y if to == "labels" else y.astype(np.float32)


@dataclasses.dataclass(frozen=True)
class ClassWeights(Change):
    """Each class counts by rows / (classes · rows of the class) in the loss."""

    text = "weigh the classes by the inverse of their frequency"

    def _apply(self, program):
        loss, y = program.trainer.loss, program.y
        wants = expects(loss)
        inner = loss
        while isinstance(inner, functools.partial):
            inner = inner.func
        if wants is None or "class_weights" not in inspect.signature(inner).parameters:
            raise OptionError(
                "this loss has no class weights",
                expected="a cross-entropy",
                mend="use ReplaceLoss before, or leave it",
            )
        if wants.target == "binary":
            ones = float(np.mean(y))
            counts = np.array([1 - ones, ones])
        else:
            classes = surgery.calls(program.trainer, program.x)[-1][1].shape[-1]
            labels = y if wants.target == "labels" else y.argmax(-1)
            counts = np.bincount(labels.ravel().astype(int), minlength=classes) / labels.size
        present = counts > 0
        weights = np.where(present, 1 / np.maximum(counts, 1e-12) / present.sum(), 0)
        weights = tuple(round(float(w), 6) for w in weights)
        program.trainer.loss = functools.partial(loss, class_weights=weights)
        return program


# how long, and in what pieces


@dataclasses.dataclass(frozen=True)
class Epochs(Change):
    """Training for a factor of the epochs, and a schedule that is as much longer."""

    factor: float

    @property
    def text(self) -> str:
        return f"train for {self.factor:.3g} times as many epochs"

    def _apply(self, program):
        _stretch(program.trainer.optimizer.schedule, self.factor)
        return dataclasses.replace(program, epochs=max(1, round(program.epochs * self.factor)))


@dataclasses.dataclass(frozen=True)
class BatchSize(Change):
    """Batches of a factor of the rows, at most all of them."""

    factor: float

    @property
    def text(self) -> str:
        word = "larger" if self.factor >= 1 else "smaller"
        by = self.factor if self.factor >= 1 else 1 / self.factor
        return f"make the batches {by:.3g} times {word}"

    def _apply(self, program):
        size = min(len(program.x), max(1, round(program.batch_size * self.factor)))
        _stretch(program.trainer.optimizer.schedule, program.batch_size / size)
        return dataclasses.replace(program, batch_size=size)


@dataclasses.dataclass(frozen=True)
class Patience(Change):
    """Early stopping that keeps the best weights, after so many epochs without a better one."""

    epochs: int

    @property
    def text(self) -> str:
        return f"stop early after {self.epochs} epochs without a better loss, keep the best weights"

    def _apply(self, program):
        others = [c for c in program.callbacks if not isinstance(c, EarlyStopping)]
        return dataclasses.replace(program, callbacks=(*others, EarlyStopping(self.epochs)))


def _stretch(schedule, factor) -> None:
    """The same course over `factor` times as many steps."""
    if schedule is None:
        return
    for name in ("total_steps", "warmup_steps", "every"):
        if hasattr(schedule, name):
            setattr(schedule, name, max(1, round(getattr(schedule, name) * factor)))
    if isinstance(schedule, Exponential):
        schedule.rate = schedule.rate ** (1 / factor)
    _stretch(getattr(schedule, "then", None), factor)
