"""Trainer: epochs of compiled steps, with validation, callbacks and clean interruption."""

import math
import time
from typing import Any

import numpy as np

from cutaway.errors import OptionError, expect_range
from cutaway.nn import StructureChange
from cutaway.nn.random import generator
from cutaway.nn.state import named_variables
from cutaway.ops.precision import current_precision
from cutaway.runtime import device, explaining_exhaustion
from cutaway.train.blocks import (
    ArrayRows,
    expect_batch,
    expect_micro_batches,
    is_stream,
    to_device,
)
from cutaway.train.control import Control
from cutaway.train.epoch_groups import GroupedEpochs
from cutaway.train.evaluation import Evaluator
from cutaway.train.fit_data import FitRows, check_rows, training_sets, weighted_arrays
from cutaway.train.history import History
from cutaway.train.interruption import Interruption
from cutaway.train.live import LiveTraining
from cutaway.train.nan_origin import RanSteps, not_finite
from cutaway.train.program import Program
from cutaway.train.progress import Progress
from cutaway.train.steps import Chunk, EpochSteps

PREVIOUS_BYTES = 2**26  # of weights that are kept one chunk longer, to trace a NaN back


def _of_program(name: str) -> Any:
    """An attribute that the trainer's program has."""
    return property(
        lambda trainer: getattr(trainer.program, name),
        lambda trainer, value: setattr(trainer.program, name, value),
    )


