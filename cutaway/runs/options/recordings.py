"""Training options for recordings."""

import dataclasses

from cutaway.errors import expect_choice, expect_integer, expect_range
from cutaway.runs.options.every_kind import TrainingOptions
from cutaway.runs.options.flags import MODEL, SKIP_UNREADABLE, option


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordingOptions(TrainingOptions):
    """Training options for audio classification; None means that the data decide.

    Attributes:
        model: "time_series_cnn", see models.cnn; its input is the log-mel spectrogram, a series
            whose channels are the mel bands.
        sample_rate: samples per second; None: that of the first recording, at most 16,000.
        seconds: length of all inputs; None: that of the longest recording, at most 4.
        bands: number of mel bands.
        skip_unreadable: the most recordings that are skipped if they cannot be read, in all sets
            together; see data.SkippedFiles.
        others: see TrainingOptions.
    """

    LEAST_STEPS, LEAST_EPOCHS, MOST_EPOCHS = 1000, 30, 300
    LEAST_BATCH, MOST_BATCH = 16, 128

    weight_decay: float = 0.01
    dropout: float = 0.2
    model: str = option("time_series_cnn", MODEL)
    sample_rate: int | None = None
    seconds: float | None = None
    bands: int = 40
    skip_unreadable: int = option(0, SKIP_UNREADABLE)

    def __post_init__(self):
        super().__post_init__()
        expect_choice(self.model, ("time_series_cnn",), what="model for recordings")
        expect_range(self.bands, what="bands", least=1)
        expect_integer(self.skip_unreadable, what="skip_unreadable", least=0)
        if self.sample_rate is not None:
            expect_range(self.sample_rate, what="sample_rate", least=100)
        if self.seconds is not None:
            expect_range(self.seconds, what="seconds", above=0)
