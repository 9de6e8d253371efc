"""The ordinary PyTorch loop, as the "Learn the Basics" tutorial writes it."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.contenders import Trained
from benchmarks.contenders.nets import make_net
from benchmarks.works import LEARNING_RATE, Data, Work


def train(work: Work, data: Data, seed: int) -> Trained:
    """Train one net."""
    torch.manual_seed(seed)
    x_train, y_train, x_valid, y_valid = map(torch.from_numpy, data)
    train_loader = DataLoader(TensorDataset(x_train, y_train), batch_size=work.batch_size, shuffle=True)
    valid_loader = DataLoader(TensorDataset(x_valid, y_valid), batch_size=work.batch_size)
    model = make_net(work, x_train.shape[1]).to(work.device)
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    accuracy = 0.0
    for _ in range(work.epochs):
        _train_epoch(train_loader, model, loss_fn, optimizer, work.device)
        _, accuracy = _validate(valid_loader, model, loss_fn, work.device)
    return Trained([accuracy])


def _train_epoch(
    loader: DataLoader, model: nn.Module, loss_fn: nn.Module, optimizer: torch.optim.Optimizer, device: str
) -> None:
    model.train()
    for x, y in loader:
        loss = loss_fn(model(x.to(device)), y.to(device))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def _validate(loader: DataLoader, model: nn.Module, loss_fn: nn.Module, device: str) -> tuple[float, float]:
    model.eval()
    loss, correct = 0.0, 0.0
    with torch.no_grad():
        for x, y in loader:
            x, y = x.to(device), y.to(device)
            logits = model(x)
            loss += loss_fn(logits, y).item() * len(y)
            correct += (logits.argmax(1) == y).sum().item()
    rows = len(loader.dataset)
    return loss / rows, correct / rows
