"""Trainer: epochs of compiled steps, with validation, callbacks and clean interruption."""

from typing import Any

import numpy as np

from cutaway.errors import OptionError, expect_range
from cutaway.nn import StructureChange
from cutaway.nn.random import generator
from cutaway.nn.state import named_variables
from cutaway.runtime import device, distributed, explaining_exhaustion, sharding
from cutaway.runtime.distributed import OwnRows
from cutaway.train.blocks import (
    ArrayRows,
    expect_batch,
    expect_micro_batches,
    expect_same_rows,
    is_stream,
    leaves_by_name,
    to_device,
)
from cutaway.train.control import Control
from cutaway.train.epoch_runner import EpochRunner
from cutaway.train.fit_data import (
    FitRows,
    check_rows,
    training_sets,
    weighted_arrays,
    with_labels,
)
from cutaway.train.given import as_tree
from cutaway.train.history import History
from cutaway.train.interruption import Interruption
from cutaway.train.labels import encoded, predicted_labels
from cutaway.train.live import LiveTraining
from cutaway.train.loaders import LoaderStream, is_loader, joined_batches, joined_inputs
from cutaway.train.own_rows import PartRows, arrays_of_all, given_by, known_classes
from cutaway.train.program import Program
from cutaway.train.progress import Progress
from cutaway.train.row_weights import given_weights, without_equal_weights
from cutaway.train.together import sharing_fit, spread, spread_rows

EPOCHS, BATCH_SIZE = 100, 32


def _of_program(name: str) -> Any:
    """An attribute that the trainer's program has; another one holds from the next epoch on."""

    def replace(trainer, value):
        trainer.control.expect_own_thread(name)
        setattr(trainer.program, name, value)

    return property(lambda trainer: getattr(trainer.program, name), replace)


