"""Types of the numbers in a run's JSON files; msgspec checks their ranges when it reads them."""

from typing import Annotated

import msgspec

LARGEST = 2**53  # beyond it, JSON's numbers are not exact
Count = Annotated[int, msgspec.Meta(ge=0, le=LARGEST)]
Size = Annotated[int, msgspec.Meta(ge=1, le=LARGEST)]
Finite = Annotated[float, msgspec.Meta(gt=-1e300, lt=1e300)]
Positive = Annotated[float, msgspec.Meta(gt=0, lt=1e300)]
NotNegative = Annotated[float, msgspec.Meta(ge=0, lt=1e300)]
Fraction = Annotated[float, msgspec.Meta(gt=0, le=1)]
