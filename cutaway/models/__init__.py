"""Network architectures, one per file; a file is imported when one of its names is used."""

import importlib

# the file of each network; no network has the name of its file, which would shadow it
_HOMES = {
    "autoencoder": (
        "Autoencoder",
        "VariationalAutoencoder",
        "convolutional_autoencoder",
        "convolutional_vae",
        "dense_autoencoder",
        "dense_vae",
    ),
    "backbone": ("Backbone",),
    "backbone_ssd": (
        "SSDBackbone",
        "ssd_on_backbone",
    ),
    "bert": (
        "BERT_BASE",
        "BERT_MINI",
        "BERT_TINY",
        "MINILM_L6",
        "Bert",
        "BertClassifier",
        "BertMaskedLanguage",
        "BertNextSentence",
        "BertPretraining",
        "BertSentence",
        "BertSize",
        "BertTagger",
        "bert_base",
        "bert_mini",
        "bert_tiny",
        "masked_cross_entropy",
    ),
    "convolutional": (
        "cnn",
        "time_series_cnn",
    ),
    "darknet": (
        "Darknet",
        "darknet19",
        "darknet53",
        "darknet_tiny",
    ),
    "detector": (
        "DetectionOptions",
        "Detector",
        "SSDDetector",
        "SingleStage",
        "YoloDetector",
        "detection_objective",
    ),
    "efficientnet": (
        "EfficientNet",
        "efficientnet_b0",
        "efficientnet_lite0",
    ),
    "fast_rcnn": (
        "FastRcnn",
        "fast_rcnn_on_backbone",
        "fast_rcnn_vgg16",
    ),
    "feature_distance": ("FeatureDistance",),
    "feature_pyramid": ("FeaturePyramid",),
    "forecast": ("Forecaster",),
    "inception": (
        "GoogLeNet",
        "Inception",
        "auxiliary_loss",
        "googlenet",
    ),
    "pix2pix": (
        "PatchDiscriminator",
        "Pix2PixGenerator",
        "patch_discriminator",
        "pix2pix_generator",
        "weighted_absolute_error",
    ),
    "pretrained": (
        "PRETRAINED_BACKBONES",
        "ImageBackbone",
        "PretrainedBackbone",
        "TextBackbone",
        "pretrained_backbone",
        "load_backbone",
    ),
    "language": ("LanguageModel",),
    "lenet": (
        "LeNet5",
        "lenet5",
        "lenet5_modern",
    ),
    "listing": (
        "Architecture",
        "catalog",
    ),
    "mobilenet": (
        "InvertedResidual",
        "MobileNetV2",
        "mobilenet_v2",
    ),
    "mobilenet_v3": (
        "MobileNetV3",
        "MobileStage",
        "mobilenet_v3_large",
        "mobilenet_v3_small",
    ),
    "perceptron": (
        "Perceptron",
        "mlp",
    ),
    "rcnn": (
        "FasterRcnn",
        "faster_rcnn_vgg16",
        "faster_rcnn_resnet50",
        "mask_rcnn_resnet50",
        "rcnn_on_backbone",
    ),
    "pretrained_detectors": (
        "PRETRAINED_DETECTORS",
        "PretrainedDetector",
        "pretrained_detector",
    ),
    "pyramid_yolo": (
        "PyramidYolo",
        "yolo_on_backbone",
    ),
    "recurrent": (
        "RecurrentClassifier",
        "recurrent_layers",
    ),
    "region_proposals": ("RegionProposals",),
    "resnet": (
        "BasicBlock",
        "Bottleneck",
        "PaddedShortcut",
        "ResNet",
        "cifar_resnet",
        "resnet101",
        "resnet152",
        "resnet18",
        "resnet34",
        "resnet50",
    ),
    "sentences": (
        "SentenceEncoder",
        "minilm",
    ),
    "ssd": (
        "SSD",
        "SSDMobile",
        "SSDVgg",
        "ssd300_vgg16",
        "ssd_mobilenet",
    ),
    "ssdlite": (
        "ssdlite_mobilenet",
        "ssdlite_of",
    ),
    "table": ("TableNetwork",),
    "text": (
        "TEXT_MODELS",
        "BagOfEmbeddings",
        "LSTMClassifier",
        "RecurrentTextClassifier",
        "TransformerClassifier",
        "text_network",
    ),
    "transfer_learning": (
        "Transfer",
        "features_of",
        "transfer",
    ),
    "translation": (
        "Translator",
        "translation_pairs",
    ),
    "unet": (
        "UNet",
        "padded_unet",
        "valid_unet",
    ),
    "unet_on_backbone": (
        "BackboneUNet",
        "backbone_unet",
    ),
    "vgg": (
        "VGG",
        "vgg16",
        "vgg16_norm",
    ),
    "vnet": (
        "VNet",
        "normalized_vnet",
        "plain_vnet",
    ),
    "wavenet": (
        "WaveBlock",
        "WaveNet",
    ),
    "written": ("network",),
    "yolo": (
        "Yolo",
        "YoloScale",
        "yolo3",
        "yolo3_tiny",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name):
    if name not in _HOME_OF:
        raise AttributeError(f"cutaway.models has no {name!r}; it has {', '.join(__all__)}")
    value = getattr(importlib.import_module(f"cutaway.models.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return __all__
