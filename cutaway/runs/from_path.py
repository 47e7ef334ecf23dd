"""prepare: whatever a path holds, made ready to train on."""

import dataclasses
import importlib
from pathlib import Path

from cutaway.data import recognize
from cutaway.errors import DataError, OptionError, did_you_mean
from cutaway.runs.experiment import Experiment


@dataclasses.dataclass(frozen=True)
class _Kind:
    """How one kind of data is prepared: module, its options and function, and the model's name."""

    module: str
    options: str
    prepare: str
    takes_target: bool
    model: str
    known: tuple | None = None  # the first three, where the network begins with a known body


KINDS = {
    "table": _Kind("table", "TableOptions", "prepare_table", True, "a multilayer perceptron"),
    "images": _Kind(
        "images",
        "ImageOptions",
        "prepare_images",
        False,
        "a convolutional network: neighboring pixels belong together",
        ("transferred_images", "ImageTransferOptions", "prepare_transferred_images"),
    ),
    "labeled series": _Kind(
        "curves",
        "CurveOptions",
        "prepare_curves",
        False,
        "convolutions over time: shapes count wherever they occur",
    ),
    "series": _Kind(
        "series",
        "SeriesOptions",
        "prepare_series",
        False,
        "an LSTM that reads a window of the past",
    ),
    "recordings": _Kind(
        "recordings",
        "RecordingOptions",
        "prepare_recordings",
        False,
        "convolutions over the spectrogram",
    ),
    "text": _Kind(
        "text",
        "TextOptions",
        "prepare_text",
        True,
        "a bag of embeddings: which words occur counts, not where (--model lstm or transformer "
        "reads their order)",
        ("transferred_text", "TextTransferOptions", "prepare_transferred_text"),
    ),
    "language": _Kind(
        "language",
        "LanguageOptions",
        "prepare_language",
        False,
        "an LSTM that foretells the next character",
    ),
}
# what data.recognize calls them, where the name differs
ALIASES = {"image folder": "images", "idx": "images", "audio folder": "recordings"}


def prepare(data, target: str | None = None, *, kind: str | None = None, **given) -> Experiment:
    """Read, look at, encode and split data of any kind, and build a network for them.

    Args:
        data: path of a table, a folder of images or recordings, IDX files, texts, series; a
            frame; or None for the students table that the package carries.
        target: the column to predict, for tables and texts in tables.
        kind: what the data are, to overrule what is found.
        given: options of that kind: those of TrainingOptions, and its own (TableOptions,
            ImageOptions, TextOptions, LanguageOptions, SeriesOptions, CurveOptions,
            RecordingOptions, each in the module of its kind).

    Raises:
        DataError: no such path, or nothing that is known.
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
            why = f"Taken for {NAMES.get(kind, kind)}: {found.reason}"
    if kind not in KINDS:
        raise DataError(
            f"{data} holds {kind}" if why else f"there is no kind {kind!r}",
            expected="one of " + ", ".join(KINDS),
            fix="say what it is with kind (--kind)" if why else did_you_mean(kind, KINDS),
        )
    if kind == "series" and target is not None:
        given, target = {"column": target, **given}, None
    entry = KINDS[kind]
    if "from_" in given:
        entry = _with_known_body(entry, kind)
    module = importlib.import_module(f"cutaway.runs.{entry.module}")
    options = make_options(getattr(module, entry.options), kind, given)
    make = getattr(module, entry.prepare)
    if kind == "table":
        return make(data, target, options)
    if entry.model and "model" not in given:
        why = f"{why}. The network is {entry.model}"
    why += "."
    if entry.takes_target:
        return make(data, target, options, why=why)
    if target is not None:
        raise OptionError(
            f"a target was named, {target!r}, but {data} holds {NAMES[kind]}, not a table",
            fix="leave out the target",
        )
    return make(data, options, why=why)


def _with_known_body(entry: _Kind, kind: str) -> _Kind:
    """How this kind is prepared for the body of a known network."""
    if entry.known is None:
        able = [name for name, other in KINDS.items() if other.known]
        raise OptionError(
            f"there is no known network for {NAMES[kind]}",
            expected="one of " + ", ".join(NAMES[name] for name in able),
            fix="leave out from_ (--from)",
        )
    module, options, function = entry.known
    return dataclasses.replace(entry, module=module, options=options, prepare=function, model="")


NAMES = {
    "table": "a table",
    "images": "images with classes",
    "labeled series": "series with classes",
    "text": "text",
    "series": "a series to be forecast",
    "language": "a text to be continued",
    "recordings": "recordings with classes",
}


def make_options(kind_of_options, kind: str, given: dict):
    """The options of a kind from those that were given by name.

    Raises:
        OptionError: names that this kind does not have.
    """
    known = {field.name for field in dataclasses.fields(kind_of_options)}
    strange = [name for name in given if name not in known]
    if strange:
        raise OptionError(
            f"{', '.join(strange)}: no option for {NAMES.get(kind, kind)}",
            expected="one of " + ", ".join(sorted(known)),
            fix="leave it out" + (f", or {did_you_mean(strange[0], known)}"),
        )
    return kind_of_options(**given)
