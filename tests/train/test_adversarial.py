"""Adversarial training: two networks in turn, as one writes it by hand."""

import numpy as np
import pytest

import cutaway as ct
from cutaway.errors import OptionError
from cutaway.train import AdversarialProgram, Checkpoints, Probes

MODES = np.stack([[2 * np.cos(k * np.pi / 4), 2 * np.sin(k * np.pi / 4)] for k in range(8)])


def ring(rows, rng):
    """Points around the eight modes of a ring, and noise for the generator."""
    points = MODES[rng.integers(0, 8, rows)] + 0.05 * rng.normal(size=(rows, 2))
    return rng.normal(size=(rows, 8)).astype(np.float32), points.astype(np.float32)


def networks(width=128):
    def three_layers(inputs, outputs):
        first, second = ct.Linear(inputs, width), ct.Linear(width, width)
        return ct.Sequential(first, ct.ReLU(), second, ct.ReLU(), ct.Linear(width, outputs))

    ct.seed(0)
    return three_layers(8, 2), three_layers(2, 1)


def program(width=128, lr=1e-3, **options):
    generator, discriminator = networks(width)
    optimizers = tuple(ct.Adam(n, lr, betas=(0.5, 0.999)) for n in (generator, discriminator))
    return AdversarialProgram(generator, discriminator, optimizers=optimizers, **options)


def covered(samples):
    """How many modes have at least a tenth of their part of the samples close to them."""
    distances = np.linalg.norm(samples[:, None] - MODES, axis=2)
    close = distances.argmin(axis=1)[distances.min(axis=1) < 0.25]
    return (np.bincount(close, minlength=8) >= len(samples) / 80).sum()


def test_a_step_is_the_one_written_by_hand():
    z, y = ring(64, np.random.default_rng(0))
    adversarial = program(width=16)
    generator, discriminator = networks(16)
    g_optimizer, d_optimizer = (
        ct.Adam(n, 1e-3, betas=(0.5, 0.999)) for n in (generator, discriminator)
    )
    loss = ct.losses.binary_cross_entropy_with_logits
    ones, zeros = np.ones((64, 1), np.float32), np.zeros((64, 1), np.float32)
    for _ in range(3):
        found = adversarial.step(ct.Tensor(z), ct.Tensor(y))
        example = generator(z)
        own = (loss(discriminator(y), ones) + loss(discriminator(example.detach()), zeros)) / 2
        own.backward()
        d_optimizer.step()
        misled = loss(discriminator(example), ones)
        misled.backward()
        for parameter in discriminator.parameters():
            parameter.grad = None
        g_optimizer.step()
        assert found["loss_generator"].item() == misled.item()
        assert found["loss_discriminator"].item() == own.item()
    for net, ours in ((generator, adversarial.net), (discriminator, adversarial.discriminator)):
        for path, value in net.state_dict().items():
            np.testing.assert_array_equal(ours.state_dict()[path], value)


def test_both_losses_are_in_the_history_and_a_resume_ends_with_the_same_bits(tmp_path):
    z, y = ring(256, np.random.default_rng(0))
    options = {"batch_size": 64, "seed": 0, "progress": False}
    whole = ct.Trainer(program(width=16))
    probes = Probes(z, y)
    whole.fit(z, y, epochs=4, validation=(z[:50], y[:50]), callbacks=[probes], **options)
    assert whole.history.columns == [
        *("epoch", "loss", "loss_discriminator", "loss_generator", "lr"),
        *("val_loss", "val_loss_discriminator", "val_loss_generator", "seconds"),
    ]
    assert {row["layer"] for row in probes.rows} >= {"0", "2", "4"}
    last = {name: whole.history[f"val_{name}"][-1] for name in ("loss", "loss_generator")}
    scores = whole.evaluate(z[:50], y[:50])
    for name, value in last.items():
        assert scores[name] == pytest.approx(value, rel=1e-5)
    for epochs in (2, 4):
        parts = ct.Trainer(program(width=16))
        kept = Checkpoints(tmp_path, resume=epochs == 4)
        parts.fit(z, y, epochs=epochs, validation=(z[:50], y[:50]), callbacks=[kept], **options)
    found = parts.program.snapshot()
    for path, value in whole.program.snapshot().items():
        np.testing.assert_array_equal(found[path], value, err_msg=path)
    assert any(path.startswith("discriminator_optimizer.") for path in found)
    assert parts.history["loss_generator"] == whole.history["loss_generator"]


