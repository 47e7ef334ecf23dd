"""A small picture of each neuron: its value at each point of the plane of two columns."""

import jax.numpy as jnp
import numpy as np

from cutaway.diagram.nodes import columns_of
from cutaway.nn import Module
from cutaway.studio.views.contract import THUMBNAIL, Passes, Scene, View, once_per_scene, quantized

MOST = 112  # pictures in a frame, 1,156 bytes each
OF_LAYER = 48  # of them, of one layer


class NeuronsView(View):
    """Arrays: PATH, (units, 34, 34) of each layer of neurons, after its activation; "input" too.

    Of a layer with many units the first ones.
    """

    name = "neurons"
    title = "What each neuron sees"
    needs = ("thumbnail",)

    def fits(self, scene):
        has_plane = scene.subject.inputs is not None and len(scene.subject.inputs) > 1
        return has_plane and columns_of(scene.net) is not None

    def traced(self, passes: Passes, scene):
        counts = _shown(scene)
        outputs = {"input": passes.inputs("thumbnail").data}
        outputs |= {path: passes.thumbnail.of[path].data for path in counts if path != "input"}
        modules, found = scene.net.modules(), {}
        for path, count in counts.items():
            values = outputs[path][:, :count].astype(jnp.float32)
            known = _known_range(modules.get(path) if path != "input" else None)
            low, high = (values.min(), values.max()) if known is None else known
            found[path] = quantized(values.T.reshape(count, THUMBNAIL, THUMBNAIL), low, high)
            found[f"range/{path}"] = jnp.asarray(jnp.stack([low, high]), jnp.float32)
        return found

    def header(self, scene, arrays):
        ranges = {p: arrays[f"range/{p}"].tolist() for p in arrays if not p.startswith("range/")}
        return {**ranges, "left_out": _left_out(scene)}

    def sent(self, scene, arrays):
        return {path: array for path, array in arrays.items() if not path.startswith("range/")}


@once_per_scene
def _left_out(scene: Scene) -> dict[str, int]:
    """{path: number of units that are not shown}."""
    shown = _shown(scene)
    return {p: n - shown.get(p, 0) for p, n in _layers(scene).items() if n > shown.get(p, 0)}


def _layers(scene: Scene) -> dict[str, int]:
    """{path of the activation of each layer of neurons, or of the layer: units}, "input" first."""
    columns, modules = columns_of(scene.net) or [], scene.net.modules()
    paths = ["input"]
    for column in columns[1:]:
        activations = [p for p in column.paths if modules[p].activation_function is not None]
        paths.append(activations[-1] if activations else column.paths[0])
    return {path: column.size for path, column in zip(paths, columns, strict=True)}


def _shown(scene: Scene) -> dict[str, int]:
    """{path: number of units that are shown}."""
    layers = _layers(scene)
    each, left = {}, MOST
    for path, units in reversed(layers.items()):  # the outputs are never left out
        each[path] = min(units, OF_LAYER, left)
        left -= each[path]
    return {path: each[path] for path in layers if each[path]}


def _known_range(module: Module | None) -> tuple[float, float] | None:
    """The range of an activation that is bounded on both sides."""
    function = None if module is None else module.activation_function
    traits = None if function is None else function.traits.activation
    if traits is None or not np.isfinite(traits.range).all():
        return None
    return float(traits.range[0]), float(traits.range[1])
