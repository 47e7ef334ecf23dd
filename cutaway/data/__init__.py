"""Data: tables, images, masks, boxes, volumes, texts, series, streams. Knows no Tensor."""

from cutaway.data.audio import (
    Recordings,
    find_recordings,
    load_recordings,
    mu_law_decode,
    mu_law_encode,
    resample,
)
from cutaway.data.augmentation import (
    ColorJitter,
    Compose,
    Normalize,
    RandomCrop,
    RandomErasing,
    RandomFlip,
    RandomResizedCrop,
)
from cutaway.data.bin_edges import quantile_edges
from cutaway.data.buckets import TokenStream, bucket_lengths, bucketed_order
from cutaway.data.cells import Cells, read_cells
from cutaway.data.columns import Column
from cutaway.data.cross_fitting import Folds
from cutaway.data.decode import read_image
from cutaway.data.example_stream import stream_examples
from cutaway.data.folders import ClassFolder, files_by_label
from cutaway.data.forecast import ForecastingTask, forecasting_task, seasonal_naive
from cutaway.data.framing import Framing
from cutaway.data.geometry import Geometry, clip_boxes
from cutaway.data.idx import find_idx, read_idx
from cutaway.data.imagenet import imagenet_classes, imagenet_words
from cutaway.data.images import Images, ImageStream, find_images, load_images, stream_images
from cutaway.data.labeled_series import UCRDataset
from cutaway.data.mask_coding import MaskCoding
from cutaway.data.mask_folder import MaskFolder
from cutaway.data.masked_tokens import mask_tokens
from cutaway.data.masks import find_masks, looks_like_masks
from cutaway.data.mel import log_mel
from cutaway.data.mosaic import Mosaic
from cutaway.data.nifti import VolumeHeader, read_labels, read_volume, write_volume
from cutaway.data.object_folder import ObjectFolder
from cutaway.data.objects import find_objects, looks_like_objects
from cutaway.data.picture_pairs import PairFolder, find_pairs, looks_like_pairs
from cutaway.data.prefetch import ArrayStream, BlockStream, ExampleStream
from cutaway.data.preprocessing import TableArrays, TablePreprocessing
from cutaway.data.randaugment import RandAugment
from cutaway.data.random_color import RandomColor
from cutaway.data.random_geometry import ExampleAugmentation, RandomGeometry, RandomLight
from cutaway.data.random_patch import RandomPatch
from cutaway.data.read import read_table
from cutaway.data.series import Scaling, Series, read_series, windows
from cutaway.data.skipped import SkippedFiles
from cutaway.data.split import split_groups, split_in_order, stratified_split
from cutaway.data.stream import ParquetBatches
from cutaway.data.students import students_csv, students_path
from cutaway.data.table_reading import TableReading, find_reading, read_encoded
from cutaway.data.text import read_text
from cutaway.data.text_source import Texts, read_texts
from cutaway.data.tiles import predict_tiles
from cutaway.data.tokenizer import Tokenizer, Tokens
from cutaway.data.touching import border_weights
from cutaway.data.turns import averaged_over_turns
from cutaway.data.ucr import read_ucr, read_ucr_pair
from cutaway.data.volume_folder import VolumeFolder
from cutaway.data.volumes import find_volumes, looks_like_volumes
from cutaway.data.wav import read_wav, write_wav
from cutaway.data.wordpiece import Pieces, WordPiece, batches_by_length

__all__ = [
    "ArrayStream",
    "BlockStream",
    "ClassFolder",
    "ColorJitter",
    "Cells",
    "Column",
    "Compose",
    "ExampleAugmentation",
    "ExampleStream",
    "Folds",
    "ForecastingTask",
    "Framing",
    "Geometry",
    "ImageStream",
    "Images",
    "MaskCoding",
    "MaskFolder",
    "Mosaic",
    "Normalize",
    "ObjectFolder",
    "PairFolder",
    "ParquetBatches",
    "Pieces",
    "RandAugment",
    "RandomColor",
    "RandomCrop",
    "RandomErasing",
    "RandomFlip",
    "RandomResizedCrop",
    "RandomGeometry",
    "RandomLight",
    "RandomPatch",
    "Recordings",
    "Scaling",
    "Series",
    "SkippedFiles",
    "TableArrays",
    "TablePreprocessing",
    "TableReading",
    "Texts",
    "TokenStream",
    "Tokenizer",
    "Tokens",
    "UCRDataset",
    "VolumeFolder",
    "VolumeHeader",
    "WordPiece",
    "averaged_over_turns",
    "batches_by_length",
    "border_weights",
    "bucket_lengths",
    "bucketed_order",
    "clip_boxes",
    "files_by_label",
    "find_idx",
    "find_images",
    "find_masks",
    "find_objects",
    "find_reading",
    "find_pairs",
    "find_recordings",
    "find_volumes",
    "forecasting_task",
    "imagenet_classes",
    "imagenet_words",
    "load_images",
    "load_recordings",
    "log_mel",
    "looks_like_masks",
    "looks_like_objects",
    "looks_like_pairs",
    "looks_like_volumes",
    "mask_tokens",
    "mu_law_decode",
    "mu_law_encode",
    "predict_tiles",
    "quantile_edges",
    "read_idx",
    "read_image",
    "read_labels",
    "read_series",
    "read_cells",
    "read_encoded",
    "read_table",
    "read_text",
    "read_texts",
    "read_ucr",
    "read_ucr_pair",
    "read_volume",
    "read_wav",
    "resample",
    "seasonal_naive",
    "split_groups",
    "split_in_order",
    "stratified_split",
    "stream_examples",
    "stream_images",
    "students_csv",
    "students_path",
    "windows",
    "write_volume",
    "write_wav",
]
