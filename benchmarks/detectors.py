"""Detectors against PyTorch and torchvision, in one process, taking turns; frames per second.

    python -m benchmarks.detectors [--rounds 5] [--only NAME,NAME] [--threads 2] [--json FILE]
    python -m benchmarks.detectors --camera ssd-mobilenet,yolov3-tiny --pictures FOLDER

Both sides make the same computation on the same pictures. YOLOv3-tiny and SSD have the same weights
too; what they, suppression and RoIAlign give is compared before anything is timed, and the largest
difference is in the table. PyTorch runs eagerly. The ratio is taken round by round, as in speed.py.

- YOLOv3-tiny and SSD on MobileNetV2: networks_detectors.py. Inference is the network without
  suppression, batch 1; a step is forward, loss, backward and Adam, batch 4.
- SSDLite, Faster R-CNN (ResNet-50 with a pyramid, 320 x 320): torchvision's models without their
  resizing. Inference with suppression, batch 1; steps of 4 and 2 pictures. Faster R-CNN has
  torchvision's weights, so as many proposals.
- suppression and RoIAlign: torchvision's compiled operators.

torchvision's compiled operators must load: its own wheel beside a CUDA torch, or with its folder in
PYTHONPATH a module tv_shim whose load() makes it importable beside a CPU torch.

--camera: pictures a second of what `cutaway predict` does before it draws: JPEG decoding, framing,
network and suppression, over all pictures of a folder.
"""

import argparse
import dataclasses
import importlib.util
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import cutaway as ct
from benchmarks.speed import SECONDS, busy_share, ratios, seconds_each, timings

RNG = np.random.default_rng(0)
TRUTHS = 5  # objects of each picture


@dataclasses.dataclass
class Pair:
    """The two sides of a case.

    Attributes:
        ours, theirs: what is timed.
        apart: largest difference of what both give, as a part of the largest value; None: not
            comparable, since each draws its own sample.
    """

    ours: Callable
    theirs: Callable
    apart: float | None


@dataclasses.dataclass
class Case:
    """Something to time: its name, what was asked, and a function that makes both sides."""

    name: str
    asked: float
    build: Callable[[], Pair]


class Turn:
    """A side, as speed.timings takes it."""

    def __init__(self, call):
        self.call = call


def apart_of(ours, theirs) -> float:
    pairs = [(np.asarray(a), np.asarray(b)) for a, b in zip(ours, theirs, strict=True)]
    return max(float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-12)) for a, b in pairs)


def pictures(count, size):
    return RNG.uniform(0, 1, (count, size, size, 3)).astype(np.float32)


def channels_first(x):
    import torch

    return torch.from_numpy(np.moveaxis(x, -1, 1).copy())


def objects(batch, size, classes):
    corner = RNG.uniform(0, 0.6 * size, (batch, TRUTHS, 2))
    sides = RNG.uniform(0.1 * size, 0.35 * size, (batch, TRUTHS, 2))
    return {
        "boxes": np.concatenate([corner, corner + sides], axis=-1).astype(np.float32),
        "classes": RNG.integers(0, classes, (batch, TRUTHS)).astype(np.int32),
        "valid": np.ones((batch, TRUTHS), bool),
    }


def torch_targets(y):
    import torch

    return torch.from_numpy(y["boxes"]), torch.from_numpy(y["classes"]).long()


def network(net):
    return ct.jit(ct.no_grad()(lambda x: net(x)), net, donate=False)


def waiting(compiled, *inputs):
    """A call that ends when its result is there."""
    import jax

    inputs = jax.device_put(inputs)
    return lambda: jax.block_until_ready(_arrays(compiled(*inputs)))


def _arrays(tree):
    from cutaway.engine import as_array
    from cutaway.nn.trees import map_leaves

    return map_leaves(as_array, tree)


