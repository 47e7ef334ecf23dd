"""The tasks by their names."""

from .mnist import MNIST

TASKS = {task.name: task for task in (MNIST,)}
