"""Pictures with masks: segmentation."""

from typing import TYPE_CHECKING

from cutaway.runs.kinds.contract import CERTAIN, DataKind, NetworkInput, Sign
from cutaway.runs.options.masks import MaskOptions, MaskTransferOptions

if TYPE_CHECKING:
    from cutaway.runs.masks import MaskRows


class MaskKind(DataKind):
    """Pictures with masks."""

    name = "masks"
    title = "pictures with masks"
    takes = "a folder of pictures and one of masks with the same names"
    place = 7
    options = MaskOptions
    network = "a U-Net"
    transfer_options = MaskTransferOptions
    new = ("PICTURES --out FOLDER", "MORE")
    attributes = False

    def recognize(self, source):
        from cutaway.data import looks_like_masks

        reason = None if source.folder is None else looks_like_masks(source.folder)
        return None if reason is None else Sign(reason, CERTAIN)

    def preprocessing(self):
        from cutaway.runs.masks import MaskRows

        return MaskRows

    def prepare(self, data, target, options, *, why):
        from cutaway.runs.masks import prepare_masks

        return prepare_masks(data, options, why=why)

    def prepare_transfer(self, data, target, options, *, why):
        from cutaway.runs.transferred_masks import prepare_transferred_masks

        return prepare_transferred_masks(data, options, why=why)

    def networks(self):
        from cutaway.runs.dense_networks import backbone_unet_of, unet_of

        return {"unet": unet_of, "unet-on-backbone": backbone_unet_of}

    def network_inputs(self, rows: "MaskRows"):
        colors = "red, green, blue" if rows.channels == 3 else "gray"
        sentences = [
            f"pictures, channels last ({colors}), values 0 to 255, rotated according to EXIF",
            "the network standardizes them itself; `cutaway predict` predicts whole pictures in "
            f"overlapping tiles of {' x '.join(map(str, rows.size))}, mirrored at the edges",
        ]
        if rows.turned:
            sentences.append(
                "`cutaway predict` averages four turns of each tile; the exported network predicts "
                "one"
            )
        other = (*(n * k for n, k in zip(rows.size, (2, 3, 4), strict=False)), rows.channels)
        return [
            NetworkInput(
                "pictures", (*rows.size, rows.channels), "uint8", sentences, other_shape=other
            )
        ]

    def picture(self, rows: "MaskRows", x, y):
        return x

    def describe_outputs(self, rows: "MaskRows", loss):
        from cutaway.runs.dense_networks import describe_classes

        return describe_classes(rows)

    def explain_example(self, run, data, row):
        from cutaway.runs.dense_explain import explain_mask

        return explain_mask(run, data, row)

    def use(self, run):
        return f"cutaway predict {run} PICTURES --out FOLDER", "predict masks of new pictures"
