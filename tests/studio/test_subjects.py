"""What the studio shows and trains: of every kind of data, of runs, of a user's own objects."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

import cutaway as ct
from cutaway.errors import DataError, OptionError
from cutaway.nn.trees import leaves, take_rows
from cutaway.runs import KINDS
from cutaway.runs.explain import explain_row, open_row
from cutaway.studio.choosing import choose_subject
from cutaway.studio.origins.circle import circle
from cutaway.studio.origins.from_data import DataSubject, subject_of_data
from cutaway.studio.origins.from_objects import subject_of_net, subject_of_trainer
from cutaway.studio.origins.from_run import subject_of_run
from cutaway.studio.origins.gauss import gauss
from cutaway.studio.origins.spirals import spirals
from cutaway.studio.origins.xor import xor
from cutaway.train import Trainer
from cutaway.train.program import permute_weights
from cutaway.weights.files import as_safetensors
from tests.runs.drawn_sets import write_masks, write_objects, write_pairs, write_volumes
from tests.runs.small_backbone import with_small_backbone
from tests.runs.test_recordings import hum
from tests.runs.test_series import monthly
from tests.runs.test_text import BAD, GOOD
from tests.runs.test_time_series_classification import write as write_ramps
from tests.runs.untrained import write_untrained

pytestmark = pytest.mark.usefixtures("compile_quickly")

TINY = {"width": 2, "levels": 2, "size": 32, "validation": 0.3}
ROWS = 60
WIDTH = 16  # numbers that the table of people becomes


def write_table(folder):
    rng = np.random.default_rng(0)
    numbers = rng.normal(170, 9, ROWS).round(2)
    pl.DataFrame(
        {
            "height": [None, None, *numbers[2:]],
            "income": np.exp(rng.normal(9, 2, ROWS)).round(),
            "color": rng.choice(["red", "blue"], ROWS),
            "when": [f"2024-{k % 12 + 1:02}-{k % 28 + 1:02}" for k in range(ROWS)],
            "size": [None, *rng.choice(["small", "large"], ROWS - 1)],
        }
    ).write_csv(folder / "people.csv")
    return folder / "people.csv", "size", {"layers": (3,)}


def write_images(folder):
    rng = np.random.default_rng(0)
    for name in ("cats", "dogs"):
        (folder / name).mkdir()
        for k in range(8):
            pixels = rng.integers(0, 255, (12, 16, 3), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{k}.png")
    return folder, None, {"width": 4, "size": 12, "batch_size": 4}


def write_lines(folder):
    lines = [f"{k % 2}\t{(BAD, GOOD)[k % 2][k % 3]} no. {k % 5}\n" for k in range(ROWS)]
    lines[4] = "1\t \n"  # without words
    (folder / "reviews.txt").write_text("".join(lines))
    return folder / "reviews.txt", None, {}


def write_running_text(folder):
    (folder / "fox.txt").write_text("the quick brown fox jumps over the lazy dog.\n" * 40)
    return folder / "fox.txt", None, {"hidden": 4, "length": 16}


def write_months(folder):
    monthly(80).write_csv(folder / "sold.csv")
    return folder / "sold.csv", None, {"hidden": 4}


def write_labeled_series(folder):
    path = write_ramps(folder / "ramps.tsv", 24)
    return path, None, {"kind": "time-series-classification"}


def write_recordings(folder):
    for k in range(8):
        hum(folder / "high", f"{k}.wav", 1200, k)
        hum(folder / "low", f"{k}.wav", 200, 50 + k)
    return folder, None, {"bands": 12}


def write_disks(folder):
    return write_masks(folder / "set"), None, TINY


def write_balls(folder):
    return write_volumes(folder / "set"), None, {**TINY, "size": 8}


def write_both(folder):
    return write_pairs(folder / "set"), None, {"width": 2, "batch_size": 2, "validation": 0.3}


def write_boxes(folder):
    options = {"model": "yolo", "from_": "small", "batch_size": 4, "validation": 0.3}
    return write_objects(folder / "set"), None, options


WRITERS = {
    "table": write_table,
    "images": write_images,
    "text": write_lines,
    "language": write_running_text,
    "series": write_months,
    "time-series-classification": write_labeled_series,
    "recordings": write_recordings,
    "masks": write_disks,
    "volumes": write_balls,
    "pairs": write_both,
    "objects": write_boxes,
}


@pytest.fixture(scope="module", autouse=True)
def small_body():
    with with_small_backbone():
        yield


@pytest.fixture(scope="module", params=WRITERS)
def case(request, tmp_path_factory):
    """(Subject of a kind of data, a Run of its network with other weights)."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "data").mkdir()
    path, target, options = WRITERS[request.param](folder / "data")
    subject = subject_of_data(path, target, **options)
    permute_weights(subject.program.net, 3)
    run = write_untrained(folder / "run", subject.experiment)
    if hasattr(subject.program, "discriminator"):
        permute_weights(subject.program.discriminator, 3)
        state = subject.program.discriminator.state_dict()
        run.folder.write(run.folder.discriminator, as_safetensors(state))
    return subject, run


