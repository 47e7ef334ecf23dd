"""Who writes which operation."""

EXPORTS = {}  # Operation -> function


def exports(*operations):
    """Decorator: the function writes these operations."""

    def register(function):
        for operation in operations:
            EXPORTS[operation] = function
        return function

    return register
