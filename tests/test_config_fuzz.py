"""Whatever a file says, loading it gives a config or lines that say why not."""

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from random_configs import CONFIGS, KEYS, load_or_explain

FAST = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@FAST
@given(CONFIGS)
def test_any_tree_of_known_keys(tmp_path_factory, tree):
    path = tmp_path_factory.mktemp("fuzz") / "a.yaml"
    path.write_text(yaml.safe_dump(tree, allow_unicode=True))
    load_or_explain(path)


@FAST
@given(st.binary(max_size=80) | st.text(max_size=80).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("fuzz") / "a.yaml"
    path.write_bytes(b"data: digits\n" + content)
    load_or_explain(path)


@FAST
@given(
    st.sampled_from(KEYS),
    st.text(max_size=20),
    st.sampled_from(["{}={}", "optimizer.{}={}", "data.{}={}", "{1}"]),
)
def test_any_override(tmp_path_factory, key, value, form):
    path = tmp_path_factory.mktemp("fuzz") / "a.yaml"
    path.write_text("data: digits\n")
    load_or_explain(path, form.format(key, value))
