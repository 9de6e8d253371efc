"""Recipes that come with trainrun, by their words in `extends`."""

import json

import pytest

from configs import config_of, problems_of
from shell import trainrun_
from trainrun.recipes import recipes


def test_the_recipes():
    assert list(recipes()) == ["tabular", "tabular_small", "textbook"]


@pytest.mark.parametrize("name", recipes())
def test_a_recipe_trains_and_says_its_source(tmp_path, name):
    config = config_of(tmp_path, f"extends: {name}\ndata: iris\n")
    assert config.data.source == "iris"
    assert recipes()[name].summary.endswith(".")
    assert recipes()[name].source
    (tmp_path / "net.yaml").write_text(f"extends: {name}\ndata: iris\n")
    done = trainrun_("fit", "net.yaml", "--set", "epochs=2", cwd=tmp_path)
    assert "test: loss" in done.stdout


@pytest.mark.parametrize("data", ["iris", "diabetes"])
def test_recipes_suit_both_tasks(tmp_path, data):
    for name in recipes():
        (tmp_path / f"{name}.yaml").write_text(f"extends: {name}\ndata: {data}\nepochs: 1\n")
    trainrun_("fit", *(f"{name}.yaml" for name in recipes()), cwd=tmp_path)


def test_the_textbook_is_the_plain_net(tmp_path):
    plain = config_of(tmp_path, "data: digits\n")
    textbook = config_of(tmp_path, "extends: textbook\ndata: digits\n")
    assert textbook.hidden == plain.hidden
    assert textbook.data.scale == "standard"  # of the recipe: the name of other data leaves it
    assert textbook.initializer.name == "he_normal"


def test_a_word_is_a_recipe_and_a_file_has_a_slash_or_a_suffix(tmp_path):
    (tmp_path / "tabular").write_text("epochs: 77\n")
    assert config_of(tmp_path, "extends: tabular\ndata: iris\n").epochs != 77
    assert config_of(tmp_path, "extends: ./tabular\ndata: iris\n").epochs == 77
    assert config_of(tmp_path, "data: iris\n", "extends=tabular_small").hidden == (128, 128)


@pytest.mark.parametrize(
    ("word", "advice"),
    [
        ("tabula", "did you mean tabular?"),
        ("xyz", "the recipes are tabular, tabular_small, textbook."),
    ],
)
def test_an_unknown_word_is_answered_with_the_recipes(tmp_path, word, advice):
    (problem,) = problems_of(tmp_path, f"data: iris\nextends: {word}\n")
    assert problem.startswith(f"a.yaml:2:1: extends: no recipe is named '{word}'; {advice}")


def test_a_base_of_both_kinds(tmp_path):
    """A recipe may stand behind a file of the user."""
    (tmp_path / "mine.yaml").write_text("extends: tabular\nepochs: 9\n")
    config = config_of(tmp_path, "extends: mine.yaml\ndata: iris\n")
    assert (config.epochs, config.hidden) == (9, (256, 256, 256))


def test_they_are_listed(tmp_path):
    listed = json.loads(trainrun_("list", "recipes", "--format", "json", cwd=tmp_path).stdout)
    assert [one["name"] for one in listed] == list(recipes())
    assert all(one["summary"] and one["source"] for one in listed)


def test_init_writes_one(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,y\n" + "".join(f"{i},{i % 7},{i % 2}\n" for i in range(60)))
    trainrun_("init", "t.csv", "--target", "y", "--recipe", "tabular_small", cwd=tmp_path)
    assert "extends: tabular_small\n" in (tmp_path / "t.yaml").read_text()
    assert "test: loss" in trainrun_("fit", "t.yaml", "--set", "epochs=1", cwd=tmp_path).stdout
    done = trainrun_("init", "t.csv", "--out", "u.yaml", "--recipe", "xyz", cwd=tmp_path, code=2)
    assert "knows tabular, tabular_small, textbook, not xyz" in done.stderr
