"""Scenes for the tests of views and clicks: small networks with subjects built by hand."""

import dataclasses

import jax
import numpy as np

import cutaway as ct
from cutaway import nn
from cutaway.models.unet import UNet
from cutaway.nn.lifting import jit
from cutaway.nn.trees import map_leaves
from cutaway.studio.look import Look
from cutaway.studio.subject import InputColumn, Subject
from cutaway.studio.views import VIEWS
from cutaway.studio.views.contract import GRID, THUMBNAIL, Passes, Scene
from cutaway.train import ArrayRows, Program, StepwiseTraining

WORDS = ["", *(f"word{k}" for k in range(1, 20))]


class TextSubject(Subject):
    """Rows of token ids, padded at the end with 0."""

    def tokens(self, row):
        return [WORDS[k] for k in self.x[row] if k]


class PictureSubject(Subject):
    """Rows of pictures from 0 to 1."""

    def picture(self, row):
        return np.rint(255 * self.x[row]).astype(np.uint8)


class ValueSubject(Subject):
    """A regression whose target was standardized: value = raw * 10 + 50."""

    def predictions(self, raw):
        return raw * 10 + 50


class Pooled(nn.Module):
    """A transformer encoder over tokens, and a linear layer over their mean."""

    def __init__(self):
        self.embedding = nn.Embedding(20, 8)
        self.encoder = nn.TransformerEncoder(8, 2, 16, num_layers=2)
        self.head = ct.Linear(8, 3)

    def forward(self, ids):
        mask = ct.Tensor(ids.data != 0)
        return self.head(self.encoder(self.embedding(ids), padding_mask=mask).mean(axis=1))


def scene_of(subject, **look) -> Scene:
    """A scene of the subject's own program, at the beginning of its training."""
    rows = ArrayRows(subject.x, subject.y, subject.training.astype(np.int32))
    training = StepwiseTraining(
        subject.program, rows, batch_size=subject.batch_size, seed=subject.seed
    )
    return Scene(subject, training, Look(**look), look.get("row", 0))


def rendered(scene, *names) -> tuple[dict, dict]:
    """({view: {name: array}}, {view: header}) as a frame has them: one compiled program."""
    program, views = scene.program, [VIEWS[name] for name in names]
    given = {
        "row": scene.example(),
        "batch": scene.training.batch(),
        "": np.float32(0),
    }
    needs = {need for view in views for need in view.needs}
    for need, points in (("plane", GRID), ("thumbnail", THUMBNAIL)):
        if need in needs:
            given[need] = scene.plane(points)

    def traced(given):
        passes = Passes(program, given)
        return {view.name: view.traced(passes, scene) for view in views}

    with program.computing(), program.in_mode(False):
        found = jit(traced, *program.owners().values(), donate=False)(given)
        found = jax.device_get(map_leaves(lambda leaf: leaf.data, found))
        arrays, headers = {}, {}
        for view in views:
            own = {**found[view.name], **view.looked(scene)}
            headers[view.name] = view.header(scene, own)
            arrays[view.name] = view.sent(scene, own)
    return arrays, headers


def _subject(net, loss, x, y, *, kind=Subject, task="binary", optimizer=None, **options):
    rows = np.arange(len(x))
    program = Program(net, loss=loss, optimizer=optimizer or ct.Adam(net, lr=0.01))
    given = {"title": "a test", "kind": "arrays", "target": "class", "examples": "rows"}
    return kind(
        **given | options,
        task=task,
        program=program,
        x=x,
        y=y,
        training=rows[: len(rows) * 3 // 4],
        validation=rows[len(rows) * 3 // 4 :],
        batch_size=8,
    )


def _columns(count):
    return [InputColumn(f"c{k}", -5.0, 7.0, 1.0 + k, scale=2.0, shift=1.0) for k in range(count)]


def dense(*, outputs=1, dropout=False, inputs=2):
    """A network 2-8-8-outputs of tanh on two classes or more."""
    ct.seed(1)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, inputs)).astype(np.float32)
    dropped = [ct.Dropout(0.5)] if dropout else []
    net = ct.Sequential(
        ct.Linear(inputs, 8), ct.Tanh(), *dropped, ct.Linear(8, 8), ct.Tanh(), ct.Linear(8, outputs)
    )
    losses = ct.losses
    if outputs == 1:
        y, loss = (x[:, :1] > 0).astype(np.float32), losses.binary_cross_entropy_with_logits
    else:
        y = rng.integers(0, outputs, 40).astype(np.int32)
        loss = losses.sparse_categorical_cross_entropy_with_logits
    task = "binary" if outputs == 1 else "multiclass"
    classes = ["no", "yes"] if outputs == 1 else [f"kind {k}" for k in range(outputs)]
    return _subject(net, loss, x, y, task=task, classes=classes, inputs=_columns(inputs))


