"""The suite's data sets: small, real where they can be, each as four arrays.

Real sets lie in shared/data beside the repository or come with scikit-learn. A set is the same at
every call; tables are standardized by their training rows, classes are whole numbers, and targets
of regressions are standardized and have one column.
"""

import csv
import dataclasses
import functools
from pathlib import Path

import numpy as np

import cutaway as ct

SHARED = Path(__file__).parents[3] / "shared" / "data"


@dataclasses.dataclass(frozen=True)
class Data:
    """Arrays to train on and to judge by.

    Attributes:
        x, y: training rows.
        xv, yv: validation rows.
        task: "multiclass", "binary", "multilabel", "regression", "tokens".
        outputs: columns that a network for it has.
    """

    x: np.ndarray
    y: np.ndarray
    xv: np.ndarray
    yv: np.ndarray
    task: str
    outputs: int

    @property
    def inputs(self) -> int:
        return self.x.shape[-1]

    def changed(self, **arrays) -> "Data":
        return dataclasses.replace(self, **arrays)

    def first(self, rows: int) -> "Data":
        """With so many training rows only."""
        return self.changed(x=self.x[:rows], y=self.y[:rows])


SETS = {}


def load(name: str) -> Data:
    """The data set of a name in SETS."""
    return SETS[name]()


def _set(function):
    SETS[function.__name__] = functools.cache(function)
    return function


def _split(x, y, task, outputs, *, scale=True, share=0.3):
    x, y = np.asarray(x, np.float32), np.asarray(y)
    order = np.random.default_rng(7).permutation(len(x))
    x, y = x[order], y[order]
    held = int(len(x) * share)
    x, xv, y, yv = x[held:], x[:held], y[held:], y[:held]
    if scale:
        mean, std = x.mean(axis=0), x.std(axis=0) + 1e-6
        x, xv = (x - mean) / std, (xv - mean) / std
    if task == "regression":
        y, yv = (v.reshape(len(v), -1).astype(np.float32) for v in (y, yv))
        mean, std = y.mean(axis=0), y.std(axis=0)
        y, yv = (y - mean) / std, (yv - mean) / std
    elif task in ("binary", "multilabel"):
        y, yv = (v.reshape(len(v), -1).astype(np.float32) for v in (y, yv))
    else:
        y, yv = y.astype(np.int32), yv.astype(np.int32)
    return Data(x, y, xv, yv, task, outputs)


# tables with classes


@_set
def iris():
    rows = _rows("iris/iris.csv")
    names = sorted({r[-1] for r in rows})
    return _split([r[:4] for r in rows], [names.index(r[-1]) for r in rows], "multiclass", 3)


@_set
def wine():
    from sklearn.datasets import load_wine

    return _split(*load_wine(return_X_y=True), "multiclass", 3)


@_set
def digits():
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return _split(x / 16, y, "multiclass", 10, scale=False)


@_set
def mnist():
    """1,500 pictures, 14 x 14, as a table."""
    data = images_mnist()
    return data.changed(x=data.x.reshape(len(data.x), -1), xv=data.xv.reshape(len(data.xv), -1))


@_set
def breast_cancer():
    from sklearn.datasets import load_breast_cancer

    return _split(*load_breast_cancer(return_X_y=True), "binary", 1)


@_set
def pima():
    rows = np.array(_rows("pima_diabetes/pima-indians-diabetes.csv"), float)
    return _split(rows[:, :-1], rows[:, -1], "binary", 1)


@_set
def titanic():
    rows = [r for r in _rows("titanic/titanic.csv") if r[5]]
    x = [[r[2], r[4] == "male", r[5], r[6], r[7], r[9]] for r in rows]
    return _split(np.array(x, float), [int(r[1]) for r in rows], "binary", 1)


@_set
def moons():
    from sklearn.datasets import make_moons

    return _split(*make_moons(800, noise=0.15, random_state=0), "binary", 1)


@_set
def rings():
    from sklearn.datasets import make_circles

    return _split(*make_circles(800, noise=0.08, factor=0.5, random_state=0), "binary", 1)


@_set
def blobs():
    from sklearn.datasets import make_blobs

    x, y = make_blobs(900, n_features=6, centers=5, cluster_std=2.5, random_state=3)
    return _split(x, y, "multiclass", 5)


