"""Which steps of a sequence a view shows, and what they are called."""

import numpy as np

from cutaway.nn.trees import leaves
from cutaway.studio.shapes import output_shapes
from cutaway.studio.views.contract import Scene

STEPS, UNITS = 64, 64  # shown


def first_step(scene: Scene, steps: int) -> int:
    """The first one shown: a text from its beginning, of a longer series the end."""
    is_text = any(leaf.dtype.kind in "iu" for leaf in map(np.asarray, leaves(scene.example())))
    return 0 if is_text or steps <= STEPS else steps - STEPS


def step_names(scene: Scene, steps: int) -> list[str]:
    """Names of the steps that are shown; padding at the end has none, and fewer names are given."""
    first = first_step(scene, steps)
    names = scene.subject.tokens(scene.row)
    if names is None:
        names = [str(k + 1) for k in range(steps)]
    return [str(name) for name in names[first : first + STEPS]]


def about_steps(scene: Scene, path: str, time: int, units: int) -> dict:
    """What headers say of (time, units) of a layer, of which a part is shown."""
    return {
        "layer": path,
        "steps": step_names(scene, time),
        "first": first_step(scene, time),
        "left_out": {"steps": max(0, time - STEPS), "units": max(0, units - UNITS)},
    }


def without_padding(scene: Scene, values: np.ndarray) -> np.ndarray:
    """(time, ...) of which only the steps that have names are sent."""
    return values[: len(step_names(scene, len(values)))]


def layers_of(scene: Scene, kinds) -> list[str]:
    """Paths of the layers of these classes that run for the row."""
    modules = scene.net.modules()
    shapes = output_shapes(scene.program, scene.example())
    return [path for path, shape in shapes.items()
            if isinstance(modules.get(path), kinds) and len(shape) == 3]  # fmt: skip
