"""The doctor's suite: training programs with one known fault each, healthy ones, and the score."""
