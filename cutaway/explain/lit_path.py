"""A drawing of a network of neurons with its numbers, in which a chain-rule path is lit."""

import re
from typing import Any

from cutaway.diagram import draw
from cutaway.errors import OptionError
from cutaway.nn.trees import map_leaves
from cutaway.story.svg import Drawing

NODE = re.compile(r"[zO]_(\d+)(?:,\d+)*\^\((\d+)\)")
WEIGHT = re.compile(r"w_(\d)(\d)\^\((\d+)\)|w_(\d+),(\d+)\^\((\d+)\)")
OUTPUT = re.compile(r"[ŷz](?:_(\d+))?")


def lit_nodes(names) -> list[tuple[int, int]]:
    """[(layer, node)] of a path of names like O_2^(1), for `draw(net, path=...)`.

    Args:
        names: of the path's elements, from the loss to the weight: `Path.nodes`.

    Example:
        >>> from cutaway.explain.lit_path import lit_nodes
        >>> lit_nodes(["L", "ŷ", "z_1^(2)", "O_1^(1)", "z_1^(1)", "w_31^(1)"])
        [(0, 2), (1, 0), (2, 0)]
    """
    found: dict[int, int] = {}
    last, before = 0, ""
    for name in reversed(names):
        if match := NODE.fullmatch(name):
            last = int(match[2])
            found[last] = int(match[1]) - 1
        elif match := WEIGHT.fullmatch(name):
            i, _, layer = match.groups()[:3] if match[1] else match.groups()[3:]
            found[int(layer) - 1], last = int(i) - 1, max(last, int(layer) - 1)
        elif match := OUTPUT.fullmatch(name):
            # ŷ after z_1^(3) is the activation of the same neuron
            is_activation = before.startswith("z_") or (before == "z" and name != "z")
            last = last if is_activation else last + 1
            found[last] = int(match[1] or 1) - 1
        before = name
    return sorted(found.items())


def lit_drawing(why, net, gradient=None, *, input_names=None) -> Drawing:
    """The network with the strongest path of a gradient lit, and with its numbers if it is small.

    Args:
        why: the Explanation.
        gradient: a GradientStory of it; None: no path is lit.
        input_names: beside the first nodes.
    """
    x = map_leaves(lambda leaf: leaf.numpy(), why.trace.x)
    path = lit_nodes(gradient.paths[0].nodes) if gradient is not None and gradient.paths else ()
    tried: list[dict[str, Any]] = [{"numbers": True, "path": path}, {"path": path}, {}]
    for options in tried:
        try:
            return draw(net, x=x, input_names=input_names, **options)
        except OptionError:  # too large for numbers, or a path that this drawing cannot show
            continue
    return draw(net, input_names=input_names)
