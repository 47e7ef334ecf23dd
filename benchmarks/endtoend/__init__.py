"""Whole trainings, from files on disk to a score that is fixed before anything is timed."""
