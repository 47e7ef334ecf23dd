"""XOR: a single neuron cannot solve it, a 2-4-1 network can.

    python examples/xor.py

Minsky & Papert 1969 showed that no line separates XOR's classes; Rumelhart, Hinton & Williams
1986 trained a hidden layer to do it.
"""

import numpy as np

import cutaway as ct

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
Y = np.array([0, 1, 1, 0])


def main(epochs: int = 2000):
    neuron = ct.Perceptron(2)
    neuron.fit(X, Y, epochs=100)
    print(f"one neuron:      {neuron.predict(X).astype(int)}  (target: {Y})")

    ct.seed(0)
    net = ct.Sequential(ct.Linear(2, 4), ct.Tanh(), ct.Linear(4, 1), ct.Sigmoid())
    trainer = ct.Trainer(net, loss=ct.losses.binary_cross_entropy, optimizer=ct.SGD(net, lr=0.5))
    history = trainer.fit(X, Y, epochs=epochs, batch_size=4)
    answers = trainer.predict(X)[:, 0]
    print(f"2-4-1 network:   {answers.round(3)}, loss {history['loss'][-1]:.4f}")
    return (answers > 0.5).astype(int)


if __name__ == "__main__":
    main()
