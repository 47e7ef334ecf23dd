"""Export of a run's network, with a description of its inputs and outputs.

Only the network goes into the file, not the preprocessing (scaling, tokens, spectrograms). So the
metadata describes it, as sentences and as the run's own preprocessing in JSON.
"""

import dataclasses
import json
from pathlib import Path

import numpy as np

from cutaway.data.encoders import Category, Number
from cutaway.export import export_onnx
from cutaway.losses import LOSSES, expects
from cutaway.weights import save_weights


@dataclasses.dataclass(frozen=True)
class Interface:
    """The inputs and outputs of a run's network.

    Attributes:
        name, shape, dtype: of the input; the shape is that of one row.
        inputs, outputs: sentences that describe them.
    """

    name: str
    shape: tuple
    dtype: str
    inputs: list
    outputs: list


def interface(run) -> Interface:
    """The Interface of an opened Run."""
    name, shape, dtype, inputs = _OF_KIND[run.config["kind"]](run.preprocessing)
    return Interface(name, shape, dtype, inputs, _outputs(run))


def export_run_onnx(run, path) -> dict:
    """Write the run's network to `path` as ONNX, with its Interface in the metadata.

    Returns:
        as export.export_onnx.
    """
    about = interface(run)
    metadata = {
        "task": run.config["task"],
        "target": run.config["target"],
        "inputs": "\n".join(about.inputs),
        "outputs": "\n".join(about.outputs),
        "preprocessing": json.dumps(run.preprocessing.to_json(), ensure_ascii=False),
    }
    if run.preprocessing.task in ("binary", "multiclass"):
        metadata["classes"] = json.dumps([str(name) for name in run.preprocessing.classes])
    given = {about.name: (about.shape, about.dtype)}
    return export_onnx(run.net, path, given, metadata=metadata)


def export_run_weights(run, path) -> dict:
    """Write the run's weights to `path` as safetensors; returns {"tensors", "parameters"}."""
    save_weights(run.net, Path(path))
    parameters = sum(parameter.size for parameter in run.net.parameters())
    return {"tensors": len(run.net.state_dict()), "parameters": parameters}


def _table(rows):
    description = [f"{len(rows.features)} numbers, float32, in this order:"]
    description += [f"{', '.join(e.names)}: {_recipe(e)}" for e in rows.encoders]
    return "features", (len(rows.features),), "float32", description


def _recipe(encoder) -> str:
    """How the columns of one encoder are computed from its column of the table."""
    if isinstance(encoder, Number):
        x = f"ln(1 + {encoder.name})" if encoder.log else encoder.name
        second = "; then 1 if missing, otherwise 0" if encoder.indicator else ""
        return (
            f"({x} - {encoder.mean:.6g}) / {encoder.scale:.6g}, missing values replaced by "
            f"{encoder.median:g}{second}"
        )
    if isinstance(encoder, Category):
        return f"one-hot encoding of {encoder.name}"
    return f"from {encoder.name}: {encoder.summary()} (see `preprocessing`)"


def _images(rows):
    height, width = rows.size
    whole = [round(edge / rows.crop) for edge in rows.size]
    colors = "red, green, blue" if rows.channels == 3 else "gray"
    description = [
        f"images of {height} x {width} pixels, channels last ({colors}), values 0 to 255, rotated "
        f"according to EXIF, resized to cover {whole[0]} x {whole[1]} and center-cropped",
        "the network standardizes them itself",
    ]
    return "images", (height, width, rows.channels), "uint8", description


def _text(rows):
    description = [
        f"{rows.length} token ids per text, from the tokenizer in `preprocessing` ({rows.kind}); "
        "longer texts are truncated, shorter ones padded with 0",
    ]
    return "tokens", (rows.length,), "int64", description


def _language(rows):
    description = [f"{rows.length} token ids, from the tokenizer in `preprocessing` ({rows.kind})"]
    return "tokens", (rows.length,), "int64", description


def _series(rows):
    description = [
        f"the last {rows.window} steps, oldest first, of these columns, each as (x - mean) / std:"
    ]
    for name, mean, std in zip(rows.columns, rows.scaling.mean, rows.scaling.std, strict=True):
        description.append(f"{name}: mean {mean:.6g}, std {std:.6g}")
    return "window", (rows.window, len(rows.columns)), "float32", description


def _time_series_classification(rows):
    description = [f"series of {rows.length} steps, unscaled; the network standardizes them itself"]
    return "series", (rows.length, 1), "float32", description


def _recordings(rows):
    from cutaway.data.mel import log_mel

    samples = np.zeros((1, round(rows.seconds * rows.rate)), np.float32)
    description = [
        f"log-mel spectrogram of {rows.seconds:g} seconds at {rows.rate} samples per second: "
        f"ln(energy + 1e-6) in {rows.bands} mel bands (Hann windows of 25 ms, every 10 ms)",
    ]
    return (
        "spectrogram",
        log_mel(samples, rows.rate, bands=rows.bands).shape[1:],
        "float32",
        description,
    )


_OF_KIND = {
    "table": _table,
    "images": _images,
    "text": _text,
    "language": _language,
    "series": _series,
    "time-series-classification": _time_series_classification,
    "recordings": _recordings,
}


def _outputs(run) -> list:
    rows, task = run.preprocessing, run.preprocessing.task
    if task == "language":
        return ["for each position the logits of the next token; softmax gives probabilities"]
    if task == "regression":
        mean, scale = rows.target.mean, rows.target.scale
        times = f", {rows.horizon} steps ahead" if hasattr(rows, "horizon") else ""
        return [f"{rows.target.name}{times}, standardized: value = output x {scale!r} + {mean!r}"]
    expected = expects(LOSSES[run.config["network"]["loss"]])
    assert expected is not None  # every loss of LOSSES declares what it expects
    wants = expected.output
    classes = ", ".join(map(str, rows.classes))
    if task == "binary":
        meaning = {
            "logit": "a logit: 1 / (1 + exp(-output)) is the probability of",
            "score": "a score: above 0 means",
        }.get(wants, "the probability of")
        return [f"{meaning} {rows.classes[1]} (otherwise {rows.classes[0]})"]
    kind = (
        "a logit; softmax gives probabilities" if wants in ("logit", "score") else "a probability"
    )
    return [f"for each class {kind}; classes in order: {classes}"]
