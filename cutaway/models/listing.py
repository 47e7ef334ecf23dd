"""The architectures in cutaway.models as a table."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Architecture:
    """An architecture in cutaway.models.

    Attributes:
        name: of the function or class in cutaway.models that builds it.
        year: of the paper.
        paper: its authors and where it was published.
        input: shape of one example in the paper; axes of variable size have names.
        parameters: number of parameters in the paper's size; None if sizes are variable.
    """

    name: str
    year: int
    paper: str
    input: str
    parameters: int | None = None


_RESNET = "He et al., arXiv:1512.03385"
_VGG = "Simonyan & Zisserman, arXiv:1409.1556"
_LENET = "LeCun et al., Proc. IEEE 86"
_UNET = "Ronneberger et al., arXiv:1505.04597"
_VNET = "Milletari et al., arXiv:1606.04797"
_PIX2PIX = "Isola et al., arXiv:1611.07004"
_SSD = "Liu et al., arXiv:1512.02325"
_FPN = "Ren et al., arXiv:1506.01497; Lin et al., arXiv:1612.03144"
_YOLO3 = "Redmon & Farhadi, arXiv:1804.02767"
_MOBILE3 = "Howard et al., arXiv:1905.02244"
_BERT = "Devlin et al., arXiv:1810.04805"
_SMALL_BERT = "Turc et al., arXiv:1908.08962"

_ARCHITECTURES = (
    Architecture("Perceptron", 1958, "Rosenblatt, Psychological Review 65", "features"),
    Architecture("mlp", 1986, "Rumelhart et al., Nature 323", "features"),
    Architecture("lenet5", 1998, _LENET, "32 x 32 x 1", 60_850),
    Architecture("lenet5_modern", 1998, _LENET, "32 x 32 x 1", 61_706),
    Architecture("LSTMClassifier", 2005, "Graves & Schmidhuber, Neural Networks 18", "tokens"),
    Architecture("dense_autoencoder", 2006, "Hinton & Salakhutdinov, Science 313", "features"),
    Architecture(
        "convolutional_autoencoder", 2011, "Masci et al., ICANN", "height x width x channels"
    ),
    Architecture("LanguageModel", 2013, "Graves, arXiv:1308.0850", "tokens"),
    Architecture("cnn", 2014, "Lin et al., arXiv:1312.4400; " + _VGG, "height x width x channels"),
    Architecture("googlenet", 2014, "Szegedy et al., arXiv:1409.4842", "224 x 224 x 3", 6_624_904),
    Architecture("dense_vae", 2014, "Kingma & Welling, arXiv:1312.6114", "features"),
    Architecture("convolutional_vae", 2014, "Kingma & Welling", "height x width x channels"),
    Architecture("RecurrentClassifier", 2014, "Cho et al., arXiv:1406.1078", "time x channels"),
    Architecture("vgg16", 2014, _VGG, "224 x 224 x 3", 138_357_544),
    Architecture("vgg16_norm", 2014, _VGG, "224 x 224 x 3", 138_365_992),
    Architecture("cifar_resnet", 2015, _RESNET + ", sec. 4.2", "32 x 32 x 3", 269_722),
    Architecture("resnet18", 2015, _RESNET, "224 x 224 x 3", 11_689_512),
    Architecture("resnet34", 2015, _RESNET, "224 x 224 x 3", 21_797_672),
    Architecture("resnet50", 2015, _RESNET, "224 x 224 x 3", 25_557_032),
    Architecture("resnet101", 2015, _RESNET, "224 x 224 x 3", 44_549_160),
    Architecture("resnet152", 2015, _RESNET, "224 x 224 x 3", 60_192_808),
    Architecture(
        "valid_unet", 2015, _UNET, "572 x 572 x 1, or larger by multiples of 16", 31_030_658
    ),
    Architecture("padded_unet", 2015, _UNET, "height x width x channels", 31_036_546),
    Architecture("Translator", 2015, "Luong et al., arXiv:1508.04025", "tokens"),
    Architecture(
        "fast_rcnn_vgg16", 2015, "Girshick, arXiv:1504.08083", "height x width x 3", 134_690_729
    ),
    Architecture(
        "faster_rcnn_vgg16", 2015, "Ren et al., arXiv:1506.01497", "height x width x 3", 137_078_239
    ),
    Architecture("ssd300_vgg16", 2016, _SSD, "300 x 300 x 3", 26_285_486),
    Architecture("UNet", 2016, "Çiçek et al., arXiv:1606.06650 (in 3 axes)", "volumes or images"),
    Architecture("plain_vnet", 2016, _VNET, "128 x 128 x 64 x 1", 61_982_682),
    Architecture("normalized_vnet", 2016, _VNET, "128 x 128 x 64 x 1", 45_600_316),
    Architecture("WaveNet", 2016, "van den Oord et al., arXiv:1609.03499", "samples"),
    Architecture("BagOfEmbeddings", 2016, "Joulin et al., arXiv:1607.01759", "tokens"),
    Architecture("TableNetwork", 2016, "Guo & Berkhahn, arXiv:1604.06737", "columns"),
    Architecture("time_series_cnn", 2016, "Wang et al., arXiv:1611.06455", "time x channels"),
    Architecture(
        "darknet19", 2017, "Redmon & Farhadi, arXiv:1612.08242", "256 x 256 x 3", 20_842_376
    ),
    Architecture("pix2pix_generator", 2017, _PIX2PIX, "256 x 256 x 3", 54_413_955),
    Architecture("faster_rcnn_resnet50", 2017, _FPN, "height x width x 3", 41_808_406),
    Architecture(
        "mask_rcnn_resnet50", 2017, "He et al., arXiv:1703.06870", "height x width x 3", 44_454_513
    ),
    Architecture("patch_discriminator", 2017, _PIX2PIX, "256 x 256 x 6", 2_768_705),
    Architecture("TransformerClassifier", 2017, "Vaswani et al., arXiv:1706.03762", "tokens"),
    Architecture(
        "mobilenet_v2", 2018, "Sandler et al., arXiv:1801.04381", "224 x 224 x 3", 3_504_872
    ),
    Architecture(
        "backbone_unet", 2018, "Iglovikov & Shvets, arXiv:1801.05746", "height x width x 3"
    ),
    Architecture(
        "ssd_mobilenet", 2018, "Sandler et al., arXiv:1801.04381", "300 x 300 x 3", 4_970_780
    ),
    Architecture("darknet53", 2018, _YOLO3, "256 x 256 x 3", 41_609_928),
    Architecture("darknet_tiny", 2018, _YOLO3, "416 x 416 x 3"),
    Architecture("yolo3", 2018, _YOLO3, "416 x 416 x 3", 61_949_149),
    Architecture("yolo3_tiny", 2018, _YOLO3, "416 x 416 x 3", 8_852_366),
    Architecture("bert_base", 2018, _BERT, "up to 512 tokens", 109_482_240),
    Architecture("bert_mini", 2019, _SMALL_BERT, "up to 512 tokens", 11_170_560),
    Architecture("bert_tiny", 2019, _SMALL_BERT, "up to 512 tokens", 4_385_920),
    Architecture("mobilenet_v3_large", 2019, _MOBILE3, "224 x 224 x 3", 5_483_032),
    Architecture("mobilenet_v3_small", 2019, _MOBILE3, "224 x 224 x 3", 2_542_856),
    Architecture("ssdlite_mobilenet", 2019, _MOBILE3, "320 x 320 x 3", 3_440_060),
    Architecture("efficientnet_b0", 2019, "Tan & Le, arXiv:1905.11946", "224 x 224 x 3", 5_288_548),
    Architecture(
        "efficientnet_lite0", 2020, "Liu, blog.tensorflow.org", "224 x 224 x 3", 4_652_008
    ),
    Architecture("minilm", 2020, "Wang et al., arXiv:2002.10957", "up to 512 tokens"),
    Architecture("Forecaster", 2022, "Kim et al., ICLR", "time x channels"),
)


def catalog() -> list:
    """The architectures, oldest first: Architectures (name, year, paper, input, parameters).

    Nothing is built or imported.

    Example:
        >>> from cutaway.models import catalog
        >>> [(entry.name, entry.parameters) for entry in catalog() if entry.year == 1998]
        [('lenet5', 60850), ('lenet5_modern', 61706)]
    """
    return list(_ARCHITECTURES)