def training(detector, x, y):
    """(a call that makes a step of Adam, the loss without it)."""
    optimizer = ct.Adam(detector, lr=1e-5)

    def loss_of(x, y):
        return sum(detector.losses(x, y).values(), start=ct.Tensor(0.0))

    def step(x, y):
        loss = loss_of(x, y)
        loss.backward()
        optimizer.step()
        return loss

    detector.train()
    first = ct.jit(ct.no_grad()(loss_of), detector, donate=False)(x, y).item()
    return waiting(ct.jit(step, detector, optimizer), x, y), first


def stepping(net, loss_of):
    import torch

    optimizer = torch.optim.Adam(net.parameters(), lr=1e-5)

    def step():
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        optimizer.step()

    return step


def without_gradients(call):
    import torch

    return torch.inference_mode()(call)


def apart_of_losses(ours, theirs) -> float:
    return abs(ours - theirs) / abs(theirs)


# YOLOv3-tiny and SSD on MobileNetV2


def yolo_pair():
    from benchmarks.networks_detectors import TinyYolo, copy_weights
    from cutaway.models import yolo3_tiny

    ct.seed(0)
    net = yolo3_tiny()
    return net, copy_weights(net, TinyYolo())


def yolo_inference():
    net, theirs = yolo_pair()
    net.eval()
    theirs.eval()
    x = pictures(1, 416)
    ours, images = waiting(network(net), x), channels_first(x)
    infer = without_gradients(lambda: theirs(images))
    return Pair(ours, infer, apart_of(ours(), infer()))


def yolo_step():
    from benchmarks.networks_detectors import YoloLoss
    from cutaway.models import YoloDetector

    net, theirs = yolo_pair()
    x, y = pictures(4, 416), objects(4, 416, 80)
    loss = YoloLoss(net.priors, [scale.priors for scale in net.table], 416)
    images, (boxes, classes) = channels_first(x), torch_targets(y)
    theirs.train()
    value = without_gradients(lambda: loss(theirs(images), boxes, classes))().item()
    ours, first = training(YoloDetector(net), x, y)
    step = stepping(theirs, lambda: loss(theirs(images), boxes, classes))
    return Pair(ours, step, apart_of_losses(first, value))


def ssd_pair():
    from benchmarks.networks_detectors import MobileSSD, copy_weights
    from cutaway.models import ssd_mobilenet

    ct.seed(0)
    net = ssd_mobilenet()
    return net, copy_weights(net, MobileSSD())


def ssd_inference():
    net, theirs = ssd_pair()
    net.eval()
    theirs.eval()
    x = pictures(1, 300) * 2 - 1
    images = channels_first(x)
    compiled = network(net)
    infer = without_gradients(lambda: theirs(images))
    out = compiled(x)
    apart = apart_of([out["codes"].numpy(), out["classes"].numpy()], infer())
    return Pair(waiting(compiled, x), infer, apart)


def ssd_step():
    from benchmarks.networks_detectors import SSDLoss
    from cutaway.models import SSDDetector

    net, theirs = ssd_pair()
    detector = SSDDetector(net)
    x, y = pictures(4, 300) * 2 - 1, objects(4, 300, 23)
    loss = SSDLoss(detector.prior_corners((300, 300)))
    images, (boxes, classes) = channels_first(x), torch_targets(y)
    theirs.train()
    value = without_gradients(lambda: loss(*theirs(images), boxes, classes))().item()
    ours, first = training(detector, x, y)
    step = stepping(theirs, lambda: loss(*theirs(images), boxes, classes))
    return Pair(ours, step, apart_of_losses(first, value))


# torchvision's own


def unresized(model, mean, std, size, divisor=1):
    from torchvision.models.detection.transform import GeneralizedRCNNTransform

    model.transform = GeneralizedRCNNTransform(
        size, size, mean, std, size_divisible=divisor, _skip_resize=True
    )
    return model


def torch_list(y):
    boxes, classes = torch_targets(y)
    return [{"boxes": own, "labels": kinds + 1} for own, kinds in zip(boxes, classes, strict=True)]


