"""How each operation is written in ONNX: one function each, `(graph, *inputs, **options)`.

Inputs are Values (or None, or plain numbers) in the order of the operation's own; the result is a
Value. Someone's own operation is added in the same way:

    @exports(cube)
    def _cube(g, x):
        return g.out("Pow", x, 3)
"""

from cutaway.export.operations import (
    attention,
    elementwise,
    normalisation,
    pooling,
    products,
    recurrence,
    reductions,
    shapes,
)
from cutaway.export.operations.registry import EXPORTS, exports

__all__ = ["EXPORTS", "exports"]
