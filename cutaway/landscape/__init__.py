"""The loss around a point: curvature, slices, textbook surfaces, and optimizers racing on them."""

from cutaway.landscape.batch_race import BatchRace, batch_race
from cutaway.landscape.formula import Formula, parse_formula
from cutaway.landscape.formula_surface import formula_surface
from cutaway.landscape.hessian import Curvature, curvature, curvature_of
from cutaway.landscape.optimizer_race import Contestant, Race, race
from cutaway.landscape.regression_surface import RegressionSurface, regression_surface
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
    "BatchRace",
    "Contestant",
    "Curvature",
    "Formula",
    "LossSurface",
    "Race",
    "RegressionSurface",
    "TextbookSurface",
    "batch_race",
    "curvature",
    "curvature_of",
    "filter_normalized",
    "formula_surface",
    "loss_surface",
    "parse_formula",
    "path_directions",
    "race",
    "random_directions",
    "regression_surface",
    "textbook_surface",
]
