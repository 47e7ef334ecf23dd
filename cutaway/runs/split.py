"""Rows to train on, rows held out, and rows kept for a test at the end."""

import numpy as np

from cutaway.data import stratified_split


def split_validation(y, options, *, stratify: bool):
    """(training, held, test): sorted indices of the rows; test is empty for options.test = 0.

    Without a test part the others are those of `stratified_split`.
    """
    known, test = split_test(y, options, stratify=stratify)
    training, held = stratified_split(
        y[known], options.validation, seed=options.seed, stratify=stratify
    )
    return known[training], known[held], test


def split_test(y, options, *, stratify: bool):
    """(known, test): sorted indices of the rows that are left and of those kept for the test."""
    if not options.test:
        return np.arange(len(y)), np.zeros(0, int)
    return stratified_split(y, options.test, seed=options.seed, stratify=stratify)


def kept_back(x, y, test, examples: str) -> tuple:
    """((x, y) of the test rows or None, a note about them in a list)."""
    if not len(test):
        return None, []
    note = f"{len(test):,} {examples} are kept back: nothing is fitted on them or chosen by them"
    return (x[test], y[test]), [note]
