"""A finished run in a notebook: its scores, its curves and its network."""

from cutaway.diagram.network_html import network_parts, size_in_words
from cutaway.runs.preprocessing import score_in_words
from cutaway.runs.validation_kind import ValidationKind, scores_of_sets
from cutaway.story.html import folded, table
from cutaway.story.notebook import facts, shown, title
from cutaway.story.text import number
from cutaway.train.training_html import history_parts


def run_html(run) -> str:
    """What a notebook shows of a Run."""
    metrics, config = run.metrics, run.config
    rows = [
        ("data", str(config["data"])),
        ("target", f"{config['target']} ({config['task']})"),
        ("network", f"{config['network']['model']} of {size_in_words(run.net)}"),
        ("trained", _trained(metrics)),
        ("device", str(metrics.get("device"))),
    ]
    return shown(
        title(f"Run {run.path}"),
        facts(rows),
        _scores(metrics),
        history_parts(
            run.history,
            best_epoch=metrics.get("best_epoch"),
            named=score_in_words,
            validation=ValidationKind.of(metrics).curve,
        ),
        folded("network", network_parts(run.net)),
    )


def _trained(metrics) -> str:
    text = f"{metrics['epochs']} epochs in {metrics['seconds']:.1f} s"
    best, why = metrics.get("best_epoch"), metrics.get("stopped")
    text += f", weights of epoch {best}" if best else ""
    return text + (f"; {why}" if why else "")


def _scores(metrics) -> str:
    found = scores_of_sets(metrics)
    rows = [
        (score_in_words(score), *(_written(values.get(score)) for values in found.values()))
        for score in metrics["validation"]
    ]
    return table(("score", *found), rows, numbers=range(1, len(found) + 1))


def _written(value) -> str:
    if value is None:
        return ""
    return number(value) if isinstance(value, int | float) else str(value)
