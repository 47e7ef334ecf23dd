"""The epochs of a fit: compiled steps, validation, a row of the history, and the callbacks."""

import math
import time
from typing import Any

import numpy as np

from cutaway.ops.precision import current_precision
from cutaway.runtime import distributed, explaining_exhaustion
from cutaway.train.blocks import ArrayRows
from cutaway.train.epoch_groups import EpochGroup, GroupedEpochs
from cutaway.train.evaluation import Evaluator
from cutaway.train.interruption import Interruption
from cutaway.train.nan_origin import RanSteps, not_finite
from cutaway.train.resuming import INTERRUPTED, LATER
from cutaway.train.steps import Chunk, EpochSteps

PREVIOUS_BYTES = 2**26  # of weights that are kept one chunk longer, to trace a NaN back


class EpochRunner:
    """Runs the epochs of a Trainer's program as it is now: of a changed one it is not current.

    Args:
        trainer: the Trainer.

    Attributes:
        steps: its EpochSteps.
        evaluator: its Evaluator.
        told: (EpochGroup, k) of the epoch that callbacks are told of, if its state is not that of
            the network; otherwise None.
    """

    def __init__(self, trainer):
        self.trainer = trainer
        self.program = program = trainer.program
        self.steps = EpochSteps(program, trainer.control)
        self.evaluator = (program.evaluator or Evaluator)(program)
        self.told: tuple[EpochGroup, int] | None = None
        self._groups = GroupedEpochs(program, self.steps, self.evaluator)
        self._parts = dict(vars(program))
        self._interruption: Interruption | None = None
        self._previous: RanSteps | None = None
        self._is_small = self._is_streaming = False

    def is_current(self) -> bool:
        """Whether the program still has the network, loss, optimizer, ... that it was made for."""
        now = vars(self.trainer.program)
        return (
            self.program is self.trainer.program
            and now.keys() == self._parts.keys()
            and all(value is self._parts[name] for name, value in now.items())
        )

    def begin(self, interruption: Interruption) -> None:
        """Before the first epoch of a fit, or of the rest of one."""
        self._interruption = interruption
        self._is_streaming = self.trainer.stream is not None
        size = sum(v.data.nbytes for v in self.program.variables().values())
        self._is_small = size <= PREVIOUS_BYTES and not self._is_streaming
        self._previous = None
        self._groups.start()

    def has_begun(self) -> bool:
        """Whether a fit is at it."""
        return self._interruption is not None

    def end(self) -> None:
        """After the last epoch of a fit."""
        self._interruption, self._previous = None, None

    def forget_steps(self) -> None:
        """The layers were changed: steps that ran cannot be repeated."""
        self._previous = None

    def run(self, training, validation) -> None:
        """Several short epochs at once, as far as callbacks allow it, or one."""
        trainer = self.trainer
        planned = trainer.planned_epochs - trainer.epoch
        looks = (c.next_look(trainer) for c in trainer.callbacks)
        look = min(looks, default=math.inf) - trainer.epoch
        most = int(min(planned, look))
        count = self._groups.size(training, validation, trainer.batch_size, most)
        if count:
            self._several_epochs(training, validation, count)
        else:
            self._one_epoch(training, validation)

    def _several_epochs(self, training, validation, count):
        trainer = self.trainer
        first, before = trainer.epoch, self.steps.values()
        seeds = [[trainer.drawn_seed(), first + k] for k in range(count)]
        with self.steps.undone_by_errors(before), self._explaining_steps():
            group = self._groups.run(
                training, validation, trainer.batch_size, map(np.random.default_rng, seeds)
            )
        if not np.isfinite(group.losses["loss"]).all():
            self.steps.restore(before)
            while trainer.epoch < first + count and trainer.stopped is None:
                self._one_epoch(training, validation)
            return
        in_order = sorted(trainer.callbacks, key=lambda c: c.saves_others)
        steps = group.losses["loss"].shape[1]
        rates = self.steps.rates(steps, count)
        last = first + count
        row: dict[str, float] = {}
        try:
            for k in range(count):
                if trainer.epoch + 1 == last:
                    self.told = None
                    for callback in trainer.callbacks:
                        loss = float(group.losses["loss"][k].mean())
                        callback.on_chunk(trainer, steps, steps, loss)
                row = {"epoch": trainer.epoch + 1}
                for name, values in group.losses.items():
                    row[name] = values[k].sum(dtype=np.float64) / steps
                row["lr"] = rates[k]
                if validation is not None:
                    values = {name: values[k] for name, values in group.scores.items()}
                    scores = self.evaluator.named(values)
                    row.update({f"val_{name}": value for name, value in scores.items()})
                row["seconds"] = round(group.seconds, 6)
                trainer.epoch += 1
                trainer.history.rows.append(row)
                if trainer.epoch < last:
                    self.told = (group, k)
                with self.program.averaged():
                    for callback in in_order:
                        if not callback.saves_others:
                            callback.on_epoch(trainer, row)
                if trainer.stopped is not None and trainer.epoch < last:
                    self.steps.restore(group.states.after(k))
                    break
        except BaseException:  # of a callback: the epoch that it was told of is complete
            if first < trainer.epoch < last:
                self.steps.restore(group.states.after(trainer.epoch - first - 1))
            trainer.remember()
            raise
        finally:
            self.told = None
        self._previous = self._ran_last(group, trainer.epoch - first - 1, before, training)
        trainer.remember()
        with self.program.averaged():
            for callback in in_order:
                if callback.saves_others:
                    callback.on_epoch(trainer, row)
        self._stop_if_asked()

    def _ran_last(self, group: EpochGroup, k: int, before, training) -> RanSteps | None:
        """The steps of epoch k of a group, to trace a NaN back."""
        if not self._is_small:
            return None
        losses = {name: values[k] for name, values in group.losses.items()}
        state, data = group.states.after(k - 1) if k else before, (training.x, training.y)
        chunk = Chunk(0, losses.pop("loss"), losses, state, data)
        order = group.orders[k].reshape(len(chunk.losses), -1)
        return RanSteps(chunk, order, self.trainer.epoch)

    def _one_epoch(self, training, validation):
        trainer = self.trainer
        began = time.perf_counter()
        rng = np.random.default_rng([trainer.drawn_seed(), trainer.epoch])
        total = training.steps(trainer.batch_size)
        losses, done = 0.0, 0
        terms: dict[str, float] = {}
        for x, y, order, steps in training.epoch(rng, trainer.batch_size):
            for chunk in self._chunks(x, y, order, steps):
                self._expect_finite(RanSteps(chunk, order, trainer.epoch + 1), training)
                losses += float(chunk.losses.sum(dtype=np.float64))
                for name, values in chunk.terms.items():
                    terms[name] = terms.get(name, 0.0) + float(values.sum(dtype=np.float64))
                done += len(chunk.losses)
                for callback in trainer.callbacks:
                    callback.on_chunk(trainer, done, total, float(chunk.losses.mean()))
                self._stop_if_asked()
                if trainer.stopped is not None and done < total:
                    return  # a part of an epoch does not count
        row = {"epoch": trainer.epoch + 1, "loss": losses / done}
        row |= {name: value / done for name, value in terms.items()}
        row["lr"] = self.steps.rates()[0]
        if validation is not None:
            explained = explaining_exhaustion("the validation", instead="fewer validation rows")
            with self.program.averaged(), explained:
                scores = self.evaluator.evaluate(validation)
            row.update({f"val_{name}": value for name, value in scores.items()})
        row["seconds"] = round(time.perf_counter() - began, 6)
        trainer.epoch += 1
        trainer.history.rows.append(row)
        trainer.remember()
        with self.program.averaged():
            for callback in sorted(trainer.callbacks, key=lambda c: c.saves_others):
                callback.on_epoch(trainer, row)
        self._stop_if_asked()

    def _stop_if_asked(self):
        """Stop if Ctrl-C was pressed; of several processes all stop, if one of them has to."""
        trainer = self.trainer
        is_asked = self._interruption is not None and self._interruption.is_asked
        is_later = any(callback.wants_requeue() for callback in trainer.callbacks)
        if distributed.is_sharing():
            own = (is_asked, is_later, trainer.stopped is not None)
            is_asked, is_later, stopped = map(bool, distributed.most(*own))
            if stopped and trainer.stopped is None:
                trainer.stop("stopped by another process")
        if is_asked:
            trainer.stop(INTERRUPTED)
        elif is_later and trainer.stopped is None:
            trainer.stop(LATER)

    def _chunks(self, x, y, order, steps: int):
        """The chunks of a block, as EpochSteps.run yields them."""
        with self._explaining_steps():
            yield from self.steps.run(x, y, order, steps)

    def _explaining_steps(self):
        size, parts = self.trainer.batch_size, self.steps.accumulate
        what = f"a training step with batch_size={size}"
        what += f" and accumulate={parts}" if parts > 1 else ""
        return explaining_exhaustion(
            what, batch_size=size, accumulate=parts, precision=current_precision()
        )

    def _expect_finite(self, ran: RanSteps, training):
        numbers = training.row_numbers if isinstance(training, ArrayRows) else None
        error: Any = not_finite(self.steps, ran, self._previous, row_numbers=numbers)
        if error is None:
            self._previous = ran if self._is_small else None
            return
        self.trainer.stopped = error.came.partition(" in epoch")[0]
        raise error
