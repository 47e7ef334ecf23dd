"""What each word of the text that is looked at adds to the prediction: it is left out once."""

import jax.numpy as jnp
import numpy as np

from cutaway.nn.trees import call, leaves
from cutaway.studio.labeled_outputs import (
    class_names,
    first_output,
    predicts_classes,
    probabilities,
)
from cutaway.studio.shapes import output_shapes
from cutaway.studio.views.contract import Passes, Scene, View

MOST_TOKENS = 60  # of a text, from its beginning: as many as explanations of texts have


class WordsView(View):
    """Arrays: pushes, (tokens,): the prediction minus that without the token.

    The prediction is the probability of the class that is looked at, or else of the second of two
    classes or of the one that is predicted; of a regression it is the raw output. As in
    runs.word_pushes the later tokens move up, and the first 60 tokens have their turn.
    """

    name = "words"
    title = "Words that push"
    needs = ("row",)
    has_row = True

    def fits(self, scene):
        example = [np.asarray(leaf) for leaf in leaves(scene.example())]
        if len(example) != 1 or example[0].ndim != 2 or example[0].dtype.kind not in "iu":
            return False
        if scene.subject.tokens(scene.row) is None:
            return False
        return len(output_shapes(scene.program, scene.example()).get("", ())) == 2

    def traced(self, passes: Passes, scene):
        program = passes.program
        ids = leaves(passes.inputs("row"))[0].data  # (1, length)
        with passes.evaluating():
            raw = first_output(call(program.net, _variants(ids[0])))
        if predicts_classes(scene.subject, program):
            found = probabilities(program, raw)
            chosen = _class(scene, found)
        else:
            found, chosen = raw, jnp.asarray(min(scene.look.output or 0, raw.shape[1] - 1))
        values = found[:, chosen].astype(jnp.float32)
        number = jnp.stack([chosen, jnp.asarray(found.shape[1])]).astype(jnp.int32)
        return {"pushes": values[0] - values[1:], "output": number, "value": values[:1]}

    def header(self, scene, arrays):
        chosen, count = map(int, arrays["output"])
        is_class = predicts_classes(scene.subject, scene.program)
        names = class_names(scene.subject, count) if is_class else [scene.subject.target] * count
        tokens = _tokens(scene)
        return {
            "tokens": tokens[:MOST_TOKENS],
            "output": names[chosen],
            "value": float(arrays["value"][0]),
            "left_out": max(0, len(tokens) - MOST_TOKENS),
        }

    def sent(self, scene, arrays):
        return {"pushes": arrays["pushes"][: len(_tokens(scene))]}


def _variants(ids):
    """(1 + tokens, length): the ids, and without each of the first ones; 0 comes last."""
    length = len(ids)
    count = min(length, MOST_TOKENS)
    places, left = jnp.arange(length), jnp.arange(count)[:, None]
    moved = jnp.append(ids[1:], jnp.zeros((1,), ids.dtype))
    without = jnp.where(places < left, ids, moved)
    return jnp.concatenate([ids[None], without])


def _class(scene: Scene, found):
    """The number of the class that is meant."""
    count = found.shape[1]
    if scene.look.output is not None:
        return jnp.asarray(min(scene.look.output, count - 1))
    return jnp.asarray(1) if count == 2 else found[0].argmax()


def _tokens(scene: Scene) -> list[str]:
    return scene.subject.tokens(scene.row) or []
