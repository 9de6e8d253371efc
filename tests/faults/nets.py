"""Commands that train something small, in folders of their own."""

import tempfile
from pathlib import Path

from command import Command

# A part of a second: early stopping that counts, a learning rate that falls, dropout: there is a lot to lose.
NET = """\
data: digits
hidden: [48, 16]
epochs: 60
dropout: 0.2
learning_rate: 0.003
early_stopping: {patience: 8}
schedule: {name: reduce_on_plateau, patience: 2}
"""
# Hundredths of a second: three epochs of two steps.
SMALL = """\
data: iris
hidden: [8]
epochs: 3
batch_size: 60
dropout: 0.2
schedule: {name: reduce_on_plateau, patience: 1}
"""
CONFIGS = {
    "net": NET,
    "other": NET + "activation: tanh\n",
    "wide": "data: digits\nhidden: [512]\nepochs: 8\ndropout: 0.1\n",
    "small": SMALL,
}


def command(parent: Path, *arguments: str, save_seconds: float = 0.05, **configs: str) -> Command:
    """A command in a new folder, with its configs.

    Args:
        parent: of the folder.
        arguments: of the command line, such as `fit net.yaml`.
        save_seconds: from one checkpoint to the next.
        configs: by name, besides those above.
    """
    folder = Path(tempfile.mkdtemp(dir=parent))
    for name, text in {**CONFIGS, **configs}.items():
        (folder / f"{name}.yaml").write_text(text)
    return Command(folder, arguments, {"TRAINRUN_SAVE_SECONDS": str(save_seconds)})
