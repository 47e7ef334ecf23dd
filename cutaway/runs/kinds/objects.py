"""Pictures with boxes: detection of objects."""

from typing import TYPE_CHECKING

from cutaway.runs.kinds.contract import CERTAIN, DataKind, NetworkInput, Sign
from cutaway.runs.options.objects import ObjectOptions

if TYPE_CHECKING:
    from cutaway.runs.objects import ObjectRows


class ObjectKind(DataKind):
    """Pictures with boxes."""

    name = "objects"
    title = "pictures with boxes"
    takes = "pictures with boxes as COCO, Pascal VOC, YOLO or a table has them"
    place = 10
    options = ObjectOptions
    transfer_options = ObjectOptions
    network = "Faster R-CNN on a pretrained EfficientNet-Lite0"
    new = ("PICTURES --out FOLDER", "MORE")
    attributes = False
    explains_boxes = True

    def recognize(self, source):
        from cutaway.data import looks_like_objects
        from cutaway.data.unread_boxes import unread_boxes

        if source.path is None:
            return None
        reason = looks_like_objects(source.path)
        if reason is not None:
            return Sign(reason, CERTAIN)
        problem = None if source.file is None else unread_boxes(source.file)
        return None if problem is None else Sign("boxes", CERTAIN, problem)

    def preprocessing(self):
        from cutaway.runs.objects import ObjectRows

        return ObjectRows

    def prepare(self, data, target, options, *, why):
        from cutaway.runs.object_training import prepare_objects

        return prepare_objects(data, options, why=why)

    prepare_transfer = prepare

    def networks(self):
        from cutaway.runs.object_networks import DETECTORS, detector_of

        return dict.fromkeys(DETECTORS, detector_of)

    def network_inputs(self, rows: "ObjectRows"):
        colors = "red, green, blue" if rows.channels == 3 else "gray"
        scaled = "letterboxed to" if rows.how == "letterbox" else "stretched to"
        size = " x ".join(map(str, rows.size))
        sentences = [
            f"pictures, channels last ({colors}), values 0 to 255, {scaled} {size}, rotated "
            "according to EXIF",
        ]
        return [NetworkInput("pictures", (*rows.size, rows.channels), "uint8", sentences)]

    def picture(self, rows: "ObjectRows", x, y):
        return x

    def describe_outputs(self, rows: "ObjectRows", loss):
        return [
            "boxes x1 y1 x2 y2 in pixels of the input, scores, classes, and which picture of the "
            "batch each is in; with --no-nms all candidates of each picture, boxes and scores of "
            "all classes; classes in order: " + ", ".join(rows.names)
        ]

    def own_options(self, run):
        has_copy = run.config["options"].get("proposals") is not None
        return {"proposals": str(run.path)} if has_copy else {}

    def explain_example(self, run, data, row, *, box=None):
        from cutaway.runs.object_explain import explain_objects

        return explain_objects(run, data, row, box)

    def rivals(self, experiment):
        from cutaway.runs.object_rivals import object_rivals

        return object_rivals(experiment)

    def use(self, run):
        return f"cutaway predict {run} PICTURES --out FOLDER", "detect objects in new pictures"
