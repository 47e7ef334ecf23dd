# Written by scripts/write_stubs.py: do not edit.
from cutaway.models.autoencoder import Autoencoder as Autoencoder
from cutaway.models.autoencoder import VariationalAutoencoder as VariationalAutoencoder
from cutaway.models.autoencoder import convolutional_autoencoder as convolutional_autoencoder
from cutaway.models.autoencoder import convolutional_vae as convolutional_vae
from cutaway.models.autoencoder import dense_autoencoder as dense_autoencoder
from cutaway.models.autoencoder import dense_vae as dense_vae
from cutaway.models.backbone import Backbone as Backbone
from cutaway.models.backbone_ssd import SSDBackbone as SSDBackbone
from cutaway.models.backbone_ssd import ssd_on_backbone as ssd_on_backbone
from cutaway.models.bert import BERT_BASE as BERT_BASE
from cutaway.models.bert import BERT_MINI as BERT_MINI
from cutaway.models.bert import BERT_TINY as BERT_TINY
from cutaway.models.bert import Bert as Bert
from cutaway.models.bert import BertClassifier as BertClassifier
from cutaway.models.bert import BertMaskedLanguage as BertMaskedLanguage
from cutaway.models.bert import BertNextSentence as BertNextSentence
from cutaway.models.bert import BertPretraining as BertPretraining
from cutaway.models.bert import BertSentence as BertSentence
from cutaway.models.bert import BertSize as BertSize
from cutaway.models.bert import BertTagger as BertTagger
from cutaway.models.bert import MINILM_L6 as MINILM_L6
from cutaway.models.bert import bert_base as bert_base
from cutaway.models.bert import bert_mini as bert_mini
from cutaway.models.bert import bert_tiny as bert_tiny
from cutaway.models.bert import masked_cross_entropy as masked_cross_entropy
from cutaway.models.convolutional import cnn as cnn
from cutaway.models.convolutional import time_series_cnn as time_series_cnn
from cutaway.models.darknet import Darknet as Darknet
from cutaway.models.darknet import darknet19 as darknet19
from cutaway.models.darknet import darknet53 as darknet53
from cutaway.models.darknet import darknet_tiny as darknet_tiny
from cutaway.models.detector import DetectionOptions as DetectionOptions
from cutaway.models.detector import Detector as Detector
from cutaway.models.detector import SSDDetector as SSDDetector
from cutaway.models.detector import SingleStage as SingleStage
from cutaway.models.detector import YoloDetector as YoloDetector
from cutaway.models.detector import detection_objective as detection_objective
from cutaway.models.efficientnet import EfficientNet as EfficientNet
from cutaway.models.efficientnet import efficientnet_b0 as efficientnet_b0
from cutaway.models.efficientnet import efficientnet_lite0 as efficientnet_lite0
from cutaway.models.fast_rcnn import FastRcnn as FastRcnn
from cutaway.models.fast_rcnn import fast_rcnn_on_backbone as fast_rcnn_on_backbone
from cutaway.models.fast_rcnn import fast_rcnn_vgg16 as fast_rcnn_vgg16
from cutaway.models.feature_distance import FeatureDistance as FeatureDistance
from cutaway.models.feature_pyramid import FeaturePyramid as FeaturePyramid
from cutaway.models.forecast import Forecaster as Forecaster
from cutaway.models.inception import GoogLeNet as GoogLeNet
from cutaway.models.inception import Inception as Inception
from cutaway.models.inception import auxiliary_loss as auxiliary_loss
from cutaway.models.inception import googlenet as googlenet
from cutaway.models.language import LanguageModel as LanguageModel
from cutaway.models.lenet import LeNet5 as LeNet5
from cutaway.models.lenet import lenet5 as lenet5
from cutaway.models.lenet import lenet5_modern as lenet5_modern
from cutaway.models.listing import Architecture as Architecture
from cutaway.models.listing import catalog as catalog
from cutaway.models.mobilenet import InvertedResidual as InvertedResidual
from cutaway.models.mobilenet import MobileNetV2 as MobileNetV2
from cutaway.models.mobilenet import mobilenet_v2 as mobilenet_v2
from cutaway.models.mobilenet_v3 import MobileNetV3 as MobileNetV3
from cutaway.models.mobilenet_v3 import MobileStage as MobileStage
from cutaway.models.mobilenet_v3 import mobilenet_v3_large as mobilenet_v3_large
from cutaway.models.mobilenet_v3 import mobilenet_v3_small as mobilenet_v3_small
from cutaway.models.perceptron import Perceptron as Perceptron
from cutaway.models.perceptron import mlp as mlp
from cutaway.models.pix2pix import PatchDiscriminator as PatchDiscriminator
from cutaway.models.pix2pix import Pix2PixGenerator as Pix2PixGenerator
from cutaway.models.pix2pix import patch_discriminator as patch_discriminator
from cutaway.models.pix2pix import pix2pix_generator as pix2pix_generator
from cutaway.models.pix2pix import weighted_absolute_error as weighted_absolute_error
from cutaway.models.pretrained import ImageBackbone as ImageBackbone
from cutaway.models.pretrained import PRETRAINED_BACKBONES as PRETRAINED_BACKBONES
from cutaway.models.pretrained import PretrainedBackbone as PretrainedBackbone
from cutaway.models.pretrained import TextBackbone as TextBackbone
from cutaway.models.pretrained import load_backbone as load_backbone
from cutaway.models.pretrained import pretrained_backbone as pretrained_backbone
from cutaway.models.pretrained_detectors import PRETRAINED_DETECTORS as PRETRAINED_DETECTORS
from cutaway.models.pretrained_detectors import PretrainedDetector as PretrainedDetector
from cutaway.models.pretrained_detectors import pretrained_detector as pretrained_detector
from cutaway.models.pyramid_yolo import PyramidYolo as PyramidYolo
from cutaway.models.pyramid_yolo import yolo_on_backbone as yolo_on_backbone
from cutaway.models.rcnn import FasterRcnn as FasterRcnn
from cutaway.models.rcnn import faster_rcnn_resnet50 as faster_rcnn_resnet50
from cutaway.models.rcnn import faster_rcnn_vgg16 as faster_rcnn_vgg16
from cutaway.models.rcnn import mask_rcnn_resnet50 as mask_rcnn_resnet50
from cutaway.models.rcnn import rcnn_on_backbone as rcnn_on_backbone
from cutaway.models.recurrent import RecurrentClassifier as RecurrentClassifier
from cutaway.models.recurrent import recurrent_layers as recurrent_layers
from cutaway.models.region_proposals import RegionProposals as RegionProposals
from cutaway.models.resnet import BasicBlock as BasicBlock
from cutaway.models.resnet import Bottleneck as Bottleneck
from cutaway.models.resnet import PaddedShortcut as PaddedShortcut
from cutaway.models.resnet import ResNet as ResNet
from cutaway.models.resnet import cifar_resnet as cifar_resnet
from cutaway.models.resnet import resnet101 as resnet101
from cutaway.models.resnet import resnet152 as resnet152
from cutaway.models.resnet import resnet18 as resnet18
from cutaway.models.resnet import resnet34 as resnet34
from cutaway.models.resnet import resnet50 as resnet50
from cutaway.models.sentences import SentenceEncoder as SentenceEncoder
from cutaway.models.sentences import minilm as minilm
from cutaway.models.ssd import SSD as SSD
from cutaway.models.ssd import SSDMobile as SSDMobile
from cutaway.models.ssd import SSDVgg as SSDVgg
from cutaway.models.ssd import ssd300_vgg16 as ssd300_vgg16
from cutaway.models.ssd import ssd_mobilenet as ssd_mobilenet
from cutaway.models.ssdlite import ssdlite_mobilenet as ssdlite_mobilenet
from cutaway.models.ssdlite import ssdlite_of as ssdlite_of
from cutaway.models.table import TableNetwork as TableNetwork
from cutaway.models.text import BagOfEmbeddings as BagOfEmbeddings
from cutaway.models.text import LSTMClassifier as LSTMClassifier
from cutaway.models.text import RecurrentTextClassifier as RecurrentTextClassifier
from cutaway.models.text import TEXT_MODELS as TEXT_MODELS
from cutaway.models.text import TransformerClassifier as TransformerClassifier
from cutaway.models.text import text_network as text_network
from cutaway.models.transfer_learning import Transfer as Transfer
from cutaway.models.transfer_learning import features_of as features_of
from cutaway.models.transfer_learning import transfer as transfer
from cutaway.models.translation import Translator as Translator
from cutaway.models.translation import translation_pairs as translation_pairs
from cutaway.models.unet import UNet as UNet
from cutaway.models.unet import padded_unet as padded_unet
from cutaway.models.unet import valid_unet as valid_unet
from cutaway.models.unet_on_backbone import BackboneUNet as BackboneUNet
from cutaway.models.unet_on_backbone import backbone_unet as backbone_unet
from cutaway.models.vgg import VGG as VGG
from cutaway.models.vgg import vgg16 as vgg16
from cutaway.models.vgg import vgg16_norm as vgg16_norm
from cutaway.models.vnet import VNet as VNet
from cutaway.models.vnet import normalized_vnet as normalized_vnet
from cutaway.models.vnet import plain_vnet as plain_vnet
from cutaway.models.wavenet import WaveBlock as WaveBlock
from cutaway.models.wavenet import WaveNet as WaveNet
from cutaway.models.written import network as network
from cutaway.models.yolo import Yolo as Yolo
from cutaway.models.yolo import YoloScale as YoloScale
from cutaway.models.yolo import yolo3 as yolo3
from cutaway.models.yolo import yolo3_tiny as yolo3_tiny

