"""Callbacks: what happens between the epochs of training."""

import math

from cutaway.errors import OptionError, expect_range


class Callback:
    """Base class: every method may be overridden; none has to be.

    A callback that carries state from epoch to epoch returns it from `state`, so that it survives
    a resume.
    """

    saves_others = False  # True: its on_epoch runs after that of all others

    def next_look(self, trainer) -> float:
        """The next epoch, after `trainer.epoch`, at whose end it has to see the trainer's state.

        Short epochs run several in one program, up to this one; of those before it, `on_epoch` is
        told afterwards, and `trainer.weights()` are those of the epoch it is told of. By default
        every epoch, unless the class overrides neither on_epoch nor on_chunk.
        """
        return trainer.epoch + 1 if overrides(self, Callback) else math.inf

    def on_start(self, trainer) -> None:
        """Before the first epoch; trainer.epoch is the number of epochs already done."""

    def on_ready(self, trainer) -> None:
        """Before the first step, once all arguments have been validated."""

    def on_chunk(self, trainer, done: int, total: int, loss: float) -> None:
        """Several times per epoch: `done` of about `total` steps, and the mean loss of the last."""

    def on_epoch(self, trainer, row: dict) -> None:
        """After each epoch, with its row of the history. `trainer.stop(reason)` ends training."""

    def on_change(self, trainer) -> None:
        """After layers of the network were changed, while training was paused."""

    def on_end(self, trainer) -> None:
        """After the last epoch, also after Ctrl-C or an error."""

    def wants_requeue(self) -> bool:
        """Asked between chunks of steps: whether training stops here, to be resumed later."""
        return False

    def on_return(self, trainer) -> None:
        """After on_end of all callbacks, unless there was an error; may end the process."""

    def state(self) -> dict:
        """Numbers, strings, lists of these, and a dict {name: NumPy array} under "arrays"."""
        return {}

    def load_state(self, state: dict) -> None:
        """Restore what `state` returned."""


def overrides(callback: Callback, base: type[Callback]) -> bool:
    """Whether the class of a callback has an on_epoch or on_chunk other than that of `base`."""
    kind = type(callback)
    return kind.on_epoch is not base.on_epoch or kind.on_chunk is not base.on_chunk


class AfterEpoch(Callback):
    """A function (trainer, row) as a callback."""

    def __init__(self, function):
        self.function = function

    def on_epoch(self, trainer, row):
        self.function(trainer, row)


