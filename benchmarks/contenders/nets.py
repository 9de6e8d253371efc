"""The net of a work as a `torch.nn.Sequential`, for the contenders that train one."""

from __future__ import annotations

from itertools import pairwise

import torch._dynamo  # torch.optim imports it when first used (1-2 s): let it count as an import

from benchmarks.works import CLASSES, DROPOUT, Work


def make_net(work: Work, inputs: int) -> torch.nn.Sequential:
    """Linear, ReLU and dropout for each hidden layer, then Linear to the logits."""
    widths = (inputs, *work.hidden)
    hidden = [
        layer
        for before, after in pairwise(widths)
        for layer in (torch.nn.Linear(before, after), torch.nn.ReLU(), torch.nn.Dropout(DROPOUT))
    ]
    return torch.nn.Sequential(*hidden, torch.nn.Linear(widths[-1], CLASSES))
