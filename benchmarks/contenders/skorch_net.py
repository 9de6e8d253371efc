"""skorch: a PyTorch module behind scikit-learn's interface, with its default callbacks."""

from __future__ import annotations

import torch
from skorch import NeuralNetClassifier
from skorch.dataset import Dataset
from skorch.helper import predefined_split

from benchmarks.contenders import Trained
from benchmarks.contenders.nets import make_net
from benchmarks.works import LEARNING_RATE, Data, Work


def train(work: Work, data: Data, seed: int) -> Trained:
    """Train one net."""
    torch.manual_seed(seed)
    net = NeuralNetClassifier(
        make_net(work, data.x_train.shape[1]),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=LEARNING_RATE,
        max_epochs=work.epochs,
        batch_size=work.batch_size,
        train_split=predefined_split(Dataset(data.x_valid, data.y_valid)),
        iterator_train__shuffle=True,
        verbose=0,
    )
    net.fit(data.x_train, data.y_train)
    return Trained([net.history[-1, "valid_acc"]])
