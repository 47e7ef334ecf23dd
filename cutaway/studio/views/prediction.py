"""What the network predicts for the row that is looked at, beside the truth."""

import jax.numpy as jnp
import numpy as np

from cutaway.data.mask_coding import DISTINCT
from cutaway.losses import expects
from cutaway.nn.trees import leaves
from cutaway.story.text import number
from cutaway.studio.labeled_outputs import (
    class_names,
    class_numbers,
    first_output,
    predicts_classes,
    probabilities,
    values_in_unit,
)
from cutaway.studio.pictures import flat, reduced, reduction, thinned
from cutaway.studio.views.contract import Passes, Scene, View, quantized

MOST = 128  # outputs of a row
LEAST_SCORE = 0.3  # of a box that is drawn


class OutputView(View):
    """Arrays: value, (outputs,) probabilities or raw values; picture, of outputs that are one.

    A picture is (height, width, 3), or (height, width) of one channel: the input under the colors
    of the predicted classes, the predicted picture, or the input with the predicted boxes.
    """

    name = "output"
    title = "Prediction"
    needs = ("row",)
    has_row = True

    def fits(self, scene):
        return True

    def traced(self, passes: Passes, scene):
        out = passes.row.out
        if _is_boxes(out):
            return {name: out[name].data[0] for name in ("boxes", "scores", "classes", "valid")}
        raw = first_output(out)
        if raw.ndim in (4, 5):
            return _traced_picture(passes, scene, raw)
        raw = raw.reshape(1, -1) if raw.ndim < 3 else raw[:, -1]  # of a language the next token
        if predicts_classes(scene.subject, passes.program):
            raw = probabilities(passes.program, raw)
        return {"value": raw[0].astype(jnp.float32)}

    def header(self, scene, arrays):
        if "value" not in arrays:
            return {"text": scene.subject.row_title(scene.row), **_about_classes(scene, arrays)}
        if predicts_classes(scene.subject, scene.program):
            return _about_class(scene, arrays["value"])
        return _about_value(scene, arrays["value"])

    def sent(self, scene, arrays):
        if "value" in arrays:
            return {"value": _order_of(arrays["value"])[1]}
        picture = scene.subject.picture(scene.row)
        if "boxes" in arrays:
            return {} if picture is None else {"picture": _with_boxes(scene, picture, arrays)}
        if "ids" in arrays:
            return {"picture": _with_classes(scene, picture, arrays["ids"])}
        return {"picture": arrays["picture"]}


def _is_boxes(out) -> bool:
    return isinstance(out, dict) and {"boxes", "scores", "classes", "valid"} <= out.keys()


# numbers


