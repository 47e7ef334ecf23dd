"""prepare: detect what kind of data a path holds, and prepare it for training."""

import dataclasses
import importlib
from pathlib import Path

from cutaway.data import recognize
from cutaway.errors import DataError, OptionError, did_you_mean
from cutaway.runs.experiment import Experiment


@dataclasses.dataclass(frozen=True)
class _Kind:
    """How a kind of data is prepared: module, its options and function, and the default model."""

    module: str
    options: str
    prepare: str
    takes_target: bool
    model: str
    pretrained: tuple | None = None  # module, options and function for a pretrained backbone


KINDS = {
    "table": _Kind("table", "TableOptions", "prepare_table", True, "a multilayer perceptron"),
    "images": _Kind(
        "images",
        "ImageOptions",
        "prepare_images",
        False,
        "a convolutional network",
        ("transferred_images", "ImageTransferOptions", "prepare_transferred_images"),
    ),
    "time-series-classification": _Kind(
        "time_series_classification",
        "TimeSeriesClassificationOptions",
        "prepare_time_series_classification",
        False,
        "a convolutional network over time",
    ),
    "series": _Kind(
        "series",
        "SeriesOptions",
        "prepare_series",
        False,
        "an LSTM over a window of past values",
    ),
    "recordings": _Kind(
        "recordings",
        "RecordingOptions",
        "prepare_recordings",
        False,
        "a convolutional network on the log-mel spectrogram",
    ),
    "text": _Kind(
        "text",
        "TextOptions",
        "prepare_text",
        True,
        "a bag of embeddings, which ignores word order (--model lstm or transformer does not)",
        ("transferred_text", "TextTransferOptions", "prepare_transferred_text"),
    ),
    "language": _Kind(
        "language",
        "LanguageOptions",
        "prepare_language",
        False,
        "an LSTM language model",
    ),
}
# data.recognize's names, where they differ
ALIASES = {"image folder": "images", "idx": "images", "audio folder": "recordings"}


def prepare(data, target: str | None = None, *, kind: str | None = None, **given) -> Experiment:
    """Read, encode and split data of any kind, and build a network for them.

    Args:
        data: path of a table, a folder of images or recordings, IDX files, texts or time series;
            a frame; or None for the bundled students table.
        target: the column to predict, for tables and texts in tables.
        kind: kind of the data, if it is detected wrongly.
        given: options of that kind: those of TrainingOptions, and its own (TableOptions,
            ImageOptions, TextOptions, LanguageOptions, SeriesOptions, RecordingOptions,
            TimeSeriesClassificationOptions, each in the module of its kind).

    Raises:
        DataError: no such path, or unknown data.
        OptionError: an option that this kind does not have.

    Example:
        >>> prepare("photos", size=64).train()                        # doctest: +SKIP
    """
    why = ""
    if kind is None:
        kind = "table"
        if isinstance(data, str | Path):
            found = recognize(data, target=target)
            kind = ALIASES.get(found.kind, found.kind)
            why = f"Detected as {NAMES.get(kind, kind)}: {found.reason}"
    if kind not in KINDS:
        raise DataError(
            f"{data} holds {kind}" if why else f"there is no kind {kind!r}",
            expected="one of " + ", ".join(KINDS),
            fix="name its kind with kind (--kind)" if why else did_you_mean(kind, KINDS),
        )
    if kind == "series" and target is not None:
        given, target = {"column": target, **given}, None
    entry = KINDS[kind]
    if "from_" in given:
        entry = _with_backbone(entry, kind)
    module = importlib.import_module(f"cutaway.runs.{entry.module}")
    options = make_options(getattr(module, entry.options), kind, given)
    make = getattr(module, entry.prepare)
    if kind == "table":
        return make(data, target, options)
    if entry.model and "model" not in given:
        why = f"{why}. Network: {entry.model}"
    why += "."
    if entry.takes_target:
        return make(data, target, options, why=why)
    if target is not None:
        raise OptionError(
            f"the target {target!r} was given, but {data} holds {NAMES[kind]}, not a table",
            fix="omit the target",
        )
    return make(data, options, why=why)


def _with_backbone(entry: _Kind, kind: str) -> _Kind:
    """How this kind is prepared for a pretrained backbone."""
    if entry.pretrained is None:
        able = [name for name, other in KINDS.items() if other.pretrained]
        raise OptionError(
            f"there is no pretrained model for {NAMES[kind]}",
            expected="one of " + ", ".join(NAMES[name] for name in able),
            fix="omit from_ (--from)",
        )
    module, options, function = entry.pretrained
    return dataclasses.replace(entry, module=module, options=options, prepare=function, model="")


NAMES = {
    "table": "a table",
    "images": "labeled images",
    "time-series-classification": "labeled time series",
    "text": "labeled texts",
    "series": "a time series to forecast",
    "language": "a plain text",
    "recordings": "labeled recordings",
}


def make_options(kind_of_options, kind: str, given: dict):
    """The options object of a kind, from options given by name.

    Raises:
        OptionError: an option that this kind does not have.
    """
    names = {field.name for field in dataclasses.fields(kind_of_options)}
    unknown = [name for name in given if name not in names]
    if unknown:
        raise OptionError(
            f"{', '.join(unknown)}: not an option for {NAMES.get(kind, kind)}",
            expected="one of " + ", ".join(sorted(names)),
            fix=f"omit it, or {did_you_mean(unknown[0], names)}",
        )
    return kind_of_options(**given)
