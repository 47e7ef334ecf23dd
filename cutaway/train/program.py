"""Program: all that a training consists of."""

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from cutaway.engine import Tensor, on_device
from cutaway.errors import OptionError, TrainingError, expect_choice, expect_type
from cutaway.losses.terms import columns_of, named_terms
from cutaway.nn import StructureChange, exclusive, in_mode, snapshot
from cutaway.nn.drop_rates import scaled_dropout
from cutaway.nn.lifting import accumulate_over
from cutaway.nn.module import Module
from cutaway.nn.state import Variable, named_variables
from cutaway.nn.trees import call
from cutaway.ops.precision import PRECISIONS, current_precision, matmul_precision
from cutaway.optim import Adam, ExponentialAverage, Optimizer, Schedule
from cutaway.optim.optimizer import noting_gradients
from cutaway.runtime import sharding
from cutaway.train.frozen_weights import FrozenWeights
from cutaway.train.row_weights import loss_of_rows, weights_of
from cutaway.train.with_preparation import WithPreparation

if TYPE_CHECKING:
    from cutaway.explain import Explanation


class Program:
    """All that a training consists of: network, loss, optimizer, and what is done to a batch.

    A Trainer runs it; `step` is what it runs for each batch. Inputs and targets are trees: an
    array, or a tuple, list or dict of arrays with as many rows. A tuple becomes the positional
    arguments of the network, a dict its keyword arguments.

    Args:
        net: a Module.
        loss: function (prediction, target) -> scalar Tensor, or {name: scalar Tensor}, whose sum
            is minimized; see cutaway.losses.
        objective: function (net, x, y) -> scalar Tensor, or {name: scalar Tensor}, for networks
            that need the targets on their way; in place of `loss`.
        optimizer: an Optimizer over net's parameters; Adam(net) by default.
        metrics, penalty, mix, average, prepare, dropout_schedule, precision: see Trainer.

    Attributes:
        prepared: the network behind `prepare`, or the network.
        frozen: FrozenWeights, single weights that are not trained; or None.

    Example:
        >>> import numpy as np
        >>> from cutaway.train import Program
        >>> import cutaway as ct
        >>> net = ct.Linear(3, 1)
        >>> program = Program(net, loss=ct.losses.mean_squared_error, optimizer=ct.SGD(net, 0.1))
        >>> x = np.ones((4, 3), np.float32)
        >>> first, second = (program.step(x, x[:, :1])["loss"].item() for _ in range(2))
        >>> second < first
        True
    """

    def __init__(
        self,
        net: Module,
        *,
        loss: Any = None,
        objective: Any = None,
        optimizer: Any = None,
        metrics=(),
        penalty: Any = None,
        mix: Any = None,
        average: Any = None,
        prepare: Any = None,
        dropout_schedule: Any = None,
        precision: str | None = None,
    ):
        if (loss is None) == (objective is None):
            given = "neither a loss nor an objective" if loss is None else "both"
            raise OptionError(
                f"a training was given {given}",
                expected="loss=(prediction, target) -> number, or objective=(net, x, y) -> numbers",
                fix="for example loss=ct.losses.mean_squared_error",
            )
        if objective is None:
            _expect_function("loss", loss, "(prediction, target)")
        else:
            _expect_function("objective", objective, "(net, x, y)")
        if objective is not None and mix is not None:
            raise OptionError(
                "mix was given with an objective",
                expected="a loss of predictions and targets, which can be mixed",
                fix="mix the examples in the objective",
            )
        self.net = net
        self.loss: Any = loss
        self.objective: Any = objective
        self.optimizer: Any = Adam(net) if optimizer is None else _optimizer(optimizer)
        self.metrics = tuple(metrics)
        self.penalty = penalty
        self.mix = mix
        self.average = average
        self.prepare = prepare
        _expect_schedule(dropout_schedule)
        self.dropout_schedule = dropout_schedule
        self.frozen: FrozenWeights | None = None
        self.prepared: Any = net if prepare is None else WithPreparation(prepare, net)
        if precision is not None:
            expect_choice(precision, PRECISIONS, what="precision")
        self.precision = precision

    def __setattr__(self, name, value):
        """Another network, loss, optimizer, ... takes the place of the one before it.

        Raises:
            OptionError: it does not fit the rest.
        """
        is_replaced = "precision" in self.__dict__  # the last one that is set in the beginning
        if is_replaced:
            value = self._replacement(name, value)
        super().__setattr__(name, value)
        if is_replaced and name in ("net", "prepare"):
            prepare, net = self.prepare, self.net
            self.prepared = net if prepare is None else WithPreparation(prepare, net)

    def _replacement(self, name: str, value: Any) -> Any:
        if name == "loss" and value is not None and self.objective is not None:
            raise OptionError(
                "a loss was assigned to a training that minimizes an objective",
                expected="another objective, a function (net, x, y)",
                fix="assign program.objective, or make another Trainer with this loss",
            )
        if name == "loss" and self.objective is None:
            _expect_function(name, value, "(prediction, target)")
        if name == "objective" and self.loss is None:
            _expect_function(name, value, "(net, x, y)")
        if name == "precision" and value is not None:
            expect_choice(value, PRECISIONS, what="precision")
        if name == "metrics":
            return tuple(value or ())
        if name == "dropout_schedule":
            _expect_schedule(value)
        if name in ("optimizer", "net"):
            _expect_own(*((value, self.optimizer) if name == "net" else (self.net, value)), name)
        return value

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(self.description())})"

    def description(self) -> list[str]:
        """What it consists of, in a few words each."""
        count = sum(p.size for p in self.net.parameters())
        function = self.loss if self.objective is None else self.objective
        parts = [f"{type(self.net).__name__} of {count:,} parameters", name_of(function)]
        parts.append(repr(self.optimizer))
        if self.metrics:
            parts.append("metrics " + ", ".join(map(name_of, self.metrics)))
        others = ("penalty", "mix", "average", "prepare", "dropout_schedule")
        given = [name for name in others if getattr(self, name) is not None]
        parts += [f"with {', '.join(given)}"] if given else []
        return parts + ([self.precision] if self.precision is not None else [])

    # a step

    def inputs(self, x):
        """What the network gets for a raw batch x: Tensors."""
        return x if self.prepare is None else self.prepared.inputs(x)

    def terms(self, x, y) -> dict[str, Tensor]:
        """{name: scalar} of the training loss of a batch, whose sum is minimized.

        One term without a name of its own is called "". A penalty is called "penalty" beside named
        ones, and added to one without a name.
        """
        with self._scaled_dropout():
            x = self.inputs(x)
            if self.mix is None:
                return self._with_penalty(self.terms_of_inputs(x, y))
            x, partners, fraction = self.mix(x, y)
            prediction = call(self.net, x)
        own, others = (named_terms(self.loss(prediction, target)) for target in (y, partners))
        mixed = {k: fraction * own[k] + (1 - fraction) * others[k] for k in own}
        return self._with_penalty(mixed)

    def terms_of_inputs(self, x, y) -> dict[str, Tensor]:
        """The terms for what the network gets, neither mixed nor with a penalty."""
        if self.objective is not None:
            return named_terms(self.objective(self.net, x, y))
        return named_terms(loss_of_rows(self.loss, call(self.net, x), y))

    def _with_penalty(self, found: dict) -> dict[str, Tensor]:
        if self.penalty is None:
            return found
        penalty = self.penalty(self.net)
        if "" in found:
            return {**found, "": found[""] + penalty}
        return {**found, "penalty": penalty}

    def loss_of(self, x, y) -> Tensor:
        """The training loss of a batch: the sum of its terms."""
        return columns_of(self.terms(x, y))["loss"]

    def step(self, x, y) -> dict[str, Tensor]:
        """One update by a batch, eagerly or in a compiled step.

        Returns:
            {"loss": ...} before the update, and "loss_NAME" for each named term.
        """
        found = self._backward(x, y)
        self.update()
        return found

    def gradients(self, x, y) -> dict[str, Tensor]:
        """The gradients by which `step` would update the parameters; nothing is changed.

        They are what the optimizers of `step` find, whatever it does before: where one network is
        updated before another one's loss, they are those after that update.

        Returns:
            {path: ∂L/∂parameter}, before clipping. Paths are those of the network; of other
            networks, after the name of the owner: "discriminator.0.weight".
        """
        with snapshot(*self.owners().values()), noting_gradients() as noted:
            self.step(x, y)
        found = {id(parameter): gradient for parameter, gradient in noted}
        return {
            path.removeprefix("net."): Tensor(found[id(variable)])
            for path, variable in self.variables().items()
            if id(variable) in found
        }

    def accumulated_step(self, batch_of, parts) -> dict[str, Tensor]:
        """One update by several micro-batches with the memory of one, in a compiled step.

        Args:
            batch_of: function of one element of `parts` -> (x, y).
            parts: array whose first axis counts the micro-batches.
        """
        owners = self.owners(stepping=False).values()
        _, whole = batch_of(parts)  # XLA drops all of it but the weights
        weights = weights_of(whole)
        total: Any = None if weights is None else weights.data.sum()

        def one(part):
            x, y = batch_of(part)
            own = weights_of(y)
            if own is None or total is None:
                return self._backward(x, y, lambda value: value / len(parts))
            # Σ_k (Σ_i w_i L_i / Σ_i w_i) share_k, i in part k, is the mean over the batch
            share = own.data.sum() / jnp.where(total > 0, total, 1)
            share = Tensor(jnp.where(total > 0, share, 1 / len(parts)))
            return self._backward(x, y, lambda value: value * share)

        found = accumulate_over(one, parts, *owners)
        self.update()
        return {name: values.sum() for name, values in found.items()}

    def _backward(self, x, y, part_of=None) -> dict[str, Tensor]:
        """The columns of a batch; of a part of it, what `part_of` says each term counts."""
        with self._scaled_dropout():  # also of what is computed again on the way back
            terms = self.terms(x, y)
            if part_of is not None:
                terms = {name: part_of(value) for name, value in terms.items()}
            found = columns_of(terms)
            found["loss"].backward()
        return found

    def _scaled_dropout(self):
        """Context in which the rates of dropout are those of the step that comes next."""
        if self.dropout_schedule is None:
            return contextlib.nullcontext()
        return scaled_dropout(self.dropout_schedule(self.optimizer.t + 1))

    def update(self) -> None:
        """The optimizer's step by the gradients that are there, and the average's."""
        with contextlib.nullcontext() if self.frozen is None else self.frozen.kept():
            self.optimizer.step()
        for parameter in self.net.parameters():  # also of those that the optimizer does not have
            parameter.grad = None
        if self.average is not None:
            self.average.update()

    def explain(self, x, y, *, names=None) -> "Explanation":
        """The network opened for one example or a batch, with the loss that is minimized.

        The penalty is part of it; examples are not mixed.

        Args:
            x, y: as they are trained on, raw if there is a `prepare`.
            names: of the columns of x, see `explain`.
        """
        from cutaway.explain import explain  # which a training alone does not need

        x = self.inputs(x)
        if self.objective is None and self.penalty is None:
            return explain(self.net, x, y, loss=self.loss, names=names)

        def objective(net, x, y):
            return self._with_penalty(self.terms_of_inputs(x, y))

        return explain(self.net, x, y, objective=objective, names=names)

    # several networks of one architecture

    members: int = 0  # how many train together, see MembersProgram; 0: one network by itself
    evaluator: Any = None  # class of what scores and predicts; None: Evaluator

    @contextlib.contextmanager
    def opened(self, member: int = 0) -> Iterator[None]:
        """Context in which this thread sees one network; of members that train together, one."""
        yield

    # several networks in turn

    alternates = False  # whether networks train in turn, each with a loss of its own

    def turns(self, x, y) -> dict[str, tuple[Module, Tensor]]:
        """{name: (network, the loss that its turn minimizes)} for a batch; one without a name."""
        return {"": (self.net, self.loss_of(x, y))}

    # state

    def owners(self, *, stepping: bool = True) -> dict:
        """{name: owner of Variables}; if not stepping, without those used only by `update`."""
        owners: dict[str, Any] = {"net": self.net}
        if stepping:
            owners |= {"optimizer": self.optimizer, "average": self.average}
            owners |= {"frozen": self.frozen, "dropout_schedule": self.dropout_schedule}
        owners |= {"mix": self.mix, "prepare": self.prepare}
        return {name: owner for name, owner in owners.items() if owner is not None}

    def variables(self) -> dict[str, Variable]:
        """{path: Variable} of all state, each at its first path."""
        once = {}
        for name, owner in self.owners().items():
            for path, variable in named_variables(owner).items():
                once.setdefault(id(variable), (f"{name}.{path}", variable))
        return dict(once.values())

    def snapshot(self) -> dict[str, np.ndarray]:
        """{path: NumPy array}: copies of all state between two steps."""
        with exclusive():
            found = self.variables().items()
            return {path: np.array(sharding.whole(v.data)) for path, v in found}

    def restore(self, state: dict) -> None:
        """Go back to what `snapshot` returned.

        Raises:
            TrainingError: layers have been changed since; nothing is restored.
        """
        with exclusive():
            variables = self.variables()
            for path in {**variables, **state}:
                before, now = state.get(path), variables.get(path)
                if before is None or now is None or before.shape != now.shape:
                    shapes = ["none" if v is None else f"shape {v.shape}" for v in (before, now)]
                    raise TrainingError(
                        f"the snapshot is of other layers: {path} has {shapes[0]} in it and "
                        f"{shapes[1]} now",
                        expected="a snapshot taken after the last change of a layer",
                        fix="take a snapshot after each change; to go back behind one, build the "
                        "network as it was",
                    )
            for path, variable in variables.items():
                variable.data = on_device(np.array(state[path], variable.dtype))

    def change(self, edit: Callable[[Module], StructureChange], net: Any = None) -> StructureChange:
        """Change the layers of a network in place; optimizers and the average follow.

        What stays keeps its weights and its slots. The next step compiles.

        Args:
            edit: function (net) -> what nn.widen, nn.narrow or nn.deepen returned.
            net: the network, one of the program; None: the one that predicts.

        Example:
            >>> from cutaway.train import Program
            >>> import cutaway as ct
            >>> net = ct.Sequential(ct.Linear(3, 4), ct.Tanh(), ct.Linear(4, 1))
            >>> program = Program(net, loss=ct.losses.mean_squared_error)
            >>> change = program.change(lambda net: ct.nn.widen(net, "0", 6))
            >>> program.optimizer.state["m"][0].shape
            (3, 6)
        """
        net = self.net if net is None else net
        with exclusive():
            change = edit(net)
            if not isinstance(change, StructureChange):
                raise OptionError(
                    f"the edit of the network returned {change!r}",
                    expected="what nn.widen, nn.narrow or nn.deepen returned, for the optimizer",
                    fix='for example change(lambda net: nn.widen(net, "0", 16))',
                )
            for owner in self.owners().values():
                if isinstance(owner, Optimizer | ExponentialAverage | FrozenWeights):
                    owner.follow(change, net)
        return change

    def networks(self) -> list[Module]:
        """The networks whose mode is set for a step or an evaluation."""
        return [self.prepared]

    @contextlib.contextmanager
    def in_mode(self, training: bool) -> Iterator[None]:
        """Context in which this thread sees all networks in training or evaluation mode."""
        with contextlib.ExitStack() as stack:
            for net in self.networks():
                stack.enter_context(in_mode(net, training))
            yield

    def computing(self):
        """Context in which products have the training's precision."""
        return matmul_precision(self.precision or current_precision())

    def averaged(self):
        """Context in which this thread sees the averaged weights, if there is an average."""
        return contextlib.nullcontext() if self.average is None else self.average.applied()

    # copies

    def copied(self, *, net=None, optimizer=None, loss=None) -> "Program":
        """A program with its own copies of everything, in the same state.

        Args:
            net: another Module, which is not copied.
            optimizer: function (net) -> Optimizer, needed with another net.
            loss: another loss.
        """
        parts = (self.net, self.optimizer, self.average, self.mix, self.prepare, self.frozen)
        own_net, own_optimizer, average, mix, prepare, frozen = copy.deepcopy(parts)  # shared so
        if net is not None and optimizer is None:
            raise OptionError(
                "a program was to get another network without an optimizer for it",
                expected="optimizer=function (net) -> Optimizer",
                fix="for example optimizer=program.optimizer.over",
            )
        keeps_net = net is None
        net = own_net if net is None else net
        found = Program(
            net,
            loss=self.loss if loss is None else loss,
            objective=self.objective,
            optimizer=own_optimizer if optimizer is None else optimizer(net),
            metrics=self.metrics,
            penalty=self.penalty,
            mix=mix,
            average=average,
            prepare=prepare,
            dropout_schedule=copy.deepcopy(self.dropout_schedule),
            precision=self.precision,
        )
        found.frozen = frozen if keeps_net else None
        return found

    def fresh(self, seed: int = 0) -> "Program":
        """A copy to be trained.

        Args:
            seed: 0 keeps the weights; any other permutes the entries of each weight, which is
                another sample from the same distribution (a constant weight stays constant).
        """
        program = self.copied()
        permute_weights(program.net, seed)
        return program


