"""Training options for forecasting."""

import dataclasses

from cutaway.errors import OptionError, expect_choice, expect_range
from cutaway.runs.options.every_kind import DATA, TrainingOptions
from cutaway.runs.options.flags import MODEL, SERIES, Flag, option
from cutaway.runs.options.tabular import ReadingOptions
from cutaway.runs.space import Integer


@dataclasses.dataclass(frozen=True, kw_only=True)
class SeriesOptions(ReadingOptions, TrainingOptions):
    """Training options for forecasting; None means a default that depends on the data.

    Attributes:
        model: "lstm", see models.forecast.
        column: the column to forecast; other numeric columns are further inputs. None: the only
            one.
        group: column that tells several series of one table apart; None: found where dates repeat.
        window: input window in steps; None: two seasons, at least 24 steps.
        horizon: steps to forecast; None: a day of hours, a week of days, four weeks, a year of
            months or quarters, otherwise 1.
        season: season of the seasonal naive forecast, the baseline; at most the window. 1 repeats
            the last value. None: the best of the usual ones on the training rows.
        hidden: size of the LSTM.
        others: see ReadingOptions and TrainingOptions. The validation rows are the last ones.
    """

    LEAST_EPOCHS, MOST_EPOCHS = 30, 300
    LEAST_BATCH, MOST_BATCH = 16, 128
    ADAPTIVE_RATE = 5e-3

    weight_decay: float = 0.01
    dropout: float = 0.0
    model: str = option("lstm", MODEL)
    column: str | None = None
    group: str | None = option(
        None,
        Flag(
            "Column that tells several series apart, one for each of its values.",
            SERIES,
            metavar="COLUMN",
            default="found where dates repeat",
        ),
    )
    window: int | None = option(None, Flag("Input window in steps.", SERIES, default="two seasons"))
    horizon: int | None = option(None, Flag("Steps to forecast.", SERIES, default=DATA))
    season: int | None = None
    hidden: int = 32

    def __post_init__(self):
        super().__post_init__()
        expect_choice(self.model, ("lstm",), what="model for series")
        for name in ("window", "horizon", "season", "hidden"):
            value = getattr(self, name)
            if value is not None:
                expect_range(value, what=name, least=1)
        if self.window and self.season and self.season > self.window:
            raise OptionError(
                f"the season is {self.season} steps and the window {self.window}",
                expected="a window of at least one season",
                fix=f"use a window of {2 * self.season}",
            )

    def space(self, rows):
        low, high = min(8, self.hidden), max(128, self.hidden)
        return super().space(rows) | {"hidden": Integer(low, high, start=self.hidden, log=True)}

    def respec(self, spec):
        return super().respec(spec) | {"hidden": self.hidden}
