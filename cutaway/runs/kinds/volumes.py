"""Volumes with labels: segmentation in three dimensions."""

from typing import TYPE_CHECKING

from cutaway.runs.kinds.contract import CERTAIN, DataKind, NetworkInput, Sign
from cutaway.runs.options.volumes import VolumeOptions

if TYPE_CHECKING:
    from cutaway.runs.volumes import VolumeRows


class VolumeKind(DataKind):
    """Volumes with labels."""

    name = "volumes"
    title = "volumes with labels"
    takes = "a folder of NIfTI volumes and one of labels, or with a dataset.json"
    place = 8
    options = VolumeOptions
    network = "a V-Net"
    new = ("VOLUMES --out FOLDER", "MORE")
    attributes = False

    def recognize(self, source):
        from cutaway.data import looks_like_volumes

        reason = None if source.folder is None else looks_like_volumes(source.folder)
        return None if reason is None else Sign(reason, CERTAIN)

    def preprocessing(self):
        from cutaway.runs.volumes import VolumeRows

        return VolumeRows

    def prepare(self, data, target, options, *, why):
        from cutaway.runs.volumes import prepare_volumes

        return prepare_volumes(data, options, why=why)

    def networks(self):
        from cutaway.runs.dense_networks import unet_3d_of, vnet_of

        return {"vnet-3d": vnet_of, "unet-3d": unet_3d_of}

    def network_inputs(self, rows: "VolumeRows"):
        sentences = [
            "volumes whose axes run to the right, anterior and superior, channels last; each "
            "channel standardized by its own mean and standard deviation",
            "`cutaway predict` predicts whole volumes in overlapping tiles of "
            f"{' x '.join(map(str, rows.size))}, mirrored at the edges",
        ]
        other = (*(n * k for n, k in zip(rows.size, (2, 3, 4), strict=False)), rows.channels)
        return [
            NetworkInput(
                "volumes", (*rows.size, rows.channels), "float32", sentences, other_shape=other
            )
        ]

    def picture(self, rows: "VolumeRows", x, y):
        return rows.flat(x, y)[0]

    def describe_outputs(self, rows: "VolumeRows", loss):
        from cutaway.runs.dense_networks import describe_classes

        return describe_classes(rows)

    def explain_example(self, run, data, row):
        from cutaway.runs.dense_explain import explain_mask

        return explain_mask(run, data, row)

    def use(self, run):
        return f"cutaway predict {run} VOLUMES --out FOLDER", "predict labels of new volumes"
