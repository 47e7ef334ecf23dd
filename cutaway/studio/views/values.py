"""What each layer of neurons returned for the row that is looked at."""

import numpy as np

from cutaway.nn.trees import leaves
from cutaway.studio.shapes import output_shapes
from cutaway.studio.views.contract import Passes, Scene, View, once_per_scene

UNITS = 256  # shown of a layer


class ValuesView(View):
    """Arrays of (units,): PATH, of each layer; z/PATH, what an activation got; input.

    Of a layer with more units the first ones.
    """

    name = "values"
    title = "Values of the neurons"
    needs = ("row",)
    has_row = True

    def fits(self, scene):
        return bool(_layers(scene))

    def traced(self, passes: Passes, scene):
        modules, found = passes.program.net.modules(), {}
        row = leaves(passes.inputs("row"))
        if len(row) == 1 and _is_vector(row[0].shape) and row[0].dtype.kind == "f":
            found["input"] = _cut(row[0].data)
        for path in _layers(scene):
            found[path] = _cut(passes.row.of[path].data)
            z = passes.row.into.get(path)
            if modules[path].activation_function is not None and z is not None:
                found[f"z/{path}"] = _cut(z.data)
        return found

    def header(self, scene, arrays):
        left = {path: n - UNITS for path, n in _layers(scene).items() if n > UNITS}
        return {"left_out": left}


@once_per_scene
def _layers(scene: Scene) -> dict[str, int]:
    """{path: units} of the layers that return one axis of units for a row."""
    modules = scene.net.modules()
    shapes = output_shapes(scene.program, scene.example())
    is_layer = {path: len(m.modules()) == 1 for path, m in modules.items()}
    return {p: s[1] for p, s in shapes.items() if is_layer.get(p) and _is_vector(s)}


def _is_vector(shape) -> bool:
    return len(shape) == 2


def _cut(array):
    return array[0, :UNITS].astype(np.float32)
