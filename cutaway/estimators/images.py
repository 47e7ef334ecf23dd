"""Images: ImageClassifier, by scikit-learn's conventions."""

import collections
import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np

from cutaway.data import ArrayStream, ClassFolder, Normalize, load_images
from cutaway.data.decode import header_of, pixels_of
from cutaway.data.images import common_size, expect_size, find_channels
from cutaway.errors import DataError, OptionError
from cutaway.estimators.base import NetworkEstimator
from cutaway.estimators.classes import ClassEstimator
from cutaway.runs.images import SCALED, augmentation, image_spec, usual_size
from cutaway.runs.options.images import ImageOptions

EXPECTED = (
    "an array (images, height, width) or (images, height, width, channels) of pixels with 1 or 3 "
    "channels, or a list of paths or of Pillow's images"
)
BYTE, REAL = "uint8", "float32"


@dataclasses.dataclass(frozen=True)
class PixelReading:
    """How pictures become pixels: their size, and how a pixel is written.

    Attributes:
        size: (height, width).
        channels: 1 or 3.
        pixels: BYTE, or REAL for arrays of floats.
        name: of the estimator, for messages.
        decodes: whether the pictures were files or Pillow's images, which are resized.
    """

    size: tuple[int, int]
    channels: int
    pixels: str
    name: str
    decodes: bool

    @classmethod
    def fit(cls, X, size, name: str) -> "PixelReading":
        """The reading of the pictures that begin a training.

        Args:
            X: see ImageClassifier.
            size: of the result, or None; for pictures that are decoded.

        Raises:
            DataError: no pictures. OptionError: a size for arrays.
        """
        found = listed_pictures(X, name)
        if isinstance(found, np.ndarray):
            own = found.shape[1:3]
            if size is not None and expect_size(size) != own:
                raise OptionError(
                    f"size={size!r} with an array of {own[0]} x {own[1]} pixels",
                    expected="no size: arrays are trained on as they are",
                    fix="omit it, or resize the images yourself",
                )
            pixels = BYTE if found.dtype == np.uint8 else REAL
            return cls(own, found.shape[3], pixels, name, False)
        if isinstance(found[0], Path):
            folder = _folder(found)
            sizes, channels = common_size(folder), find_channels(folder)
            if not sizes and size is None:
                sizes = {(1, 1): 1}  # none can be read, which `read` will say
        else:
            headers = [header_of(image) for image in found]
            sizes = collections.Counter(header.size for header in headers)
            channels = 1 if all(header.is_gray for header in headers) else 3
        chosen = usual_size(sizes) if size is None else expect_size(size)
        return cls(chosen, channels, BYTE, name, True)

    def read(self, X) -> np.ndarray:
        """(images, height, width, channels) pixels.

        Raises:
            DataError: no pictures, or other ones than those of `fit`.
        """
        found = listed_pictures(X, self.name)
        if isinstance(found, np.ndarray):
            self._expect_alike(found)
            return found.astype(self.pixels, copy=False)
        if self.pixels != BYTE:
            raise DataError(
                f"{self.name} got pictures to decode, and was trained on an array of floats",
                expected="an array of floats",
                fix="scale the pixels as for fit",
            )
        if isinstance(found[0], Path):
            return load_images(_folder(found), self.size, channels=self.channels).x
        return np.stack([pixels_of(image, self.size, channels=self.channels) for image in found])

    def _expect_alike(self, found: np.ndarray) -> None:
        if found.shape[1:] != (*self.size, self.channels):
            raise DataError(
                f"{self.name} got images of shape {found.shape[1:]}",
                expected=f"{(*self.size, self.channels)}, as in training",
                fix="resize them" + (", or pass paths or Pillow's images" * self.decodes),
            )
        if (found.dtype == np.uint8) != (self.pixels == BYTE):
            raise DataError(
                f"{self.name} got pixels of {found.dtype}, and was trained on {self.pixels}",
                expected="pixels on one scale",
                fix="convert them as for fit",
            )


