"""WaveNet for the contract test: six blocks over 32 levels."""

from cutaway.losses import sparse_categorical_cross_entropy_with_logits
from cutaway.models import WaveNet
from tests.models.case import Case


def batch(rng):
    codes = rng.integers(0, 32, (4, 17)).astype("int32")
    return codes[:, :-1], codes[:, 1:]


CASES = [
    Case(
        "WaveNet",
        lambda: WaveNet(levels=32, channels=16, skip_channels=32, dilations=(1, 2, 4) * 2),
        batch,
        sparse_categorical_cross_entropy_with_logits,
        lr=1e-2,
    )
]
