# Written by scripts/write_stubs.py: do not edit.
from cutaway.runs.kinds.contract import DataKind as DataKind
from cutaway.runs.kinds.images import ImageKind as ImageKind
from cutaway.runs.kinds.language import LanguageKind as LanguageKind
from cutaway.runs.kinds.masks import MaskKind as MaskKind
from cutaway.runs.kinds.objects import ObjectKind as ObjectKind
from cutaway.runs.kinds.picture_pairs import PairKind as PairKind
from cutaway.runs.kinds.recordings import RecordingKind as RecordingKind
from cutaway.runs.kinds.series import SeriesKind as SeriesKind
from cutaway.runs.kinds.table import TableKind as TableKind
from cutaway.runs.kinds.text import TextKind as TextKind
from cutaway.runs.kinds.time_series_classification import TimeSeriesClassificationKind as TimeSeriesClassificationKind
from cutaway.runs.kinds.volumes import VolumeKind as VolumeKind

KINDS: dict[str, DataKind]

__all__ = [
    "DataKind",
    "ImageKind",
    "KINDS",
    "LanguageKind",
    "MaskKind",
    "ObjectKind",
    "PairKind",
    "RecordingKind",
    "SeriesKind",
    "TableKind",
    "TextKind",
    "TimeSeriesClassificationKind",
    "VolumeKind",
]