class ImageEstimator(NetworkEstimator):
    """Base class of the estimators for images."""

    x_dtype = None  # pixels stay as they are

    def __init__(
        self,
        size=None,
        *,
        width=32,
        augment=True,
        dropout=0.2,
        optimizer="adamw",
        lr=None,
        schedule="cosine",
        weight_decay=0.05,
        batch_size=None,
        max_iter=None,
        validation_fraction=0.2,
        n_iter_no_change=None,
        random_state=None,
        warm_start=False,
        verbose=False,
    ):
        self.size = size
        self.width = width
        self.augment = augment
        self.dropout = dropout
        self.optimizer = optimizer
        self.lr = lr
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose

    def _read(self, X, y, *, reset):
        if reset:
            self._reading = PixelReading.fit(X, self.size, type(self).__name__)
        pixels = self._reading.read(X)
        return pixels, self._checked_target(pixels, y)

    def _fit_inputs(self, rows, training, options):
        self._scaling = Normalize.fit(rows.x[training[:SCALED]])

    def _encode(self, x):
        return x

    def _encoded(self, X):
        return self._reading.read(X)

    def _options(self, seed, rows):
        return ImageOptions(
            size=self.size,
            width=self.width,
            augment=self.augment,
            **self._common_options(seed, rows),
        )

    def _spec_of(self, options, target):
        unit = 255 if self._reading.pixels == BYTE else 1
        return image_spec(options, self._reading.size, target.outputs, self._scaling, unit=unit)

    def _fit_arguments(self, x, y, weights, options):
        if not options.augment:
            return super()._fit_arguments(x, y, weights, options)
        transform = augmentation(self._reading.size, self._reading.channels)
        own = weights if (weights != weights[0]).any() else None
        return (ArrayStream(x, y, transform=transform, weights=own),), {}

    def _one_row(self, row):
        return np.asarray(row)[None] if isinstance(row, np.ndarray) else [row]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.two_d_array = False
        return tags


class ImageClassifier(ClassEstimator, ImageEstimator):
    """A network that predicts classes of images, as a scikit-learn estimator.

    Images are an array (images, height, width) or (images, height, width, channels) of bytes or
    floats with 1 or 3 channels, trained on as they are; or a list of paths or of Pillow's images,
    decoded and resized as `cutaway train` does it with a folder. With the same random seed the
    network is the one that it trains.

    Args:
        size: size in pixels, or (height, width), to which paths and Pillow's images are resized;
            None: the common size if it is at most 96, otherwise 96.
        width: channels of the first stage; each further stage has twice as many, at most 256.
        augment: whether to augment with random shifts of up to an eighth and, for color images,
            horizontal flips.
        dropout: fraction of hidden units dropped in training.
        others: see Classifier.

    Attributes:
        others: see Classifier, without n_features_in_ and feature_names_in_.

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> x = np.zeros((40, 8, 8), np.uint8)
        >>> x[::2, :, 3:5] = 200
        >>> x[1::2, 3:5] = 200
        >>> model = ct.ImageClassifier(width=4, augment=False, max_iter=20, random_state=0)
        >>> model.fit(x, ["upright", "level"] * 20).predict(x[:2]).tolist()
        ['upright', 'level']
    """

    has_binary = False

    def __init__(
        self,
        size=None,
        *,
        width=32,
        augment=True,
        dropout=0.2,
        optimizer="adamw",
        lr=None,
        schedule="cosine",
        weight_decay=0.05,
        batch_size=None,
        max_iter=None,
        validation_fraction=0.2,
        n_iter_no_change=None,
        class_weight=None,
        random_state=None,
        warm_start=False,
        verbose=False,
    ):
        super().__init__(
            size,
            width=width,
            augment=augment,
            dropout=dropout,
            optimizer=optimizer,
            lr=lr,
            schedule=schedule,
            weight_decay=weight_decay,
            batch_size=batch_size,
            max_iter=max_iter,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            random_state=random_state,
            warm_start=warm_start,
            verbose=verbose,
        )
        self.class_weight = class_weight


