"""Options with sizes that no machine has: an error says which, before memory is asked for."""

import pytest

from cutaway.errors import CutawayError, OptionError, OutOfMemoryError
from cutaway.runs import TableOptions, prepare
from cutaway.runtime import exhaustion
from tests.hostile.run_samples import MAKERS


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """{kind: (its data, options)}"""
    found = {}
    for name, make in MAKERS.items():
        folder = tmp_path_factory.mktemp("data") / name
        folder.mkdir()
        found[name] = make(folder)
    return found


HUGE = {
    "table": {"layers": ((10**9,), (10**20,)), "batch_size": (10**30,), "epochs": (10**12, 2.5)},
    "series": {"window": (10**20,), "horizon": (10**20,), "season": (10**20,), "hidden": (10**12,)},
    "images": {"width": (10**6, 10**20), "size": (10**5, 10**20)},
    "recordings": {
        "bands": (10**9, 10**20),
        "seconds": (1e12, 1e300),
        "sample_rate": (10**12, 10**30),
    },
    "text": {"vocabulary": (10**20,), "length": (10**10, 10**20), "patience": (2.5,)},
    "language": {"hidden": (10**12,), "length": (10**20,), "vocabulary": (10**20, 2.5)},
    "labeled series": {"batch_size": (10**30,), "seed": (0.5, -1)},
}
CASES = [
    (kind, name, v) for kind, options in HUGE.items() for name, vs in options.items() for v in vs
]


@pytest.mark.parametrize(("kind", "name", "value"), CASES)
def test_a_size_that_no_machine_has_is_refused_in_words(sound, kind, name, value):
    data, options = sound[kind]
    if name == "vocabulary":
        options = options | {"tokens": "bpe"}
    with pytest.raises(CutawayError) as caught:
        prepare(data, **options | {name: value})
    assert len(str(caught.value)) < 1500 and (caught.value.fix or caught.value.expected)


def test_a_large_vocabulary_costs_no_more_than_the_texts(sound):
    data, options = sound["text"]
    for tokens in ("word", "bpe"):
        usual = prepare(data, **options | {"tokens": tokens, "vocabulary": 20_000})
        large = prepare(data, **options | {"tokens": tokens, "vocabulary": 2**31 - 2})
        assert usual.preprocessing.tokenizer.to_json() == large.preprocessing.tokenizer.to_json()


def test_what_the_steps_need_is_compared_with_the_free_memory(sound, monkeypatch, tmp_path):
    data, options = sound["table"]
    experiment = prepare(data, **options)
    bytes_of_weights = 4 * experiment.net.summary().total
    # AdamW has two slots; with the gradients three arrays as large as the weights
    monkeypatch.setattr(exhaustion, "free_bytes", lambda: 3 * bytes_of_weights - 1)
    with pytest.raises(
        OutOfMemoryError, match=r"the training: gradients .* does not fit"
    ) as caught:
        experiment.train(tmp_path / "run")
    assert "narrower layers" in caught.value.fix and not (tmp_path / "run").exists()
    monkeypatch.setattr(exhaustion, "free_bytes", lambda: 3 * bytes_of_weights)
    prepare(data, **options | {"epochs": 1}).train(tmp_path / "run", progress=False)


def test_numbers_of_epochs_are_integers():
    with pytest.raises(OptionError, match=r"epochs is 2\.5\n  expected: an integer"):
        TableOptions(epochs=2.5)
