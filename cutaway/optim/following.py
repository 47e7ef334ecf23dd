"""What an optimizer or an average does when layers of its network were changed."""

from cutaway.nn.module import Module
from cutaway.nn.resizing import StructureChange


def parameters_after(parameters: list, change: StructureChange, net: Module) -> list:
    """The parameters of an optimizer after a change of a network of which it has some.

    New ones stand where they stand in the network, if it has no others; otherwise at the end.
    """
    places = {id(p): i for i, p in enumerate(net.parameters())}
    if not any(id(p) in places for p in parameters):
        return parameters
    known = {id(p) for p in parameters}
    found = [*parameters, *(p for p in change.added.values() if id(p) not in known)]
    if all(id(p) in places for p in found):
        found.sort(key=lambda p: places[id(p)])
    return found
