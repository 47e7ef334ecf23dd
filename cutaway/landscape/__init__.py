"""The loss around a point: curvature, slices, textbook surfaces, and optimizers racing on them."""

from cutaway.landscape.hessian import Curvature, curvature, curvature_of
from cutaway.landscape.optimizer_race import Contestant, Race, race
from cutaway.landscape.slices import (
    LossSurface,
    filter_normalized,
    loss_surface,
    path_directions,
    random_directions,
)
from cutaway.landscape.textbook import SURFACES, TextbookSurface, textbook_surface

__all__ = [
    "SURFACES",
    "Contestant",
    "Curvature",
    "LossSurface",
    "Race",
    "TextbookSurface",
    "curvature",
    "curvature_of",
    "filter_normalized",
    "loss_surface",
    "path_directions",
    "race",
    "random_directions",
    "textbook_surface",
]