def ssdlite_pair():
    import torch
    from torchvision.models.detection import ssdlite320_mobilenet_v3_large

    from cutaway.models import DetectionOptions, SSDDetector, ssdlite, ssdlite_mobilenet
    from cutaway.nn import Standardize
    from cutaway.weights import load_into

    torch.manual_seed(0)
    theirs = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=21)
    unresized(theirs, [0.5] * 3, [0.5] * 3, 320)
    net = ssdlite_mobilenet(20)
    weights = {name: value.numpy() for name, value in theirs.state_dict().items()}
    load_into(net, weights, ssdlite.torchvision_names())
    net.inputs = Standardize((0.5,) * 3, (0.5,) * 3)
    options = DetectionOptions(score=0.001, threshold=0.55, candidates=1000, limit=300)
    return SSDDetector(net, detection=options), theirs


def ssdlite_inference():
    detector, theirs = ssdlite_pair()
    detector.eval()
    theirs.eval()
    x = pictures(1, 320)
    images = list(channels_first(x))
    infer = without_gradients(lambda: theirs(images))
    # of as many candidates, but theirs takes 300 of each class and ours 1,000 of all
    return Pair(waiting(network(detector), x), infer, None)


def ssdlite_step():
    detector, theirs = ssdlite_pair()
    x, y = pictures(4, 320), objects(4, 320, 20)
    images, targets = list(channels_first(x)), torch_list(y)
    theirs.train()

    def loss_of():
        return sum(theirs(images, targets).values())

    value = without_gradients(loss_of)().item()
    ours, first = training(detector, x, y)
    return Pair(ours, stepping(theirs, loss_of), apart_of_losses(first, value))


MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def faster_pair():
    import torch
    from torchvision.models.detection import fasterrcnn_resnet50_fpn

    from cutaway.models import faster_rcnn_resnet50
    from cutaway.nn import Standardize

    torch.manual_seed(0)
    theirs = fasterrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, trainable_backbone_layers=5
    )
    unresized(theirs, list(MEAN), list(STD), 320, 32)
    ct.seed(0)
    net = faster_rcnn_resnet50(90, inputs=Standardize(MEAN, STD))
    take_over(net, theirs)
    return net, theirs


def take_over(net, theirs):
    """Give our Faster R-CNN torchvision's weights, so that both have as many proposals."""
    ours, given = net.named_parameters(), dict(theirs.named_parameters())
    body = [name for name in given if name.startswith("backbone.body.")]
    names = dict(zip((name for name in ours if name.startswith("body.")), body, strict=True))
    for k in range(4):
        for own, their in (("lateral", "inner"), ("output", "layer")):
            for part in ("weight", "bias"):
                source = f"backbone.fpn.{their}_blocks.{k}.0.{part}"
                names[f"pyramid.{own}{k + 1}.{part}"] = source
    layers = {
        "proposals.conv": "rpn.head.conv.0.0",
        "proposals.objectness": "rpn.head.cls_logits",
        "proposals.codes": "rpn.head.bbox_pred",
        "box_head.dense1": "roi_heads.box_head.fc6",
        "box_head.dense2": "roi_heads.box_head.fc7",
        "box_head.classes": "roi_heads.box_predictor.cls_score",
        "box_head.codes": "roi_heads.box_predictor.bbox_pred",
    }
    for own, their in layers.items():
        names |= {f"{own}.{part}": f"{their}.{part}" for part in ("weight", "bias")}
    assert set(names) == set(ours) and set(names.values()) == set(given)
    for name, source in names.items():
        value = given[source].detach().numpy()
        if name == "box_head.dense1.weight":  # it flattens (channels, height, width)
            value = value.reshape(1024, 256, 7, 7).transpose(0, 2, 3, 1).reshape(1024, -1)
        if value.ndim == 4:
            value = value.transpose(2, 3, 1, 0)
        elif value.ndim == 2:
            value = value.T
        assert ours[name].shape == value.shape, name
        ours[name].data = np.ascontiguousarray(value)