def listed_pictures(X, name: str) -> np.ndarray | list:
    """An array (images, height, width, channels), or a list of paths or of Pillow's images.

    Args:
        X: what an estimator was given.
        name: of the estimator.

    Raises:
        DataError: something else.
    """
    if isinstance(X, str | bytes | os.PathLike):
        fix = "pass [path]; a folder of one subfolder per class is for `cutaway train`"
        raise DataError(f"{name} got one path, {X!r}", expected=EXPECTED, fix=fix)
    if not hasattr(X, "__len__") or isinstance(X, dict):
        raise DataError(f"{name} got a {type(X).__name__}", expected=EXPECTED)
    if not len(X):
        raise DataError(f"{name} got no images", expected=EXPECTED)
    if not isinstance(X, np.ndarray) or X.dtype.kind in "OUT":
        items = list(X)
        if all(isinstance(item, str | os.PathLike) for item in items):
            return [Path(item) for item in items]
        if all(_is_pillow(item) for item in items):
            return items
        X = _stacked(items, name)
    return _expect_pixels(X, name)


def _is_pillow(value) -> bool:
    return type(value).__module__.partition(".")[0] == "PIL" and hasattr(value, "getexif")


def _stacked(items: list, name: str) -> np.ndarray:
    """Arrays of one size as one array."""
    kinds = sorted({type(item).__name__ for item in items})
    if not all(isinstance(item, np.ndarray | list | tuple) for item in items):
        raise DataError(f"{name} got a list of {', '.join(kinds)}", expected=EXPECTED)
    try:
        arrays = [np.asarray(item) for item in items]
    except ValueError:
        raise DataError(f"{name} got a list of ragged lists", expected=EXPECTED) from None
    shapes = list(dict.fromkeys(array.shape for array in arrays))
    if len(shapes) > 1:
        raise DataError(
            f"{name} got arrays of {len(shapes)} shapes: {shapes[0]} and {shapes[1]}",
            expected="images of one size",
            fix="resize them, or pass paths or Pillow's images, which are resized to size=...",
        )
    return np.stack(arrays)


def _expect_pixels(X: np.ndarray, name: str) -> np.ndarray:
    """(images, height, width, channels) bytes or floats."""
    came = f"{name} got {X.dtype} of shape {X.shape}"
    if X.ndim == 2:
        raise DataError(
            came,
            expected=EXPECTED,
            fix="for a table use ct.Classifier; rows of pixels need their size: "
            "X.reshape(-1, height, width)",
        )
    if X.ndim not in (3, 4) or X.dtype.kind not in "uif" or 0 in X.shape:
        raise DataError(came, expected=EXPECTED)
    if X.ndim == 3:
        X = X[..., None]
    if X.shape[3] not in (1, 3):
        fix = "move the channels last: X.transpose(0, 2, 3, 1)" if X.shape[1] in (1, 3) else None
        raise DataError(f"{came}: {X.shape[3]} channels", expected=EXPECTED, fix=fix)
    if X.dtype.kind in "ui" and X.dtype != np.uint8:
        if X.min() < 0 or X.max() > 255:
            raise DataError(
                f"{came}, with values from {X.min()} to {X.max()}",
                expected="integers from 0 to 255, or floats",
                fix="scale them: X.astype(float) / X.max()",
            )
        return X.astype(np.uint8)
    if X.dtype.kind == "f" and not np.isfinite(X).all():
        raise DataError(f"{came}, with NaN or infinite values", expected="finite numbers")
    return X


def _folder(paths: list[Path]) -> Any:
    return ClassFolder(Path("."), paths, np.zeros(len(paths), np.int32), [""])
