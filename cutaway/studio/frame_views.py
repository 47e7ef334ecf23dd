"""The arrays of a frame: the views that are looked at, in one compiled program."""

from typing import Any

import numpy as np

from cutaway.engine import as_array
from cutaway.nn import exclusive
from cutaway.nn.lifting import jit
from cutaway.nn.trees import map_leaves
from cutaway.studio.views import VIEWS
from cutaway.studio.views.contract import GRID, THUMBNAIL, Passes, Scene, View


class FrameViews:
    """The views of one scene that are looked at.

    Args:
        scene: the Scene.
    """

    def __init__(self, scene: Scene):
        self.scene = scene
        self.views: list[View] = [
            VIEWS[name] for name in scene.look.views if name in VIEWS and VIEWS[name].fits(scene)
        ]
        owners = scene.program.owners().values()
        self._compiled = jit(self._traced, *owners, donate=False)
        self._needs = {need for view in self.views for need in view.needs}
        self._still: dict[str, Any] = {}  # what stays the same from frame to frame
        self.is_wanted = self.is_ready = False

    def look_at(self, scene: Scene) -> None:
        """Another row or plane of the same network in the same views: nothing is compiled."""
        if scene.look != self.scene.look or scene.row != self.scene.row:
            self.scene, self._still = scene, {}

    def prepare(self) -> None:
        """Compile the program, without running it; another thread may do it."""
        given = self._given()
        with self.scene.program.computing(), self.scene.program.in_mode(False):
            self._compiled.prepare(given)
        self.is_ready = True

    def arrays(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """({"VIEW/NAME": array}, {view: header}) of the network as it is now."""
        program = self.scene.program
        given = self._given()
        with program.computing(), program.in_mode(False):
            found = self._compiled(given)
            of_view = map_leaves(lambda leaf: np.asarray(leaf.data), found)
            arrays, headers = {}, {}
            for view in self.views:
                own = {**of_view.get(view.name, {}), **view.looked(self.scene)}
                headers[view.name] = view.header(self.scene, own)
                sent = view.sent(self.scene, own)
                arrays |= {f"{view.name}/{name}": array for name, array in sent.items()}
        self.is_ready = True
        return arrays, headers

    def _traced(self, given):
        passes = Passes(self.scene.program, given)
        found = {view.name: view.traced(passes, self.scene) for view in self.views}
        return {name: arrays for name, arrays in found.items() if arrays}

    def _given(self) -> dict[str, Any]:
        if not self._still:
            self._still = {"": np.float32(0)}  # so that there is always an argument
            if "row" in self._needs:
                self._still["row"] = map_leaves(as_array, self.scene.example())
            for need, points in (("plane", GRID), ("thumbnail", THUMBNAIL)):
                if need in self._needs:
                    self._still[need] = as_array(self.scene.plane(points))
        if "batch" not in self._needs:
            return self._still
        with exclusive():
            return {**self._still, "batch": self.scene.training.device_batch()}