def regression():
    """A network 3-4-1 of ReLU on a value."""
    ct.seed(2)
    x = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    net = ct.Sequential(ct.Linear(3, 4), ct.ReLU(), ct.Linear(4, 1))
    loss, y = ct.losses.mean_squared_error, x.sum(axis=1, keepdims=True)
    options = {"task": "regression", "target": "price", "inputs": _columns(3)}
    return _subject(net, loss, x, y, kind=ValueSubject, **options)


def convolutional():
    """Pictures of 12 x 12 pixels in three classes."""
    ct.seed(3)
    rng = np.random.default_rng(0)
    x = rng.random((16, 12, 12, 1)).astype(np.float32)
    net = ct.Sequential(
        ct.Conv2d(1, 4, 3), ct.ReLU(), nn.MaxPool(2), ct.Conv2d(4, 6, 3), nn.BatchNorm(6),
        ct.ReLU(), ct.Flatten(), ct.Linear(54, 3),
    )  # fmt: skip
    loss = ct.losses.sparse_categorical_cross_entropy_with_logits
    y = rng.integers(0, 3, 16).astype(np.int32)
    options = {"task": "multiclass", "classes": ["a", "b", "c"], "examples": "pictures"}
    return _subject(net, loss, x, y, kind=PictureSubject, **options)


def _texts():
    rng = np.random.default_rng(0)
    x = rng.integers(1, 20, (16, 9)).astype(np.int32)
    for row, length in zip(x, rng.integers(4, 10, 16), strict=True):
        row[length:] = 0
    return x, rng


def recurrent(layer=None):
    """Texts of 9 tokens in two classes, read by an LSTM."""
    ct.seed(4)
    x, rng = _texts()
    net = ct.Sequential(nn.Embedding(20, 6), layer or ct.LSTM(6, 5), nn.LastStep(), ct.Linear(5, 1))
    loss = ct.losses.binary_cross_entropy_with_logits
    y = rng.integers(0, 2, (16, 1)).astype(np.float32)
    return _subject(net, loss, x, y, kind=TextSubject, classes=["bad", "good"], examples="texts")


def transformer():
    """Texts of 9 tokens in three classes, read by a transformer encoder."""
    ct.seed(5)
    x, rng = _texts()
    loss = ct.losses.sparse_categorical_cross_entropy_with_logits
    y = rng.integers(0, 3, 16).astype(np.int32)
    options = {"task": "multiclass", "classes": ["a", "b", "c"], "examples": "texts"}
    return _subject(Pooled(), loss, x, y, kind=TextSubject, **options)


def segmentation():
    """Pictures of 16 x 16 pixels with a class for each pixel, by a small U-Net."""
    ct.seed(6)
    rng = np.random.default_rng(0)
    x = rng.random((8, 16, 16, 1)).astype(np.float32)
    net = UNet(2, base=4, levels=2, padded=True)
    loss = ct.losses.sparse_categorical_cross_entropy_with_logits
    options = {"task": "segmentation", "classes": ["background", "cell"], "examples": "pictures"}
    y = (x[..., 0] > 0.5).astype(np.int32)
    return _subject(net, loss, x, y, kind=PictureSubject, **options)


def series():
    """Series of 30 steps and two channels in two classes, read by a convolution."""
    ct.seed(7)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(12, 30, 2)).astype(np.float32)
    net = ct.Sequential(nn.Conv1d(2, 3, 5), ct.ReLU(), nn.GlobalAvgPool(), ct.Linear(3, 2))
    loss = ct.losses.sparse_categorical_cross_entropy_with_logits
    y = rng.integers(0, 2, 12).astype(np.int32)
    options = {"task": "multiclass", "classes": ["rest", "move"], "examples": "series"}
    return _subject(net, loss, x, y, **options)


SUBJECTS = {
    "dense": dense,
    "three classes": lambda: dense(outputs=3),
    "regression": regression,
    "convolutional": convolutional,
    "recurrent": recurrent,
    "transformer": transformer,
    "segmentation": segmentation,
    "series": series,
}


def looking(scene, **look) -> Scene:
    """The same scene looked at in another way."""
    chosen = {name: getattr(scene.look, name) for name in Look.__struct_fields__} | look
    return dataclasses.replace(scene, look=Look(**chosen), row=look.get("row", scene.row))
