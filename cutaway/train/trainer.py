"""Trainer: epochs of compiled steps, with validation, callbacks and clean interruption."""

import contextlib
import dataclasses
import signal
import threading
import time

import numpy as np

from cutaway.data.split import stratified_split
from cutaway.errors import OptionError, RunError, TrainingError, expect_choice, expect_range
from cutaway.nn.random import generator
from cutaway.nn.state import named_variables
from cutaway.ops.precision import PRECISIONS, current_precision, matmul_precision
from cutaway.optim import Adam
from cutaway.runtime import device, explaining_exhaustion
from cutaway.train.blocks import (
    ArrayRows,
    StreamRows,
    expect_batch,
    expect_micro_batches,
    is_stream,
    to_device,
)
from cutaway.train.compatibility import check_fit
from cutaway.train.evaluation import Evaluator
from cutaway.train.history import History
from cutaway.train.nan_origin import NanOrigin, find_nan_origin
from cutaway.train.progress import Progress
from cutaway.train.steps import Chunk, EpochSteps
from cutaway.train.with_preparation import WithPreparation

PREVIOUS_BYTES = 2**26  # of weights that are kept one chunk longer, to trace a NaN back


@dataclasses.dataclass
class _Ran:
    """A chunk, and the data of its steps."""

    chunk: Chunk
    x: object
    y: object
    order: np.ndarray
    epoch: int


