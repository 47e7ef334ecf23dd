"""The studio: a network that trains before one's eyes, with every number one click away."""

from cutaway.callable_package import make_callable
from cutaway.studio.open_studio import Studio, studio

make_callable(__name__, studio)

__all__ = ["Studio"]
