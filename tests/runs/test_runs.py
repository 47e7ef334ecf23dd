import json
import re
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest

import cutaway as ct
from cutaway.errors import DataError, OptionError, RunError, TrainingError
from cutaway.runs import Run, TableOptions, prepare_table, train_table, write_report
from cutaway.runs.report import wilson_interval
from cutaway.runs.run_folder import RunFolder

RNG = np.random.default_rng(0)
ROWS = 120
FRAME = pl.DataFrame(
    {
        "id": range(1, ROWS + 1),
        "x": RNG.normal(size=ROWS),
        "z": RNG.normal(size=ROWS),
        "kind": RNG.choice(["a", "b", "c"], ROWS),
    }
)
SCORE = FRAME["x"].to_numpy() + (FRAME["kind"] == "a").to_numpy()
BINARY = FRAME.with_columns(y=pl.Series(np.where(SCORE > 0.3, "yes", "no")))
CLASSES = FRAME.with_columns(y=pl.Series(np.digitize(SCORE, [-0.3, 1.0])))
NUMBERS = FRAME.with_columns(y=pl.Series(100 + 10 * SCORE))
QUICK = TableOptions(epochs=12, layers=(8,), lr=0.05, dropout=0.0)


@pytest.mark.parametrize(
    ("frame", "task"), [(BINARY, "binary"), (CLASSES, "multiclass"), (NUMBERS, "regression")]
)
def test_a_run_holds_all_that_is_needed_to_use_it(tmp_path, frame, task):
    run = train_table(frame, "y", options=QUICK, out=tmp_path / "run")
    assert sorted(p.name for p in run.path.iterdir()) == [
        "checkpoints",
        "config.json",
        "fingerprint.npz",
        "history.csv",
        "manifest.json",
        "metrics.json",
        "preprocessing.json",
        "probes.parquet",
        "report.html",
        "weights.safetensors",
    ]
    metrics = json.loads((run.path / "metrics.json").read_text())
    assert metrics["task"] == task and metrics["parameters"] == run.net.summary().total
    assert metrics["train"].keys() == metrics["validation"].keys()
    assert metrics["seconds"] > 0

    again = Run.open(run.path)
    assert again.metrics == metrics and len(again.history) == metrics["epochs"]
    first, _ = run.predict(frame)
    second, _ = again.predict(frame.drop("y"))
    assert first["prediction"].to_list() == second["prediction"].to_list()
    scores, _ = again.evaluate(frame)
    if task == "regression":
        truth, guess = frame["y"].to_numpy(), first["prediction"].to_numpy()
        assert scores["mean_absolute_error"] == pytest.approx(np.abs(truth - guess).mean())
        assert scores["mean_absolute_error"] < scores["baseline_mean_absolute_error"]
    else:
        right = (first["prediction"] == frame["y"]).mean()
        assert scores["accuracy"] == pytest.approx(right)
        assert set(first["prediction"]) <= set(frame["y"])
        assert first["probability"].min() >= 1 / len(run.preprocessing.classes) - 1e-6


def test_the_held_out_rows_play_no_part_in_the_preprocessing():
    prepared = prepare_table(NUMBERS, "y", QUICK)
    assert not set(prepared.training) & set(prepared.validation)
    rows = prepared.frame[prepared.training]
    number = next(e for e in prepared.preprocessing.encoders if e.name == "x")
    assert number.mean == pytest.approx(rows["x"].mean())
    assert prepared.preprocessing.target.mean == pytest.approx(rows["y"].mean())


