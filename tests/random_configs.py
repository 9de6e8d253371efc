"""Random configs of known keys, and what must hold of whatever a file says."""

from hypothesis import strategies as st

from trainrun.config import Config, load_config, to_yaml
from trainrun.config.identity import identify
from trainrun.config.keys.choices import INGREDIENTS
from trainrun.config.keys.data import DataConfig, Split
from trainrun.config.keys.net import Dropout
from trainrun.config.keys.penalties import Regularization
from trainrun.config.keys.stopping import EarlyStopping
from trainrun.errors import ConfigError
from trainrun.text import printable

SETTINGS = {key for one in INGREDIENTS.values() for i in one.registry.values() for key in i.settings}
MODELS = (Config, DataConfig, Split, Dropout, EarlyStopping, Regularization)
KEYS = sorted({"extends", *SETTINGS, *(key for model in MODELS for key in model.model_fields)})
WORDS = sorted({word for one in INGREDIENTS.values() for word in one.registry.words})
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(WORDS),
    st.sampled_from(["auto", "digits", "run", "5 epochs", "10%", "3 steps", "val_loss", "balanced", "1e-3"]),
    st.sampled_from([0, 1, 2, 0.5, -1, 10**25, 1e300]),
)  # fmt: skip
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", *KEYS]) | st.text(), inner)
    ),
    max_leaves=12,
)
CONFIGS = st.dictionaries(st.sampled_from(KEYS), TREES, max_size=6).map(
    lambda keys: {"data": "digits"} | keys
)


def load_or_explain(path, *overrides):
    config, problems = None, ()
    try:
        config = load_config(path, overrides)
    except ConfigError as error:
        problems = error.problems
    assert bool(config) != bool(problems)
    assert all(problem == printable(problem) for problem in problems)
    if config:
        assert len(identify(config, {})) == 8
        path.write_text(to_yaml(config))
        assert load_config(path) == config
