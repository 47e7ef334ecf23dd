"""What `cutaway evaluate` tells of a detector: classes, confusions, precision over recall."""

import json

import pytest

from cutaway.runs import prepare
from tests.cli.in_process import cutaway
from tests.oracles import oracle
from tests.runs.drawn_sets import write_objects
from tests.runs.small_backbone import with_small_backbone
from tests.runs.untrained import write_untrained


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    """(run, folder): a detector that finds all kinds of boxes."""
    oracle("faster_coco_eval")
    place = tmp_path_factory.mktemp("detector")
    with with_small_backbone():
        folder = write_objects(place / "set", 4, empty=(2,))
        experiment = prepare(folder, model="yolo", from_="small", epochs=1, validation=0.5)
        experiment.preprocessing.threshold = 0.05
        write_untrained(place / "a&b", experiment)
        yield place / "a&b", folder


def test_classes_and_confusions_stand_below_the_scores(detector, tmp_path):
    run, folder = detector
    code, out, err = cutaway("evaluate", run, folder, "--html", tmp_path / "page.html")
    assert code == 0, err
    shown = out.partition("true disk square background")[2].split()
    order = [out.index(t) for t in ("AP50 disk", "Classes of the 4 pictures", "Objects by true")]
    assert order == sorted(order)
    rows = {name: shown[shown.index(name) + 1 :][:3] for name in ("disk", "square")}
    classes = out[out.index("Classes of") :].split()
    for name, row in rows.items():  # each object is found as some class, or missed
        total = sum(int(n) for n in row if n != "–")
        assert total == int(classes[classes.index(name) + 1])
    page = (tmp_path / "page.html").read_text()
    assert "Of the run" in page and "a&amp;b" in page  # names of files are escaped
    for told in ("AP50 disk", "Confusions", "Precision over recall", "<polyline"):
        assert told in page, told


def test_machines_get_the_tables_too_and_files_of_others_are_kept(detector, tmp_path):
    run, folder = detector
    code, out, err = cutaway("evaluate", run, folder, "--json")
    assert code == 0, err
    classes, confusions = json.loads(out)["tables"]
    assert classes["headings"][:2] == ["class", "objects"]
    assert [row[0] for row in confusions["rows"]] == ["disk", "square", "background"]
    (tmp_path / "own.html").write_text("mine")
    code, _, err = cutaway("evaluate", run, folder, "--html", tmp_path / "own.html")
    assert code == 2 and "Cutaway did not write it" in " ".join(err.split())
    assert (tmp_path / "own.html").read_text() == "mine"