@_set
def clusters():
    """Four classes of three clusters each, in ten columns."""
    from sklearn.datasets import make_classification

    x, y = make_classification(
        1200, 10, n_informative=8, n_redundant=0, n_classes=4, n_clusters_per_class=3,
        class_sep=2.0, flip_y=0.0, random_state=1,
    )  # fmt: skip
    return _split(x, y, "multiclass", 4)


@_set
def rare_moons():
    """Two moons that overlap; of one there is a twentieth."""
    return _rare(moons_noisy(), 20)


@_set
def rare_rings():
    from sklearn.datasets import make_circles

    return _rare(make_circles(4000, noise=0.2, factor=0.5, random_state=0), 20)


def moons_noisy():
    from sklearn.datasets import make_moons

    return make_moons(4000, noise=0.35, random_state=0)


def _rare(rows, ratio):
    x, y = rows
    few = np.flatnonzero(y == 1)[: int((y == 0).sum()) // ratio]
    kept = np.concatenate([np.flatnonzero(y == 0), few])
    return _split(x[kept], y[kept], "binary", 1)


@_set
def wide_columns():
    return _wide(8)


@_set
def wider_columns():
    return _wide(12)


def _wide(columns):
    """Standardized, with one number in a hundred at ±6."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1200, columns))
    far = rng.random(x.shape) < 0.01
    x[far] = 6 * np.sign(x[far])
    return _split(x, np.tanh(x[:, :4]).sum(axis=1) > 0, "binary", 1)


@_set
def same_sign():
    return _same_sign(200, 24)


@_set
def same_sign_of_fewer():
    return _same_sign(160, 20)


def _same_sign(rows, columns):
    """Whether the first two of some signs are the same: the other columns invite memorizing."""
    x = np.random.default_rng(0).choice([-1.0, 1.0], (rows + 400, columns))
    share = 400 / (rows + 400)
    return _split(x, x[:, 0] * x[:, 1] > 0, "binary", 1, scale=False, share=share)


# several labels at once


@_set
def digits_labels():
    """Of a digit: even, above 4, with a closed loop, prime."""
    return _labels_of(digits())


@_set
def mnist_labels():
    return _labels_of(mnist())


def _labels_of(data):
    table = np.array([[d % 2 == 0, d > 4, d in (0, 6, 8, 9), d in (2, 3, 5, 7)] for d in range(10)])
    table = table.astype(np.float32)
    return data.changed(y=table[data.y], yv=table[data.yv], task="multilabel", outputs=4)


# regressions


@_set
def diabetes():
    from sklearn.datasets import load_diabetes

    return _split(*load_diabetes(return_X_y=True), "regression", 1)


@_set
def wine_quality():
    rows = np.array(_rows("wine_quality/winequality-red.csv"), float)
    return _split(rows[:, :-1], rows[:, -1], "regression", 1)


@_set
def friedman():
    from sklearn.datasets import make_friedman1

    return _split(*make_friedman1(900, noise=0.5, random_state=0), "regression", 1)


@_set
def waves():
    rng = np.random.default_rng(0)
    x = rng.uniform(-3, 3, (800, 2))
    y = np.sin(2 * x[:, 0]) + 0.5 * x[:, 1] ** 2 + 0.1 * rng.normal(size=800)
    return _split(x, y, "regression", 1)


@_set
def product():
    """y = x₀ x₁: what no linear map sees."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(800, 4))
    return _split(x, x[:, 0] * x[:, 1] + 0.05 * rng.normal(size=800), "regression", 1)


@_set
def one_wave():
    return _wave(4.0)


@_set
def one_faster_wave():
    return _wave(4.7)


def _wave(frequency):
    rng = np.random.default_rng(0)
    x = rng.uniform(-3, 3, (600, 1))
    y = np.sin(frequency * x[:, 0] + 0.3) + 0.05 * rng.normal(size=600)
    return _split(x, y, "regression", 1, scale=False)


@_set
def two_bells():
    return _bells([-4, 4])


@_set
def three_bells():
    return _bells([-4, 0, 4])


def _bells(centers):
    rng = np.random.default_rng(0)
    x = rng.uniform(-7, 7, (600, 1))
    y = np.exp(-0.5 * (x - np.array(centers)) ** 2).sum(axis=1)
    return _split(x, y + 0.02 * rng.normal(size=600), "regression", 1, scale=False)


@_set
def uneven():
    return _uneven(40)


@_set
def uneven_more():
    return _uneven(60)


def _uneven(columns):
    """Words in a text: most columns are 1 in a row of fifty, and all say as much."""
    rng = np.random.default_rng(0)
    x = (rng.random((1500, columns)) < np.geomspace(0.5, 0.02, columns)).astype(float)
    weights = rng.choice([-2.0, 2.0], columns) / np.sqrt(x.var(axis=0) * columns)
    z = (x - x.mean(axis=0)) @ weights
    return _split(x, z > 0, "binary", 1, scale=False)


@_set
def airline_rows():
    data = airline()
    x, xv = data.x[..., 0], data.xv[..., 0]
    return data.changed(x=x, xv=xv)


@_set
def airline():
    return _forecast([float(r[1]) for r in _rows("airline_passengers/airline-passengers.csv")])


@_set
def sunspots():
    series = [float(r[1]) for r in _rows("monthly_sunspots/monthly-sunspots.csv")]
    return _forecast(series[:1200])


def _forecast(series, length=12):
    """The next of a series, logarithms in units of σ, from the twelve before it."""
    s = np.log1p(np.array(series))
    s = (s - s.mean()) / s.std()
    x = np.stack([s[i : i + length] for i in range(len(s) - length)])
    return _split(x[..., None], s[length:], "regression", 1, scale=False)


# reconstruction: the target is the input


@_set
def digits_again():
    return _again(digits())


@_set
def mnist_again():
    return _again(mnist())


def _again(data):
    return data.changed(y=data.x, yv=data.xv, task="regression", outputs=data.inputs)


# pictures


@_set
def images_digits():
    data = digits()
    x, xv = (v.reshape(-1, 8, 8, 1) for v in (data.x, data.xv))
    return data.changed(x=x[:700], y=data.y[:700], xv=xv, yv=data.yv)


@_set
def images_mnist():
    paths = [SHARED / "mnist" / f"train-{part}-ubyte.gz" for part in ("images-idx3", "labels-idx1")]
    x, y = (ct.data.read_idx(path) for path in paths)
    x = x[:1500].reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)) / 255
    return _split(x[..., None], y[:1500], "multiclass", 10, scale=False)