def faster_inference():
    net, theirs = faster_pair()
    net.eval()
    theirs.eval()
    x = pictures(1, 320)
    images = list(channels_first(x))
    ours, other = waiting(network(net), x), without_gradients(lambda: theirs(images))
    scores = other()[0]["scores"].numpy()
    apart = apart_of([ours()["scores"][0, : len(scores)]], [scores])
    return Pair(ours, other, apart)


def faster_step():
    net, theirs = faster_pair()
    x, y = pictures(2, 320), objects(2, 320, 90)
    images, targets = list(channels_first(x)), torch_list(y)
    theirs.train()
    ours, _ = training(net, x, y)
    return Pair(ours, stepping(theirs, lambda: sum(theirs(images, targets).values())), None)


# operations


def suppression(count):
    def build():
        import jax
        import torch
        from torchvision.ops import nms

        from cutaway.boxes import suppress

        corner = RNG.uniform(0, 400, (count, 2))
        boxes = np.concatenate([corner, corner + RNG.uniform(5, 100, (count, 2))], 1).astype("f4")
        scores = RNG.permutation(np.linspace(0.01, 1, count)).astype(np.float32)
        call = waiting(jax.jit(lambda b, s: suppress(b, s, threshold=0.5)), boxes, scores)
        theirs = [torch.from_numpy(boxes), torch.from_numpy(scores)]
        infer = without_gradients(lambda: nms(*theirs, 0.5))
        kept = np.zeros(count, bool)
        kept[infer().numpy()] = True
        return Pair(call, infer, float((kept != np.asarray(call())).mean()))

    return build


def regions(*, backward):
    def build():
        import jax
        import torch
        from torchvision.ops import roi_align as theirs_of

        from cutaway import ops

        x = RNG.normal(size=(1, 40, 40, 96)).astype(np.float32)
        corner = RNG.uniform(0, 200, (200, 2))
        boxes = np.concatenate([corner, corner + RNG.uniform(10, 120, (200, 2))], 1).astype("f4")
        options = {"output_size": 7, "scale": 1 / 8, "sampling_ratio": 2}
        images = channels_first(x).requires_grad_(backward)
        flat = torch.cat([torch.zeros(200, 1), torch.from_numpy(boxes)], 1)
        grad = RNG.normal(size=(1, 200, 7, 7, 96)).astype(np.float32)
        their_grad = torch.from_numpy(grad[0].transpose(0, 3, 1, 2).copy())

        def forward(x, boxes):
            return ops.roi_align.forward(x, boxes, **options)

        def both(x, boxes, grad):
            out = forward(x, boxes)
            return out, ops.roi_align.rule(grad, out, x, boxes, **options)[0]

        def theirs():
            out = theirs_of(images, flat, 7, 1 / 8, 2)
            if not backward:
                return (out,)
            (to_x,) = torch.autograd.grad(out, images, their_grad)
            return out.detach(), to_x

        if backward:
            ours = waiting(jax.jit(both), x, boxes[None], grad)
        else:
            ours = waiting(jax.jit(lambda x, boxes: (forward(x, boxes),)), x, boxes[None])
        expected = theirs()
        out, *rest = (np.asarray(a) for a in ours())
        apart = apart_of([out[0].transpose(0, 3, 1, 2)], [expected[0].detach()])
        if rest:
            apart = max(apart, apart_of([rest[0].transpose(0, 3, 1, 2)], [expected[1]]))
        return Pair(ours, theirs, apart)

    return build


CASES = [
    Case("YOLOv3-tiny 416, inference", 1.0, yolo_inference),
    Case("YOLOv3-tiny 416, step of 4", 1.0, yolo_step),
    Case("SSD-MobileNetV2 300, inference", 1.0, ssd_inference),
    Case("SSD-MobileNetV2 300, step of 4", 1.0, ssd_step),
    Case("SSDLite 320, inference with suppression", 1.0, ssdlite_inference),
    Case("SSDLite 320, step of 4", 1.0, ssdlite_step),
    Case("Faster R-CNN 320, inference with suppression", 1.0, faster_inference),
    Case("Faster R-CNN 320, step of 2", 1.0, faster_step),
    Case("suppression of 1,000 boxes", 1.0, suppression(1000)),
    Case("suppression of 5,000 boxes", 1.0, suppression(5000)),
    Case("RoIAlign, 200 regions of 7 x 7 x 96", 1.0, regions(backward=False)),
    Case("RoIAlign forward and backward", 1.0, regions(backward=True)),
]


