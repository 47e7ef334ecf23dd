"""prepare: detect what kind of data a path holds, and prepare it for training."""

import dataclasses
from pathlib import Path

from cutaway.data.read import unpiped
from cutaway.errors import DataError, OptionError, did_you_mean
from cutaway.runs.experiment import Experiment
from cutaway.runs.kinds import KINDS, DataKind
from cutaway.runs.recognition import recognize


def prepare(
    data,
    target: str | None = None,
    *,
    kind: str | None = None,
    one_network: bool = False,
    **given,
) -> Experiment:
    """Read, encode and split data of any kind, and build a network for them.

    Args:
        data: path of a table, a folder of images or recordings, IDX files, texts or time series;
            a frame; or None for the bundled students table. A pipe, such as /dev/stdin, holds a
            table unless its kind is given; it is read once.
        target: the column to predict, for tables and texts in tables.
        kind: kind of the data, if it is detected wrongly.
        one_network: whether one network is trained, all of whose hyperparameters are options, also
            where an ensemble is the default; for those who vary them, or its rows.
        given: options of that kind: those of TrainingOptions, and its own, see
            `runs.KINDS[kind].options`.

    Raises:
        DataError: no such path, or unknown data.
        OptionError: an option that this kind does not have.

    Example:
        >>> from cutaway.runs import prepare
        >>> prepare("photos", size=64).train()                        # doctest: +SKIP
    """
    if kind is None:
        data = unpiped(data)
    detected = kind is None and isinstance(data, str | Path)
    reason = ""
    if kind is None:
        found = recognize(data, target=target)
        kind, reason = found.kind, found.reason
    if kind not in KINDS:
        raise DataError(
            f"there is no kind {kind!r}",
            expected="one of " + ", ".join(KINDS),
            fix=did_you_mean(kind, KINDS),
        )
    chosen = KINDS[kind]
    if chosen.target_option is not None and target is not None:
        given, target = {chosen.target_option: target, **given}, None
    if target is not None and not chosen.takes_target:
        raise OptionError(
            f"the target {target!r} was given, but {data} holds {chosen.title}, not a table",
            fix="omit the target",
        )
    sentences = [f"Detected as {chosen.title}: {reason}"] if detected else []
    if "from_" in given:
        options = make_options(_transfer_options(chosen), chosen, given)
        return chosen.prepare_transfer(data, target, options, why=_ended(sentences))
    if one_network:
        given = {**chosen.options_of_one_network(), **given}
    options = make_options(chosen.options, chosen, given)
    if chosen.network and "model" not in given:
        sentences.append(f"Network: {chosen.network}")
    return chosen.prepare(data, target, options, why=_ended(sentences))


def _ended(sentences) -> str:
    return " ".join(f"{sentence}." for sentence in sentences)


def _transfer_options(kind: DataKind):
    """Class of the options for a pretrained backbone."""
    if kind.transfer_options is None:
        able = [other.title for other in KINDS.values() if other.transfer_options]
        raise OptionError(
            f"there is no pretrained model for {kind.title}",
            expected="one of " + ", ".join(able),
            fix="omit from_ (--from)",
        )
    return kind.transfer_options


def make_options(options, kind: DataKind, given: dict):
    """The options object of a kind, from options given by name.

    Args:
        options: class of options.
        kind: whose options they are.
        given: {name: value}.

    Raises:
        OptionError: an option that this kind does not have.
    """
    names = {field.name for field in dataclasses.fields(options)}
    unknown = [name for name in given if name not in names]
    if unknown:
        raise OptionError(
            f"{', '.join(unknown)}: not an option for {kind.title}",
            expected="one of " + ", ".join(sorted(names)),
            fix=f"omit it, or {did_you_mean(unknown[0], names)}",
        )
    return options(**given)
