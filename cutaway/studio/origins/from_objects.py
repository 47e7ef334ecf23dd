"""Subjects of a user's own objects: a trainer with arrays, or a network."""

import dataclasses
from typing import Any

import numpy as np

from cutaway.errors import OptionError
from cutaway.losses import expects
from cutaway.nn import Module
from cutaway.nn.trees import count_rows, is_array, map_leaves
from cutaway.optim import SGD
from cutaway.studio.subject import Subject, as_picture, columns_of
from cutaway.train import Program, Trainer
from cutaway.train.blocks import expect_batch, expect_examples, is_stream
from cutaway.train.evaluation import to_probabilities
from cutaway.train.fit_data import training_sets, with_labels
from cutaway.train.given import as_tree, is_frame
from cutaway.train.labels import encoded
from cutaway.train.loaders import LoaderStream, is_loader
from cutaway.train.trainer import BATCH_SIZE

TASKS = {"binary": "binary", "sign": "binary", "labels": "multiclass", "one_hot": "multiclass"}
LOOKED_AT = "The network can be looked at, but not trained"
TASKS |= {"real": "regression"}  # by what the targets of a loss are


@dataclasses.dataclass(kw_only=True, repr=False, eq=False)
class ArraySubject(Subject):
    """A Subject of arrays.

    Attributes:
        bounds: (lowest, highest) value of x, if it holds pictures of floats.
    """

    bounds: tuple[float, float] = (0.0, 255.0)

    def picture(self, row):
        """Of x (rows, height, width, 1 or 3); floats are shown from the lowest to the highest."""
        if not _holds_pictures(self.x):
            return None
        pixels = self.x[row]
        if pixels.dtype != np.uint8:
            low, high = self.bounds
            pixels = np.rint(255 * (pixels - low) / max(high - low, 1e-6)).astype(np.uint8)
        return as_picture(pixels)

    def predictions(self, raw):
        if not self.task or self.task == "regression" or not is_array(raw):
            return raw
        found = np.asarray(to_probabilities(self.program.loss, raw), np.float64)
        if self.task == "binary" and found.size == len(found):
            p = np.clip(found.reshape(-1), 0, 1)
            return np.stack([1 - p, p], axis=1)
        return found


def subject_of_trainer(
    trainer: Trainer,
    x: Any = None,
    y: Any = None,
    *,
    validation: Any = None,
    batch_size: int | None = None,
    seed: int | None = None,
    classes: list[str] | None = None,
    names: list[str] | None = None,
    title: str | None = None,
) -> Subject:
    """A trainer with its data, as `fit` takes them.

    Network, loss and optimizer are the trainer's own, not copies: the studio trains them as `fit`
    would, and what is changed in it (weights, layers, the optimizer) is changed in the trainer. Its
    history and its count of epochs stay as they are.

    Args:
        trainer: a Trainer.
        x, y, validation: as for Trainer.fit; without x the network can only be looked at.
        batch_size, seed: as for Trainer.fit; None: those of its last fit, or 32 and 0.
        classes: their names, in order; None: those of the trainer, or their numbers.
        names: of the columns of x; None: those of the frame, or x1, x2, ...
        title: of the page; None: the class of the network.

    Raises:
        OptionError, ShapeError, DataError: data that `fit` does not take.

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> from cutaway.studio.origins.from_objects import subject_of_trainer
        >>> net = ct.Sequential(ct.Linear(2, 1), ct.Sigmoid())
        >>> trainer = ct.Trainer(net, loss=ct.losses.binary_cross_entropy)
        >>> subject = subject_of_trainer(trainer, np.eye(2), ["no", "yes"], batch_size=2)
        >>> subject.task, subject.classes, subject.program.net is net
        ('binary', ['no', 'yes'], True)
    """
    batch_size = (trainer.batch_size or BATCH_SIZE) if batch_size is None else batch_size
    seed = (trainer.seed or 0) if seed is None else seed
    program, known = trainer.program, classes or trainer.classes
    names = _names_of(x) if names is None else names
    stream = None
    if x is None:
        return _subject(program, None, None, _nothing(), _nothing(), batch_size, seed, title=title)
    if is_loader(x):
        x = LoaderStream(x, batch_size)
    if is_stream(x):
        expect_batch(batch_size, x.rows)
        stream = x
        x, y, *_ = next(iter(stream.blocks(seed)))
    if y is None:
        raise OptionError("the studio got x but no y", expected="ct.studio(trainer, x, y)")
    y, known = encoded(y, program.loss, known)
    x, y = _host(x, "x"), _host(y, "y")
    expect_examples(x, y)
    validation = with_labels(validation, program.loss, known)
    training, held_out, x, y = _split(program, x, y, validation, seed)
    if stream is None:
        expect_batch(batch_size := min(batch_size, len(training)), len(training))
    return _subject(
        program,
        x,
        y,
        training,
        held_out,
        batch_size,
        seed,
        stream=stream,
        classes=known,
        names=names,
        title=title,
    )


