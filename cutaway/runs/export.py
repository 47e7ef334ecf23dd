"""A run's network for other programs, with what its inputs must look like and its outputs mean.

Only the network goes into the file: what `cutaway train` did with the data before (scaling,
tokens, spectrograms) stays outside. So it is written beside the network, as sentences and as the
run's own preprocessing in JSON.
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
    """What goes into a run's network and what comes out.

    Attributes:
        name, shape, dtype: of the input; the shape is that of one row.
        inputs, outputs: sentences.
    """

    name: str
    shape: tuple
    dtype: str
    inputs: list
    outputs: list


def interface(run) -> Interface:
    """The Interface of an opened Run."""
    return Interface(*_OF_KIND[run.config["kind"]](run.preprocessing), outputs=_outputs(run))


def export_run_onnx(run, path) -> dict:
    """Write the run's network to `path` as ONNX, its Interface as metadata in it.

    Returns:
        what export.export_onnx does.
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
    says = [f"{len(rows.features)} numbers, float32, in this order:"]
    says += [f"{', '.join(e.names)}: {_recipe(e)}" for e in rows.encoders]
    return "features", (len(rows.features),), "float32", says


def _recipe(encoder) -> str:
    """How the columns of one encoder are worked out from its column of the table."""
    if isinstance(encoder, Number):
        x = f"ln(1 + {encoder.name})" if encoder.log else encoder.name
        second = ", and 1 where it was" if encoder.indicator else ""
        return f"({x} - {encoder.mean:.6g}) / {encoder.scale:.6g}; where it is missing, " + (
            f"as if it were {encoder.median:g}{second}"
        )
    if isinstance(encoder, Category):
        return f"1 for the level that {encoder.name} has, 0 for the others"
    return f"from {encoder.name}: {encoder.done()} (see `preprocessing`)"


def _images(rows):
    height, width = rows.size
    whole = [round(edge / rows.crop) for edge in rows.size]
    colors = "red, green, blue" if rows.channels == 3 else "gray"
    says = [
        f"images of {height} x {width} pixels, channels last ({colors}), bytes from 0 to 255, "
        f"turned upright by their EXIF, resized to cover {whole[0]} x {whole[1]}, of which the "
        "middle is cut",
        "standardizing them is the network's first step",
    ]
    return "images", (height, width, rows.channels), "uint8", says


def _text(rows):
    says = [
        f"{rows.length} token numbers a text, made by the tokenizer in `preprocessing` "
        f"({rows.kind}); longer texts lose their end, shorter ones are filled up with 0",
    ]
    return "tokens", (rows.length,), "int64", says


def _language(rows):
    says = [f"{rows.length} token numbers, made by the tokenizer in `preprocessing` ({rows.kind})"]
    return "tokens", (rows.length,), "int64", says


def _series(rows):
    says = [
        f"the last {rows.window} steps, oldest first, of these columns, each as (x - mean) / s:"
    ]
    for name, mean, scale in zip(
        rows.columns, rows.scaling.mean, rows.scaling.deviation, strict=True
    ):
        says.append(f"{name}: mean {mean:.6g}, s {scale:.6g}")
    return "window", (rows.window, len(rows.columns)), "float32", says


def _curves(rows):
    says = [f"series of {rows.length} steps, as they come; standardizing is the network's own"]
    return "series", (rows.length, 1), "float32", says


def _recordings(rows):
    from cutaway.data.mel import log_mel

    samples = np.zeros((1, round(rows.seconds * rows.rate)), np.float32)
    says = [
        f"{rows.seconds:g} seconds of sound at {rows.rate} samples a second, as the logarithm of "
        f"the energy in {rows.bands} mel bands (windows of 25 ms, every 10 ms, Hann; "
        "ln(energy + 1e-6))",
    ]
    return "spectrogram", log_mel(samples, rows.rate, bands=rows.bands).shape[1:], "float32", says


_OF_KIND = {
    "table": _table,
    "images": _images,
    "text": _text,
    "language": _language,
    "series": _series,
    "labeled series": _curves,
    "recordings": _recordings,
}


def _outputs(run) -> list:
    rows, task = run.preprocessing, run.preprocessing.task
    if task == "language":
        return ["for each place a logit for each token that may come next; softmax gives chances"]
    if task == "regression":
        mean, scale = rows.target.mean, rows.target.scale
        times = f", {rows.horizon} steps ahead" if hasattr(rows, "horizon") else ""
        return [f"{rows.target.name}{times}, standardized: value = output x {scale!r} + {mean!r}"]
    wants = expects(LOSSES[run.config["network"]["loss"]]).output
    classes = ", ".join(map(str, rows.classes))
    if task == "binary":
        meaning = {
            "logit": "a logit: 1 / (1 + exp(-output)) is the chance of",
            "score": "a score: above 0 means",
        }.get(wants, "the chance of")
        return [f"{meaning} {rows.classes[1]} (otherwise {rows.classes[0]})"]
    kind = "logit: softmax gives chances" if wants in ("logit", "score") else "chance"
    return [f"for each class a {kind}; the classes in order: {classes}"]
