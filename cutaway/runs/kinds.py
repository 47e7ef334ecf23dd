"""The preprocessing class of each kind of data, imported when it is needed."""

import importlib

from cutaway.errors import RunError

PREPROCESSINGS = {
    "table": "cutaway.runs.preprocessing:TableRows",
    "images": "cutaway.runs.images:ImageRows",
    "time-series-classification": (
        "cutaway.runs.time_series_classification:TimeSeriesClassificationRows"
    ),
    "recordings": "cutaway.runs.recordings:RecordingRows",
    "text": "cutaway.runs.text:TextRows",
    "language": "cutaway.runs.language:LanguageRows",
    "series": "cutaway.runs.series:SeriesRows",
}


def preprocessing_of(kind, where):
    """The preprocessing class of runs of this kind."""
    if kind not in PREPROCESSINGS:
        raise RunError(
            f"{where} is a run of the unknown kind {kind!r}",
            expected="one of " + ", ".join(PREPROCESSINGS),
            fix="open it with the version of Cutaway that wrote it",
        )
    module, name = PREPROCESSINGS[kind].split(":")
    return getattr(importlib.import_module(module), name)
