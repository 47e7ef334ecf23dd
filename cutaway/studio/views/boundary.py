"""The prediction at each point of the plane of two columns: the decision boundary."""

import jax.numpy as jnp
import numpy as np

from cutaway.studio.labeled_outputs import (
    class_names,
    first_output,
    predicts_classes,
    probabilities,
    values_in_unit,
)
from cutaway.studio.views.contract import GRID, Passes, Scene, View, quantized

MOST_CLASSES = 12  # each with a plane of its own; of more classes the winner is shown
LEVELS = 5  # of a scale


class BoundaryView(View):
    """Arrays: grid, (100, 100), or (classes, 100, 100) of more than two; the top row first.

    It holds the probability of the second of two classes, or that of each class; of a regression
    the value. Of more than 12 classes it is that of the most probable one, and "class" says which.
    """

    name = "boundary"
    title = "Decision boundary"
    needs = ("plane",)

    def fits(self, scene):
        return scene.subject.inputs is not None and len(scene.subject.inputs) > 1

    def traced(self, passes: Passes, scene):
        raw = first_output(passes.plane.out)
        raw = raw.reshape(len(raw), -1)
        if not predicts_classes(scene.subject, passes.program):
            return _values(raw, scene)
        found = probabilities(passes.program, raw)
        count = {"count": jnp.full((1,), found.shape[1], jnp.int32)}
        planes = quantized(found.T.reshape(-1, GRID, GRID), 0, 1)
        if scene.look.output is not None and scene.look.output < len(planes):
            return {"grid": planes[scene.look.output], **count}
        if len(planes) == 2:
            return {"grid": planes[1], **count}
        if len(planes) <= MOST_CLASSES:
            return {"grid": planes, **count}
        winner = found.argmax(axis=1).astype(jnp.uint8).reshape(GRID, GRID)
        return {"grid": planes.max(axis=0), "class": winner, **count}

    def header(self, scene, arrays):
        columns = list(scene.look.columns)
        assert scene.subject.inputs is not None  # otherwise it does not fit
        limits = [scene.limits(place) for place in columns]
        found = {
            "columns": columns,
            "names": [scene.subject.inputs[place].name for place in columns],
            "low": [low for low, _ in limits],
            "high": [high for _, high in limits],
        }
        if "range" in arrays:
            return found | _scale(scene, arrays["range"])
        names = class_names(scene.subject, int(arrays["count"][0]))
        several = arrays["grid"].ndim == 3 or "class" in arrays
        chosen = scene.look.output
        chosen = 1 if chosen is None or chosen >= len(names) else chosen
        return found | {
            "kind": "classes" if several else "class",
            "labels": names if several else [names[chosen]],
            "scale": [0.0, 1.0],
        }

    def sent(self, scene, arrays):
        return {name: arrays[name] for name in ("grid", "class") if name in arrays}


def _values(raw, scene: Scene) -> dict:
    place = _output(scene, raw.shape[1])
    chosen = raw[:, place]
    low, high = chosen.min(), chosen.max()
    ends = jnp.broadcast_to(jnp.stack([low, high])[:, None], (2, raw.shape[1]))
    grid = quantized(chosen, low, high).reshape(GRID, GRID)
    return {"grid": grid, "range": ends.astype(jnp.float32)}


def _output(scene: Scene, count: int) -> int:
    return min(scene.look.output or 0, count - 1)


def _scale(scene: Scene, ends: np.ndarray) -> dict:
    """The scale of a value in the target's unit; "levels" too, since it may be no straight line."""
    low, high = ends
    raw = np.linspace(low, high, LEVELS)
    levels = values_in_unit(scene.subject, raw)[:, _output(scene, ends.shape[1])].tolist()
    return {
        "kind": "value",
        "labels": [scene.subject.target],
        "scale": [levels[0], levels[-1]],
        "levels": levels,
    }
