"""The attention weights of the row that is looked at."""

from typing import Any

from cutaway.nn import MultiHeadAttention, replacing
from cutaway.nn.trees import call
from cutaway.studio.sequences import layers_of, step_names
from cutaway.studio.shapes import output_shapes
from cutaway.studio.views.contract import Passes, Scene, View, quantized

HEADS, TOKENS = 16, 64  # shown


class AttentionWeights(View):
    """Arrays: weights, (heads, queries, keys): a row of keys adds up to 1, which is 255."""

    name = "attention"
    title = "Attention"
    needs = ("row",)
    has_row = True
    has_layer = True

    def fits(self, scene):
        return bool(self.layers(scene))

    def layers(self, scene):
        return layers_of(scene, MultiHeadAttention)

    def traced(self, passes: Passes, scene):
        layer: Any = passes.program.net.modules()[self.layer(scene)]
        found = {}

        def keep(*inputs, **named):
            found["weights"] = layer.weights(*inputs, **named).data[0]
            return type(layer).forward(layer, *inputs, **named)

        with passes.evaluating(), replacing({layer: keep}):
            call(passes.program.net, passes.inputs("row"))
        weights = found["weights"]
        heads = weights[_heads(scene, len(weights))]
        return {"weights": quantized(heads[:, :TOKENS, :TOKENS], 0, 1)}

    def header(self, scene, arrays):
        path = self.layer(scene)
        heads = scene.net.modules()[path].num_heads
        shown = range(heads)[_heads(scene, heads)]
        time = output_shapes(scene.program, scene.example())[path][1]
        return {
            "layer": path,
            "layers": self.layers(scene),
            "heads": list(shown),
            "tokens": step_names(scene, time),
            "left_out": {"heads": heads - len(shown), "tokens": max(0, time - TOKENS)},
        }

    def sent(self, scene, arrays):
        count = len(step_names(scene, arrays["weights"].shape[-1]))
        return {"weights": arrays["weights"][:, :count, :count]}


def _heads(scene: Scene, count: int) -> slice:
    """The head that is looked at, or the first ones."""
    head = scene.look.head
    return slice(HEADS) if head is None or head >= count else slice(head, head + 1)
