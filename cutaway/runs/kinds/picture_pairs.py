"""Pairs of pictures: a picture made from a picture."""

from typing import TYPE_CHECKING

from cutaway.runs.kinds.contract import CERTAIN, DataKind, NetworkInput, Sign
from cutaway.runs.options.picture_pairs import PairOptions

if TYPE_CHECKING:
    from cutaway.runs.pair_rows import PairRows


class PairKind(DataKind):
    """Pairs of pictures."""

    name = "pairs"
    title = "pairs of pictures"
    takes = "two folders of pictures with the same names, or pictures side by side in one file"
    place = 9
    options = PairOptions
    network = "pix2pix, a generator against a discriminator"
    new = ("PICTURES --out FOLDER", "MORE")
    attributes = False

    def recognize(self, source):
        from cutaway.data import looks_like_pairs

        reason = None if source.folder is None else looks_like_pairs(source.folder)
        return None if reason is None else Sign(reason, CERTAIN)

    def preprocessing(self):
        from cutaway.runs.pair_rows import PairRows

        return PairRows

    def prepare(self, data, target, options, *, why):
        from cutaway.runs.picture_pairs import prepare_pairs

        return prepare_pairs(data, options, why=why)

    def networks(self):
        from cutaway.runs.dense_networks import generator_of

        return {"pix2pix-generator": generator_of}

    def network_inputs(self, rows: "PairRows"):
        colors = "red, green, blue" if rows.channels == 3 else "gray"
        sentences = [
            f"pictures, channels last ({colors}), values from -1 to 1, resized to this size "
            "without keeping the aspect ratio",
        ]
        return [NetworkInput("pictures", (*rows.size, rows.channels), "float32", sentences)]

    def picture(self, rows: "PairRows", x, y):
        from cutaway.runs.pair_rows import bytes_of

        return bytes_of(x)

    def describe_outputs(self, rows: "PairRows", loss):
        colors = "red, green, blue" if rows.target_channels == 3 else "gray"
        return [f"pictures of the same size, channels last ({colors}), values from -1 to 1"]

    def explain_example(self, run, data, row):
        from cutaway.runs.dense_explain import explain_pair

        return explain_pair(run, data, row)

    def use(self, run):
        return f"cutaway predict {run} PICTURES --out FOLDER", "make pictures from new ones"
