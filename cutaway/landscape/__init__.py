"""The loss around a point: curvature, slices, textbook surfaces, and optimizers racing on them."""

from cutaway.landscape.activation_slopes import ActivationCurve, activation_curve
from cutaway.landscape.batch_sizes import BatchRace, batch_race
from cutaway.landscape.formula import Formula, parse_formula
from cutaway.landscape.hessian import Curvature, curvature, curvature_of
from cutaway.landscape.loss_slopes import LossSlopes, loss_curve
from cutaway.landscape.optimizer_race import Contestant, Race, race
from cutaway.landscape.own_surface import formula_surface
from cutaway.landscape.regression_rows import RegressionSurface, regression_surface
from cutaway.landscape.slices import (
    LossSurface,
    filter_normalized,
    loss_surface,
    path_directions,
    random_directions,
)
from cutaway.landscape.stationary_points import CurvePoints, curve_points
from cutaway.landscape.textbook import SURFACES, TextbookSurface, textbook_surface
from cutaway.landscape.weight_tangent import WeightCurve, weight_curve

__all__ = [
    "SURFACES",
    "ActivationCurve",
    "BatchRace",
    "Contestant",
    "Curvature",
    "CurvePoints",
    "Formula",
    "LossSlopes",
    "LossSurface",
    "Race",
    "RegressionSurface",
    "TextbookSurface",
    "WeightCurve",
    "activation_curve",
    "batch_race",
    "curvature",
    "curvature_of",
    "curve_points",
    "filter_normalized",
    "formula_surface",
    "loss_curve",
    "loss_surface",
    "parse_formula",
    "path_directions",
    "race",
    "random_directions",
    "regression_surface",
    "textbook_surface",
    "weight_curve",
]
