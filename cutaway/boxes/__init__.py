"""Boxes as arrays: overlaps, coding, matching, sampling, suppression. Knows no Tensor.

Boxes are x1 y1 x2 y2, continuous and half-open. All functions have static shapes and serve inside
compiled steps; those with a gradient are in `ops`.
"""

from cutaway.boxes.cells import best_prior, cells_of, kinds_in, owners, usable
from cutaway.boxes.coding import clip_to_picture, encode_boxes, to_centers, to_corners
from cutaway.boxes.grid import SHARE, best_grid_iou, grid_axes, grid_of_boxes
from cutaway.boxes.matching import (
    BACKGROUND,
    IGNORED,
    match_by_threshold,
    match_one_to_one,
    match_with_forced,
    match_with_ties,
    matched,
)
from cutaway.boxes.overlap import (
    aligned_iou,
    areas,
    overlap_with_crowd,
    pairwise_iou,
    shape_iou,
)
from cutaway.boxes.priors import best_prior_iou, kmeans_priors
from cutaway.boxes.sampling import hard_negatives, indices_of, ranks, sample_balanced
from cutaway.boxes.suppression import select_detections, suppress

__all__ = [
    "BACKGROUND",
    "IGNORED",
    "SHARE",
    "aligned_iou",
    "areas",
    "best_grid_iou",
    "best_prior",
    "best_prior_iou",
    "cells_of",
    "clip_to_picture",
    "encode_boxes",
    "grid_axes",
    "grid_of_boxes",
    "hard_negatives",
    "indices_of",
    "kinds_in",
    "kmeans_priors",
    "match_by_threshold",
    "match_one_to_one",
    "match_with_forced",
    "match_with_ties",
    "matched",
    "overlap_with_crowd",
    "owners",
    "pairwise_iou",
    "ranks",
    "sample_balanced",
    "select_detections",
    "shape_iou",
    "suppress",
    "to_centers",
    "to_corners",
    "usable",
]