@pytest.mark.slow
def test_the_generator_finds_the_modes_of_a_ring():
    rng = np.random.default_rng(0)
    z, y = ring(4096, rng)
    trainer = ct.Trainer(program())
    trainer.fit(z, y, epochs=200, batch_size=256, seed=0, progress=False)
    assert covered(trainer.predict(ring(2000, rng)[0])) >= 7


def test_a_reconstruction_is_a_term_of_the_generator_and_conditions_are_seen():
    class Judge(ct.Module):
        def __init__(self):
            self.inner = ct.Linear(10, 1)

        def forward(self, x, example):
            return self.inner(ct.ops.concatenate([x, example], axis=-1))

    z, y = ring(64, np.random.default_rng(0))
    generator, judge = ct.Linear(8, 2), Judge()
    adversarial = AdversarialProgram(
        generator, judge, conditional=True,
        reconstruction=lambda example, y: 100 * ct.losses.mean_absolute_error(example, y),
    )  # fmt: skip
    history = ct.Trainer(adversarial).fit(z, y, epochs=60, batch_size=64, seed=0, progress=False)
    assert history["loss_reconstruction"][-1] < history["loss_reconstruction"][0]
    parts = ("loss_generator", "loss_reconstruction", "loss_discriminator")
    np.testing.assert_allclose(
        np.sum([history[name] for name in parts], axis=0), history["loss"], rtol=1e-5
    )


def test_micro_batches_are_refused():
    z, y = ring(64, np.random.default_rng(0))
    with pytest.raises(OptionError, match="accumulate was given for an adversarial training"):
        ct.Trainer(program(16)).fit(z, y, epochs=1, batch_size=64, accumulate=2, progress=False)


def test_the_discriminator_is_in_the_mode_of_the_training_and_of_the_evaluation():
    z, y = ring(64, np.random.default_rng(0))
    generator, judge = ct.Linear(8, 2), ct.Sequential(ct.Linear(2, 4), ct.Dropout(0.5))
    judge.eval()
    seen = []

    class Noting(ct.Module):
        def __init__(self, inner):
            self.inner = inner

        def forward(self, example):
            seen.append(self.inner[1].training)
            return self.inner(example)

    trainer = ct.Trainer(AdversarialProgram(generator, Noting(judge)))
    trainer.fit(z, y, epochs=1, batch_size=64, progress=False)
    assert all(seen) and seen and not judge.training
    seen.clear()
    assert trainer.evaluate(z, y) == trainer.evaluate(z, y)
    assert seen and not any(seen)


def small():
    """A generator and a discriminator with dropout, which explanations leave out."""
    ct.seed(0)
    generator = ct.Sequential(ct.Linear(2, 3), ct.Tanh(), ct.Linear(3, 2))
    dropout = ct.Dropout(0.5)
    discriminator = ct.Sequential(ct.Linear(2, 3), ct.Tanh(), dropout, ct.Linear(3, 1))
    optimizers = (ct.Adam(generator, 0.1), ct.SGD(discriminator, 0.1))
    return AdversarialProgram(generator, discriminator, optimizers=optimizers)


def test_a_weight_of_the_generator_is_explained_through_the_discriminator():
    adversarial, (z, y) = small(), np.random.default_rng(0).normal(size=(2, 1, 2)).astype("f")
    why = adversarial.explain(z, y)
    generator, discriminator = adversarial.net, adversarial.discriminator.eval()
    logits = discriminator(generator(z))
    loss = ct.losses.binary_cross_entropy_with_logits(logits, np.ones((1, 1), np.float32))
    loss.backward()
    gradient = generator[0].weight.grad[1, 2]
    story = why.gradient("0.weight", (1, 2))
    assert why.terms == {"generator": pytest.approx(loss.item(), rel=1e-5)}
    assert story.value == pytest.approx(float(gradient), rel=1e-4)
    assert story.count == 2 * 3  # by each coordinate of ŷ and each hidden unit of D
    added = sum(path.product for path in story.paths) + story.remainder
    assert added == pytest.approx(story.value, rel=1e-9)
    nodes = story.paths[0].nodes
    assert [node.partition("_")[0] for node in nodes] == ["L", "z", "O", "z", "ŷ", "O", "z", "w"]
    assert len(set(nodes)) == len(nodes)
    of_d = why.forward("discriminator.0", 1).stages[0]
    assert [term.source for term in of_d.terms] == ["ŷ_1", "ŷ_2"]
    adversarial.optimizer.step()
    update = adversarial_update(why, small().optimizer, "0.weight", (1, 2))
    assert update == pytest.approx(float(generator[0].weight.numpy()[1, 2]), rel=1e-5)


