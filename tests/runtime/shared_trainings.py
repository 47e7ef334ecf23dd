"""Trainings of four networks, for test_distributed and test_sharding.

Run by itself or by the launcher: FOLDER [options of ct.distributed.start as JSON].
"""

import json
import sys

import numpy as np

import cutaway as ct


def mlp(rng):
    x = rng.normal(size=(90, 6)).astype(np.float32)
    net = ct.Sequential(ct.Linear(6, 8), ct.Tanh(), ct.Linear(8, 1), ct.Sigmoid())
    return net, x, (x[:, :1] > x[:, 1:2]).astype(np.float32), ct.losses.binary_cross_entropy


def block_of_resnet(rng):
    x = rng.normal(size=(40, 6, 6, 4)).astype(np.float32)
    inner = [ct.Conv2d(4, 4, 3, padding="same"), ct.BatchNorm(4), ct.ReLU()]
    inner = ct.Sequential(*inner, ct.Conv2d(4, 4, 3, padding="same"))
    net = ct.Sequential(ct.Residual(inner), ct.ReLU(), ct.GlobalAvgPool(), ct.Linear(4, 1))
    return net, x, x.mean(axis=(1, 2))[:, :1], ct.losses.mean_squared_error


def lstm(rng):
    x = rng.normal(size=(40, 7, 3)).astype(np.float32)
    net = ct.Sequential(ct.LSTM(3, 5), ct.LastStep(), ct.Linear(5, 1))
    return net, x, x.sum(axis=1)[:, :1], ct.losses.mean_squared_error


def transformer(rng):
    ids = rng.integers(0, 11, size=(40, 8)).astype(np.int32)
    net = ct.Sequential(
        ct.Embedding(11, 8),
        ct.TransformerEncoderLayer(8, 2, dropout=0.2),
        ct.Flatten(),
        ct.Linear(64, 3),
    )
    loss = ct.losses.sparse_categorical_cross_entropy_with_logits
    return net, ids, (ids.sum(axis=1) % 3).astype(np.int32), loss


def train_all(folder: str) -> None:
    for make in (mlp, block_of_resnet, lstm, transformer):
        # a process may begin with other weights and draws: all take those of the first
        ct.seed(ct.distributed.process_index())
        net, x, y, loss = make(np.random.default_rng(0))
        trainer = ct.Trainer(net, loss=loss, optimizer=ct.Momentum(net, lr=0.05))
        history = trainer.fit(x, y, epochs=3, batch_size=18, validation=0.2, progress=False)
        found = {f"net.{path}": array for path, array in net.state_dict().items()}
        found["losses"] = np.array([[row["loss"], row["val_loss"]] for row in history.rows])
        found["output"] = trainer.predict(x[:5])
        np.savez(f"{folder}/{make.__name__}-{ct.distributed.process_index()}.npz", **found)


if __name__ == "__main__":
    is_given = len(sys.argv) > 2 and sys.argv[2].startswith("{")
    ct.distributed.start(**json.loads(sys.argv[2]) if is_given else {})
    train_all(sys.argv[1])
