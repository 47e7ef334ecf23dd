"""What can be clicked, one file each: a weight, a neuron, a pixel, a time step, a head, ..."""

from cutaway.leaves import objects_of
from cutaway.studio.clicks.contract import Click


def _is_click(value) -> bool:
    return isinstance(value, type) and issubclass(value, Click) and value is not Click


CLICKS: dict[str, Click] = {c.what: c() for c in objects_of(__name__, __path__, _is_click)}
