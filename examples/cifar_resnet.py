"""CIFAR-10 with a ResNet-18 for small images and a small CNN, both trained from scratch.

    python examples/cifar_resnet.py ../shared/data/cifar10_jpeg [--epochs 30] [--seed S]
                                    [--networks cnn,resnet18]

FOLDER/train and FOLDER/test hold one folder of images per class. Both networks see the same images
in the same order, with random flips and shifts of up to four pixels, and are trained by AdamW with
a cosine schedule. The test images are used only to score the weights after the last epoch.

ResNet-18: He et al. 2016, arXiv:1512.03385, here with 11,173,962 parameters for ten classes. An
epoch of the 5,000 images takes it about a minute on two cores, the small CNN a few seconds.
"""

import argparse

import cutaway as ct
from cutaway.data import (
    ArrayStream,
    Compose,
    Normalize,
    RandomCrop,
    RandomFlip,
    find_images,
    load_images,
)
from cutaway.models import cnn, resnet18
from cutaway.models.resnet import SmallImageStem

BATCH = 128


def small_cnn(classes):
    return cnn(3, classes)


def resnet18_for_small_images(classes):
    return resnet18(classes, stem=SmallImageStem)


# {name: (function of the number of classes, learning rate)}
NETWORKS = {"cnn": (small_cnn, 3e-3), "resnet18": (resnet18_for_small_images, 1e-3)}


def main(folder, *, epochs=30, seed=0, networks=NETWORKS):
    """{name: {"accuracy", "parameters", "seconds"}}, accuracy on the test images."""
    folders = find_images(folder)
    train, test = (load_images(folders[split], channels=3) for split in ("train", "test"))
    scale = Normalize.fit(train.x)
    augment = Compose(RandomFlip(), RandomCrop(4), scale)
    steps = -(-len(train.x) // BATCH) * epochs
    found = {}
    for name, (build, lr) in networks.items():
        ct.seed(seed)
        net = build(len(train.classes))
        schedule = ct.optim.Cosine(steps)
        trainer = ct.Trainer(
            net,
            loss=ct.losses.sparse_categorical_cross_entropy_with_logits,
            optimizer=ct.AdamW(net, lr, weight_decay=0.05, schedule=schedule),
            metrics=[ct.metrics.accuracy],
        )
        stream = ArrayStream(train.x, train.y, transform=augment)
        trainer.fit(stream, epochs=epochs, batch_size=min(BATCH, len(train.x)), seed=seed)
        found[name] = {
            "accuracy": trainer.evaluate(scale(test.x), test.y)["accuracy"],
            "parameters": sum(p.size for p in net.parameters()),
            "seconds": sum(trainer.history["seconds"]),
        }
        print(
            f"{name}: test accuracy {found[name]['accuracy']:.2%} after {epochs} epochs, "
            f"{found[name]['seconds']:.0f} s, {found[name]['parameters']:,} parameters"
        )
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--networks", default=",".join(NETWORKS))
    options = parser.parse_args()
    main(
        options.folder,
        epochs=options.epochs,
        seed=options.seed,
        networks={name: NETWORKS[name] for name in options.networks.split(",")},
    )