def name_of(function) -> str:
    """The name of a loss, a metric or another function, also of a functools.partial of one."""
    own = getattr(function, "__name__", None)
    inner = getattr(function, "func", function)
    return own or getattr(inner, "__name__", type(inner).__name__)


def _expect_function(name: str, function, arguments: str) -> None:
    if not callable(function):
        raise OptionError(
            f"{name} is {function!r}",
            expected=f"a function {arguments} -> scalar Tensor",
            fix="pass a function of cutaway.losses, for example ct.losses.mean_squared_error",
        )


def _expect_own(net, optimizer, name: str) -> None:
    """Raise OptionError unless the optimizer moves parameters of the network."""
    own = {id(p) for p in net.parameters()}
    if not any(id(p) in own for p in _optimizer(optimizer).parameters):
        raise OptionError(
            f"the {name} that was assigned is another one's: the optimizer has none of the "
            "network's parameters",
            expected="an optimizer of the network that is trained",
            fix="make it anew: trainer.optimizer = ct.Adam(trainer.net)"
            if name == "optimizer"
            else "make another Trainer for another network",
        )


def _expect_schedule(schedule) -> None:
    if schedule is not None:
        expect_type(
            schedule,
            Schedule,
            what="dropout_schedule",
            expected="a Schedule, the factor on the rates of dropout in each step",
            fix="for example dropout_schedule=ct.optim.FlatCosine(total_steps)",
        )


def _optimizer(optimizer) -> Any:
    """The optimizer.

    Raises:
        OptionError: it is none.
    """
    if not isinstance(optimizer, Optimizer):
        raise OptionError(
            f"the optimizer is {optimizer!r}",
            expected="an Optimizer over the network's parameters",
            fix="for example optimizer=ct.Adam(net, lr=1e-3)",
        )
    return optimizer


def permute_weights(net: Module, seed: int) -> None:
    """Permute the entries of each weight by a seed; 0 leaves them as they are."""
    if not seed:
        return
    rng = np.random.default_rng(seed)
    for parameter in net.parameters():
        values = parameter.numpy().ravel()
        parameter.data = on_device(rng.permutation(values).reshape(parameter.shape))
