"""Labeled time series: heartbeats, gestures, sensor signals."""

from typing import TYPE_CHECKING

from cutaway.runs.kinds.contract import CERTAIN, DataKind, NetworkInput, Sign
from cutaway.runs.options.time_series_classification import TimeSeriesClassificationOptions

if TYPE_CHECKING:
    from cutaway.runs.time_series_classification import TimeSeriesClassificationRows


HEADER_BYTES = 1 << 16  # of a .ts file, which may begin with long comments


class TimeSeriesClassificationKind(DataKind):
    """Labeled time series."""

    name = "time-series-classification"
    title = "labeled time series"
    takes = "files of the UCR and UEA archives (.tsv, .ts)"
    place = 5
    options = TimeSeriesClassificationOptions
    network = "a convolutional network over time"
    new = "NEW.tsv", "MORE.tsv"

    def recognize(self, source):
        from cutaway.data.ts_file import SUFFIX, is_ts_file
        from cutaway.data.ucr import SPLIT_NAMES, ucr_pair

        if source.path is None:
            return None
        if source.file is not None and source.path.suffix.lower() == SUFFIX:
            found = is_ts_file(source.begins_with(HEADER_BYTES))
            return Sign("a .ts file: series, then labels", CERTAIN) if found else None
        named = source.folder or (source.path.stem.endswith(SPLIT_NAMES) and not source.target)
        pair = ucr_pair(source.path) if named else None
        if not pair:
            return None
        if source.folder is not None:
            return Sign(f"{pair[0].name} and its test file", CERTAIN)
        return Sign("a file of the UCR archive: a label, then values", CERTAIN)

    def preprocessing(self):
        from cutaway.runs.time_series_classification import TimeSeriesClassificationRows

        return TimeSeriesClassificationRows

    def prepare(self, data, target, options, *, why):
        from cutaway.runs.time_series_classification import prepare_time_series_classification

        return prepare_time_series_classification(data, options, why=why)

    def networks(self):
        from cutaway.models import time_series_cnn
        from cutaway.runs.networks import standardized

        return {"time_series_cnn": standardized(time_series_cnn)}

    def network_inputs(self, rows: "TimeSeriesClassificationRows"):
        of = f"{rows.length} steps" + (f" of {rows.channels} values" if rows.channels > 1 else "")
        sentences = [f"series of {of}, unscaled; the network standardizes them itself"]
        return [NetworkInput("series", (rows.length, rows.channels), "float32", sentences)]

    def step_names(self, rows: "TimeSeriesClassificationRows", x, frame):
        return [f"step {k + 1}" for k in range(len(x))]

    def encoding(self, rows: "TimeSeriesClassificationRows", x, frame, spec):
        from cutaway.runs.row_encoding import standardizing_of_network

        return standardizing_of_network(spec, x, [], "value")

    def baselines(self, experiment):
        from cutaway.runs.baselines import flat_baselines

        return flat_baselines()