__all__ = [
    "Architecture",
    "Autoencoder",
    "BERT_BASE",
    "BERT_MINI",
    "BERT_TINY",
    "Backbone",
    "BackboneUNet",
    "BagOfEmbeddings",
    "BasicBlock",
    "Bert",
    "BertClassifier",
    "BertMaskedLanguage",
    "BertNextSentence",
    "BertPretraining",
    "BertSentence",
    "BertSize",
    "BertTagger",
    "Bottleneck",
    "Darknet",
    "DetectionOptions",
    "Detector",
    "EfficientNet",
    "FastRcnn",
    "FasterRcnn",
    "FeatureDistance",
    "FeaturePyramid",
    "Forecaster",
    "GoogLeNet",
    "ImageBackbone",
    "Inception",
    "InvertedResidual",
    "LSTMClassifier",
    "LanguageModel",
    "LeNet5",
    "MINILM_L6",
    "MobileNetV2",
    "MobileNetV3",
    "MobileStage",
    "PRETRAINED_BACKBONES",
    "PRETRAINED_DETECTORS",
    "PaddedShortcut",
    "PatchDiscriminator",
    "Perceptron",
    "Pix2PixGenerator",
    "PretrainedBackbone",
    "PretrainedDetector",
    "PyramidYolo",
    "RecurrentClassifier",
    "RecurrentTextClassifier",
    "RegionProposals",
    "ResNet",
    "SSD",
    "SSDBackbone",
    "SSDDetector",
    "SSDMobile",
    "SSDVgg",
    "SentenceEncoder",
    "SingleStage",
    "TEXT_MODELS",
    "TableNetwork",
    "TextBackbone",
    "Transfer",
    "TransformerClassifier",
    "Translator",
    "UNet",
    "VGG",
    "VNet",
    "VariationalAutoencoder",
    "WaveBlock",
    "WaveNet",
    "Yolo",
    "YoloDetector",
    "YoloScale",
    "auxiliary_loss",
    "backbone_unet",
    "bert_base",
    "bert_mini",
    "bert_tiny",
    "catalog",
    "cifar_resnet",
    "cnn",
    "convolutional_autoencoder",
    "convolutional_vae",
    "darknet19",
    "darknet53",
    "darknet_tiny",
    "dense_autoencoder",
    "dense_vae",
    "detection_objective",
    "efficientnet_b0",
    "efficientnet_lite0",
    "fast_rcnn_on_backbone",
    "fast_rcnn_vgg16",
    "faster_rcnn_resnet50",
    "faster_rcnn_vgg16",
    "features_of",
    "googlenet",
    "lenet5",
    "lenet5_modern",
    "load_backbone",
    "mask_rcnn_resnet50",
    "masked_cross_entropy",
    "minilm",
    "mlp",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "network",
    "normalized_vnet",
    "padded_unet",
    "patch_discriminator",
    "pix2pix_generator",
    "plain_vnet",
    "pretrained_backbone",
    "pretrained_detector",
    "rcnn_on_backbone",
    "recurrent_layers",
    "resnet101",
    "resnet152",
    "resnet18",
    "resnet34",
    "resnet50",
    "ssd300_vgg16",
    "ssd_mobilenet",
    "ssd_on_backbone",
    "ssdlite_mobilenet",
    "ssdlite_of",
    "text_network",
    "time_series_cnn",
    "transfer",
    "translation_pairs",
    "valid_unet",
    "vgg16",
    "vgg16_norm",
    "weighted_absolute_error",
    "yolo3",
    "yolo3_tiny",
    "yolo_on_backbone",
]
