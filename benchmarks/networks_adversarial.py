"""pix2pix for speed.py: both networks in Cutaway and, layer by layer the same, in PyTorch.

Seven levels from 32 channels and the discriminator of 70 x 70 patches, instance norm on both sides.
A step is one update of the discriminator and one of the generator, which runs once. Isola et al.
2017, arXiv:1611.07004.
"""

import numpy as np

BASE, LEVELS, SIDE = 32, 7, 128
BETAS, LR, WEIGHT = (0.5, 0.999), 2e-4, 100


def ours():
    """The generator with the discriminator in it, so that both are counted."""
    from cutaway.models import PatchDiscriminator, Pix2PixGenerator

    net = Pix2PixGenerator(base=BASE, levels=LEVELS, dropout=0.0)
    net.judge = PatchDiscriminator(base=BASE)
    return net


def step_of_ours(net):
    """(step, what it changes)."""
    from cutaway.models import weighted_absolute_error
    from cutaway.train import AdversarialProgram

    judge = net.judge
    del net.judge
    program = AdversarialProgram(
        net, judge, conditional=True, reconstruction=weighted_absolute_error
    )
    return lambda x, y: program.step(x, y)["loss"], list(program.owners().values())


def theirs():
    import torch
    from torch import nn

    widths = [BASE * min(2**level, 8) for level in range(LEVELS)]

    class Generator(nn.Module):
        def __init__(self):
            super().__init__()
            self.down, self.up = nn.ModuleList(), nn.ModuleList()
            for level, n in enumerate(widths):
                layers = [nn.LeakyReLU(0.2)] if level else []
                n_in = widths[level - 1] if level else 3
                layers.append(nn.Conv2d(n_in, n, 4, 2, 1, bias=False))
                if level not in (0, LEVELS - 1):
                    layers.append(nn.InstanceNorm2d(n, affine=True))
                self.down.append(nn.Sequential(*layers))
            for level in reversed(range(LEVELS)):
                n = widths[level] * (1 if level == LEVELS - 1 else 2)
                out = widths[level - 1] if level else 3
                layers = [nn.ReLU(), nn.ConvTranspose2d(n, out, 4, 2, 1, bias=level == 0)]
                layers += [nn.InstanceNorm2d(out, affine=True)] if level else [nn.Tanh()]
                self.up.append(nn.Sequential(*layers))
            self.judge = discriminator()

        def forward(self, x):
            skips = []
            for stage in self.down:
                x = stage(x)
                skips.append(x)
            x = self.up[0](skips.pop())
            for stage in self.up[1:]:
                x = stage(torch.cat([x, skips.pop()], 1))
            return x

    def discriminator():
        layers = [nn.Conv2d(6, BASE, 4, 2, 1), nn.LeakyReLU(0.2)]
        for n in range(1, 4):
            a, b = BASE * 2 ** (n - 1), BASE * 2**n
            layers += [nn.Conv2d(a, b, 4, 2 if n < 3 else 1, 1, bias=False)]
            layers += [nn.InstanceNorm2d(b, affine=True), nn.LeakyReLU(0.2)]
        return nn.Sequential(*layers, nn.Conv2d(8 * BASE, 1, 4, 1, 1))

    return Generator()


def step_of_theirs(net):
    """A function (x, y), both channels first, that makes one step."""
    import torch

    against = torch.nn.functional.binary_cross_entropy_with_logits
    judge = net.judge
    own = [p for name, p in net.named_parameters() if not name.startswith("judge.")]
    g_optimizer, d_optimizer = (
        torch.optim.Adam(part, LR, betas=BETAS) for part in (own, judge.parameters())
    )

    def step(x, y):
        made = net(x)
        d_optimizer.zero_grad()
        real, fake = judge(torch.cat([x, y], 1)), judge(torch.cat([x, made.detach()], 1))
        loss = against(real, torch.ones_like(real)) + against(fake, torch.zeros_like(fake))
        (loss / 2).backward()
        d_optimizer.step()
        g_optimizer.zero_grad()
        fake = judge(torch.cat([x, made], 1))
        loss = against(fake, torch.ones_like(fake)) + WEIGHT * (made - y).abs().mean()
        loss.backward()
        g_optimizer.step()
        return loss

    return step


def pairs(rng, batch):
    x, y = rng.normal(size=(2, batch, SIDE, SIDE, 3)).astype(np.float32)
    return x, np.tanh(y)