def subject_of_net(
    net: Module, x: Any = None, y: Any = None, loss: Any = None, **options
) -> Subject:
    """A network, with data if there are some.

    With x, y and a loss it is trained by Adam: the network itself, not a copy. With x alone, or
    without data, it can only be looked at.

    Args:
        net: a Module.
        x, y: as for Trainer.fit.
        loss: see cutaway.losses.
        options: see subject_of_trainer.

    Raises:
        OptionError: y without a loss.
    """
    if x is not None and y is not None:
        if loss is None:
            raise OptionError(
                "the studio got a network, x and y, but no loss",
                expected="what the network is to minimize",
                fix="ct.studio(ct.Trainer(net, loss=ct.losses.mean_squared_error), x, y)",
            )
        return subject_of_trainer(Trainer(net, loss=loss), x, y, **options)
    program = Program(net, objective=no_loss, optimizer=SGD(net, 0.01))
    names, title = options.get("names"), options.get("title")
    if x is None:
        return _subject(program, None, None, _nothing(), _nothing(), 1, 0, title=title)
    names = _names_of(x) if names is None else names
    x = _host(x, "x")
    rows = np.arange(count_rows(x))
    return _subject(program, x, None, rows, _nothing(), 1, 0, names=names, title=title)


def no_loss(net, x, y):
    """The objective of a network that is only looked at.

    Raises:
        OptionError: always.
    """
    raise OptionError(
        "this network was given to the studio without a loss and targets",
        expected="a training",
        fix="ct.studio(ct.Trainer(net, loss=ct.losses.mean_squared_error), x, y)",
    )


def _subject(
    program: Program,
    x,
    y,
    training,
    validation,
    batch_size: int,
    seed: int,
    *,
    stream=None,
    classes=None,
    names=None,
    title: str | None = None,
) -> ArraySubject:
    wants = None if program.objective is not None else expects(program.loss)
    task = "" if wants is None else TASKS[wants.target]
    is_table = x is not None and is_array(x) and x.ndim == 2 and x.dtype.kind == "f"
    bounds = (0.0, 255.0)
    if x is not None and _holds_pictures(x) and x.dtype != np.uint8:
        bounds = float(x.min()), float(x.max())
    return ArraySubject(
        title=type(program.net).__name__ if title is None else title,
        kind="arrays",
        task=task,
        target="y",
        examples="pictures" if _holds_pictures(x) else "rows",
        program=program,
        x=x,
        y=y,
        training=training,
        validation=validation,
        batch_size=batch_size,
        seed=seed,
        stream=stream,
        classes=_classes(task, wants, y, classes),
        inputs=_columns(x, training, names) if is_table else None,
        notes=[] if y is not None else [f"{LOOKED_AT}: there are no targets."],
        bounds=bounds,
    )


def _split(program: Program, x, y, validation, seed: int) -> tuple:
    """(training rows, validation rows, x, y), with given validation rows behind the others."""
    count = count_rows(x)
    if isinstance(validation, tuple | list) and len(validation) in (2, 3):
        others = _host(validation[0], "validation x"), _host(validation[1], "validation y")
        expect_examples(*others, what="validation")
        x, y = map_leaves(lambda *parts: np.concatenate(parts), (x, y), others)
        return np.arange(count), count + np.arange(count_rows(others[0])), x, y
    found = training_sets(program, None, (x, y), validation, seed)
    held_out = _nothing() if found.validation is None else found.validation.indices
    return np.asarray(found.training.indices), np.asarray(held_out), x, y


def _host(given, name: str):
    """The tree with NumPy arrays as leaves, floats of single precision."""
    return map_leaves(_single, as_tree(given, name))


def _single(leaf) -> np.ndarray:
    leaf = np.asarray(leaf)
    return leaf.astype(np.float32) if leaf.dtype == np.float64 else leaf


def _nothing() -> np.ndarray:
    return np.zeros(0, int)


def _holds_pictures(x) -> bool:
    return x is not None and is_array(x) and x.ndim == 4 and x.shape[-1] in (1, 3)


def _names_of(x) -> list[str] | None:
    """The names of the columns of a frame."""
    return [str(name) for name in x.columns] if is_frame(x) and hasattr(x, "columns") else None


def _columns(x, training, names):
    if names is not None and len(names) != x.shape[1]:
        raise OptionError(
            f"{len(names)} names of {x.shape[1]} columns", expected="a name for each column of x"
        )
    names = [f"x{k + 1}" for k in range(x.shape[1])] if names is None else names
    return columns_of(x, training, [(name, 1.0, 0.0, "", False) for name in names])


def _classes(task: str, wants, y, classes) -> list[str] | None:
    """The names of the classes, as they are known, or their numbers."""
    if task not in ("binary", "multiclass") or y is None or not is_array(y):
        return None
    if classes is not None:
        return [str(name) for name in classes]
    if task == "binary":
        return ["0", "1"] if y.size == len(y) else None
    count = y.shape[-1] if wants.target == "one_hot" else int(y.max()) + 1
    return [str(k) for k in range(count)]
