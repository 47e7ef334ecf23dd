"""What a network looks like and what happened in it. Never runs training."""

from cutaway.explain.curvature import Curvature, curvature, curvature_of
from cutaway.explain.draw import Drawing, draw
from cutaway.explain.landscapes import LANDSCAPES, Landscape, landscape
from cutaway.explain.surface import (
    LossSurface,
    filter_normalised,
    loss_surface,
    path_directions,
    random_directions,
)