class EarlyStopping(Callback):
    """Stops training when a monitored value has stopped improving, and restores the best weights.

    NaN is worse than any number: it never counts as an improvement. In a fit that goes on
    (`more=`), the best value so far stays, and patience begins anew.

    Args:
        patience: number of epochs without improvement after which training stops; None: never
            stop, only restore the best weights.
        monitor: column of the history; None: val_loss, or loss without a validation set.
        min_delta: minimum change that counts as an improvement.
        higher_is_better: True for metrics like accuracy.

    Attributes:
        best_value, best_epoch, best_weights: the best so far; None, 0 and None if the monitored
            value has been NaN in every epoch: then the last weights stay.
    """

    def __init__(
        self,
        patience: int | None = 20,
        *,
        monitor: str | None = None,
        min_delta: float = 0.0,
        higher_is_better: bool = False,
    ):
        if patience is not None:
            expect_range(patience, what="patience", least=1)
        self.patience = patience
        self.monitor = monitor
        self.min_delta = min_delta
        self.higher_is_better = higher_is_better
        self.best_value = None
        self.best_epoch = 0
        self.best_weights = None

    def on_start(self, trainer):
        if trainer.epoch == 0:
            self.best_value, self.best_epoch, self.best_weights = None, 0, None

    def on_epoch(self, trainer, row):
        monitor = self.monitor or ("val_loss" if "val_loss" in row else "loss")
        if monitor not in row:
            raise OptionError(
                f"early stopping monitors {monitor!r}, which is not in the history",
                expected="one of " + ", ".join(row),
                fix="provide a validation set, or monitor another column",
            )
        value = row[monitor]
        since = max(self.best_epoch, trainer.first_epoch)
        if self._better(value):
            self.best_value, self.best_epoch = value, trainer.epoch
            self.best_weights = trainer.weights()
        elif self.patience is not None and trainer.epoch - since >= self.patience:
            trainer.stop(f"{monitor} has not improved for {self.patience} epochs")

    def on_change(self, trainer):
        """The best weights so far were those of other layers: the next epoch is the first."""
        self.best_value, self.best_epoch, self.best_weights = None, trainer.epoch, None

    def next_look(self, trainer):
        return trainer.epoch + 1 if overrides(self, EarlyStopping) else math.inf

    def on_end(self, trainer):
        if self.best_weights is not None:
            trainer.net.load_state_dict(self.best_weights)

    def __repr__(self):
        options = [f"patience={self.patience}"]
        if self.monitor is not None:
            options.append(f"monitor={self.monitor!r}")
        if self.min_delta:
            options.append(f"min_delta={self.min_delta:g}")
        if self.higher_is_better:
            options.append("higher_is_better=True")
        if self.best_value is not None:
            options.append(f"best {self.best_value:.4g} in epoch {self.best_epoch}")
        return f"EarlyStopping({', '.join(options)})"

    def state(self):
        return {
            "best_value": self.best_value,
            "best_epoch": self.best_epoch,
            "arrays": self.best_weights or {},
        }

    def load_state(self, state):
        self.best_value = state["best_value"]
        self.best_epoch = state["best_epoch"]
        self.best_weights = state["arrays"] or None

    def _better(self, value):
        if math.isnan(value):
            return False
        if self.best_value is None or math.isnan(self.best_value):
            return True
        if self.higher_is_better:
            return value > self.best_value + self.min_delta
        return value < self.best_value - self.min_delta


class PlateauRate(Callback):
    """Reduces the learning rate when a monitored value has stopped improving.

    Args:
        reduce: an optim.ReduceOnPlateau, which decides when and by how much.
        monitor: column of the history; None: val_loss, or loss without a validation set.
    """

    def __init__(self, reduce, *, monitor: str | None = None):
        self.reduce = reduce
        self.monitor = monitor

    def on_epoch(self, trainer, row):
        monitor = self.monitor or ("val_loss" if "val_loss" in row else "loss")
        self.reduce.observe(row[monitor], trainer.optimizer)

    def state(self):
        return self.reduce.state()

    def load_state(self, state):
        self.reduce.load_state({k: v for k, v in state.items() if k != "arrays"})


class GradualUnfreezing(Callback):
    """Trains the head first, then unfreezes one more stage every few epochs, the last stage first.

    For a network made by `ct.transfer`. The optimizer must cover the whole network, so that it
    updates stages that are unfrozen later; it skips parameters without a gradient. Each newly
    unfrozen stage recompiles the step. With Adam, whose averages for the new stage start at 0
    without bias correction, the first steps of that stage are short, like a warmup.

    Args:
        every: number of epochs between stages.
        until: the earliest stage to unfreeze; None: all of them.

    References:
        Howard & Ruder 2018, arXiv:1801.06146, sec. 3.3.
    """

    def __init__(self, every: int = 1, *, until: str | None = None):
        expect_range(every, what="every", least=1)
        self.every = every
        self.until = until

    def on_start(self, trainer):
        net = trainer.net
        if not hasattr(net, "unfreeze_from"):
            raise OptionError(
                f"GradualUnfreezing: the network is a {type(net).__name__}",
                expected="a network made by ct.transfer",
                fix="use ct.transfer(backbone, head)",
            )
        if self.until is not None:
            net.body.stages_before(self.until)  # raises if there is no such stage
        self._unfreeze(trainer)

    def on_epoch(self, trainer, row):
        if trainer.epoch % self.every == 0:
            self._unfreeze(trainer)

    def _unfreeze(self, trainer):
        names = (*trainer.net.stages, "head")
        first = 0 if self.until is None else names.index(self.until)
        now = names[max(first, len(names) - 1 - trainer.epoch // self.every)]
        if trainer.net.frozen != names[: names.index(now)]:
            trainer.net.unfreeze_from(now)