def compare(case, rounds):
    began = time.perf_counter()
    pair = case.build()
    pair.ours()
    built = time.perf_counter() - began
    sides = {"cutaway": Turn(pair.ours), "torch": Turn(pair.theirs)}
    taken = timings(sides, rounds, lambda side: seconds_each(side.call, SECONDS))
    times = ratios(taken, "torch")
    return {
        "case": case.name,
        "cutaway_ms": statistics.median(taken["cutaway"]) * 1e3,
        "torch_ms": statistics.median(taken["torch"]) * 1e3,
        "times_torch": statistics.median(times),
        "times_torch_spread": [times[0], times[-1]],
        "asked": case.asked,
        "apart": pair.apart,
        "build_seconds": built,
    }


def line_of(found):
    apart = "" if found["apart"] is None else f"{found['apart']:.0e}"
    low, high = found["times_torch_spread"]
    return (
        f"| {found['case']} | {found['cutaway_ms']:.2f} | {found['torch_ms']:.2f} | "
        f"{found['times_torch']:.2f} | ({low:.2f}-{high:.2f}) | {found['asked']:.1f} | {apart} |"
    )


def camera(source, folder, rounds):
    """Pictures a second, and milliseconds of the parts of a picture."""
    from cutaway.runs.published_detector import PublishedDetector

    run = PublishedDetector(source)
    rows = run.preprocessing.inputs_below(Path(folder)).to_dicts()

    def frames():
        began = time.perf_counter()
        count = sum(1 for _ in run.preprocessing.detected(run, rows))
        return count / (time.perf_counter() - began)

    frames()
    rates = sorted(frames() for _ in range(rounds))
    began = time.perf_counter()
    read = [run.preprocessing.input_of(row) for row in rows]
    decoding = time.perf_counter() - began
    began = time.perf_counter()
    framed = np.stack([run.preprocessing.framed(picture) for picture in read])
    framing = time.perf_counter() - began
    run.outputs(framed[:1])
    began = time.perf_counter()
    for one in framed:
        run.outputs(one[None])
    alone = time.perf_counter() - began
    parts = (1e3 * part / len(rows) for part in (decoding, framing, alone))
    return {
        "detector": source.partition(":")[0],
        "pictures": len(rows),
        "frames_a_second": statistics.median(rates),
        "spread": [rates[0], rates[-1]],
        **dict(zip(("decoding_ms", "framing_ms", "one_at_a_time_ms"), parts, strict=True)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="parts of names, with commas")
    parser.add_argument("--threads", type=int, help="PyTorch's threads; default: all cores")
    parser.add_argument("--camera", default="", help="published detectors NAME or NAME:WEIGHTS")
    parser.add_argument("--pictures", type=Path, help="folder for --camera")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    busy = busy_share()
    if busy > 0.1:
        print(f"others keep {busy:.0%} of the cores busy, and PyTorch loses most by it")
    results = {"busy_share": busy, "cases": [], "camera": []}
    if options.camera:
        for source in options.camera.split(","):
            found = camera(source, options.pictures, options.rounds)
            results["camera"].append(found)
            print(json.dumps(found), flush=True)
    else:
        if importlib.util.find_spec("tv_shim"):
            importlib.import_module("tv_shim").load()
        import torch

        torch.set_num_threads(options.threads or len(os.sched_getaffinity(0)))
        only = [part for part in options.only.split(",") if part]
        print("| case | ms | PyTorch ms | x PyTorch | (spread) | asked | apart |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for case in CASES:
            if not only or any(part in case.name for part in only):
                found = compare(case, options.rounds)
                results["cases"].append(found)
                print(line_of(found), flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
