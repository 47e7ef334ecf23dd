"""A damaged search is never believed: neither its database nor the runs of its trials."""

import random
import shutil
import sqlite3

import pytest

import cutaway as ct
from cutaway.errors import RunError
from cutaway.search.study import Study
from cutaway.search.undamaged import sum_of

SMALL = {"kind": "table", "epochs": 2, "layers": (4,)}


@pytest.fixture(scope="module")
def search(points, tmp_path_factory):
    """(frame, the folder of a search of two trials)."""
    out = tmp_path_factory.mktemp("tune") / "t"
    ct.tune(points, "where", trials=2, out=out, **SMALL)
    return points, out


def what_a_search_reads(path):
    study = Study(path, {}, higher_is_better=False, epochs=2, seed=0)
    return [(t.number, t.state, sum_of(t, t.value)) for t in study.trials()]


def test_a_flipped_bit_of_the_database_is_named_or_changes_nothing(search, tmp_path):
    path = tmp_path / "study.db"
    whole = (search[1] / "study.db").read_bytes()
    shutil.copytree(search[1] / "trials", tmp_path / "trials")
    path.write_bytes(whole)
    before = what_a_search_reads(path)
    assert [number for number, *_ in before] == [0, 1]
    used = [i for i, byte in enumerate(whole) if byte]  # the rest is free space
    rnd = random.Random(0)
    said = 0
    for place in rnd.sample(used, 40):
        changed = bytearray(whole)
        changed[place] ^= 1 << rnd.randrange(8)
        path.write_bytes(changed)
        try:
            assert what_a_search_reads(path) == before
        except RunError as error:
            assert f"{path} is damaged" in error.came
            said += 1
    assert said > 30


@pytest.mark.parametrize("place", ["value", "params", "attributes", "the study"])
def test_a_changed_number_of_a_trial_is_damage(search, tmp_path, place):
    changes = {
        "value": "UPDATE trial_values SET value = value / 2 WHERE trial_id = 1",
        "params": "UPDATE trial_params SET param_value = 0.25 WHERE param_name = 'dropout'",
        "attributes": "UPDATE trial_user_attributes SET value_json = '9' WHERE key = 'epochs'",
        "the study": "UPDATE studies SET study_name = 'cutawax'",
    }
    shutil.copytree(search[1], tmp_path / "t")
    path = tmp_path / "t" / "study.db"
    with sqlite3.connect(path) as database:
        assert database.execute(changes[place]).rowcount > 0
    database.close()
    with pytest.raises(RunError, match=r"study\.db is damaged: "):
        what_a_search_reads(path)


@pytest.mark.parametrize("name", ["weights.safetensors", "manifest.json", "config.json"])
def test_a_damaged_file_of_a_trial_is_named_where_it_is(search, tmp_path, name):
    frame, out = search
    shutil.copytree(out, tmp_path / "t")
    path = tmp_path / "t" / "trials" / "001" / name
    path.write_bytes(path.read_bytes()[:-9] + b"damaged}\n")
    with pytest.raises(RunError) as caught:
        ct.tune(frame, "where", trials=2, out=tmp_path / "t", **SMALL)
    assert f"{path} is damaged" in caught.value.came
    shutil.rmtree(path.parent)
    with pytest.raises(RunError) as caught:
        ct.tune(frame, "where", trials=2, out=tmp_path / "t", **SMALL)
    assert f"{path.parent / 'manifest.json'} cannot be read" in caught.value.came