class Trainer:
    """Trains a network on arrays or on a stream of blocks.

    Args:
        net: a Module.
        loss: function (prediction, target) -> scalar Tensor; see cutaway.losses.
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
        device: the device of the last fit, like "GPU (NVIDIA H100 80GB HBM3, 60 GiB for
            programs)"; None before.
        history: the History of the last fit.
        epoch: number of complete epochs.
        stopped: why training ended before its last epoch, otherwise None.

    Example:
        >>> import cutaway as ct
        >>> x = np.random.default_rng(0).normal(size=(64, 3))
        >>> net = ct.Sequential(ct.Linear(3, 1))
        >>> trainer = Trainer(net, loss=ct.losses.mean_squared_error)
        >>> history = trainer.fit(x, x.sum(axis=1), epochs=2, batch_size=16)
        >>> len(history)
        2
    """

    def __init__(
        self,
        net,
        *,
        loss,
        optimizer=None,
        metrics=(),
        penalty=None,
        mix=None,
        average=None,
        prepare=None,
        precision=None,
    ):
        if not callable(loss):
            raise OptionError(
                f"loss is {loss!r}",
                expected="a function (prediction, target) -> scalar Tensor",
                fix="pass a function of cutaway.losses, for example ct.losses.mean_squared_error",
            )
        self.net = net
        self.loss = loss
        self.optimizer = Adam(net) if optimizer is None else optimizer
        self.metrics = tuple(metrics)
        self.penalty = penalty
        self.mix = mix
        self.average = average
        self.prepare = prepare
        self._prepared = net if prepare is None else WithPreparation(prepare, net)
        if precision is not None:
            expect_choice(precision, PRECISIONS, what="precision")
        self.precision = precision
        self.device: str | None = None
        self.history = History()
        self.epoch = 0
        self.stopped: str | None = None
        self._seed: int | None = None
        self._steps = EpochSteps(self)
        self._evaluator = Evaluator(self)

    def fit(
        self,
        x,
        y=None,
        *,
        epochs: int = 100,
        batch_size: int = 32,
        accumulate: int = 1,
        validation=None,
        callbacks=(),
        seed: int | None = None,
        progress: bool | None = None,
    ) -> History:
        """Train for `epochs` epochs, or until a callback or Ctrl-C stops it.

        Each epoch visits the rows in a new random order. If they do not divide into full batches,
        the last batch is padded with rows from the beginning of that order.

        Args:
            x: (rows, ...) inputs, or a stream with `.rows`, `.block_rows` and `.blocks(seed)`
                such as cutaway.data.ParquetBatches.
            y: (rows, ...) targets; None for a stream.
            epochs: number of passes over the training rows.
            batch_size: rows per step; 1 is stochastic gradient descent, all rows full-batch
                gradient descent.
            accumulate: number of micro-batches per batch. They run one after the other and their
                gradients are accumulated, so memory is that of one micro-batch. The step is the
                same if the loss is a mean over rows, except for layers that use randomness or
                batch statistics.
            validation: fraction of the rows to use for validation, in (0, 1); or (x, y); or None.
            callbacks: Callback objects, or functions (trainer, row) called after each epoch.
            seed: random seed for the validation split and the order of the rows; by default
                drawn from the generator of `cutaway.seed`.
            progress: whether to show a progress bar; by default if standard error is a terminal.

        Raises:
            OptionError, ShapeError, DataError: invalid arguments; nothing was trained.
            TrainingError: the loss became NaN or infinite. Says at which step and where it
                began; the network keeps the weights from before that step (the best ones with
                EarlyStopping).
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

        self.history, self.epoch, self.stopped = History(), 0, None
        self._seed, self._batch_size = seed, batch_size
        self.device = str(device())
        self._steps.accumulate = accumulate
        self._running_callbacks = callbacks
        if self.average is not None:
            self.average.restart()
        self._remember()
        with self._interruptible(), self._computing():
            try:
                for callback in callbacks:
                    callback.on_start(self)
                self._drawn_seed()
                training, validation = self._sets(x, arrays, validation)
                expect_batch(batch_size, training.rows)
                check_fit(self._prepared, self.loss, *training.sample())
                if validation is not None:
                    check_fit(self._prepared, self.loss, *validation.sample())
                self.planned_epochs = epochs
                self._is_streaming = arrays is None
                size = sum(v.data.nbytes for v in self._variables().values())
                self._is_small = size <= PREVIOUS_BYTES and not self._is_streaming
                self._previous = None
                for callback in callbacks:
                    callback.on_ready(self)
                while self.epoch < epochs and self.stopped is None:
                    self._one_epoch(training, validation, callbacks)
            finally:
                self._prepared.eval()
                self._previous = None
                if self.average is not None:
                    self.average.apply()
                for callback in callbacks:
                    callback.on_end(self)
        return self.history

    def evaluate(self, x, y) -> dict[str, float]:
        """{"loss": ..., metric: ...} of the network on (rows, ...) arrays, in evaluation mode."""
        rows = ArrayRows(*to_device(x, y, instead="evaluate fewer rows at a time"))
        with self._computing(), explaining_exhaustion("an evaluation", instead="fewer rows"):
            return self._evaluator.evaluate(rows)

    def predict(self, x, *, batch_size: int | None = None) -> np.ndarray:
        """The network's outputs for (rows, ...) inputs, in evaluation mode.

        batch_size: rows at a time; None: chosen by the size of a row, 1024 for tables, fewer for
        images.
        """
        with self._computing():
            return self._evaluator.predict(x, batch_size)

    def stop(self, why: str) -> None:
        """End training after the current epoch (called by callbacks)."""
        self.stopped = why

    def _drawn_seed(self) -> int:
        """The random seed of this fit, drawn if none was given."""
        if self._seed is None:
            self._seed = int(generator().integers(2**31))
        return self._seed

    # one epoch

    def _one_epoch(self, training, validation, callbacks):
        began = time.perf_counter()
        rng = np.random.default_rng([self._drawn_seed(), self.epoch])
        total = training.steps(self._batch_size)
        losses, done = 0.0, 0
        self._prepared.train()
        for x, y, order, steps in training.epoch(rng, self._batch_size):
            for chunk in self._chunks(x, y, order, steps):
                self._expect_finite(chunk, x, y, order)
                losses += float(chunk.losses.sum(dtype=np.float64))
                done += len(chunk.losses)
                for callback in callbacks:
                    callback.on_chunk(self, done, total, float(chunk.losses.mean()))
                if self._interrupted:
                    self.stop("interrupted")
                    return  # half an epoch does not count
        row = {"epoch": self.epoch + 1, "loss": losses / done, "lr": float(self.optimizer.lr)}
        if validation is not None:
            explained = explaining_exhaustion("the validation", instead="fewer validation rows")
            with self._averaged(), explained:
                scores = self._evaluator.evaluate(validation)
            row.update({f"val_{name}": value for name, value in scores.items()})
        row["seconds"] = round(time.perf_counter() - began, 6)
        self.epoch += 1
        self.history.rows.append(row)
        self._remember()
        with self._averaged():
            for callback in sorted(callbacks, key=lambda c: c.saves_others):
                callback.on_epoch(self, row)
        if self._interrupted:
            self.stop("interrupted")

    def _chunks(self, x, y, order, steps: int):
        """The chunks of a block, as EpochSteps.run yields them."""
        size, parts = self._batch_size, self._steps.accumulate
        what = f"a training step with batch_size={size}"
        what += f" and accumulate={parts}" if parts > 1 else ""
        with explaining_exhaustion(
            what, batch_size=size, accumulate=parts, precision=current_precision()
        ):
            yield from self._steps.run(x, y, order, steps)

    def _expect_finite(self, chunk, x, y, order):
        bad = np.flatnonzero(~np.isfinite(chunk.losses))
        if not len(bad):
            self._previous = _Ran(chunk, x, y, order, self.epoch + 1) if self._is_small else None
            return
        step = chunk.start + int(bad[0])
        value = "NaN" if np.isnan(chunk.losses[bad[0]]) else "infinite"
        epoch = self.epoch + 1
        ran = _Ran(chunk, x, y, order, epoch)
        origin = self._origin(ran, step)
        if origin is not None and origin.phase == "weights":
            # the previous step made them so; its own loss was still finite
            if step > chunk.start:
                origin = self._origin(ran, step - 1) or origin
            elif self._previous is not None:
                before = self._previous
                last = before.chunk.start + len(before.chunk.losses) - 1
                origin = self._origin(before, last) or origin
        text = (
            "the same step run alone is finite, so this is a rounding effect"
            if origin is None
            else origin.text()
        )
        if origin is not None and (origin.epoch, origin.step) != (epoch, step + 1):
            text += f", in epoch {origin.epoch}, step {origin.step}"
        self.stopped = f"the loss became {value}"
        error = TrainingError(
            f"the loss became {value} in epoch {epoch}, step {step + 1}: {text}",
            expected="a finite loss",
            fix=f"lower the learning rate (it was {float(self.optimizer.lr):.3g}), scale the "
            "inputs and targets, or clip the gradients; the last finite weights are kept",
        )
        error.origin = origin
        raise error

    def _origin(self, ran, step: int) -> NanOrigin | None:
        """Where step `step` of `ran` stops being finite; restores the values from before it."""
        self._steps.rewind(ran.chunk, step, ran.x, ran.y, ran.order)
        for rows in np.atleast_2d(self._steps._parts(ran.order)[step]):
            numbers = None if self._is_streaming else rows
            found = find_nan_origin(self, ran.x[rows], ran.y[rows], numbers)
            if found is not None:
                return dataclasses.replace(found, epoch=ran.epoch, step=step + 1)
        return None

    # state for checkpoints

    def _owners(self, *, stepping: bool = True):
        """{name: owner of state}; if not stepping, without those used only at the end of a step."""
        owners = {"net": self.net}
        if stepping:
            owners |= {"optimizer": self.optimizer, "average": self.average}
        owners |= {"mix": self.mix, "prepare": self.prepare}
        return {name: owner for name, owner in owners.items() if owner is not None}

    def _variables(self):
        """{path: Variable} of all state, each at its first path."""
        once = {}
        for name, owner in self._owners().items():
            for path, variable in named_variables(owner).items():
                once.setdefault(id(variable), (f"{name}.{path}", variable))
        return dict(once.values())

    def _remember(self):
        """Keep the values at the end of an epoch, which a checkpoint will save."""
        self._complete = {name: v.data for name, v in self._variables().items()}

    def training_state(self) -> tuple[dict, dict]:
        """(arrays, notes): all that resuming needs, as of the last complete epoch."""
        arrays = {name: np.asarray(value) for name, value in self._complete.items()}
        kept = []
        for i, callback in enumerate(self._running_callbacks):
            state = dict(callback.state())
            for name, value in state.pop("arrays", {}).items():
                arrays[f"callbacks.{i}.{name}"] = np.asarray(value)
            kept.append({"class": type(callback).__name__, "state": state})
        notes = {
            "epoch": self.epoch,
            "stopped": None if self.stopped == "interrupted" else self.stopped,
            "seed": self._seed,
            "batch_size": self._batch_size,
            "precision": self.precision or current_precision(),
            "history": self.history.rows,
            "callbacks": kept,
            "arrays": {k: [list(v.shape), str(v.dtype)] for k, v in arrays.items()},
        }
        return arrays, notes

    def expected_arrays(self, notes: dict) -> dict:
        """Empty arrays of the shapes in `notes`, which must match this network and optimizer."""
        for name, variable in self._variables().items():
            saved = notes["arrays"].get(name)
            if saved is None or tuple(saved[0]) != variable.shape:
                raise RunError(
                    f"the checkpoint has {name} of shape {saved and tuple(saved[0])}",
                    expected=f"shape {variable.shape}",
                    fix="resume with the original network and optimizer",
                )
        return {k: np.zeros(shape, dtype) for k, (shape, dtype) in notes["arrays"].items()}

    def load_training_state(self, arrays: dict, notes: dict) -> None:
        """Restore what `training_state` returned."""
        given = {
            "seed": self._seed,
            "batch_size": self._batch_size,
            "precision": self.precision or current_precision(),
        }
        for name, now in given.items():
            # older checkpoints do not record their precision
            if now is not None and now != notes.get(name, now):
                raise RunError(
                    f"training was started with {name}={notes[name]}, not {now}",
                    fix=f"resume with {name}={notes[name]}",
                )
        import jax.numpy as jnp

        for name, variable in self._variables().items():
            variable.data = jnp.array(arrays[name], dtype=variable.dtype)
        same = [type(c).__name__ for c in self._running_callbacks] == [
            kept["class"] for kept in notes["callbacks"]
        ]
        for i, callback in enumerate(self._running_callbacks if same else ()):
            prefix = f"callbacks.{i}."
            own = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
            callback.load_state({**notes["callbacks"][i]["state"], "arrays": own})
        self._seed = notes["seed"]
        self.epoch = notes["epoch"]
        self.stopped = notes["stopped"]
        self.history = History(notes["history"])
        self._remember()

    # before and after

    def _sets(self, x, arrays, validation):
        if isinstance(validation, int | float):
            if arrays is None:
                raise OptionError(
                    f"validation={validation}: a stream cannot be split",
                    expected="validation=(x, y)",
                    fix="pass validation rows as arrays: validation=(x, y)",
                )
            inputs, targets = arrays
            labels = np.asarray(targets)
            chosen, rest = stratified_split(
                labels, validation, seed=self._drawn_seed(), stratify=labels.dtype.kind in "iub"
            )
            chosen, rest = chosen.astype(np.int32), rest.astype(np.int32)
            return ArrayRows(inputs, targets, chosen), ArrayRows(inputs, targets, rest)
        training = StreamRows(x) if arrays is None else ArrayRows(*arrays)
        if validation is None:
            return training, None
        x, y = to_device(*validation, what="validation", instead="pass fewer validation rows")
        return training, ArrayRows(x, y)

    @staticmethod
    def _callbacks(callbacks, progress):
        from cutaway.train.callbacks import AfterEpoch, Callback

        found = [c if isinstance(c, Callback) else AfterEpoch(c) for c in callbacks]
        shown = Progress.wanted() if progress is None else progress
        return [*found, Progress()] if shown else found

    def _averaged(self):
        return contextlib.nullcontext() if self.average is None else self.average.applied()

    def _computing(self):
        return matmul_precision(self.precision or current_precision())

    @contextlib.contextmanager
    def _interruptible(self):
        """The first Ctrl-C stops training after the current chunk; a second one immediately."""
        self._interrupted = False
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def on_interrupt(number, frame):
            if self._interrupted:
                raise KeyboardInterrupt
            self._interrupted = True

        before = signal.signal(signal.SIGINT, on_interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