def outputs(subject, rows):
    """What a subject's network predicts for rows, as the session computes it."""
    raw = Trainer(subject.program).predict(take_rows(subject.x, rows))
    return subject.predictions(raw)


def assert_same(found, expected):
    for one, other in zip(leaves(found), leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_every_kind_of_data_has_a_case():
    assert set(WRITERS) == set(KINDS)


def test_a_subject_has_a_finite_loss_and_sets_that_share_no_row(case):
    subject, _ = case
    rows = subject.training[: subject.batch_size]
    program = subject.program
    loss_of = ct.jit(program.loss_of, *program.owners().values(), donate=False)
    loss = loss_of(*take_rows((subject.x, subject.y), rows))
    assert np.isfinite(loss.item()) and subject.can_train
    assert not np.isin(subject.validation, subject.training).any() and len(subject.validation)
    assert {len(leaf) for leaf in leaves((subject.x, subject.y))} == {len(leaves(subject.x)[0])}
    assert subject.input_shape == leaves(subject.x)[0].shape[1:]


def test_a_subject_predicts_what_its_run_predicts(case):
    subject, run = case
    rows = subject.validation[:3]
    expected = run.outputs(subject.x[rows])
    assert_same(outputs(subject, rows), expected)
    if subject.task in ("binary", "multiclass", "language"):
        assert len(subject.classes) == np.shape(expected)[-1]


def test_the_subject_of_a_run_has_its_data_and_weights_but_its_own_network(case):
    subject, run = case
    again = subject_of_run(run.path)
    assert again.can_train and again.title.startswith("run: ")
    np.testing.assert_array_equal(again.x, subject.x)
    np.testing.assert_array_equal(again.training, subject.training)
    rows = subject.training[:3]
    assert_same(outputs(again, rows), run.outputs(subject.x[rows]))
    for name in ("discriminator", "net"):
        if hasattr(subject.program, name):
            own, known = (getattr(one.program, name).state_dict() for one in (again, subject))
            for path, value in known.items():
                np.testing.assert_array_equal(own[path], value)
    assert again.program.net is not run.net


def test_the_network_of_a_run_without_its_data_predicts_the_same(case, monkeypatch):
    subject, run = case
    monkeypatch.setattr("cutaway.doctor.sources.training_data_of", gone)
    alone, rows = subject_of_run(run.path), subject.training[:3]
    assert not alone.can_train and alone.notes[0].endswith("not trained: the data are gone.")
    assert alone.classes == subject.classes and alone.input_shape == subject.input_shape
    assert_same(
        alone.predictions(Trainer(alone.program).predict(subject.x[rows])),
        run.outputs(subject.x[rows]),
    )
    assert type(alone.program.optimizer) is type(subject.program.optimizer)


def gone(run):
    raise DataError("the data are gone")


def test_rows_are_called_what_explain_calls_them(case):
    subject, run = case
    row = int(subject.training[-1])
    title = subject.row_title(row)
    numbered = re.fullmatch(r"row (\d+) of (.+)", title)
    if numbered:
        number, source = int(numbered[1]), numbered[2]
    else:  # a file below the folder
        folder = Path(subject.experiment.source)
        frame = run.preprocessing.read(folder)
        files = frame["path" if "path" in frame.columns else "input"].to_list()
        number, source = files.index(str(folder / title)), folder.name
    _, x, _, name = open_row(run, None, number)
    assert name == source
    assert_same(x[0], subject.x[row])


def test_pictures_and_words_of_a_row_are_those_of_the_data(case):
    subject, _ = case
    row = int(subject.training[0])
    picture, tokens = subject.picture(row), subject.tokens(row)
    if subject.examples in ("images", "pictures", "pairs", "volumes", "recordings"):
        assert picture.dtype == np.uint8 and picture.ndim in (2, 3) and np.ptp(picture) > 100
        assert picture.shape[2:] in ((), (3,))
    else:
        assert picture is None
    if subject.kind in ("text", "language"):
        assert len(tokens) == (subject.x[row] != 0).sum()
    elif subject.kind in ("series", "time-series-classification", "recordings"):
        assert len(tokens) == subject.x.shape[1]
    else:
        assert tokens is None


@pytest.fixture
def table(tmp_path):
    path, target, options = write_table(tmp_path)
    return subject_of_data(path, target, **options), pl.read_csv(path)


def test_decoded_columns_are_the_numbers_of_the_table(table):
    subject, frame = table
    assert [column.name for column in subject.inputs][:2] == ["height", "height is missing"]
    names = {column.name: k for k, column in enumerate(subject.inputs)}
    rows = subject.experiment.row_numbers - 1
    chosen = frame[rows].with_columns(when=pl.col("when").str.to_date())
    expected = {
        "height": chosen["height"].to_numpy(),
        "ln(1 + income)": np.log1p(chosen["income"].to_numpy()),
        "color=red": (chosen["color"] == "red").to_numpy().astype(float),
        "when": chosen["when"].to_physical().to_numpy(),
    }
    for name, values in expected.items():
        column, k = subject.inputs[names[name]], names[name]
        known = np.isfinite(values)
        np.testing.assert_allclose(column.decoded(subject.x[:, k])[known], values[known], rtol=1e-5)
        np.testing.assert_allclose(column.encoded(values[known]), subject.x[known, k], atol=1e-4)
        own = values[subject.training]
        own = own[np.isfinite(own)]
        assert column.low == pytest.approx(own.min(), rel=1e-5)
        assert column.high == pytest.approx(own.max(), rel=1e-5)
    assert subject.inputs[names["when"]].unit == "days since 1970-01-01"


def test_a_row_is_counted_as_in_the_table_also_behind_rows_that_are_left_out(table):
    subject, _ = table
    assert subject.row_title(0) == "row 1 of people.csv"  # row 0 has no size
    assert subject_of_data({"a": [1, 2] * 9, "b": [0, 1] * 9}, "b").row_title(2) == "row 2"


def test_the_words_of_a_text_and_the_months_of_a_window_are_read(tmp_path):
    path, _, _ = write_lines(tmp_path)
    texts = subject_of_data(path)
    assert texts.row_title(5) == "row 6 of reviews.txt"
    assert texts.tokens(5) == ["a", "dull", "and", "empty", "film", "no", ".", "1"]
    path, _, options = write_months(tmp_path)
    series = subject_of_data(path, **options)
    assert series.tokens(3)[:2] == ["2000-04-01", "2000-05-01"]
    assert series.is_split_meant  # the doctor does not say that its rows be pooled
    assert series.row_title(3) == "row 3 of sold.csv"


def test_windows_that_explain_counts_otherwise_are_not_called_rows(tmp_path):
    path, _, options = write_running_text(tmp_path)
    subject = subject_of_data(path, **options)
    first = int(subject.validation[0])
    assert subject.row_title(first + 1) == "validation window 1 of fox.txt"
    folder = tmp_path / "ramps"
    folder.mkdir()
    for part, seed in (("TRAIN", 0), ("TEST", 1)):
        write_ramps(folder / f"Ramps_{part}.tsv", 24, seed=seed)
    assert subject_of_data(folder).row_title(2) == "training row 2 of ramps"


def test_without_validation_rows_there_are_none():
    subject = subject_of_data(validation=0)
    assert len(subject.validation) == 0 and len(subject.training) == 200


def test_the_learning_rate_is_constant_unless_a_schedule_is_asked_for():
    assert subject_of_data().program.optimizer.schedule is None
    assert subject_of_data(schedule="cosine").program.optimizer.schedule is not None


def test_augmented_images_and_bucketed_texts_train_as_streams(tmp_path):
    (tmp_path / "a").mkdir()
    path, _, options = write_images(tmp_path / "a")
    images = subject_of_data(path, **options)
    assert images.stream.rows == len(images.training)
    assert subject_of_data(path, augment=False, **options).stream is None
    path, _, options = write_lines(tmp_path)
    texts = subject_of_data(path)
    blocks = list(texts.stream.blocks(0))
    assert sum(len(y) for _, y in blocks) == len(texts.training)


def test_on_a_frozen_backbone_the_head_trains_and_the_images_are_shown(tmp_path):
    (tmp_path / "data").mkdir()
    path, _, _ = write_images(tmp_path / "data")
    subject = subject_of_data(path, from_="small", weight_decay=0.1, epochs=2)
    assert subject.program.net is not subject.experiment.saved_net()
    assert len(subject.inputs) == subject.x.shape[1] and subject.inputs[0].name == "feature 1"
    assert subject.picture(0).shape == (24, 24, 3) and subject.row_title(0) == "cats/0.png"
    permute_weights(subject.program.net, 3)
    run = write_untrained(tmp_path / "run", subject.experiment)
    again, rows = subject_of_run(run), subject.training[:3]
    expected = run.outputs(subject.experiment.inputs_of(rows))
    assert_same(outputs(subject, rows), expected)
    assert_same(outputs(again, rows), expected)


@pytest.fixture
def run(tmp_path):
    path, target, options = write_table(tmp_path)
    return write_untrained(tmp_path / "run", subject_of_data(path, target, **options).experiment)


def test_a_run_whose_data_are_gone_shows_its_network(run, tmp_path):
    moved = (tmp_path / "people.csv").rename(tmp_path / "moved.csv")
    subject = subject_of_run(run)
    assert not subject.can_train and subject.x is None and subject.input_shape == (WIDTH,)
    assert subject.notes[0].startswith(
        "The network can be looked at, but not trained: the training data of this run are no "
    )
    x = np.zeros((2, WIDTH), np.float32)
    assert_same(subject.predictions(subject.program.net(x).numpy()), run.outputs(x))
    assert type(subject.program.optimizer).__name__ == "AdamW"
    assert subject_of_run(run, moved).can_train
    with pytest.raises(DataError, match="there is no"):
        subject_of_run(run, tmp_path / "nothing.csv")


def test_a_run_whose_data_have_changed_shows_its_network(run, tmp_path):
    frame = pl.read_csv(tmp_path / "people.csv")
    frame.with_columns(pl.col("height") + 1).write_csv(tmp_path / "people.csv")
    subject = subject_of_run(run)
    assert not subject.can_train and "people.csv is not as it was" in subject.notes[0]


def test_a_run_of_another_user_reads_no_data_unless_it_is_trusted(run, monkeypatch):
    monkeypatch.setattr("cutaway.runs.finished_run.is_own", lambda *_, **__: False)
    subject = subject_of_run(run)
    assert not subject.can_train and "was not trained by you" in subject.notes[0]
    assert subject_of_run(run, trust=True).can_train


# a user's own objects


@pytest.fixture
def trainer():
    net = ct.Sequential(ct.Linear(3, 2))
    return Trainer(net, loss=ct.losses.sparse_categorical_cross_entropy_with_logits)


def test_a_trainer_is_shared_and_its_labels_and_columns_keep_their_names(trainer):
    rng = np.random.default_rng(0)
    x = pl.DataFrame({"a": rng.normal(size=40), "b": rng.normal(5, 1, 40), "c": np.arange(40.0)})
    y = ["yes" if k % 2 else "no" for k in range(40)]
    subject = subject_of_trainer(trainer, x, y, validation=0.25, batch_size=8, seed=2)
    assert subject.program is trainer.program and subject.program.net is trainer.net
    assert subject.classes == ["no", "yes"] and subject.y.tolist() == [0, 1] * 20
    assert [column.name for column in subject.inputs] == ["a", "b", "c"]
    assert len(subject.training) == 30 and len(subject.validation) == 10
    assert subject.inputs[2].high == x["c"].to_numpy()[subject.training].max()
    trainer.fit(x, y, validation=0.25, epochs=1, batch_size=8, seed=2, progress=False)
    assert_same(subject.training, trainer._rows.training.indices)
    raw = trainer.predict(x)
    p = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    assert_same(subject.predictions(raw), p)


def test_validation_rows_that_are_given_stand_behind_the_others(trainer):
    x, y = np.eye(3, dtype=np.float32), np.array([0, 1, 0])
    subject = subject_of_trainer(trainer, x, y, validation=(x[:2] + 7, y[:2]))
    assert subject.training.tolist() == [0, 1, 2] and subject.validation.tolist() == [3, 4]
    assert subject.x[3].tolist() == [8, 7, 7] and subject.batch_size == 3


def test_a_binary_trainer_predicts_two_columns_and_a_regression_values():
    net = ct.Sequential(ct.Linear(2, 1))
    x, y = np.ones((4, 2)), np.array([0, 1, 0, 1])
    one = subject_of_trainer(
        Trainer(net, loss=ct.losses.binary_cross_entropy_with_logits), x, y, title="mine"
    )
    assert (one.title, one.task, one.classes) == ("mine", "binary", ["0", "1"])
    assert one.predictions(np.zeros((4, 1))).tolist() == [[0.5, 0.5]] * 4
    other = subject_of_trainer(Trainer(net, loss=ct.losses.mean_squared_error), x, y / 2)
    assert (other.task, other.classes) == ("regression", None)
    assert other.predictions(np.full((4, 1), 3.0)).tolist() == [[3.0]] * 4


def test_arrays_of_pictures_are_shown():
    net = ct.Sequential(ct.Flatten(), ct.Linear(12, 2))
    loss = ct.losses.sparse_categorical_cross_entropy_with_logits
    x = np.linspace(-1, 1, 24).reshape(2, 2, 2, 3)
    subject = subject_of_net(net, x, np.array([0, 1]), loss)
    assert subject.examples == "pictures" and subject.inputs is None
    assert subject.picture(0).shape == (2, 2, 3)
    assert subject.picture(0).min() == 0 and subject.picture(1).max() == 255


def test_a_stream_trains_and_its_first_block_is_looked_at(trainer):
    stream = ct.data.ArrayStream(np.eye(3, dtype=np.float32), np.array([0, 1, 0]))
    subject = subject_of_trainer(trainer, stream, batch_size=2)
    assert subject.stream is stream and sorted(subject.y.tolist()) == [0, 0, 1]


def test_a_net_alone_can_only_be_looked_at():
    net = ct.Sequential(ct.Linear(3, 2))
    subject = subject_of_net(net)
    assert subject.program.net is net and not subject.can_train and subject.notes
    seen = subject_of_net(net, np.ones((5, 3)))
    assert not seen.can_train and len(seen.training) == 5 and seen.input_shape == (3,)
    with pytest.raises(OptionError, match="without a loss and targets"):
        seen.program.loss_of(seen.x, seen.x)
    with pytest.raises(OptionError, match="but no loss"):
        subject_of_net(net, np.ones((5, 3)), np.ones(5))


# points of a plane


@pytest.mark.parametrize("plane", [spirals, circle, xor, gauss])
def test_points_of_a_plane_are_two_halves_that_the_same_seed_repeats(plane):
    one, other = plane(points=200, noise=0.1, seed=4), plane(points=200, noise=0.1, seed=4)
    np.testing.assert_array_equal(one.x, other.x)
    assert one.x.shape == (200, 2) and 60 <= one.y.sum() <= 140
    assert not np.isin(one.training, one.validation).any() and len(one.training) == 160
    for path, value in one.program.net.state_dict().items():
        np.testing.assert_array_equal(value, other.program.net.state_dict()[path])
    loss = one.program.loss_of(one.x[one.training], one.y[one.training]).item()
    assert loss < 1.2
    assert_same(outputs(one, one.training).sum(axis=1), np.ones(160))


@pytest.mark.parametrize("plane", [spirals, circle, xor, gauss])
def test_noise_moves_points_and_keeps_their_classes(plane):
    still, moved = plane(points=100), plane(points=100, noise=0.1)
    np.testing.assert_array_equal(moved.y, still.y)
    assert 0.05 < np.abs(moved.x - still.x).max() <= 0.6
    with pytest.raises(OptionError, match="noise is 2"):
        plane(noise=2)


def test_the_points_of_a_spiral_lie_on_it():
    subject = spirals(points=8)
    for row, part in [(0, 1 / 4), (3, 1)]:  # the first and the last of four
        angle = 2 * np.pi * 1.75 * part
        expected = 5 * part * np.array([np.sin(angle), np.cos(angle)])
        np.testing.assert_allclose(subject.x[row], expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(subject.x[7], -expected, rtol=1e-5, atol=1e-5)  # half a turn further


@pytest.mark.slow
def test_the_small_network_tells_the_spirals_apart():
    subject = spirals()
    trainer = Trainer(subject.program)
    rows = subject.training
    trainer.fit(subject.x[rows], subject.y[rows], epochs=400, batch_size=16, seed=0, progress=False)
    found = outputs(subject, subject.validation).argmax(axis=1)
    assert (found == subject.y[subject.validation]).mean() >= 0.95


def test_the_default_needs_neither_polars_nor_runs():
    code = (
        "import sys; from cutaway.studio.origins.spirals import spirals; spirals(); "
        "print([m for m in sys.modules if m == 'polars' or m.startswith('cutaway.runs')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_explanation_of_a_row_has_its_title(table, tmp_path):
    subject, _ = table
    assert isinstance(subject, DataSubject)
    run = write_untrained(tmp_path / "run", subject.experiment)
    text = explain_row(run, None, 7).text()
    assert text.splitlines()[0].lower() == subject.row_title(6)


def test_misspelled_points_are_told_from_a_missing_file():
    with pytest.raises(OptionError, match='did you mean "spirals"') as caught:
        choose_subject("spiral")
    assert "spirals, circle, gauss, xor" in str(caught.value)
    with pytest.raises(DataError, match=r"there is no pupils\.csv"):
        choose_subject("pupils.csv", "passed")


def test_points_take_the_options_of_their_network_and_no_others():
    how = {"layers": (3,), "activation": "relu", "init": "zeros", "optimizer": "sgd", "lr": 0.5}
    subject = choose_subject("xor", options={**how, "batch_size": 4, "seed": 3})
    net, optimizer = subject.program.net, subject.program.optimizer
    assert (
        repr(net[1]) == "ReLU()" and net[0].weight.shape == (2, 3) and not net[0].weight.data.any()
    )
    assert (type(optimizer).__name__, float(optimizer.lr)) == ("SGD", 0.5)
    assert subject.batch_size == 4 and subject.seed == 3
    with pytest.raises(OptionError, match="patience was given with xor"):
        choose_subject("xor", options={"patience": 3})
    for wrong in ({"layers": (0,)}, {"activation": "rule"}, {"lr": -1.0}, {"batch_size": 0}):
        with pytest.raises(OptionError):
            choose_subject("xor", options=wrong)
