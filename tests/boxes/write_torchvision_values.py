"""Values of torchvision's compiled operators on drawn boxes, for tests without them.

    python tests/boxes/write_torchvision_values.py

needs a torchvision whose own operators load, 0.28.0 at the time; it writes torchvision_values.npz.
"""

from pathlib import Path

import numpy as np
import torch
from torchvision import ops


def drawn_boxes(rng, count, low, high, sides):
    center, side = rng.uniform(low, high, (count, 2)), rng.uniform(*sides, (count, 2))
    return np.concatenate([center - side / 2, center + side / 2], axis=1).astype(np.float32)


def regions(rng, values):
    x = rng.normal(size=(2, 3, 11, 9)).astype(np.float32)
    boxes = drawn_boxes(rng, 12, -20, 110, (1, 120))
    boxes[3], boxes[4], boxes[5] = [300, 300, 310, 310], [20, 20, 20, 20], [0, 0, 72, 88]
    boxes[6] = [-40, -50, 200, 160]  # larger than the map
    boxes[7], boxes[8] = [12, 20, 4, 8], [4, 4, 12, 12]  # inverted; corners at half positions
    values |= {"x": x.transpose(0, 2, 3, 1), "regions": boxes.reshape(2, 6, 4)}
    flat = np.concatenate([np.repeat([0, 1], 6)[:, None], boxes], axis=1).astype(np.float32)
    weights = rng.normal(size=(12, 3, 3, 4)).astype(np.float32)
    values["weights"] = weights.transpose(0, 2, 3, 1).reshape(2, 6, 3, 4, 3)
    calls = {"pool": lambda t: ops.roi_pool(t, torch.from_numpy(flat), (3, 4), 1 / 8)}
    for aligned in (False, True):
        for ratio in (0, 1, 2, 3):
            calls[f"align_{aligned:d}_{ratio}"] = lambda t, aligned=aligned, ratio=ratio: (
                ops.roi_align(t, torch.from_numpy(flat), (3, 4), 1 / 8, ratio or -1, aligned)
            )
    for name, call in calls.items():
        leaf = torch.from_numpy(x).requires_grad_()
        out = call(leaf)
        out.backward(torch.from_numpy(weights))
        values[name] = out.detach().numpy().transpose(0, 2, 3, 1).reshape(2, 6, 3, 4, 3)
        values[f"{name}_gradient"] = leaf.grad.numpy().transpose(0, 2, 3, 1)


def suppression(rng, values):
    boxes = drawn_boxes(rng, 150, 0, 100, (10, 60)).round(1)
    boxes[10:20] = boxes[20:30]  # equal boxes
    boxes[30] = [50, 50, 50, 60]
    scores = rng.integers(0, 40, 150).astype(np.float32) / 40  # with ties
    groups = rng.integers(0, 3, 150)
    values |= {"nms_boxes": boxes, "nms_scores": scores, "nms_groups": groups}
    for threshold in (0.3, 0.5, 0.7):
        arguments = torch.from_numpy(boxes), torch.from_numpy(scores)
        values[f"nms_{threshold}"] = ops.nms(*arguments, threshold).numpy()
        found = ops.batched_nms(*arguments, torch.from_numpy(groups), threshold)
        values[f"grouped_nms_{threshold}"] = found.numpy()


def overlaps(rng, values):
    a, b = (drawn_boxes(rng, 20, 0, 60, (5, 50)) for _ in range(2))
    values |= {"a": a, "b": b, "pairwise": ops.box_iou(*map(torch.from_numpy, (a, b))).numpy()}
    calls = {
        "generalized": lambda a, b: ops.generalized_box_iou(a, b).diagonal(),
        "complete": lambda a, b: 1 - ops.complete_box_iou_loss(a, b, eps=0.0),
        "generalized_loss": lambda a, b: 1 - ops.generalized_box_iou_loss(a, b, eps=0.0),
        "iou": lambda a, b: ops.box_iou(a, b).diagonal(),
    }
    for name, call in calls.items():
        leaves = [torch.from_numpy(v.astype(np.float64)).requires_grad_() for v in (a, b)]
        out = call(*leaves)
        out.sum().backward()
        values[name] = out.detach().numpy()
        values[f"{name}_gradients"] = np.stack([leaf.grad.numpy() for leaf in leaves])


def matching(rng, values):
    from torchvision.models.detection._utils import BoxCoder, Matcher, SSDMatcher

    truths, priors = drawn_boxes(rng, 6, 0, 60, (5, 40)), drawn_boxes(rng, 80, 0, 60, (5, 40))
    quality = ops.box_iou(torch.from_numpy(truths), torch.from_numpy(priors))
    values |= {"truths": truths, "priors": priors}
    values["matched_threshold"] = Matcher(0.5, 0.5)(quality).numpy()
    values["matched_ties"] = Matcher(0.7, 0.3, allow_low_quality_matches=True)(quality).numpy()
    values["matched_forced"] = SSDMatcher(0.5)(quality).numpy()
    coder = BoxCoder((10.0, 10.0, 5.0, 5.0))
    taken = torch.from_numpy(truths[np.arange(80) % 6])
    codes = coder.encode_single(taken, torch.from_numpy(priors))
    wild = codes * 3
    values |= {"codes": codes.numpy(), "wild": wild.numpy()}
    values["decoded"] = coder.decode_single(wild, torch.from_numpy(priors)).numpy()


if __name__ == "__main__":
    rng, values = np.random.default_rng(0), {}
    for write in (regions, suppression, overlaps, matching):
        write(rng, values)
    np.savez_compressed(Path(__file__).with_name("torchvision_values.npz"), **values)
