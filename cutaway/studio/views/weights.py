"""The weights and biases of a dense network."""

import numpy as np

from cutaway.diagram.nodes import columns_of
from cutaway.studio.views.contract import Passes, Scene, View, once_per_scene

MOST = 32_768  # numbers in a frame; parameters beyond are left out


class WeightsView(View):
    """Arrays: PATH, all values of each parameter."""

    name = "weights"
    title = "Weights"

    def fits(self, scene):
        return columns_of(scene.net) is not None

    def traced(self, passes: Passes, scene):
        chosen = shown_parameters(scene)[0]
        own = passes.program.net.named_parameters()
        return {path: own[path].data.astype(np.float32) for path in chosen}

    def header(self, scene, arrays):
        return {
            "largest": {
                path: float(np.abs(array).max(initial=0)) for path, array in arrays.items()
            },
            "left_out": shown_parameters(scene)[1],
        }


@once_per_scene
def shown_parameters(scene: Scene) -> tuple[list[str], list[str]]:
    """(paths of the parameters that a frame has room for, in order; those of the others)."""
    shown, left, room = [], [], MOST
    for path, parameter in scene.net.named_parameters().items():
        fits = parameter.size <= room
        (shown if fits else left).append(path)
        room -= parameter.size if fits else 0
    return shown, left
