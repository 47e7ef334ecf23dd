"""Modules, layers, initialisation, and jit."""
