"""Labeled images, from a folder per class or IDX files."""

from typing import TYPE_CHECKING

from cutaway.runs.kinds.class_folders import sign_of_classes, sign_of_one
from cutaway.runs.kinds.contract import CERTAIN, DataKind, NetworkInput, Sign
from cutaway.runs.options.images import ImageOptions, ImageTransferOptions

if TYPE_CHECKING:
    from cutaway.runs.images import ImageRows


class ImageKind(DataKind):
    """Labeled images."""

    name = "images"
    title = "labeled images"
    takes = "a folder of images or recordings with one subfolder per class; IDX files"
    place = 1
    options = ImageOptions
    network = "a convolutional network"
    transfer_options = ImageTransferOptions

    def recognize(self, source):
        from cutaway.data import find_idx
        from cutaway.data.decode import SUFFIXES
        from cutaway.data.idx import TYPES

        if source.folder is not None:
            pairs = find_idx(source.folder)
            if pairs:
                names = ", ".join(f"{split}: {images.name}" for split, (images, _) in pairs.items())
                return Sign(f"pairs of IDX files ({names})", CERTAIN)
            return sign_of_classes(source, SUFFIXES, "images", may_have_boxes=True)
        begin = source.begins_with(4)
        if len(begin) == 4 and begin[:2] == b"\0\0" and begin[2] in TYPES and 0 < begin[3] < 8:
            return Sign("the file starts with an IDX header", CERTAIN)
        return sign_of_one(source, SUFFIXES, "image")

    def preprocessing(self):
        from cutaway.runs.images import ImageRows

        return ImageRows

    def prepare(self, data, target, options, *, why):
        from cutaway.runs.images import prepare_images

        return prepare_images(data, options, why=why)

    def prepare_transfer(self, data, target, options, *, why):
        from cutaway.runs.transferred_images import prepare_transferred_images

        return prepare_transferred_images(data, options, why=why)

    def networks(self):
        from cutaway.models import cnn
        from cutaway.runs.networks import build_transfer, standardized

        return {"cnn": standardized(cnn), "transfer": build_transfer}

    def network_inputs(self, rows: "ImageRows"):
        height, width = rows.size
        whole = [round(edge / rows.crop) for edge in rows.size]
        colors = "red, green, blue" if rows.channels == 3 else "gray"
        sentences = [
            f"images of {height} x {width} pixels, channels last ({colors}), values 0 to 255, "
            f"rotated according to EXIF, resized to cover {whole[0]} x {whole[1]} and "
            "center-cropped",
            "the network standardizes them itself",
        ]
        return [NetworkInput("images", (height, width, rows.channels), "uint8", sentences)]

    def picture(self, rows: "ImageRows", x, y):
        return x

    def encoding(self, rows: "ImageRows", x, frame, spec):
        from cutaway.runs.row_encoding import standardizing_of_network

        if "mean" not in spec:
            return {}
        colors = ["red", "green", "blue"] if rows.channels == 3 else []
        return standardizing_of_network(spec, x, colors, "pixel")

    def shows_saliency(self, spec):
        # an attribution to pixels takes hundreds of passes, which here would be minutes
        return spec["model"] == "transfer"

    def baselines(self, experiment):
        from cutaway.runs.baselines import flat_baselines

        return flat_baselines()
