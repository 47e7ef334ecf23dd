"""Labeled recordings: words, birds, machines."""

import collections
from typing import TYPE_CHECKING

from cutaway.runs.kinds.class_folders import sign_of_classes, sign_of_one
from cutaway.runs.kinds.contract import DataKind, NetworkInput
from cutaway.runs.options.recordings import RecordingOptions

if TYPE_CHECKING:
    from cutaway.runs.recordings import RecordingRows


class RecordingKind(DataKind):
    """Labeled recordings."""

    name = "recordings"
    title = "labeled recordings"
    place = 6
    options = RecordingOptions
    network = "a convolutional network on the log-mel spectrogram"

    def recognize(self, source):
        from cutaway.data.audio import SUFFIXES

        if source.folder is not None:
            return sign_of_classes(source, SUFFIXES, "recordings", by_name=_named_by_class)
        return sign_of_one(source, SUFFIXES, "recording")

    def preprocessing(self):
        from cutaway.runs.recordings import RecordingRows

        return RecordingRows

    def prepare(self, data, target, options, *, why):
        from cutaway.runs.recordings import prepare_recordings

        return prepare_recordings(data, options, why=why)

    def networks(self):
        from cutaway.models import time_series_cnn
        from cutaway.runs.networks import standardized

        return {"time_series_cnn": standardized(time_series_cnn)}

    def network_inputs(self, rows: "RecordingRows"):
        import numpy as np

        from cutaway.data import log_mel

        samples = np.zeros((1, round(rows.seconds * rows.rate)), np.float32)
        shape = log_mel(samples, rows.rate, bands=rows.bands).shape[1:]
        sentences = [
            f"log-mel spectrogram of {rows.seconds:g} seconds at {rows.rate} samples per second: "
            f"ln(energy + 1e-6) in {rows.bands} mel bands (Hann windows of 25 ms, every 10 ms)",
        ]
        return [NetworkInput("spectrogram", shape, "float32", sentences)]

    def picture(self, rows: "RecordingRows", x, y):
        """The spectrogram: time to the right, high bands at the top, loud is bright."""
        import numpy as np

        low, high = float(x.min()), float(x.max())
        gray = np.rint(255 * (x - low) / max(high - low, 1e-6)).astype(np.uint8)
        return gray.T[::-1, :, None]

    def step_names(self, rows: "RecordingRows", x, frame):
        return [f"{k / 100:.2f} s" for k in range(len(x))]  # windows begin every 10 ms

    def encoding(self, rows: "RecordingRows", x, frame, spec):
        from cutaway.runs.row_encoding import standardizing_of_network

        bands = [f"in band {k + 1}" for k in range(x.shape[-1])]
        return standardizing_of_network(spec, x, bands, "value of the spectrogram")

    def baselines(self, experiment):
        from cutaway.runs.baselines import flat_baselines

        return flat_baselines()


def _named_by_class(files) -> bool:
    """Whether the recordings are named class_anything.wav, with several per class."""
    counts = collections.Counter(p.stem.split("_")[0] for p in files if "_" in p.stem)
    return sum(counts.values()) == len(files) and len(counts) > 1 and min(counts.values()) > 1
