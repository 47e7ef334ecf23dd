"""Training options for time-series classification."""

import dataclasses

from cutaway.errors import expect_choice
from cutaway.runs.options.every_kind import TrainingOptions
from cutaway.runs.options.flags import MODEL, option


@dataclasses.dataclass(frozen=True, kw_only=True)
class TimeSeriesClassificationOptions(TrainingOptions):
    """Training options for time-series classification; None means that the data decide.

    Attributes:
        model: "time_series_cnn", see models.cnn.
        others: see TrainingOptions.
    """

    LEAST_STEPS, LEAST_EPOCHS, MOST_EPOCHS = 1000, 50, 500
    LEAST_BATCH, MOST_BATCH = 16, 128

    weight_decay: float = 0.01
    dropout: float = 0.0
    model: str = option("time_series_cnn", MODEL)

    def __post_init__(self):
        super().__post_init__()
        expect_choice(self.model, ("time_series_cnn",), what="model for time-series classification")
