"""The gradient of each parameter, of the batch of the next step."""

import jax.numpy as jnp

from cutaway.nn import Parameter
from cutaway.studio.views.contract import Passes, Scene, View

MOST = 512  # parameters


class GradientsView(View):
    """Arrays of one number per parameter: mean |∂L/∂w|, the same relative to mean |w|, and zeros.

    "zeros" is the fraction of gradients that are 0.
    """

    name = "gradients"
    title = "Gradients"
    needs = ("batch",)

    def fits(self, scene):
        return bool(_parameters(scene))

    def traced(self, passes: Passes, scene):
        slopes, weights = passes.slopes, _parameters(scene)
        rows = []
        for path in list(weights)[:MOST]:
            if path not in slopes:  # nothing leads from it to the loss
                rows.append((0.0, 0.0, 1.0))
                continue
            size = jnp.abs(slopes[path].data).astype(jnp.float32)
            weight = jnp.abs(weights[path].data).mean()
            mean = size.mean()
            relative = jnp.where(weight > 0, mean / jnp.where(weight > 0, weight, 1), 0)
            rows.append((mean, relative, (size == 0).mean()))
        names = ("mean", "relative", "zeros")
        columns = zip(*rows, strict=True)
        return {
            name: jnp.stack([jnp.asarray(v, jnp.float32) for v in column])
            for name, column in zip(names, columns, strict=True)
        }

    def header(self, scene, arrays):
        parameters = _parameters(scene)
        paths = list(parameters)[:MOST]
        return {
            "paths": paths,
            "sizes": [int(parameters[path].size) for path in paths],
            "left_out": len(parameters) - len(paths),
        }


def _parameters(scene: Scene) -> dict[str, Parameter]:
    """{path as in Program.gradients: Parameter} of those that are trained."""
    return {
        path.removeprefix("net."): variable
        for path, variable in scene.program.variables().items()
        if isinstance(variable, Parameter) and variable.requires_grad and variable.size
    }
