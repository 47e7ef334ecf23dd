"""draw: the architecture of a network as SVG. Nodes and edges if it is small, blocks if not."""

from cutaway.diagram.architecture import draw_blocks
from cutaway.diagram.nodes import columns_of, draw_nodes
from cutaway.errors import OptionError
from cutaway.nn import Module
from cutaway.story.svg import Drawing


def draw(
    net: Module,
    *,
    input_shape=None,
    x=None,
    path=(),
    input_names=None,
    output_names=None,
) -> Drawing:
    """The architecture of `net` as SVG.

    A Sequential of Linear layers and activations is drawn with its nodes, and with an edge for
    each weight between nodes that are shown: blue for positive, orange and dashed for negative,
    the thicker the larger. Any other network is drawn as blocks: what is inside a module stands
    in its frame, branches part and meet, repeats are drawn once with their number. For that the
    network is run with an input of which only the shape counts; nothing in it is changed.

    Args:
        input_shape: of one example, without the batch; a list of shapes for several inputs. With
            it the blocks show the shapes of their outputs, where they differ from their inputs'.
        x: in its place a batch of inputs, for networks that need integers or other types; a
            tuple for several.
        path: what to light. For nodes a chain of (layer, i), layer 0 being the inputs, i from 0,
            or weights (layer, i, j), from node i to node j of that layer; a layer is a number or
            a path such as "2". For blocks paths of modules.
        input_names, output_names: names beside the nodes of the first and last layer.

    Raises:
        OptionError: something else than a network, or a path that is not in it.

    Example:
        >>> from cutaway.models import mlp
        >>> draw(mlp((4, 3, 2, 1)), path=[(0, 2), (1, 0), (2, 1), (3, 0)]).svg.count("<circle")
        10
    """
    if not isinstance(net, Module):
        raise OptionError(
            f"draw: got a {type(net).__name__}",
            expected="a network, that is, a Module",
            fix="pass the network itself, not its class, a compiled step or a trainer",
        )
    columns = columns_of(net)
    if columns is not None:
        return draw_nodes(columns, input_names=input_names, output_names=output_names, path=path)
    return draw_blocks(net, input_shape=input_shape, x=x, path=path)