class Trainer:
    """Trains a network on arrays or on a stream of blocks.

    `fit`, `evaluate` and `predict` take the same: NumPy and JAX arrays, Tensors, lists of numbers,
    frames and series of polars and pandas, tensors of PyTorch, tuples and dicts of these, and
    loaders of batches such as PyTorch's DataLoader. Targets may be texts, for a loss of classes.

    Network, loss, optimizer and the other arguments are attributes. Another one may be assigned
    between two fits, or by a callback: it holds from the next epoch on, which compiles.

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
        dropout_schedule: a Schedule, by the number of the step a factor in [0, 1] on the rates of
            Dropout, SpatialDropout, StochasticDepth and of dropout between recurrent layers, but
            not on those of attention weights. It needs no compiling, and a resumed training goes
            on with it.
        precision: of matrix products and convolutions, see cutaway.matmul_precision: "float32",
            "tensorfloat32" (differs from float32 on GPUs only) or "bfloat16"; parameters, sums
            and the optimizer always stay in float32. None: the precision of the surrounding
            context, "float32" by default.

    Attributes:
        classes: names of the classes, in the order of their numbers, if targets were texts: by
            default sorted, or as assigned before the first fit. Otherwise None.
        control: pauses the running fit; see `start`.
        device: the device of the last fit, like "GPU (NVIDIA H100 80GB HBM3, 60 GiB for
            programs)", after "4 × " if four share it; None before.
        history: the History of the last fit.
        epoch: number of complete epochs.
        first_epoch: of them, those of earlier fits, which the last fit went on from.
        program: the Program.
        seed, batch_size, accumulate, callbacks, stream: of the last fit; stream is None for arrays.
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
        dropout_schedule=None,
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
                dropout_schedule=dropout_schedule,
                precision=precision,
            )
        self.device: str | None = None
        self.history = History()
        self.epoch = 0
        self.stream: Any = None
        self.stopped: str | None = None
        self.seed: int | None = None
        self.batch_size = 0
        self.accumulate = 1
        self.first_epoch = self.planned_epochs = 0
        self.classes: list[str] | None = None
        self.callbacks: list = []
        self.complete: dict = {}
        self.control = Control()
        self._rows: Any = None  # FitRows
        self._runner = EpochRunner(self)
        self._running: EpochRunner | None = None  # that of a fit

    def fit(
        self,
        x=None,
        y=None,
        *,
        epochs: int | None = None,
        more: int | None = None,
        batch_size: int | None = None,
        accumulate: int | None = None,
        validation=None,
        weights=None,
        sample_weight=None,
        callbacks=(),
        seed: int | None = None,
        progress: bool | None = None,
    ) -> History:
        """Train for `epochs` epochs, or until a callback or Ctrl-C stops it.

        Each epoch visits the rows in a new random order. If they do not divide into full batches,
        the last batch is padded with rows from the beginning of that order.

        A further `fit` starts from the weights and the optimizer's state that the last one left,
        with a new history and its epochs counted from 1. With `more` it goes on instead: history,
        count and order of the rows are those of one longer fit.

        Args:
            x: (rows, ...) inputs; or a stream with `.rows`, `.block_rows` and `.blocks(seed)`
                such as cutaway.data.ParquetBatches or ArrayStream; or an iterable of batches
                (x, y) that begins anew with each epoch, such as PyTorch's DataLoader; or
                distributed.OwnRows, those of this process. With `more` it may be left out: the
                rows of the last fit, with their weights and validation.
            y: (rows, ...) targets; None for a stream and OwnRows. Texts are numbered, see
                `classes`.
            epochs: number of passes over the training rows; None: 100.
            more: number of further passes, in place of `epochs`: goes on where the last fit
                stopped, with the weights that the network has now. A part of an epoch that was
                stopped within is not counted: that epoch is run from its beginning.
            batch_size: rows per step; 1 is stochastic gradient descent, all rows full-batch
                gradient descent. None: 32, or with `more` as before.
            accumulate: number of micro-batches per batch. They run one after the other and their
                gradients are accumulated, so memory is that of one micro-batch. The step is the
                same if the loss is a mean over rows, except for layers that use randomness or
                batch statistics. None: 1, or with `more` as before.
            validation: fraction of the rows to use for validation, in (0, 1); or (x, y), or
                (x, y, weights), or distributed.OwnRows; or None.
            weights: (rows,) weights of the rows, >= 0: the loss of a batch is Σ w L / Σ w over
                its rows, also with `accumulate`; the rows of a validation fraction count equally.
                A stream has its own. None: all count equally, as weights that are all the same.
            sample_weight: another name for `weights`, as in Keras and scikit-learn.
            callbacks: Callback objects, or functions (trainer, row) called after each epoch.
            seed: random seed for the validation split and the order of the rows; by default
                drawn from the generator of `cutaway.seed`, or with `more` as before.
            progress: whether to show a progress bar; by default in a terminal and in a notebook.

        Raises:
            OptionError, ShapeError, DataError: invalid arguments; nothing was trained.
            TrainingError: the loss became NaN or infinite. Says at which step and where it
                began; the network keeps the weights from before that step (the best ones with
                EarlyStopping). Or this Trainer is training already, in another thread.
            OutOfMemoryError: the data or a step do not fit in the memory of the device. Says
                what to reduce and by how much; the network keeps its last weights.
        """
        if epochs is not None and more is not None:
            raise OptionError(
                f"fit got epochs={epochs} and more={more}",
                expected="one of them",
                fix="epochs= to begin, more= to go on for so many further epochs",
            )
        goes_on = more is not None
        count = (EPOCHS if epochs is None else epochs) if more is None else more
        expect_range(count, what="more" if goes_on else "epochs", least=1)
        if batch_size is None:
            batch_size = self.batch_size if goes_on and self.batch_size else BATCH_SIZE
        if accumulate is None:
            accumulate = self.accumulate if goes_on else 1
        expect_range(batch_size, what="batch_size", least=1)
        expect_micro_batches(accumulate, batch_size)
        weights = given_weights(weights, sample_weight)
        callbacks = self._callbacks(callbacks, progress)
        classes = self.classes
        arrays: Any = None
        found: FitRows | None = None
        if x is None:
            found = self._last_rows(goes_on, y, validation, weights)
            x = self.stream  # None: they are arrays
        elif isinstance(x, OwnRows):
            x, y, weights = given_by(x, y, weights)
        elif is_loader(x):
            x = LoaderStream(x, batch_size)
        if isinstance(x, OwnRows):
            classes = known_classes(x, classes)
            arrays = arrays_of_all(x, self.loss, classes)
        elif found is None and is_stream(x):
            if y is not None:
                raise OptionError(
                    "fit got a stream and targets beside it",
                    expected="a stream that yields (x, y)",
                    fix="leave y out",
                )
            expect_batch(batch_size, x.rows)
        elif found is None:
            if y is None:
                raise OptionError("fit got x but no y", expected="fit(x, y)")
            y, classes = encoded(y, self.loss, classes)
            arrays = to_device(x, y)
        if found is None:
            arrays = weighted_arrays(self.program, arrays, weights)
            if isinstance(arrays, tuple):
                arrays = arrays[0], without_equal_weights(arrays[1])
            validation = with_labels(validation, self.loss, classes)
        with self.control.fit():
            if not goes_on:
                self.history, self.epoch = History(), 0
            if seed is not None or not goes_on:
                self.seed = seed
            self.stopped, self.classes = None, classes
            self.first_epoch = self.epoch
            self.planned_epochs = self.epoch + count
            self.batch_size, self.accumulate, self.callbacks = batch_size, accumulate, callbacks
            self.stream = x if arrays is None else None
            self.control.begin()
            self._fit(arrays, validation, found)
        for callback in callbacks:
            callback.on_return(self)
        return self.history

    def _last_rows(self, goes_on: bool, *given) -> FitRows:
        """The rows of the last fit, to go on with them."""
        if not goes_on:
            raise OptionError("fit got no x", expected="fit(x, y)")
        if self._rows is None:
            raise OptionError(
                "fit(more=...) got no x, and this Trainer has not trained yet",
                expected="fit(x, y, more=...)",
            )
        if any(value is not None for value in given):
            raise OptionError(
                "fit(more=...) got y, validation or weights, but no x",
                expected="all the data anew, or none of them",
                fix="leave them out to go on with the rows of the last fit",
            )
        return self._rows

    def _fit(self, arrays, validation, found: FitRows | None):
        count = sharding.device_count()
        self.device = str(device()) if count == 1 else f"{count} × {device()}"
        if self.average is not None and not self.first_epoch:
            self.average.restart()
        self.remember()
        shared = sharing_fit(self.program)
        ended_by: BaseException | None = None
        with Interruption() as interruption, self.program.computing(), shared:
            try:
                for callback in self.callbacks:
                    callback.on_start(self)
                if distributed.is_sharing():
                    spread(self.program)  # what a checkpoint has restored
                if found is None:
                    seed, stream = self.drawn_seed(), self.stream
                    found = training_sets(self.program, stream, arrays, validation, seed)
                self._check_rows(found)
                for rows in (found.training, found.validation):
                    spread_rows(rows)
                self._rows = found
                runner = self._begun(interruption)
                for callback in self.callbacks:
                    callback.on_ready(self)
                while self.epoch < self.planned_epochs and self.stopped is None:
                    runner = self._begun(interruption)
                    with self.program.in_mode(True):  # in this thread: others may predict
                        self._rows = self._rows.next_epoch()
                        runner.run(self._rows.training, self._rows.validation)
            except BaseException as error:
                ended_by = error
                raise
            finally:
                if self._running is not None:
                    self._running.end()
                    self._running = None
                for net in self.program.networks():
                    net.eval()
                if self.average is not None:
                    self.average.apply()
                self._end_callbacks(ended_by)

    def _end_callbacks(self, ended_by: BaseException | None) -> None:
        """Call on_end of all callbacks; what they raise is raised when each was called.

        The first error is raised, with the others as its notes; if an error ended the fit it is
        the first. An interruption, such as Ctrl-C, comes before errors.

        Args:
            ended_by: the error that ended the fit, which the caller raises; None: there was none.
        """
        failures: list[BaseException] = []
        for callback in self.callbacks:
            try:
                callback.on_end(self)
            except BaseException as error:
                failures.append(error)
        interruptions = [error for error in failures if not isinstance(error, Exception)]
        first = next(iter([*interruptions, *([ended_by] if ended_by else []), *failures]), None)
        for error in failures:
            if first is not None and error is not first:
                first.add_note(f"also at the end of the fit: {type(error).__name__}: {error}")
        if first is not None and first is not ended_by:
            raise first

    def _current(self) -> EpochRunner:
        """What runs the program as it is now."""
        if not self._runner.is_current():
            self._runner = EpochRunner(self)
        return self._runner

    def _begun(self, interruption) -> EpochRunner:
        """The same, for the fit that runs."""
        runner = self._current()
        if not runner.has_begun():
            runner.begin(interruption)
            runner.steps.accumulate = self.accumulate
            if self._running is not None:
                self._running.end()
            self._running = runner
        return runner

    def start(self, x=None, y=None, **options) -> "LiveTraining":
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
            self._runner.forget_steps()
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
        y, _ = encoded(y, self.loss, self.classes)
        validation = with_labels(validation, self.loss, self.classes)
        arrays = weighted_arrays(self.program, to_device(x, y), weights)
        with self.control.between_steps():
            self.control.expect_paused()
            seed = self.drawn_seed()
            at_once = self._rows.replace(self.program, arrays, validation, seed, self._check_rows)
            if at_once:
                self._runner.steps.data = (self._rows.training.x, self._rows.training.y)
        return at_once

    def _check_rows(self, found: FitRows):
        expect_batch(self.batch_size, found.training.rows)
        for rows in (found.training, found.validation):
            if rows is not None:
                check_rows(self.program, rows)

    def evaluate(self, x, y=None, *, weights=None, sample_weight=None) -> dict[str, float]:
        """{"loss": ..., metric: ...} of the network on (rows, ...) arrays, in evaluation mode.

        Args:
            x, y: as for `fit`; y is None for a loader of batches (x, y). OwnRows are scored over
                all processes, each of which must call this; anything else by this process alone.
            weights: (rows,) of the rows, for the loss and for metrics with an argument `weights`.
            sample_weight: another name for it.
        """
        weights = given_weights(weights, sample_weight)
        if isinstance(x, OwnRows):
            x, y, weights = given_by(x, y, weights)
        if isinstance(x, OwnRows):
            parts = PartRows(arrays_of_all(x, self.loss, known_classes(x, self.classes)))
            with self.program.computing(), sharing_fit(self.program):
                spread_rows(parts)
                return self._current().evaluator.evaluate(parts)
        if y is None:
            x, y, weights = self._rows_of_loader(x, weights)
        y, _ = encoded(y, self.loss, self.classes)
        arrays = to_device(x, y, instead="evaluate fewer rows at a time")
        x, y = weighted_arrays(self.program, arrays, weights)
        rows = ArrayRows(x, without_equal_weights(y))
        with self.program.computing(), explaining_exhaustion("an evaluation", instead="fewer rows"):
            return self._current().evaluator.evaluate(rows)

    @staticmethod
    def _rows_of_loader(x, weights) -> tuple:
        """(x, y, weights) of all batches of a loader or blocks of a stream."""
        if not is_loader(x) and not is_stream(x):
            raise OptionError("evaluate got x but no y", expected="evaluate(x, y)")
        x, y, *own = joined_batches(x.blocks(0) if is_stream(x) else x)
        return x, y, own[0] if own else weights

    def predict(self, x, *, batch_size: int | None = None) -> np.ndarray:
        """The network's outputs for (rows, ...) inputs, in evaluation mode.

        Args:
            x: as for `fit`; of a loader of batches (x, y) or x, the inputs, in their order; of
                OwnRows those of this process.
            batch_size: rows at a time; None: chosen by the size of a row, 1024 for tables, fewer
                for images.
        """
        if is_stream(x):
            raise OptionError(
                f"predict got a stream, a {type(x).__name__}, whose rows come in a random order",
                expected="rows in their order",
                fix="pass arrays, or a part of them at a time",
            )
        x = x.x if isinstance(x, OwnRows) else x
        x = as_tree(joined_inputs(x) if is_loader(x) else x, "x")
        expect_same_rows(leaves_by_name("x", x), what="predict")
        with self.program.computing():
            return self._current().evaluator.predict(x, batch_size)

    def predict_labels(self, x, *, batch_size: int | None = None) -> np.ndarray:
        """The class of each row, the most probable one: its name in `classes`, or its number.

        Args:
            x, batch_size: see `predict`.

        Raises:
            OptionError: the loss is none of classes.

        Example:
            >>> import numpy as np
            >>> import cutaway as ct
            >>> net = ct.Linear(2, 3)
            >>> loss = ct.losses.sparse_categorical_cross_entropy_with_logits
            >>> trainer = ct.Trainer(net, loss=loss, optimizer=ct.Adam(net, lr=0.3))
            >>> x = np.array([[1, 0], [0, 1], [-1, -1]] * 20)
            >>> history = trainer.fit(x, ["dog", "cat", "eel"] * 20, epochs=20)
            >>> trainer.classes, trainer.predict_labels(x[:3]).tolist()
            (['cat', 'dog', 'eel'], ['dog', 'cat', 'eel'])
        """
        return predicted_labels(self.predict(x, batch_size=batch_size), self.loss, self.classes)

    # what the program holds

    net = _of_program("net")
    loss = _of_program("loss")
    optimizer = _of_program("optimizer")
    metrics = _of_program("metrics")
    penalty = _of_program("penalty")
    mix = _of_program("mix")
    average = _of_program("average")
    prepare = _of_program("prepare")
    dropout_schedule = _of_program("dropout_schedule")
    precision = _of_program("precision")

    def stop(self, why: str = "stopped") -> None:
        """End training after the steps that run now; called by callbacks and other threads.

        Within an epoch, its steps so far stay in the weights, but it is not counted: it has no row
        in the history.
        """
        self.stopped = why

    def drawn_seed(self) -> int:
        """The random seed of this fit, drawn if none was given."""
        if self.seed is None:
            drawn = np.array(generator().integers(2**31))
            self.seed = int(distributed.of_first(drawn))
        return self.seed

    def weights(self) -> dict[str, np.ndarray]:
        """{path: NumPy array} of the network; in a callback, after the epoch that it is told of."""
        told = None if self._running is None else self._running.told
        if told is None:
            return self.net.state_dict()
        averaged = {}
        if self.average is not None:
            pairs = zip(self.average.parameters, self.average.values, strict=True)
            averaged = {id(p): id(value) for p, value in pairs}
        group, k = told
        places = {id(v): i for i, v in enumerate(self.program.variables().values())}
        return {
            path: np.array(group.states.value(places[averaged.get(id(v), id(v))], k))
            for path, v in named_variables(self.net).items()
        }

    def remember(self) -> None:
        """Keep the present values as those of a complete epoch, which a checkpoint saves."""
        self.complete = {name: v.data for name, v in self.program.variables().items()}

    def _repr_html_(self):
        from cutaway.train.training_html import trainer_html

        return trainer_html(self, _epochs_of(self))

    def __repr__(self):
        lines = [f"  {part}," for part in self.program.description()]
        lines.append(f"  {_epochs_of(self)},")
        return f"{type(self).__name__}(\n" + "\n".join(lines) + "\n)"

    @staticmethod
    def _callbacks(callbacks, progress):
        from cutaway.train.callbacks import AfterEpoch, Callback

        found = [c if isinstance(c, Callback) else AfterEpoch(c) for c in callbacks]
        shown = Progress.wanted() if progress is None else progress
        return [*found, Progress()] if shown and distributed.is_first() else found


def _epochs_of(trainer) -> str:
    """How long a trainer has trained, in words."""
    if not trainer.epoch:
        return "not trained"
    count = f"{trainer.epoch} epoch{'s' * (trainer.epoch != 1)} of batch size {trainer.batch_size}"
    classes = "" if trainer.classes is None else f", {len(trainer.classes)} classes"
    return count + classes + (f", stopped: {trainer.stopped}" if trainer.stopped else "")
