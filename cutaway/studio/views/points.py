"""The rows of the data on the plane of two columns."""

import numpy as np

from cutaway.nn.trees import leaves
from cutaway.studio.labeled_outputs import (
    class_names,
    class_numbers,
    predicts_classes,
    values_in_unit,
)
from cutaway.studio.subject import Subject
from cutaway.studio.views.contract import Scene, View, once_per_scene

MOST = 500


class PointsView(View):
    """Arrays: xy, (n, 2) in the table's units; y, class numbers or values; row and set of each.

    "set" is 0 for training rows, 1 for validation rows.
    """

    name = "points"
    title = "Rows of the data"

    def fits(self, scene):
        return scene.subject.inputs is not None and len(scene.subject.inputs) > 1

    def looked(self, scene):
        return _points(scene)

    def header(self, scene, arrays):
        subject = scene.subject
        total = len(subject.training) + len(subject.validation)
        found = {"left_out": total - len(arrays["row"]), "columns": list(scene.look.columns)}
        if arrays["y"].dtype.kind == "i":
            count = max(2, 1 + int(arrays["y"].max(initial=0)))
            named = count if subject.classes is None else len(subject.classes)
            return {**found, "labels": class_names(subject, max(count, named))}
        low, high = (float(f(arrays["y"])) for f in (np.min, np.max))
        return {**found, "labels": [subject.target], "scale": [low, high]}


@once_per_scene
def _points(scene: Scene) -> dict[str, np.ndarray]:
    subject = scene.subject
    assert subject.inputs is not None  # otherwise it does not fit
    rows, places, sets = chosen_rows(subject)
    x = np.asarray(leaves(subject.x)[0])[rows]
    columns = [(place, subject.inputs[place]) for place in scene.look.columns]
    xy = np.stack([c.decoded(x[:, place]) for place, c in columns], axis=1)
    return {
        "xy": xy.astype(np.float32),
        "y": _targets(scene, rows),
        "row": rows.astype(np.int32),
        "place": places.astype(np.int32),
        "set": sets,
    }


def chosen_rows(subject: Subject) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(rows, the place of each within its set, 0 of a training and 1 of a validation row).

    At most 500 of all rows, the same ones each time.
    """
    counts = [len(subject.training), len(subject.validation)]
    rows = np.concatenate([subject.training, subject.validation]).astype(np.int64)
    places = np.concatenate([np.arange(count) for count in counts])
    sets = np.repeat([0, 1], counts).astype(np.uint8)
    if len(rows) > MOST:
        rng = np.random.default_rng(subject.seed)
        kept = np.sort(rng.choice(len(rows), MOST, replace=False))
        rows, places, sets = rows[kept], places[kept], sets[kept]
    return rows, places, sets


def _targets(scene: Scene, rows) -> np.ndarray:
    target = np.asarray(leaves(scene.subject.y)[0])[rows]
    if predicts_classes(scene.subject, scene.program):
        return class_numbers(target)
    return values_in_unit(scene.subject, target.reshape(len(rows), -1))[:, 0].astype(np.float32)
