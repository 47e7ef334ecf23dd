"""The feature maps of a layer: what each of its channels shows of the row that is looked at."""

import math

import jax.numpy as jnp
import numpy as np

from cutaway.nn.trees import leaves
from cutaway.studio.pictures import flat, reduced, reduction
from cutaway.studio.shapes import output_shapes
from cutaway.studio.views.contract import Passes, Scene, View, quantized

CHANNELS = 64
ROOM = 131_072  # bytes of all maps
KINDS = ("convolution", "pooling", "normalization", "activation")  # of layers that have maps


class MapsView(View):
    """Arrays: maps, (channels, height, width), each from its least (0) to its largest value (255).

    Of a series (channels, 1, time), of a volume its middle slice. Maps that are too large for a
    frame are means of squares of "every" pixels. "input": the picture of the row, if it is one.
    """

    name = "maps"
    title = "Feature maps"
    needs = ("row",)
    has_row = True
    has_layer = True

    def fits(self, scene):
        return bool(_layers(scene))

    def layers(self, scene):
        return list(_layers(scene))

    def traced(self, passes: Passes, scene):
        path = self.layer(scene)
        shape = _layers(scene)[path]
        maps = passes.row.of[path].data[0].astype(jnp.float32)
        if maps.ndim == 2:
            maps = maps[None]
        if maps.ndim == 4:
            maps = maps[maps.shape[0] // 2]
        maps = jnp.moveaxis(maps[..., :CHANNELS], -1, 0)  # (channels, height, width)
        maps = reduced(maps, _every(shape), axes=(1, 2))
        low, high = maps.min(axis=(1, 2)), maps.max(axis=(1, 2))
        shown = quantized(maps, low[:, None, None], high[:, None, None])
        return {"maps": shown, "ranges": jnp.stack([low, high], axis=1)}

    def looked(self, scene):
        picture = scene.subject.picture(scene.row)
        return (
            {} if picture is None else {"input": flat(reduced(picture, reduction(picture.shape)))}
        )

    def header(self, scene, arrays):
        layers = _layers(scene)
        path = scene.look.layer if scene.look.layer in layers else next(iter(layers))
        shape = layers[path]
        return {
            "layer": path,
            "layers": list(layers),
            "ranges": arrays["ranges"].tolist(),
            "size": list(shape[1:-1]),
            "every": _every(shape),
            "left_out": max(0, shape[-1] - CHANNELS),
        }

    def sent(self, scene, arrays):
        return {name: array for name, array in arrays.items() if name != "ranges"}


def _layers(scene: Scene) -> dict[str, tuple[int, ...]]:
    """{path: shape of what it returns} of the layers with positions and channels."""
    modules = scene.net.modules()
    positions = max((np.ndim(leaf) for leaf in leaves(scene.example())), default=0)
    found, begun = {}, False
    for path, shape in output_shapes(scene.program, scene.example()).items():
        layer = modules.get(path)
        if layer is None or len(layer.modules()) > 1 or layer.layer_kind not in KINDS:
            continue
        begun |= layer.layer_kind == "convolution"
        if (len(shape) in (4, 5) and positions > 3) or (len(shape) == 3 and begun):
            found[path] = shape
    return found


def _every(shape) -> int:
    """Pixels along each side that become one, so that all maps have room."""
    height, width = (1, shape[1]) if len(shape) == 3 else shape[-3:-1]
    channels = min(shape[-1], CHANNELS)
    if len(shape) == 3:
        return max(1, math.ceil(channels * width / ROOM))
    return max(1, math.ceil(math.sqrt(channels * height * width / ROOM)))