class Trainer:
    """Trains a network on arrays or on a stream of blocks.

    Args:
        net: a Module; or a Program, which holds everything that follows.
        loss: function (prediction, target) -> scalar Tensor, or {name: scalar Tensor}, whose sum
            is minimized and each of which has its column; see cutaway.losses.
        objective: function (net, x, y) -> the same, for networks that need the targets on their
            way; in place of `loss`.
        optimizer: an Optimizer over net's parameters; Adam(net) by default.
        metrics: functions (prediction, target) -> number; see cutaway.metrics. For losses on
            logits the prediction is converted to probabilities first.
        penalty: function of the net, added to the loss during training, for example
            `lambda net: ct.losses.l2_penalty(net.parameters(), 1e-4)`.
        mix: Mixup or CutMix: mixes the examples of each batch during training.
        average: an optim.ExponentialAverage over net's parameters; validation, callbacks after
            an epoch and the net after `fit` then use the averaged weights.
        prepare: function or Module applied to the inputs of each batch before the mix, in
            training, validation and prediction: for example scaling of uint8 images, which lets
            the dataset stay uint8, or augmentation by a Module that checks its `training` flag.
            No gradient flows through it, and it is not saved with the net.
        precision: of matrix products and convolutions, see cutaway.matmul_precision: "float32",
            "tensorfloat32" (differs from float32 on GPUs only) or "bfloat16"; parameters, sums
            and the optimizer always stay in float32. None: the precision of the surrounding
            context, "float32" by default.

    Attributes:
        control: pauses the running fit; see `start`.
        device: the device of the last fit, like "GPU (NVIDIA H100 80GB HBM3, 60 GiB for
            programs)"; None before.
        history: the History of the last fit.
        epoch: number of complete epochs.
        program: the Program.
        seed, batch_size, callbacks, stream: of the last fit; stream is None for arrays.
        complete: {path: array} of all state after the last complete epoch.
        stopped: why training ended before its last epoch, otherwise None.

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> x = np.random.default_rng(0).normal(size=(64, 3))
        >>> net = ct.Sequential(ct.Linear(3, 1))
        >>> trainer = ct.Trainer(net, loss=ct.losses.mean_squared_error)
        >>> history = trainer.fit(x, x.sum(axis=1), epochs=2, batch_size=16)
        >>> len(history)
        2
    """

    def __init__(
        self,
        net,
        *,
        loss=None,
        objective=None,
        optimizer=None,
        metrics=(),
        penalty=None,
        mix=None,
        average=None,
        prepare=None,
        precision=None,
    ):
        if isinstance(net, Program):
            self.program = net
        else:
            self.program = Program(
                net,
                loss=loss,
                objective=objective,
                optimizer=optimizer,
                metrics=metrics,
                penalty=penalty,
                mix=mix,
                average=average,
                prepare=prepare,
                precision=precision,
            )
        self.device: str | None = None
        self.history = History()
        self.epoch = 0
        self.stream = None
        self.stopped: str | None = None
        self.seed: int | None = None
        self.batch_size = 0
        self.callbacks: list = []
        self.complete: dict = {}
        self.control = Control()
        self._steps = EpochSteps(self.program, self.control)
        self._evaluator = Evaluator(self.program)
        self._groups = GroupedEpochs(self.program, self._steps, self._evaluator)
        self._rows: Any = None  # FitRows
        self._told: tuple | None = None  # (group, k) of the epoch that callbacks are told of

    def fit(
        self,
        x,
        y=None,
        *,
        epochs: int = 100,
        batch_size: int = 32,
        accumulate: int = 1,
        validation=None,
        weights=None,
        callbacks=(),
        seed: int | None = None,
        progress: bool | None = None,
    ) -> History:
        """Train for `epochs` epochs, or until a callback or Ctrl-C stops it.

        Each epoch visits the rows in a new random order. If they do not divide into full batches,
        the last batch is padded with rows from the beginning of that order.

        Args:
            x: (rows, ...) inputs, or a stream with `.rows`, `.block_rows` and `.blocks(seed)`
                such as cutaway.data.ParquetBatches or ArrayStream.
            y: (rows, ...) targets; None for a stream.
            epochs: number of passes over the training rows.
            batch_size: rows per step; 1 is stochastic gradient descent, all rows full-batch
                gradient descent.
            accumulate: number of micro-batches per batch. They run one after the other and their
                gradients are accumulated, so memory is that of one micro-batch. The step is the
                same if the loss is a mean over rows, except for layers that use randomness or
                batch statistics.
            validation: fraction of the rows to use for validation, in (0, 1); or (x, y), or
                (x, y, weights); or None.
            weights: (rows,) weights of the rows, >= 0: the loss of a batch is Σ w L / Σ w over
                its rows, also with `accumulate`; the rows of a validation fraction count equally.
                A stream has its own. None: all count equally.
            callbacks: Callback objects, or functions (trainer, row) called after each epoch.
            seed: random seed for the validation split and the order of the rows; by default
                drawn from the generator of `cutaway.seed`.
            progress: whether to show a progress bar; by default if standard error is a terminal.

        Raises:
            OptionError, ShapeError, DataError: invalid arguments; nothing was trained.
            TrainingError: the loss became NaN or infinite. Says at which step and where it
                began; the network keeps the weights from before that step (the best ones with
                EarlyStopping). Or this Trainer is training already, in another thread.
            OutOfMemoryError: the data or a step do not fit in the memory of the device. Says
                what to reduce and by how much; the network keeps its last weights.
        """
        expect_range(epochs, what="epochs", least=1)
        expect_range(batch_size, what="batch_size", least=1)
        expect_micro_batches(accumulate, batch_size)
        callbacks = self._callbacks(callbacks, progress)
        if is_stream(x):
            expect_batch(batch_size, x.rows)
            arrays = None
        else:
            if y is None:
                raise OptionError("fit got x but no y", expected="fit(x, y)")
            arrays = to_device(x, y)

        arrays = weighted_arrays(self.program, arrays, weights)
        with self.control.fit():
            self.history, self.epoch, self.stopped = History(), 0, None
            self.control.begin()
            self._fit(x, arrays, epochs, batch_size, accumulate, validation, callbacks, seed)
        return self.history

    def _fit(self, x, arrays, epochs, batch_size, accumulate, validation, callbacks, seed):
        self.seed, self.batch_size = seed, batch_size
        self.stream = x if arrays is None else None
        self.device = str(device())
        self._steps.accumulate = accumulate
        self.callbacks = callbacks
        if self.average is not None:
            self.average.restart()
        self.remember()
        with Interruption() as self._interruption, self.program.computing():
            try:
                for callback in callbacks:
                    callback.on_start(self)
                found = training_sets(self.program, x, arrays, validation, self._drawn_seed())
                self._check_rows(found)
                self._rows = found
                self.planned_epochs = epochs
                self._is_streaming = arrays is None
                size = sum(v.data.nbytes for v in self.program.variables().values())
                self._is_small = size <= PREVIOUS_BYTES and not self._is_streaming
                self._previous = None
                for callback in callbacks:
                    callback.on_ready(self)
                self._groups.start()
                while self.epoch < epochs and self.stopped is None:
                    with self.program.in_mode(True):  # in this thread: others may predict
                        self._rows = self._rows.next_epoch()
                        self._some_epochs(self._rows.training, self._rows.validation, callbacks)
            finally:
                for net in self.program.networks():
                    net.eval()
                self._previous = None
                if self.average is not None:
                    self.average.apply()
                for callback in callbacks:
                    callback.on_end(self)

    def start(self, x, y=None, **options) -> "LiveTraining":
        """Begin a `fit` in a thread of its own, which can be paused and led step by step.

        Args:
            x, y, options: as for `fit`.

        Example:
            >>> import numpy as np
            >>> import cutaway as ct
            >>> x = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
            >>> net = ct.Sequential(ct.Linear(3, 1))
            >>> trainer = ct.Trainer(net, loss=ct.losses.mean_squared_error)
            >>> with trainer.start(x, x[:, :1], epochs=100_000, batch_size=16) as live:
            ...     live.pause()
            ...     gradient = live.backward()["0.weight"]
            ...     trainer.optimizer.lr = 0.1
            ...     live.advance(steps=1)
            ...     live.is_paused
            True
        """
        return LiveTraining(self, x, y, **options)

    def change(self, edit, net=None) -> StructureChange:
        """Change layers of the network while no step runs, and go on with what stays of it.

        Weights, the optimizer's slots, history, random streams and the number of the step are kept;
        the next step compiles. In a fit that another thread runs, it has to be paused.

        Args:
            edit, net: see Program.change.

        Raises:
            TrainingError: a fit is running.
        """
        with self.control.between_steps():
            change = self.program.change(edit, net)
            self._previous = None  # steps of other layers cannot be repeated
            for callback in self.callbacks:
                callback.on_change(self)
        return change

    def replace_data(self, x, y, *, validation=None, weights=None) -> bool:
        """Train on other rows from now on, while the fit of another thread is paused.

        With as many rows as before, they take effect in the next step, and nothing is compiled;
        otherwise at the next epoch, which compiles. The order of the rows follows from seed and
        epoch, as before.

        Args:
            x, y: inputs and targets; leaves, dtypes and shapes as those that the fit began with.
            validation: (x, y); None: if `fit` was given a fraction, rows at the same places, or
                another split of that fraction for another number of rows; otherwise the
                validation rows stay.
            weights: of the rows, if and only if the fit has weights.

        Returns:
            whether they take effect in the next step.

        Raises:
            TrainingError: no fit is paused.
            OptionError, ShapeError, DataError: the rows do not fit; nothing is replaced.
        """
        arrays = weighted_arrays(self.program, to_device(x, y), weights)
        with self.control.between_steps():
            self.control.expect_paused()
            seed = self._drawn_seed()
            at_once = self._rows.replace(self.program, arrays, validation, seed, self._check_rows)
            if at_once:
                self._steps.data = (self._rows.training.x, self._rows.training.y)
        return at_once

    def _check_rows(self, found: FitRows):
        expect_batch(self.batch_size, found.training.rows)
        for rows in (found.training, found.validation):
            if rows is not None:
                check_rows(self.program, rows)

    def evaluate(self, x, y, *, weights=None) -> dict[str, float]:
        """{"loss": ..., metric: ...} of the network on (rows, ...) arrays, in evaluation mode.

        weights: (rows,) of the rows, for the loss and for metrics with an argument `weights`.
        """
        arrays = to_device(x, y, instead="evaluate fewer rows at a time")
        rows = ArrayRows(*weighted_arrays(self.program, arrays, weights))
        with self.program.computing(), explaining_exhaustion("an evaluation", instead="fewer rows"):
            return self._evaluator.evaluate(rows)

    def predict(self, x, *, batch_size: int | None = None) -> np.ndarray:
        """The network's outputs for (rows, ...) inputs, in evaluation mode.

        batch_size: rows at a time; None: chosen by the size of a row, 1024 for tables, fewer for
        images.
        """
        with self.program.computing():
            return self._evaluator.predict(x, batch_size)

    # what the program holds

    net = _of_program("net")
    loss = _of_program("loss")
    optimizer = _of_program("optimizer")
    metrics = _of_program("metrics")
    penalty = _of_program("penalty")
    mix = _of_program("mix")
    average = _of_program("average")
    prepare = _of_program("prepare")
    precision = _of_program("precision")

    def stop(self, why: str) -> None:
        """End training after the current epoch (called by callbacks)."""
        self.stopped = why

    def _drawn_seed(self) -> int:
        """The random seed of this fit, drawn if none was given."""
        if self.seed is None:
            self.seed = int(generator().integers(2**31))
        return self.seed

    def weights(self) -> dict[str, np.ndarray]:
        """{path: NumPy array} of the network; in a callback, after the epoch that it is told of."""
        if self._told is None:
            return self.net.state_dict()
        averaged = {}
        if self.average is not None:
            pairs = zip(self.average.parameters, self.average.values, strict=True)
            averaged = {id(p): id(value) for p, value in pairs}
        group, k = self._told
        places = {id(v): i for i, v in enumerate(self.program.variables().values())}
        return {
            path: np.array(group.states.value(places[averaged.get(id(v), id(v))], k))
            for path, v in named_variables(self.net).items()
        }

    # epochs

    def _some_epochs(self, training, validation, callbacks):
        """Several short epochs at once, as far as callbacks allow it, or one."""
        planned = self.planned_epochs - self.epoch
        look = min((c.next_look(self) for c in callbacks), default=math.inf) - self.epoch
        most = int(min(planned, look))
        count = self._groups.size(training, validation, self.batch_size, most)
        if count:
            self._several_epochs(training, validation, callbacks, count)
        else:
            self._one_epoch(training, validation, callbacks)

    def _several_epochs(self, training, validation, callbacks, count):
        first, before = self.epoch, self._steps.values()
        seeds = [[self._drawn_seed(), first + k] for k in range(count)]
        with self._steps.undone_by_errors(before), self._explaining_steps():
            group = self._groups.run(
                training, validation, self.batch_size, map(np.random.default_rng, seeds)
            )
        if not np.isfinite(group.losses["loss"]).all():
            self._steps.restore(before)
            while self.epoch < first + count and self.stopped is None:
                self._one_epoch(training, validation, callbacks)
            return
        in_order = sorted(callbacks, key=lambda c: c.saves_others)
        steps = group.losses["loss"].shape[1]
        rates = self._steps.rates(steps, count)
        last = first + count
        try:
            for k in range(count):
                if self.epoch + 1 == last:
                    self._told = None
                    for callback in callbacks:
                        callback.on_chunk(self, steps, steps, float(group.losses["loss"][k].mean()))
                row: dict[str, float] = {"epoch": self.epoch + 1}
                for name, values in group.losses.items():
                    row[name] = values[k].sum(dtype=np.float64) / steps
                row["lr"] = rates[k]
                if validation is not None:
                    values = {name: values[k] for name, values in group.scores.items()}
                    scores = self._evaluator.named(values)
                    row.update({f"val_{name}": value for name, value in scores.items()})
                row["seconds"] = round(group.seconds, 6)
                self.epoch += 1
                self.history.rows.append(row)
                if self.epoch < last:
                    self._told = (group, k)
                with self.program.averaged():
                    for callback in in_order:
                        if not callback.saves_others:
                            callback.on_epoch(self, row)
                if self.stopped is not None and self.epoch < last:
                    self._steps.restore(group.states.after(k))
                    break
        except BaseException:  # of a callback: the epoch that it was told of is complete
            if first < self.epoch < last:
                self._steps.restore(group.states.after(self.epoch - first - 1))
            self.remember()
            raise
        finally:
            self._told = None
        k = self.epoch - first - 1
        self._previous = None
        if self._is_small:
            losses = {name: values[k] for name, values in group.losses.items()}
            state, data = group.states.after(k - 1) if k else before, (training.x, training.y)
            chunk = Chunk(0, losses.pop("loss"), losses, state, data)
            order = group.orders[k].reshape(steps, -1)
            self._previous = RanSteps(chunk, order, self.epoch)
        self.remember()
        with self.program.averaged():
            for callback in in_order:
                if callback.saves_others:
                    callback.on_epoch(self, row)
        if self._interruption.is_asked:
            self.stop("interrupted")

    def _one_epoch(self, training, validation, callbacks):
        began = time.perf_counter()
        rng = np.random.default_rng([self._drawn_seed(), self.epoch])
        total = training.steps(self.batch_size)
        losses, done = 0.0, 0
        terms: dict[str, float] = {}
        for x, y, order, steps in training.epoch(rng, self.batch_size):
            for chunk in self._chunks(x, y, order, steps):
                self._expect_finite(RanSteps(chunk, order, self.epoch + 1))
                losses += float(chunk.losses.sum(dtype=np.float64))
                for name, values in chunk.terms.items():
                    terms[name] = terms.get(name, 0.0) + float(values.sum(dtype=np.float64))
                done += len(chunk.losses)
                for callback in callbacks:
                    callback.on_chunk(self, done, total, float(chunk.losses.mean()))
                if self._interruption.is_asked:
                    self.stop("interrupted")
                    return  # half an epoch does not count
        row = {"epoch": self.epoch + 1, "loss": losses / done}
        row |= {name: value / done for name, value in terms.items()}
        row["lr"] = self._steps.rates()[0]
        if validation is not None:
            explained = explaining_exhaustion("the validation", instead="fewer validation rows")
            with self.program.averaged(), explained:
                scores = self._evaluator.evaluate(validation)
            row.update({f"val_{name}": value for name, value in scores.items()})
        row["seconds"] = round(time.perf_counter() - began, 6)
        self.epoch += 1
        self.history.rows.append(row)
        self.remember()
        with self.program.averaged():
            for callback in sorted(callbacks, key=lambda c: c.saves_others):
                callback.on_epoch(self, row)
        if self._interruption.is_asked:
            self.stop("interrupted")

    def _chunks(self, x, y, order, steps: int):
        """The chunks of a block, as EpochSteps.run yields them."""
        with self._explaining_steps():
            yield from self._steps.run(x, y, order, steps)

    def _explaining_steps(self):
        size, parts = self.batch_size, self._steps.accumulate
        what = f"a training step with batch_size={size}"
        what += f" and accumulate={parts}" if parts > 1 else ""
        return explaining_exhaustion(
            what, batch_size=size, accumulate=parts, precision=current_precision()
        )

    def _expect_finite(self, ran: RanSteps):
        known = not self._is_streaming
        error = not_finite(self._steps, ran, self._previous, are_rows_known=known)
        if error is None:
            self._previous = ran if self._is_small else None
            return
        self.stopped = error.came.partition(" in epoch")[0]
        raise error

    def remember(self) -> None:
        """Keep the present values as those of a complete epoch, which a checkpoint saves."""
        self.complete = {name: v.data for name, v in self.program.variables().items()}

    @staticmethod
    def _callbacks(callbacks, progress):
        from cutaway.train.callbacks import AfterEpoch, Callback

        found = [c if isinstance(c, Callback) else AfterEpoch(c) for c in callbacks]
        shown = Progress.wanted() if progress is None else progress
        return [*found, Progress()] if shown else found
