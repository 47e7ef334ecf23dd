import numpy as np

import cutaway as ct
from cutaway.data import (
    ArrayStream,
    Compose,
    Normalize,
    RandomFlip,
    Tokenizer,
    TokenStream,
    find_images,
    stream_images,
)

LOSS = ct.losses.sparse_categorical_cross_entropy_with_logits


class Counting(ct.Module):
    """Class scores from the mean of the vectors of a row's tokens."""

    def __init__(self, size):
        self.embedding = ct.Embedding(size, 2)

    def forward(self, tokens):
        return self.embedding(tokens).mean(axis=1)


def test_a_network_learns_from_blocks_of_images():
    rng = np.random.default_rng(0)
    y = np.arange(400, dtype=np.int32) % 2
    x = rng.integers(0, 128, (400, 6, 6, 1), dtype=np.uint8) + 100 * y[:, None, None, None]
    x = x.astype(np.uint8)
    transform = Compose(RandomFlip(), Normalize.fit(x))
    stream = ArrayStream(x, y, transform=transform, block_rows=128, threads=2)
    net = ct.Sequential(ct.Flatten(), ct.Linear(36, 2))
    trainer = ct.Trainer(net, loss=LOSS, optimizer=ct.Adam(net, lr=0.02))
    trainer.fit(stream, epochs=4, batch_size=32, seed=0, progress=False)
    predicted = np.asarray(net(transform.steps[1](x)).data).argmax(axis=1)
    assert (predicted == y).mean() > 0.98
    assert stream.made_rows >= 4 * 400


def test_a_network_learns_from_buckets_of_tokens():
    rng = np.random.default_rng(0)
    y = np.arange(300, dtype=np.int32) % 2
    words = np.array([["sun", "warm", "blue"], ["rain", "cold", "gray"]])
    texts = [" ".join(rng.choice(words[k], rng.integers(1, 20))) for k in y]
    tokenizer = Tokenizer.train(texts)
    stream = TokenStream(tokenizer.encode(texts), y, buckets=2, block_rows=64)
    net = Counting(tokenizer.size)
    trainer = ct.Trainer(net, loss=LOSS, optimizer=ct.Adam(net, lr=0.1))
    trainer.fit(stream, epochs=4, batch_size=32, seed=0, progress=False)
    for x, rows in stream.blocks(0):
        predicted = np.asarray(net(x).data).argmax(axis=1)
        assert (predicted == rows).mean() > 0.98


def test_training_on_a_stream_of_files_repeats_with_its_seed(shared_data):
    folder = find_images(shared_data / "cifar10_jpeg")["test"].subset(np.arange(0, 1000, 8))

    def weights():
        ct.seed(0)
        net = ct.Sequential(ct.Flatten(), ct.Linear(8 * 8 * 3, 10))
        transform = Compose(RandomFlip(), Normalize((0.5,) * 3, (0.25,) * 3))
        stream = stream_images(folder, 8, memory_bytes=0, transform=transform, block_rows=50)
        trainer = ct.Trainer(net, loss=LOSS, optimizer=ct.Adam(net, lr=0.01))
        trainer.fit(stream, epochs=2, batch_size=25, seed=0, progress=False)
        return np.asarray(net.state_dict()["1.weight"])

    np.testing.assert_array_equal(weights(), weights())
