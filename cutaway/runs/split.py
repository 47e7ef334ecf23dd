"""Training, validation and test rows."""

import numpy as np

from cutaway.data import stratified_split


def split_validation(y, options, *, stratify: bool):
    """(training, validation, test): sorted row indices; test is empty if options.test is 0.

    Without a test set the other two are those of `stratified_split`.
    """
    rest, test = split_test(y, options, stratify=stratify)
    training, validation = stratified_split(
        y[rest], options.validation, seed=options.seed, stratify=stratify
    )
    return rest[training], rest[validation], test


def split_test(y, options, *, stratify: bool):
    """(rest, test): sorted row indices."""
    if not options.test:
        return np.arange(len(y)), np.zeros(0, int)
    return stratified_split(y, options.test, seed=options.seed, stratify=stratify)


def make_test_set(x, y, test, examples: str) -> tuple:
    """((x, y) of the test rows or None, notes about them)."""
    if not len(test):
        return None, []
    return (x[test], y[test]), [
        f"test set: {len(test):,} {examples}, used for the final scores only"
    ]
