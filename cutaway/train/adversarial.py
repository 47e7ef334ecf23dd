"""Adversarial training: a generator and a discriminator, each with its own loss and optimizer."""

import copy
from typing import TYPE_CHECKING, Any

from cutaway.engine import Tensor
from cutaway.errors import OptionError, expect_choice
from cutaway.losses import binary_cross_entropy_with_logits
from cutaway.losses.terms import columns_of
from cutaway.nn.module import Module
from cutaway.nn.trees import call, detach, leaves
from cutaway.optim import Adam
from cutaway.train.program import Program

if TYPE_CHECKING:
    from cutaway.explain import Explanation


class AdversarialProgram(Program):
    """Two networks in turn: D learns to tell y from G(x), then G learns to mislead D.

        D minimizes  (L(D(y), 1) + L(D(G(x)), 0)) / 2,   L: binary cross-entropy of logits
        G minimizes  L(D(G(x)), 1), the non-saturating loss

    A Trainer runs it on x, the inputs of the generator (noise, or what it translates), and y, the
    real examples. Its history has `loss_generator` and `loss_discriminator`, of which `loss` is
    the sum; what it predicts is G(x).

    Args:
        generator: a Module, x -> example.
        discriminator: a Module, example -> logits of any shape: positive where it looks real.
        optimizers: (of the generator, of the discriminator); by default Adam with learning rate
            2e-4 and betas (0.5, 0.999) for each [2].
        conditional: whether the discriminator sees x too: it is called as D(x, example) [3].
        reconstruction: function (G(x), y) -> number, added to the generator's loss, such as
            100 times the mean absolute error [3]; None: none. Its column is `loss_reconstruction`.
        metrics, prepare, precision: see Trainer.

    References:
        [1] Goodfellow et al. 2014, "Generative adversarial nets", arXiv:1406.2661, Algorithm 1.
        [2] Radford et al. 2016, "Unsupervised representation learning with deep convolutional
            generative adversarial networks", arXiv:1511.06434, section 4.
        [3] Isola et al. 2017, "Image-to-image translation with conditional adversarial networks",
            arXiv:1611.07004, eq. 1 to 4.

    Example:
        >>> from cutaway.train import AdversarialProgram
        >>> import numpy as np
        >>> import cutaway as ct
        >>> generator = ct.Sequential(ct.Linear(2, 8), ct.ReLU(), ct.Linear(8, 2))
        >>> discriminator = ct.Sequential(ct.Linear(2, 8), ct.ReLU(), ct.Linear(8, 1))
        >>> trainer = ct.Trainer(AdversarialProgram(generator, discriminator))
        >>> noise = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
        >>> history = trainer.fit(noise, noise + 3, epochs=2)
        >>> history.columns[:4]
        ['epoch', 'loss', 'loss_discriminator', 'loss_generator']
    """

    def __init__(
        self,
        generator: Module,
        discriminator: Module,
        *,
        optimizers: tuple | None = None,
        conditional: bool = False,
        reconstruction: Any = None,
        metrics=(),
        prepare: Any = None,
        precision: str | None = None,
    ):
        if optimizers is None:
            betas = (0.5, 0.999)
            optimizers = tuple(Adam(n, 2e-4, betas=betas) for n in (generator, discriminator))
        if len(optimizers) != 2:
            raise OptionError(
                f"{len(optimizers)} optimizers were given",
                expected="two: the generator's and the discriminator's",
            )
        super().__init__(
            generator,
            objective=self._objective,
            optimizer=optimizers[0],
            metrics=metrics,
            prepare=prepare,
            precision=precision,
        )
        self.discriminator = discriminator
        self.discriminator_optimizer = optimizers[1]
        self.conditional = conditional
        self.reconstruction = reconstruction

    # the two losses

    def discriminator_loss(self, x, example, y) -> Tensor:
        """How badly D tells the real examples y from `example`, which G made of x."""
        real, made = self._judge(x, y), self._judge(x, example)
        return (_against(real, 1.0) + _against(made, 0.0)) / 2

    def generator_terms(self, x, example, y) -> dict[str, Tensor]:
        """{"generator": how well D sees through the examples, "reconstruction": ...}."""
        terms = {"generator": _against(self._judge(x, example), 1.0)}
        if self.reconstruction is not None:
            terms["reconstruction"] = self.reconstruction(example, y)
        return terms

    def generator_objective(self, generator, x, y) -> dict[str, Tensor]:
        """What the generator minimizes, as an objective (net, x, y) for `explain`."""
        return self.generator_terms(x, call(generator, x), y)

    def discriminator_objective(self, discriminator, x, y) -> dict[str, Tensor]:
        """What the discriminator minimizes, as an objective (net, x, y) for `explain`."""
        return {"discriminator": self.discriminator_loss(x, detach(call(self.net, x)), y)}

    def _judge(self, x, example):
        return self.discriminator(x, example) if self.conditional else self.discriminator(example)

    def _objective(self, generator, x, y) -> dict[str, Tensor]:
        example = call(generator, x)
        terms = self.generator_terms(x, example, y)
        return {**terms, "discriminator": self.discriminator_loss(x, detach(example), y)}

    # a step

    def step(self, x, y) -> dict[str, Tensor]:
        """One update of the discriminator, then one of the generator, on the same batch.

        Returns:
            {"loss": their sum, "loss_generator", "loss_discriminator", ...}, each before its
            update.
        """
        x = self.inputs(x)
        example = call(self.net, x)
        own = self.discriminator_loss(x, detach(example), y)
        own.backward()
        self.discriminator_optimizer.step()
        terms = self.generator_terms(x, example, y)
        found = columns_of(terms)
        found["loss"].backward()
        for parameter in self.discriminator.parameters():
            parameter.grad = None  # of the generator's loss: D is not to help G
        self.optimizer.step()
        return {**found, "loss": found["loss"] + own, "loss_discriminator": own}

    def explain(self, x, y, *, of: str = "generator", names=None) -> "Explanation":
        """One of the two networks opened for examples, with the loss that it minimizes.

        Args:
            x, y: inputs of the generator, and real examples.
            of: "generator" or "discriminator". The weights of the other one are explained as
                "discriminator.0.weight" or "generator.0.weight"; of a discriminator ŷ is what it
                says of a real example, ŷ[no. 2] of one that was made.
            names: of the columns of x, see `explain`.
        """
        from cutaway.explain import explain  # which a training alone does not need

        expect_choice(of, ("generator", "discriminator"), what="of")
        networks = {"generator": self.net, "discriminator": self.discriminator}
        objectives = {
            "generator": self.generator_objective,
            "discriminator": self.discriminator_objective,
        }
        net = networks.pop(of)
        return explain(
            net, self.inputs(x), y, objective=objectives[of], beside=networks, names=names
        )

    def accumulated_step(self, batch_of, parts):
        raise OptionError(
            "accumulate was given for an adversarial training",
            expected="whole batches: the discriminator moves between the two halves of a step",
            fix="use accumulate=1 and a smaller batch_size",
        )

    # state

    def networks(self) -> list[Module]:
        return [*super().networks(), self.discriminator]

    def owners(self, *, stepping: bool = True) -> dict:
        owners = super().owners(stepping=stepping)
        owners["discriminator"] = self.discriminator
        if stepping:
            owners["discriminator_optimizer"] = self.discriminator_optimizer
        return owners

    def copied(self, *, net=None, optimizer=None, loss=None) -> "AdversarialProgram":
        if net is not None or optimizer is not None or loss is not None:
            raise OptionError(
                "an adversarial program was to get another network, optimizer or loss",
                expected="a copy of all of it",
                fix="make another AdversarialProgram",
            )
        return copy.deepcopy(self)


def _against(logits, label: float) -> Tensor:
    """Mean binary cross-entropy of all logits against one label."""
    (logits,) = leaves(logits)
    return binary_cross_entropy_with_logits(logits, Tensor(logits.data * 0 + label))
