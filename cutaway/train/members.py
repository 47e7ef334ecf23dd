"""Ensembles in one program: members of one architecture that train together, one axis more."""

import contextlib
import copy
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from cutaway.engine import Tensor
from cutaway.errors import OptionError
from cutaway.nn import Ensemble
from cutaway.nn.lifting import map_over
from cutaway.nn.module import Module
from cutaway.nn.state import Held, Variable, named_variables
from cutaway.train.members_evaluation import MembersEvaluator
from cutaway.train.program import Program
from cutaway.train.row_weights import WeightedTargets


class MembersProgram(Program):
    """A training of several networks of one architecture, each from weights of its own.

    The members see the same batches, each through its own weights, optimizer slots and dropout. In
    the compiled step they are one axis more: as long as a core waits for memory and for the next
    operation, several small networks take little longer than one. With weights of the rows
    (rows, members) each member trains on rows of its own, see data.Folds.

    While it trains, each Variable of `net` holds the values of all members along its first axis;
    `opened` shows one of them, and `ensemble` returns them as ordinary networks.

    Args:
        members: Modules with the same layers, whose initial weights are copied.
        optimizer: function (net) -> Optimizer; None: Adam.
        loss, metrics, penalty, dropout_schedule, precision: see Program. The loss of a batch is
            the mean over the members of each one's own.

    Attributes:
        members: number of members.

    Raises:
        OptionError: fewer than one member, or members of different layers.

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> members = [ct.Sequential(ct.Linear(3, 8), ct.ReLU(), ct.Linear(8, 1)) for _ in range(4)]
        >>> program = ct.train.MembersProgram(members, loss=ct.losses.mean_squared_error)
        >>> trainer = ct.Trainer(program)
        >>> x = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
        >>> history = trainer.fit(x, x[:, :1], epochs=2, batch_size=16, progress=False)
        >>> net = program.ensemble()
        >>> len(net.members), net(x[:2]).shape
        (4, (2, 1))
    """

    evaluator = MembersEvaluator

    def __init__(
        self,
        members: Sequence[Module],
        *,
        loss: Any,
        optimizer: Callable | None = None,
        metrics=(),
        penalty: Any = None,
        dropout_schedule: Any = None,
        precision: str | None = None,
    ):
        values = _values(members)
        net = copy.deepcopy(members[0])
        super().__init__(
            net,
            loss=loss,
            optimizer=None if optimizer is None else optimizer(net),
            metrics=metrics,
            penalty=penalty,
            dropout_schedule=dropout_schedule,
            precision=precision,
        )
        self.members = len(values)
        self._looking = _Looking()
        for path, variable in named_variables(net).items():
            variable.data = jnp.asarray(np.stack([own[path] for own in values]))
        for slots in self.optimizer.state.values():
            for slot in slots:
                slot.data = jnp.stack([slot.data] * self.members)

    # the state

    def own_variables(self) -> list[Variable]:
        """Those whose first axis counts the members; the others are shared."""
        slots = [slot for kept in self.optimizer.state.values() for slot in kept]
        return [*named_variables(self.net).values(), *slots]

    def outputs_of(self, function: Callable) -> Any:
        """What a function of the member's number returns for each, stacked along a new first axis.

        In it the Variables of `net` have the values of the member.
        """
        return map_over(function, self.members, named_variables(self.net).values(), ())

    def _stepped(self, step: Callable) -> dict[str, Tensor]:
        """The mean over the members of what a step of each returns."""
        own = self.own_variables()
        known = set(map(id, own))
        shared = [v for v in self.variables().values() if id(v) not in known]
        found = map_over(step, self.members, own, shared)
        return {name: value.mean() for name, value in found.items()}

    # a step

    def step(self, x, y) -> dict[str, Tensor]:
        def one(k):
            return super(MembersProgram, self).step(x, targets_of(y, k))

        return self._stepped(one) if self._looking.member is None else one(self._looking.member)

    def accumulated_step(self, batch_of, parts) -> dict[str, Tensor]:
        def one(k):
            def own_batch(part):
                x, y = batch_of(part)
                return x, targets_of(y, k)

            return super(MembersProgram, self).accumulated_step(own_batch, parts)

        return self._stepped(one) if self._looking.member is None else one(self._looking.member)

    def terms(self, x, y) -> dict[str, Tensor]:
        return super().terms(x, targets_of(y, self._looking.member or 0))

    # looking at it

    @contextlib.contextmanager
    def opened(self, member: int = 0) -> Iterator[None]:
        """Context in which this thread sees one member, as if it were alone; nothing is changed.

        Args:
            member: its number, from 0.
        """
        self._expect_member(member)
        own, before = self.own_variables(), self._looking.member
        with Held(own, [(v.data[member], None) for v in own]):
            self._looking.member = member
            try:
                yield
            finally:
                self._looking.member = before

    def member(self, number: int) -> Module:
        """A copy of one member, with its present weights.

        Args:
            number: from 0.
        """
        self._expect_member(number)
        net = copy.deepcopy(self.net)
        for variable in named_variables(net).values():
            variable.data = variable.data[number]
        return net.eval()

    def ensemble(self) -> Ensemble:
        """Copies of all members, with their present weights, as one network."""
        return Ensemble(self.member(k) for k in range(self.members)).eval()

    def explain(self, x, y, *, names=None):
        return Program(self.ensemble(), loss=self.loss).explain(x, y, names=names)

    def description(self) -> list[str]:
        return [f"{self.members} members", *super().description()]

    def copied(self, *, net=None, optimizer: Any = None, loss=None) -> Program:
        if net is not None:
            return Program(net, loss=self.loss if loss is None else loss, optimizer=optimizer(net))
        found = copy.deepcopy(self)
        if loss is not None:
            found.loss = loss
        return found

    def _expect_member(self, number: int) -> None:
        if not 0 <= number < self.members:
            raise OptionError(f"member {number}", expected=f"a number from 0 to {self.members - 1}")


class _Looking(threading.local):
    member: int | None = None  # the one that this thread has opened

    def __deepcopy__(self, memo):
        return _Looking()


def targets_of(y, member) -> Any:
    """The targets of a batch with the weights of one member, if they have weights (rows, members).

    Args:
        member: its number, also as a scalar Tensor.
    """
    if not isinstance(y, WeightedTargets) or y.weights.ndim == 1:
        return y
    number = member.data if isinstance(member, Tensor) else member
    return WeightedTargets(y.targets, Tensor(jnp.asarray(y.weights.data)[:, number]))


def _values(members: Sequence[Module]) -> list[dict[str, np.ndarray]]:
    """{path: values} of the Variables of each member."""
    if not members:
        raise OptionError("an ensemble of no members", expected="at least one network")
    found = [{p: np.array(v.data) for p, v in named_variables(m).items()} for m in members]
    shapes = [{path: array.shape for path, array in one.items()} for one in found]
    for k, own in enumerate(shapes):
        if own != shapes[0]:
            path = next(p for p in {**shapes[0], **own} if shapes[0].get(p) != own.get(p))
            raise OptionError(
                f"member {k} has {own.get(path, 'nothing')} at {path}, and member 0 has "
                f"{shapes[0].get(path, 'nothing')}",
                expected="members of the same layers",
                fix="build each by the same function, with another seed",
            )
    return found