def adversarial_update(why, optimizer, path, index):
    """Where a fresh optimizer of the same weights would bring one by the explained gradient."""
    gradients = {name: g for name, g in why.trace.engine_gradients.items()
                 if name in optimizer.paths}  # fmt: skip
    return ct.explain.explain_update(optimizer, path, index, gradients=gradients).move.after


def test_a_weight_of_the_discriminator_is_explained_by_what_it_says_of_real_and_made_examples():
    adversarial, (z, y) = small(), np.random.default_rng(0).normal(size=(2, 1, 2)).astype("f")
    why = adversarial.explain(z, y, of="discriminator")
    assert adversarial.discriminator.training  # nothing was switched
    discriminator = adversarial.discriminator.eval()
    example = adversarial.net(z).detach()
    loss = adversarial.discriminator_loss(z, example, y)
    loss.backward()
    gradient = float(discriminator[0].weight.grad[1, 2])
    story = why.gradient("0.weight", (1, 2))
    assert story.value == pytest.approx(gradient, rel=1e-4) and story.count == 2
    assert {"ŷ" in path.nodes for path in story.paths} == {True, False}
    assert {path.factors[-1].what for path in story.paths} == {"y_2", "a constant"}
    update = why.update(adversarial.discriminator_optimizer, "0.weight", (1, 2))
    assert update.change == pytest.approx(-0.1 * gradient, rel=1e-4)
    with pytest.raises(OptionError, match="of"):
        adversarial.explain(z, y, of="both")


def test_the_gradients_of_a_paused_training_are_those_of_its_next_step():
    z, y = ring(64, np.random.default_rng(0))
    adversarial = program(width=8)
    adversarial.optimizer = ct.SGD(adversarial.net, 1.0)
    adversarial.discriminator_optimizer = ct.SGD(adversarial.discriminator, 1.0)
    trainer = ct.Trainer(adversarial)
    with trainer.start(z, y, epochs=10**6, batch_size=64) as live:
        live.pause()
        before, gradients = adversarial.snapshot(), live.backward()
        live.advance(1)
        after = adversarial.snapshot()
        live.stop()
    paths = {f"net.{path}" for path in adversarial.net.named_parameters()}
    paths |= {f"discriminator.{path}" for path in adversarial.discriminator.named_parameters()}
    assert {path if path in paths else f"net.{path}" for path in gradients} == paths
    for path, gradient in gradients.items():
        path = path if path in paths else f"net.{path}"
        np.testing.assert_allclose(
            after[path], before[path] - gradient, rtol=1e-4, atol=1e-5, err_msg=path
        )


def test_the_generators_gradient_is_that_after_the_discriminators_update():
    z, y = ring(32, np.random.default_rng(0))
    adversarial = program(width=8, lr=0.1)
    x, y = ct.Tensor(z), ct.Tensor(y)
    before = adversarial.snapshot()
    shown = adversarial.gradients(x, y)
    after = adversarial.snapshot()
    assert all(np.array_equal(before[path], after[path]) for path in before)
    adversarial.discriminator_loss(x, adversarial.net(x).detach(), y).backward()
    of_d = {p: v.grad for p, v in adversarial.discriminator.named_parameters().items()}
    adversarial.discriminator_optimizer.step()
    adversarial.generator_terms(x, adversarial.net(x), y)["generator"].backward()
    of_g = {p: v.grad for p, v in adversarial.net.named_parameters().items()}
    wanted = of_g | {f"discriminator.{path}": gradient for path, gradient in of_d.items()}
    assert set(shown) == set(wanted)
    for path, gradient in wanted.items():
        np.testing.assert_array_equal(shown[path].numpy(), gradient, err_msg=path)