def test_the_same_seed_gives_the_same_run(tmp_path):
    weights = []
    for k in range(2):
        run = train_table(BINARY, "y", options=QUICK, out=tmp_path / str(k))
        weights.append((run.path / "weights.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_a_run_can_be_resumed_to_the_same_bits(tmp_path):
    options = {"layers": (8,), "lr": 0.02, "dropout": 0.1, "schedule": "constant"}
    whole = train_table(BINARY, "y", options=TableOptions(epochs=9, **options), out=tmp_path / "a")
    train_table(BINARY, "y", options=TableOptions(epochs=4, **options), out=tmp_path / "b")
    resumed = train_table(
        BINARY, "y", options=TableOptions(epochs=9, **options), out=tmp_path / "b", resume=True
    )
    for path, value in whole.net.state_dict().items():
        np.testing.assert_array_equal(value, resumed.net.state_dict()[path])
    assert resumed.metrics["epochs"] == 9
    assert Run.open(tmp_path / "b").config["options"]["epochs"] == 9
    with pytest.raises(RunError, match=r"dropout was 0.1, now 0.0"):
        train_table(BINARY, "y", options=QUICK, out=tmp_path / "b", resume=True)


def test_a_run_of_another_version_is_refused_with_its_version_whatever_it_is_opened_for(tmp_path):
    folder = train_table(BINARY, "y", options=QUICK, out=tmp_path / "run").path
    config = json.loads((folder / "config.json").read_text())
    older = {**config, "format": config["format"] - 1, "cutaway": "0.0.9"}
    (folder / "config.json").write_text(json.dumps(older))
    (folder / "manifest.json").unlink()  # older runs had none
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    told = rf"format {older['format']}, written by Cutaway 0\.0\.9\n.*\n.*train again"
    with pytest.raises(RunError, match=told):
        Run.open(folder)
    with pytest.raises(RunError, match=told):
        train_table(BINARY, "y", options=QUICK, out=folder, resume=True)
    assert before == {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_columns_with_many_levels_are_embedded(tmp_path):
    cities = [f"city {k}" for k in RNG.integers(0, 40, 400)]
    warm = np.array([int(c.split()[1]) % 2 for c in cities])
    frame = pl.DataFrame({"city": cities, "x": RNG.normal(size=400), "warm": warm})
    options = TableOptions(epochs=60, layers=(16,), lr=0.02)
    run = train_table(frame, "warm", options=options, out=tmp_path / "run")
    assert run.metrics["validation"]["accuracy"] > 0.9  # only the city tells
    assert "embeddings.0.weight" in run.net.state_dict()
    predicted, notes = Run.open(tmp_path / "run").predict({"city": ["Atlantis"], "x": [0.0]})
    assert len(predicted) == 1 and "'Atlantis'" in notes[0]


@pytest.mark.parametrize(
    ("frame", "loss"),
    [
        (BINARY, "binary_cross_entropy"),
        (BINARY, "hinge"),
        (BINARY, "mean_squared_error"),
        (CLASSES, "sparse_categorical_cross_entropy"),
        (CLASSES, "categorical_cross_entropy_with_logits"),
        (CLASSES, "mean_squared_error"),
        (NUMBERS, "huber"),
        (NUMBERS, "mean_absolute_error"),
    ],
)
def test_every_loss_that_fits_the_task_trains(tmp_path, frame, loss):
    options = TableOptions(epochs=3, layers=(4,), loss=loss)
    run = train_table(frame, "y", options=options, out=tmp_path / "run")
    outputs = run.outputs(np.zeros((2, len(run.preprocessing.features)), np.float32))
    if run.preprocessing.task != "regression":
        np.testing.assert_allclose(outputs.sum(axis=1), 1, rtol=1e-5)


def test_hinge_decides_by_the_sign_of_the_score(tmp_path):
    options = TableOptions(epochs=60, layers=(8,), lr=0.05, dropout=0.0, loss="hinge")
    run = train_table(BINARY, "y", options=options, out=tmp_path / "run")
    assert run.metrics["train"]["accuracy"] > 0.9
    assert run.history["val_accuracy"][run.metrics["best_epoch"] - 1] == pytest.approx(
        run.metrics["validation"]["accuracy"]
    )


@pytest.mark.parametrize(
    ("frame", "loss"),
    [(NUMBERS, "binary_cross_entropy"), (CLASSES, "hinge"), (BINARY, "categorical_cross_entropy")],
)
def test_a_loss_for_another_task_is_refused(frame, loss):
    with pytest.raises(OptionError, match=f"the loss {loss} does not fit the target"):
        prepare_table(frame, "y", TableOptions(loss=loss))


def test_after_nan_the_run_holds_the_last_good_weights(tmp_path):
    options = TableOptions(epochs=50, layers=(8,), optimizer="sgd", lr=1e25)
    with pytest.raises(TrainingError, match="the loss became"):
        train_table(NUMBERS, "y", options=options, out=tmp_path / "run")
    run = Run.open(tmp_path / "run")
    assert all(np.isfinite(v).all() for v in run.net.state_dict().values())
    assert "the loss became" in run.metrics["stopped"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lr": 0}, "learning rate lr is 0"),
        ({"lr": -1.0}, "learning rate lr is -1"),
        ({"epochs": 0}, "epochs is 0"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"activation": "rleu"}, 'did you mean "relu"'),
        ({"optimizer": "adan"}, 'did you mean "adam"'),
        ({"loss": "mean_square_error"}, 'did you mean "mean_squared_error"'),
        ({"init": "he"}, "unknown init 'he'"),
        ({"task": "binry"}, 'did you mean "binary"'),
        ({"validation": 1.5}, "validation is 1.5"),
        ({"layers": (0,)}, "a layer size is 0"),
    ],
)
def test_options_out_of_range_are_named(options, words):
    with pytest.raises(OptionError, match=re.escape(words)):
        TableOptions(**options)


def test_folders_that_are_no_runs_are_named(tmp_path):
    with pytest.raises(RunError, match="is not a folder"):
        Run.open(tmp_path / "none")
    with pytest.raises(RunError, match=r"has no config.json"):
        Run.open(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(RunError, match="has not finished: it has no weights"):
        Run.open(tmp_path)
    run = train_table(BINARY, "y", options=QUICK, out=tmp_path / "run")
    with pytest.raises(RunError, match="is not empty, and training would overwrite its contents"):
        train_table(BINARY, "y", options=QUICK, out=tmp_path / "run")
    for file, words in (
        ("weights.safetensors", "is damaged"),
        ("preprocessing.json", "is damaged"),
        ("metrics.json", "is damaged"),
        ("config.json", "is damaged"),
    ):
        path = run.path / file
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises((RunError, DataError), match=words):
            print(Run.open(run.path).metrics)  # it is read when it is needed
        path.write_bytes(whole)
    Run.open(run.path)


def test_an_output_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="file is a file"):
        train_table(BINARY, "y", options=QUICK, out=tmp_path / "file")
    with pytest.raises(RunError, match="cannot be written"):
        train_table(BINARY, "y", options=QUICK, out=tmp_path / "file" / "run")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


class Reader(HTMLParser):
    """Counts tags and collects text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text.append(data)


EVIL = "<script>alert(1)</script>"


def test_the_report_shows_names_and_cells_as_text(tmp_path):
    frame = BINARY.rename({"x": EVIL}).with_columns(
        y=pl.Series([EVIL if v == "yes" else "no" for v in BINARY["y"]])
    )
    prepared = prepare_table(frame, "y", QUICK)
    run = prepared.train(tmp_path / "run")
    page = write_report(prepared, run, command=f"cutaway train {EVIL}").read_text()
    read = Reader(page)
    assert "script" not in read.tags
    assert EVIL in "".join(read.text)


@pytest.mark.parametrize("frame", [BINARY, CLASSES, NUMBERS])
def test_the_report_is_one_page_without_addresses(tmp_path, frame):
    run = train_table(frame, "y", options=QUICK, out=tmp_path / "run")
    page = (run.path / "report.html").read_text()
    outside = set(re.findall(r"(?:src|href)=\"([^\"#]+)", page))
    assert not outside
    assert not re.findall(r"url\((?!#)", page)
    text = " ".join(Reader(page).text)
    scores = run.metrics["validation"]
    if frame is NUMBERS:
        assert f"{scores['mean_absolute_error']:.4g}" in text
        assert f"{scores['baseline_mean_absolute_error']:.4g}" in text
    else:
        right = round(scores["accuracy"] * 24)
        assert f"{right} of 24" in text and f"baseline: {scores['baseline_accuracy']:.3f}" in text
        low, high = wilson_interval(right, 24)
        assert f"{low:.2f} to {high:.2f}" in text


def test_the_worst_rows_are_the_worst(tmp_path):
    prepared = prepare_table(NUMBERS, "y", QUICK)
    run = prepared.train(tmp_path / "run")
    page = write_report(prepared, run).read_text()
    validation = prepared.frame[prepared.validation]
    predicted, _ = run.predict(validation)
    errors = np.abs(predicted["prediction"].to_numpy() - validation["y"].to_numpy())
    worst = validation["id"].to_numpy()[np.argsort(-errors)[:10]]
    section = page[page.index("validation rows with the largest error") :]
    numbers = re.findall(r'<tr><td class="n">(\d+)</td>', section)[:10]
    assert numbers == [str(k) for k in worst]  # ids count rows from 1


def test_wilsons_interval_is_the_published_one():
    # Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263 and 15 of 148
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=1e-4)


def test_public_names_are_reachable():
    for name in ct.__all__:
        assert getattr(ct, name) is not None, name
    with pytest.raises(AttributeError, match="no attribute 'Trainr'"):
        ct.Trainr  # noqa: B018


def test_resuming_with_other_options_names_each_of_them_once(tmp_path):
    config = {
        "kind": "table",
        "data": "a.csv",
        "target": "y",
        "task": "binary",
        "batch_size": 4,
        "options": {"lr": None, "layers": [8], "from_": None, "epochs": 3},
        "lr": 0.01,
        "network": {"layers": [8], "from": None},
    }
    with RunFolder.begin(tmp_path / "run", name="a", config=config, preprocessing={}):
        pass
    other = {
        **config,
        "options": {"lr": 0.1, "layers": [4], "from_": "resnet50", "epochs": 9},
        "lr": 0.1,
        "network": {"layers": [4], "from": "resnet50"},
    }
    with pytest.raises(RunError) as refused:
        RunFolder.begin(tmp_path / "run", name="a", config=other, preprocessing={}, resume=True)
    assert refused.value.came.partition("options: ")[2] == (
        "lr was 0.01, now 0.1; layers was [8], now [4]; from was not given, now 'resnet50'"
    )


def test_an_error_after_an_epoch_keeps_the_folder_and_resuming_gives_the_same_bits(tmp_path):
    def fill(trainer, row):
        if row["epoch"] == 5:
            raise DataError("a row that cannot be read")

    whole = train_table(BINARY, "y", options=QUICK, out=tmp_path / "whole")
    prepared = prepare_table(BINARY, "y", QUICK)
    with pytest.raises(DataError, match="cannot be read"):
        prepared.train(tmp_path / "run", callbacks=[fill])
    checkpoints = tmp_path / "run" / "checkpoints"
    assert [p.name for p in checkpoints.iterdir()] == ["epoch-000005.safetensors"]
    resumed = prepare_table(BINARY, "y", QUICK).train(
        tmp_path / "run", resume=True, callbacks=[lambda trainer, row: None]
    )
    assert resumed.metrics["epochs"] == 12
    for path, value in whole.net.state_dict().items():
        np.testing.assert_array_equal(value, resumed.net.state_dict()[path])
