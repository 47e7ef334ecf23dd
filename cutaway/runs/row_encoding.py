"""How the values of one row became the inputs of the network, in lines of arithmetic and words.

Each function returns {column: [lines]}.
"""

import math

import numpy as np

from cutaway.data.encoders import Category, EmbeddedCategory, Number, Presence
from cutaway.data.robust_scaling import smooth_clip
from cutaway.story.equation import equation
from cutaway.story.text import number

SHOWN = 3  # last steps of a window that are written out
TOKENS = 12  # of a text


def table_encoding(rows, x, frame) -> dict:
    """Of the columns of a table.

    Args:
        rows: the TableRows.
        x: the encoded row (1, features).
        frame: the row of the table.
    """
    found, start = {}, 0
    for encoder in rows.encoders:
        names = encoder.names
        encoded = np.asarray(x[0][start : start + len(names)], np.float64)
        start += len(names)
        value = frame[encoder.name][0] if encoder.name in frame.columns else None
        found[encoder.name] = _of_column(encoder, value, encoded)
    return found


def _of_column(encoder, value, encoded) -> list:
    name = encoder.name
    if isinstance(encoder, Number):
        return _of_number(encoder, value, encoded)
    if isinstance(encoder, Category):
        others = len(encoder.names) - 1
        if not encoded.any():
            return [f"{name}: {value} -> 0 in all {others + 1} columns: training did not see it"]
        own = encoder.names[int(np.argmax(encoded))]
        return [f"{name}: {value} -> one-hot: 1 for {own!r}, 0 in {others} other columns"]
    if isinstance(encoder, EmbeddedCategory):
        count, width = encoder.size
        code = int(encoded[0])
        kept = f"vector no. {code} of {count}, with {width} learned numbers"
        return [f"{name}: {value} -> {kept}" + (", for unknown values" if code == 0 else "")]
    if isinstance(encoder, Presence):
        return [f"{name}: {'present' if encoded[0] else 'missing'} -> {encoded[0]:g}"]
    return [f"{name}: {value} -> {len(encoder.names)} numbers: {encoder.summary()}"]


def _of_number(encoder, value, encoded) -> list:
    name, lead = encoder.name, ""
    if isinstance(value, bool):
        value = float(value)
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        lead, value = "missing, replaced by the median ", encoder.median
    elif not isinstance(value, int | float):
        done = "standardized" if encoder.scaling == "standard" else "scaled and clipped"
        return [f"{name}: {value} -> {done}: {number(encoded[0])}"]
    if encoder.scaling == "robust":
        return _of_robust_number(encoder, value, lead) + _of_indicator(encoder, encoded)
    if encoder.log:
        template = "(ln(1 + {0:n}) - {1}) / {2}"
        written = equation(template, _log_standardized, max(value, 0), encoder.mean, encoder.scale)
    else:
        template = "({0:n} - {1}) / {2}"
        written = equation(template, _standardized, value, encoder.mean, encoder.scale)
    return [f"{name}: {lead}{number(value)} -> {written}", *_of_indicator(encoder, encoded)]


def _of_indicator(encoder, encoded) -> list:
    return [f"{encoder.names[1]}: {encoded[1]:g}"] if encoder.indicator else []


def _of_robust_number(encoder, value, lead: str) -> list:
    name, start = encoder.name, f"{encoder.name}: {lead}{number(value)}"
    if encoder.scale == 0:
        return [f"{start} -> 0, as every value: the column was constant in training"]
    written = equation("({0:n} - {1}) / {2}", _standardized, value, encoder.mean, encoder.scale)
    scaled = _standardized(value, encoder.mean, encoder.scale)
    clipped = equation("{0:n} / √(1 + ({0:n} / 3)²)", _clipped, scaled)
    return [
        f"{start} -> u = {written}: median and spread of the training rows",
        f"{name}: u / √(1 + (u / 3)²) = {clipped}: smoothly clipped",
    ]


def _standardized(value, mean, scale):
    return (value - mean) / scale


def _clipped(scaled):
    return float(smooth_clip(scaled))


def _log_standardized(value, mean, scale):
    return (math.log1p(value) - mean) / scale


def series_encoding(rows, x) -> dict:
    """Of the last steps of a window of a SeriesRows; x (1, window, columns)."""
    found = {}
    for k, (name, mean, std) in enumerate(
        zip(rows.columns, rows.scaling.mean, rows.scaling.std, strict=True)
    ):
        lines = []
        for t in range(max(0, rows.window - SHOWN), rows.window):
            value = float(x[0, t, k]) * std + mean
            written = equation("({0:n} - {1}) / {2}", _standardized, value, mean, std)
            lines.append(f"{name}, step {t + 1} of {rows.window}: {number(value)} -> {written}")
        found[name] = lines
    return found


def standardizing_of_network(spec: dict, x, names: list, what: str) -> dict:
    """Of the middle element of x (1, ..., channels), which the network standardizes itself.

    Args:
        spec: of the network, with the "mean" and "std" of each channel.
        names: of the channels; [] for their numbers, or for nothing if there is one.
        what: the positions are: "pixel".
    """
    place = tuple(size // 2 for size in x.shape[1:-1])
    at = ", ".join(str(k) for k in place)
    lines = []
    for c, (mean, std) in enumerate(zip(spec["mean"], spec["std"], strict=True)):
        if c == SHOWN:
            lines.append(f"and {len(spec['mean']) - SHOWN} more channels, likewise")
            break
        value = float(x[(0, *place, c)])
        written = equation("({0:n} - {1}) / {2}", _standardized, value, mean, std)
        channel = f" {names[c]}" if names else f", channel {c + 1}" * (len(spec["mean"]) > 1)
        lines.append(f"{what} ({at}){channel}: {number(value)} -> {written}")
    return {what: [f"the first layer standardizes every {what}; for example:", *lines]}


def token_encoding(tokenizer, ids, *, last: bool = False) -> dict:
    """Of the tokens of a text: the first ones, or the last ones."""
    ids = [int(k) for k in ids if int(k) != tokenizer.padding]
    shown = ids[-TOKENS:] if last else ids[:TOKENS]
    parts = ", ".join(f"{tokenizer.token(k)!r} -> {k}" for k in shown)
    more = len(ids) - len(shown)
    left = f" ({more} more {'before' if last else 'after'})" if more > 0 else ""
    return {"text": [f"each token is a number, which chooses a learned vector{left}:", parts]}