def _order_of(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(numbers of the outputs that are sent, their values): of very many the largest."""
    if len(values) <= MOST:
        return np.arange(len(values)), values
    order = np.argsort(-values, kind="stable")[:MOST]
    return order, values[order]


def _about_class(scene: Scene, values: np.ndarray) -> dict:
    subject = scene.subject
    names = class_names(subject, len(values))
    predicted = int(values.argmax())
    order, shown = _order_of(values)
    found = {
        "kind": "classes",
        "labels": [names[k] for k in order],
        "predicted": names[predicted],
        "target": None,
        "left_out": len(values) - len(shown),
        "values": shown.tolist(),
    }
    text = f"predicted {names[predicted]}, probability {number(values[predicted], 3)}"
    target = np.asarray(leaves(scene.target())[0])
    is_one = target.size == 1 or (target.ndim == 2 and target.shape[1] == len(values))
    place = int(class_numbers(target)[0]) if is_one else -1
    if 0 <= place < len(names):
        found["target"] = names[place]
        text += "; that is right" if place == predicted else f"; it is {names[place]}"
    return found | {"text": text}


def _about_value(scene: Scene, values: np.ndarray) -> dict:
    subject = scene.subject
    shown = values_in_unit(subject, values[None])[0]
    found = {
        "kind": "values",
        "labels": [subject.target] if len(shown) == 1 else [str(k + 1) for k in range(len(shown))],
        "values": shown[:MOST].tolist(),
        "predicted": float(shown[0]),
        "target": None,
        "left_out": max(0, len(shown) - MOST),
    }
    text = f"predicted {number(shown[0])}" if len(shown) == 1 else f"{len(shown)} values predicted"
    target = np.asarray(leaves(scene.target())[0], np.float32)
    if target.size == values.size:
        truth = values_in_unit(subject, target.reshape(1, -1))[0]
        found["target"] = float(truth[0])
        found["targets"] = truth[:MOST].tolist()
        text += f"; the truth is {number(truth[0])}" if len(shown) == 1 else ""
    found["labels"] = found["labels"][:MOST]
    return found | {"text": text}


# pictures


def _traced_picture(passes: Passes, scene: Scene, raw) -> dict:
    """The predicted class of each pixel, or the predicted picture."""
    if raw.ndim == 5:  # a volume: its middle slice
        raw = raw[:, raw.shape[1] // 2]
    picture = raw[0]
    every = reduction(picture.shape)
    if _has_classes_of_pixels(scene):
        found = probabilities(passes.program, thinned(picture, every))
        if found.shape[-1] == 2:
            return {"ids": (found[..., 1] >= scene.subject.threshold).astype(jnp.uint8)}
        return {"ids": found.argmax(axis=-1).astype(jnp.uint8)}
    low, high = _range(scene)
    shown = quantized(reduced(picture.astype(jnp.float32), every), low, high)
    return {"picture": flat(shown)}


def _has_classes_of_pixels(scene: Scene) -> bool:
    wants = expects(scene.program.loss)
    return scene.subject.task == "segmentation" or (
        wants is not None and wants.target in ("labels", "binary") and wants.output != "any"
    )


def _range(scene: Scene) -> tuple[float, float]:
    """That of the values of a picture: from -1 or from 0 to 1, or to 255, by its target."""
    targets = [np.asarray(leaf) for leaf in leaves(scene.subject.y)]
    sample = targets[0][:16]
    low, high = (-1.0 if sample.min() < 0 else 0.0), (255.0 if sample.max() > 1.5 else 1.0)
    return low, high


def _with_classes(scene: Scene, picture, ids: np.ndarray) -> np.ndarray:
    """The input under the colors of the predicted classes; without an input the colors alone."""
    from cutaway.runs.drawn_masks import blended  # points of a plane need no runs
    from cutaway.runs.pair_rows import in_color

    if picture is None:
        picture = np.full((*ids.shape, 1), 255, np.uint8)
    picture = picture[..., None] if picture.ndim == 2 else picture
    shown = in_color(reduced(picture, reduction(picture.shape)))[: ids.shape[0], : ids.shape[1]]
    ids = ids[: shown.shape[0], : shown.shape[1]]
    return blended(shown, ids, _colors(scene), ignore=255)


def _colors(scene: Scene) -> list:
    count = 2 if scene.subject.classes is None else len(scene.subject.classes)
    return [DISTINCT[k % len(DISTINCT)] for k in range(max(2, count))]


def _about_classes(scene: Scene, arrays: dict) -> dict:
    """Which classes were predicted where, in fractions of the pixels."""
    if "boxes" in arrays:
        return _about_boxes(scene, arrays)
    if "ids" not in arrays:
        return {"kind": "picture"}
    from cutaway.runs.drawn_masks import visible_colors

    colors = visible_colors(_colors(scene))
    names = class_names(scene.subject, len(colors))
    found = np.bincount(arrays["ids"].ravel(), minlength=len(colors)) / arrays["ids"].size
    return {
        "kind": "mask",
        "labels": names,
        "colors": [list(map(int, color)) for color in colors],
        "values": found[: len(names)].tolist(),
    }


def _kept_boxes(scene: Scene, arrays: dict) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """(those that are drawn, their classes, names of all classes)."""
    kept = np.flatnonzero(arrays["valid"].astype(bool) & (arrays["scores"] >= LEAST_SCORE))
    classes = arrays["classes"][kept].astype(int)
    known = max(len(scene.subject.classes or []), 1 + int(classes.max(initial=0)))
    return kept, classes, class_names(scene.subject, known)


def _about_boxes(scene: Scene, arrays: dict) -> dict:
    """Classes and scores of the boxes: written on a small picture they would hide it."""
    from cutaway.runs.drawn_boxes import class_color

    kept, classes, names = _kept_boxes(scene, arrays)
    return {
        "kind": "boxes",
        "labels": [names[k] for k in classes],
        "colors": [list(class_color(int(k))) for k in classes],
        "values": arrays["scores"][kept].astype(float).tolist(),
    }


def _with_boxes(scene: Scene, picture: np.ndarray, arrays: dict) -> np.ndarray:
    """The input with the boxes that are predicted with some certainty."""
    from cutaway.runs.drawn_boxes import drawn_boxes
    from cutaway.runs.pair_rows import in_color

    picture = in_color(picture[..., None] if picture.ndim == 2 else picture)
    every = reduction(picture.shape)
    kept, classes, names = _kept_boxes(scene, arrays)
    boxes = arrays["boxes"][kept] / every
    return drawn_boxes(reduced(picture, every), boxes, classes, names, labels=False)
