"""Lightning: a LightningModule and a Trainer; progress bar, logger, summary and checkpoints are off."""

from __future__ import annotations

import logging
import warnings

import lightning
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.contenders import Trained
from benchmarks.contenders.nets import make_net
from benchmarks.works import LEARNING_RATE, Data, Work

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)  # it advertises on every fit
warnings.filterwarnings("ignore", ".*does not have many workers.*")  # workers would slow these small sets


def train(work: Work, data: Data, seed: int) -> Trained:
    """Train one net."""
    lightning.seed_everything(seed, verbose=False)
    x_train, y_train, x_valid, y_valid = map(torch.from_numpy, data)
    module = _Classifier(work, x_train.shape[1])
    trainer = lightning.Trainer(
        max_epochs=work.epochs,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(
        module,
        DataLoader(TensorDataset(x_train, y_train), batch_size=work.batch_size, shuffle=True),
        DataLoader(TensorDataset(x_valid, y_valid), batch_size=work.batch_size),
    )
    return Trained([float(trainer.callback_metrics["val_accuracy"])])


class _Classifier(lightning.LightningModule):
    def __init__(self, work: Work, inputs: int) -> None:
        super().__init__()
        self.net = make_net(work, inputs)

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        x, y = batch
        return cross_entropy(self.net(x), y)

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        x, y = batch
        logits = self.net(x)
        accuracy = (logits.argmax(dim=1) == y).float().mean()
        self.log_dict({"val_loss": cross_entropy(logits, y), "val_accuracy": accuracy})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=LEARNING_RATE)
