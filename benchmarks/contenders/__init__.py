"""Who is timed. Each contender is one short module with `train` or `train_together`.

* `train(work, data, seed) -> Trained` trains one net. Many seeds are trained one after the other.
* `train_together(work, data, seeds) -> Trained` trains a net for each seed, side by side.
* `load(work, folder)`, where it is there, loads the data instead of `works.load`; it is not timed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

VALIDATION_ROWS = 1024  # a pass, where K nets are validated together: all rows at once would leave the cache


@dataclass(frozen=True)
class Trained:
    """What a contender says of its training.

    Attributes:
        accuracies: of each net on the validation rows after the last epoch; none where nothing is learned.
        compile_seconds: spent on compiling, to be shown apart.
    """

    accuracies: Sequence[float]
    compile_seconds: float = 0.0


@dataclass(frozen=True)
class Contender:
    """How a contender is run.

    Attributes:
        title: for the tables.
        module: in this package.
        together: whether it trains many seeds side by side.
        threads: `work`: as many as suit the work's small products, which is the quickest; `all`: the
            library's own choice; `one`.
        cuda: whether it can train on a GPU here.
    """

    title: str
    module: str
    together: bool = False
    threads: Literal["work", "all", "one"] = "all"
    cuda: bool = False


CONTENDERS = {
    "trainrun": Contender("trainrun", "trainrun_engine", together=True, cuda=True),
    "sklearn": Contender("scikit-learn (no dropout)", "sklearn_mlp", threads="work"),
    "loop": Contender("PyTorch, DataLoader", "torch_loop", threads="work", cuda=True),
    "tuned": Contender("PyTorch, best eager loop", "torch_tuned", together=True, cuda=True),
    "tuned1": Contender("PyTorch, best eager loop, one thread", "torch_tuned", together=True, threads="one"),
    "skorch": Contender("skorch", "skorch_net", threads="work"),
    "lightning": Contender("Lightning", "lightning_trainer", threads="work"),
    "keras": Contender("Keras 3 on JAX", "keras_jax"),
    "jax": Contender("JAX, jit + scan + vmap", "jax_scan", together=True),
    "products": Contender("matrix products alone", "products", together=True, cuda=True),
    "products1": Contender("matrix products alone, one thread", "products", together=True, threads="one"),
}
