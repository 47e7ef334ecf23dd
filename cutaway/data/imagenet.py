"""Names of ImageNet's 1,000 classes, the outputs of published image networks."""

from importlib import resources


def imagenet_classes() -> list:
    """The classes of ILSVRC 2012 in the order of published weights, the first name of each.

    Russakovsky et al. 2015, arXiv:1409.0575. The words are WordNet's; their source and license are
    in imagenet.txt.

    Example:
        >>> from cutaway.data import imagenet_classes
        >>> imagenet_classes()[281]
        'tabby'
    """
    return [words.partition(", ")[0] for words in imagenet_words()]


def imagenet_words() -> list:
    """All names of each class, the most common one first.

    Example:
        >>> from cutaway.data import imagenet_words
        >>> imagenet_words()[281]
        'tabby, tabby cat'
    """
    text = (resources.files("cutaway.data") / "imagenet.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]
