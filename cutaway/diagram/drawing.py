"""draw: the architecture of a network as SVG, with nodes and edges or as blocks."""

from cutaway.diagram.architecture import draw_blocks
from cutaway.diagram.nodes import columns_of, draw_nodes
from cutaway.diagram.numbered import draw_numbered
from cutaway.errors import OptionError, expect_integer
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
    depth: int | None = None,
    numbers: bool = False,
) -> Drawing:
    """The architecture of `net` as SVG.

    A Sequential of Linear layers and activations is drawn with its nodes, and with an edge for
    each weight between nodes that are shown: blue for positive, orange and dashed for negative,
    thicker for larger. Any other network is drawn as blocks: a module that contains others is a
    frame around them, branches split and merge, and repeats are drawn once with their number. The
    structure comes from running the network on an input of the given shape, without changing it.

    Args:
        input_shape: of one example, without the batch; a list or dict of shapes for several
            inputs. If given, blocks show the shape of their output where it differs from their
            input's.
        x: instead of input_shape a batch of inputs, for networks that need integers or other
            types; a tuple or dict of batches for several inputs.
        path: what to highlight. For nodes: (layer, i) of consecutive layers, counted from 0, with
            the inputs as layer 0; or weights (layer, i, j), from node i to node j of that layer; a
            layer is a number or a path such as "2". For blocks: paths of modules.
        input_names, output_names: names beside the nodes of the first and last layer.
        depth: of blocks, how many levels of modules are shown: with 1, each module of the network
            is one block. None: all.
        numbers: of a small network of neurons, write the name and number of each weight and bias,
            and with a row x the activations; at most 10 inputs and 6 neurons in a layer.

    Raises:
        OptionError: net is not a Module, or does not contain the path; depth is below 1; numbers
            of a network that is too large or not one of neurons.

    Example:
        >>> import cutaway as ct
        >>> from cutaway.models import mlp
        >>> ct.draw(mlp((4, 3, 2, 1)), path=[(0, 2), (1, 0), (2, 1), (3, 0)]).svg.count("<circle")
        10
    """
    if not isinstance(net, Module):
        raise OptionError(
            f"draw: got a {type(net).__name__}",
            expected="a network, that is, a Module",
            fix="pass the network itself, not its class, a compiled step or a trainer",
        )
    if depth is not None:
        expect_integer(depth, what="draw: depth", least=1)
    columns = columns_of(net)
    if numbers:
        if columns is None or path:
            raise OptionError(
                "draw: numbers=True" + (" with a path" if columns is not None else ""),
                expected="a Sequential of Linear layers and activations, and no path",
                fix="leave numbers out, or draw a network of neurons",
            )
        return draw_numbered(columns, net, x, input_names=input_names, output_names=output_names)
    if columns is not None:
        return draw_nodes(columns, input_names=input_names, output_names=output_names, path=path)
    return draw_blocks(net, input_shape=input_shape, x=x, path=path, depth=depth)
