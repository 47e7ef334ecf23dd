"""The states of a recurrent layer after each step of the row that is looked at."""

import jax.numpy as jnp

from cutaway.nn.recurrent import Recurrent
from cutaway.studio.sequences import (
    STEPS,
    UNITS,
    about_steps,
    first_step,
    layers_of,
    without_padding,
)
from cutaway.studio.shapes import output_shapes
from cutaway.studio.views.contract import Passes, View


class HiddenView(View):
    """Arrays: states, (time, units), at most 64 of each."""

    name = "hidden"
    title = "Hidden states"
    needs = ("row",)
    has_row = True
    has_layer = True

    def fits(self, scene):
        return bool(self.layers(scene))

    def layers(self, scene):
        return layers_of(scene, Recurrent)

    def traced(self, passes: Passes, scene):
        states = passes.row.of[self.layer(scene)].data[0]  # (time, units)
        first = first_step(scene, len(states))
        return {"states": states[first : first + STEPS, :UNITS].astype(jnp.float32)}

    def header(self, scene, arrays):
        path = self.layer(scene)
        _, time, units = output_shapes(scene.program, scene.example())[path]
        return {"layers": self.layers(scene), **about_steps(scene, path, time, units)}

    def sent(self, scene, arrays):
        return {"states": without_padding(scene, arrays["states"])}
