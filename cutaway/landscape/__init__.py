"""The loss around a point: curvature, slices, textbook surfaces, and optimizers racing on them."""

from cutaway.landscape.activation_curve import ActivationCurve, activation_curve
from cutaway.landscape.batch_race import BatchRace, batch_race
from cutaway.landscape.curve_points import CurvePoints, curve_points
from cutaway.landscape.formula import Formula, parse_formula
from cutaway.landscape.formula_surface import formula_surface
from cutaway.landscape.hessian import Curvature, curvature, curvature_of
from cutaway.landscape.loss_curve import LossCurve, loss_curve
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
from cutaway.landscape.weight_curve import WeightCurve, weight_curve

__all__ = [
    "SURFACES",
    "ActivationCurve",
    "BatchRace",
    "Contestant",
    "Curvature",
    "CurvePoints",
    "Formula",
    "LossCurve",
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
