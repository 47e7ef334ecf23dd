"""How many shapes a test draws: those that take long draw fewer, but for the thorough profile.

pytest -m hypothesis --hypothesis-profile=thorough
"""

from hypothesis import settings

THOROUGH = 25


def few(shapes: int) -> settings:
    """Decorator: so many shapes, and all of them in the thorough profile."""
    return settings(max_examples=THOROUGH if settings.default.max_examples == THOROUGH else shapes)
