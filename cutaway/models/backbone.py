"""Base of networks for transfer learning: a backbone in stages, and a head."""

import copy
from typing import Any, Self

import jax

from cutaway.engine import Tensor, as_array, no_grad
from cutaway.errors import OptionError
from cutaway.nn import BatchNorm, Module, in_mode
from cutaway.nn.trees import map_leaves

SIDE = 256  # of the images by which the scales of stages are found


class Backbone(Module):
    """A network in two parts: a body that extracts features, stage by stage, and a head.

        forward(x) = head(features(x))

    A subclass sets `stages`, the names of the body's attributes from the input on, builds each
    as a Module, and sets `pool`, `head` and `num_features`. If the body is not a plain chain, it
    overrides `maps`.

    Attributes:
        stages: names of the body's parts in order; freezing and layer-wise learning rates refer
            to these names.
        num_features: number of features that the head reads.
        pool: Module, last map -> features.
        head: Module, features -> outputs.

    Shapes (images):
        x: (batch, height, width, channels)
        maps: {stage: (batch, height / stride, width / stride, channels)}
        features: (batch, num_features)
    """

    stages: tuple[str, ...] = ()
    num_features: int
    pool: Module
    head: Module

    def maps(self, x) -> dict:
        """{stage: its output}, in order: features at several scales."""
        found = {}
        for name in self.stages:
            x = getattr(self, name)(x)
            found[name] = x
        return found

    def features(self, x):
        """The input of the head: (batch, num_features)."""
        return self.pool(self.maps(x)[self.stages[-1]])

    def forward(self, x):
        return self.head(self.features(x))

    def groups(self) -> dict:
        """{stage: its parameters}, from the input on, the head last; each parameter once.

        Those of `pool` belong to the last stage; others outside all stages (of a layer before the
        first) to the first.
        """
        parts = {name: [] for name in (*self.stages, "head")}
        first = next(iter(parts))
        for path, parameter in self.named_parameters().items():
            name = path.split(".")[0]
            name = self.stages[-1] if name == "pool" else name
            parts[name if name in parts else first].append(parameter)
        return parts

    def stages_before(self, stage: str) -> tuple:
        """The names of the stages before `stage` ("head": all of them).

        Raises:
            OptionError: there is no such stage.
        """
        names = (*self.stages, "head")
        if stage not in names:
            raise OptionError(
                f"{type(self).__name__} has no stage {stage!r}",
                expected=f"one of {', '.join(names)}",
                fix="name the first stage to train; the head is always trained",
            )
        return names[: names.index(stage)]

    def up_to(self, stage: str) -> Self:
        """The backbone without what follows a stage, with the same modules; it has only `maps`."""
        names = (*self.stages_before(stage), stage)
        body = copy.copy(self)
        body.stages = names
        for name in (*self.stages[len(names) :], "pool", "head"):
            body.__dict__.pop(name, None)
        return body


def shapes_of(net: Module, function, shape) -> Any:
    """Shapes of what a function gives for an input of this shape, in evaluation mode.

    Nothing is computed: the shapes follow from the program.

    Args:
        net: that the function calls.
        function: of a Tensor, to a tree of Tensors.
    """

    @no_grad()
    def arrays(x):
        return map_leaves(as_array, function(Tensor(x)))

    with in_mode(net, False):
        found = jax.eval_shape(arrays, jax.ShapeDtypeStruct(tuple(shape), "float32"))
    return map_leaves(lambda leaf: leaf.shape, found)


def map_scales(backbone: Backbone) -> dict[str, tuple[int, int]]:
    """{stage: (how many times smaller than the image its map is, channels)}.

    Nothing is computed: the shapes follow from the program. Stages that give no map are left out.
    """
    found = shapes_of(backbone, backbone.maps, (1, SIDE, SIDE, getattr(backbone, "in_channels", 3)))
    # in the order of the stages, which eval_shape does not keep
    shapes = {name: found[name] for name in backbone.stages if len(found[name]) == 4}
    return {name: (SIDE // height, n) for name, (_, height, _, n) in shapes.items()}


def last_of_each_scale(scales, *, above: int = 1) -> tuple[str, ...]:
    """The last stage of each scale, from the largest map on, without a final 1x1 "top".

    Args:
        scales: of `map_scales`.
        above: only maps that are more than so many times smaller than the image.
    """
    last = {scale: name for name, (scale, _) in scales.items() if name != "top" and scale > above}
    return tuple(last[scale] for scale in sorted(last))


def freeze_body(body: Module, *, batch_statistics: bool = False) -> None:
    """Keep the weights of a backbone, which stays in evaluation mode, also after `train()`.

    Args:
        batch_statistics: whether its batch norms go on following the batches.
    """
    body.freeze()
    for module in body.modules().values():
        if batch_statistics and isinstance(module, BatchNorm):
            continue
        module.stays_in_eval, module.training = True, False
