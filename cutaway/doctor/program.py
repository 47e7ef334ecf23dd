"""Program: a training that can be repeated, as it is or with changes."""

import copy
import dataclasses

import jax.numpy as jnp
import numpy as np

from cutaway.train import Trainer


@dataclasses.dataclass(frozen=True)
class Program:
    """Everything that defines a training.

    Attributes:
        trainer: a Trainer that has not trained; it is copied, never run.
        x, y: training arrays (rows, ...).
        validation: (x, y) or None.
        epochs, batch_size: as for Trainer.fit.
        seed: random seed for the order of the rows.
        callbacks: for example (EarlyStopping(20),); each run gets copies.
        target_scale: (mean, std) if y was standardized by a change: predictions times std plus
            mean are in the units of the user's targets.
    """

    trainer: Trainer
    x: np.ndarray
    y: np.ndarray
    validation: tuple | None = None
    epochs: int = 100
    batch_size: int = 32
    seed: int = 0
    callbacks: tuple = ()
    target_scale: tuple | None = None

    @classmethod
    def of(cls, trainer: Trainer, x, y, **options) -> "Program":
        """The program of a trainer in its present state, before it trains."""
        return cls(copied(trainer), np.asarray(x), np.asarray(y), **options)

    def fresh(self, seed: int = 0) -> Trainer:
        """A new Trainer to be trained; the program's own is not modified.

        Args:
            seed: 0 keeps the initial weights; any other permutes the entries of each weight, which
                is another sample from the same distribution (a constant weight stays constant).
        """
        trainer = copied(self.trainer)
        permute_weights(trainer.net, seed)
        return trainer

    def run(
        self, seed: int = 0, *, callbacks=(), epochs: int | None = None, trainer=None
    ) -> Trainer:
        """Train a new Trainer, or the given one, and return it.

        Raises:
            TrainingError: the loss became NaN or infinite.
        """
        trainer = self.fresh(seed) if trainer is None else trainer
        trainer.fit(
            self.x,
            self.y,
            epochs=self.epochs if epochs is None else epochs,
            batch_size=self.batch_size,
            validation=self.validation,
            callbacks=[*copy.deepcopy(list(self.callbacks)), *callbacks],
            seed=self.seed + seed,
            progress=False,
        )
        return trainer

    def changed(self, *changes) -> "Program":
        """The program after the changes (see doctor/changes), applied one after the other."""
        program = dataclasses.replace(self, trainer=copied(self.trainer))
        for change in changes:
            program = change.apply(program)
        return program


def permute_weights(net, seed: int) -> None:
    """Permute the entries of each weight by a seed; 0 leaves them as they are."""
    if not seed:
        return
    rng = np.random.default_rng(seed)
    for parameter in net.parameters():
        values = parameter.numpy().ravel()
        parameter.data = jnp.asarray(rng.permutation(values).reshape(parameter.shape))


def copied(trainer: Trainer) -> Trainer:
    """A Trainer with its own copies of network and optimizer, in the same state."""
    return rebuilt(trainer)


def rebuilt(trainer: Trainer, *, net=None, optimizer=None, loss=None) -> Trainer:
    """A copy of a trainer, with another network, optimizer or loss if given.

    Args:
        net: another Module, which is not copied.
        optimizer: function (net) -> Optimizer.
        loss: another loss.
    """
    parts = (trainer.net, trainer.optimizer, trainer.average, trainer.mix, trainer.prepare)
    own_net, own_optimizer, average, mix, prepare = copy.deepcopy(parts)  # shared parts stay shared
    if net is not None and optimizer is None:
        raise ValueError("a trainer with another network needs an optimizer for it")
    net = own_net if net is None else net
    return Trainer(
        net,
        loss=trainer.loss if loss is None else loss,
        optimizer=own_optimizer if optimizer is None else optimizer(net),
        metrics=trainer.metrics,
        penalty=trainer.penalty,
        mix=mix,
        average=average,
        prepare=prepare,
        precision=trainer.precision,
    )