# series with a class, (rows, time, 1)


@_set
def gunpoint():
    return _ucr("ucr_gunpoint", "GunPoint", 3)


@_set
def italy_power():
    return _ucr("ucr_italy_power", "ItalyPowerDemand", 1)


def _ucr(folder, name, step):
    rows = [
        np.loadtxt(SHARED / folder / f"{name}_{part}.tsv", dtype=np.float32)
        for part in ("TRAIN", "TEST")
    ]
    rows = np.concatenate(rows)[:600]
    return _split(rows[:, 1::step, None], rows[:, 0] != 1, "multiclass", 2, scale=False)


@_set
def recall():
    """The sign of the first of 24 numbers."""
    return _first_sign(24)


@_set
def recall_longer():
    return _first_sign(32)


def _first_sign(length):
    rng = np.random.default_rng(0)
    x = 0.5 * rng.normal(size=(900, length, 1))
    sign = rng.integers(2, size=900)
    x[:, 0, 0] = 2 * sign - 1
    return _split(x, sign, "multiclass", 2, scale=False)


@_set
def drift():
    """Whether the sum of 16 numbers is above 0."""
    return _sum_sign(16)


@_set
def drift_longer():
    return _sum_sign(20)


def _sum_sign(length):
    x = np.random.default_rng(0).normal(size=(800, length, 1))
    return _split(x, x.sum(axis=(1, 2)) > 0, "multiclass", 2, scale=False)


# language: (rows, 12) characters, the target is the next one


@_set
def names():
    words = (SHARED / "names" / "names.txt").read_text().split()[:2400:2]
    text = np.zeros((len(words), 11), np.int32)
    for row, word in zip(text, words, strict=True):
        row[1 : 1 + len(word[:10])] = [ord(c) - 96 for c in word[:10]]
    return _next(text, 27)


@_set
def shakespeare():
    text = (SHARED / "tinyshakespeare" / "input.txt").read_text()[:14_000].lower()
    kept = np.array([ord(c) - 96 if "a" <= c <= "z" else 0 for c in text], np.int32)
    return _next(kept[: len(kept) // 14 * 14].reshape(-1, 14), 27)


def _next(text, symbols):
    order = np.random.default_rng(7).permutation(len(text))
    text, held = text[order], len(text) // 4
    x, y = text[:, :-1], text[:, 1:]
    return Data(x[held:], y[held:], x[:held], y[:held], "tokens", symbols)


def _rows(path):
    with open(SHARED / path, newline="") as file:
        return list(csv.reader(file))[1:]
