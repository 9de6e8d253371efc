"""What `--on` may name, and the file of machines: each mistake with its place."""

from __future__ import annotations

import pytest

from shell import trainrun_
from trainrun.errors import TrainrunError, UnavailableError, UsageError
from trainrun.machines import Machine, choice, choose_machine
from trainrun.machines.slurm import Slurm


@pytest.fixture
def machines(tmp_path, monkeypatch):
    """Writes the file of machines."""
    monkeypatch.setenv("TRAINRUN_MACHINES", str(tmp_path / "machines.yaml"))
    return (tmp_path / "machines.yaml").write_text


@pytest.fixture(autouse=True)
def _no_file(tmp_path, monkeypatch):
    monkeypatch.setenv("TRAINRUN_MACHINES", "")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path / "none"))


def test_local_is_no_machine():
    assert choose_machine("local") is None


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("slurm", {}),
        ("slurm:", {}),
        ("slurm:partition=gpu,time=4h", {"partition": "gpu", "time": "4h"}),
        ("slurm:nodelist=n1,n2, cpus=2", {"nodelist": "n1,n2", "cpus": "2"}),
        (
            "slurm:time=1-00:00:00,gpus=a100:2,memory=8G",
            {"time": "1-00:00:00", "gpus": "a100:2", "memory": "8G"},
        ),
    ],
)
def test_settings_stand_behind_a_colon(text, settings):
    assert choose_machine(text).settings == settings


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("local:x=1", "--on local: takes no settings"),
        ("slrm", "--on 'slrm': no such machine; did you mean 'slurm'?"),
        ("xyz", "--on 'xyz': no such machine; there are local, ray, slurm"),
        ("slurm:gpu", "--on slurm: 'gpu': must be word=value"),
        ("slurm:partitn=x", "--on slurm: unknown setting 'partitn'; did you mean 'partition'?"),
        ("slurm:time=1h,time=2h", "--on slurm: 'time' is there twice"),
        ("slurm:time=soon", "--on slurm: time: must be a time such as 4h, 1h30m or 1-00:00:00, got 'soon'"),
        ("slurm:cpus=0", "--on slurm: cpus: must be a whole number from 1, got '0'"),
        ("slurm:memory=lots", "--on slurm: memory: must be an amount of memory such as 8G, got 'lots'"),
        ("slurm:gpus=x", "--on slurm: gpus: must be a number such as 1, or a kind and a number"),
        ("slurm:partition=", "--on slurm: partition: must be printable text, got ''"),
        ("slurm:partition=a --wrap=x", "--on slurm: partition: must be a word without blanks and quotes"),
        ("slurm:account=a\n#SBATCH", "--on slurm: account: must be printable text"),
    ],
)
def test_mistakes_are_named(text, sentence):
    with pytest.raises(UsageError) as caught:
        choose_machine(text)
    assert str(caught.value).startswith(sentence)


def test_an_entry_of_the_file_is_a_machine(machines):
    machines(
        "machines:\n  gpu: {on: slurm, partition: gpu, time: 4h, gpus: 1}\n  slurm: {account: physics}\n"
    )
    assert choose_machine("gpu:time=8h").settings == {"partition": "gpu", "time": "8h", "gpus": "1"}
    assert choose_machine("slurm").settings == {"account": "physics"}


@pytest.mark.parametrize(
    ("text", "on", "sentence"),
    [
        ("", "gpu", ":1:1: must have a section machines"),
        ("[]", "gpu", ":1:1: must have a section machines"),
        ("machines: 3", "gpu", ":1:1: must have a section machines"),
        ("machines: {}\nmachine: {}", "gpu", ":2:1: machine: unknown key"),
        ("machines:\n  gpu: slurm", "gpu", ":2:3: gpu: must be settings"),
        ("machines:\n  gpu: {on: slurm, time: [1]}", "gpu", ":2:20: gpu.time: must be one value"),
        ("machines:\n  gpu: {on: slurm, time: null}", "gpu", ":2:20: gpu.time: must be one value"),
        ("machines:\n  gpu: {on: slurm}\n  gpu: {on: slurm}", "gpu", ":3:3:"),
        ("machines:\n  local: {on: slurm}", "gpu", ":2:3: local: must be another name"),
        ("machines:\n  a:b: {on: slurm}", "gpu", ":2:3: a:b: must be another name"),
        ("machines:\n  gpu: {partition: x}", "gpu", ":2:3: gpu: must say what it is, such as `on: slurm`"),
        ("machines:\n  gpu: {on: slrm}", "gpu", ":2:9: on: no such machine 'slrm'; did you mean 'slurm'?"),
        (
            "machines:\n  gpu: {on: slurm, tme: 4h}",
            "gpu",
            ":2:20: unknown setting 'tme'; did you mean 'time'?",
        ),
        ("machines:\n  gpu: {on: slurm, time: x}", "gpu", ":2:20: time: must be a time such as 4h"),
        ("machines: {gpu: {on: slurm}", "gpu", ":1:28:"),
    ],
)
def test_mistakes_in_the_file_are_named_with_their_place(machines, tmp_path, text, on, sentence):
    machines(text)
    with pytest.raises(TrainrunError) as caught:
        choose_machine(on)
    assert caught.value.exit_code == 2
    assert str(caught.value).startswith(f"{tmp_path}/machines.yaml{sentence}")


def test_a_file_that_is_named_and_not_there_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("TRAINRUN_MACHINES", str(tmp_path / "nope.yaml"))
    with pytest.raises(UsageError, match=r"nope\.yaml: there is no such file"):
        choose_machine("slurm")


def test_without_a_home_there_is_the_sites_file_or_none(monkeypatch):
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert choose_machine("slurm").settings == {}


def test_the_users_file_comes_before_the_homes(monkeypatch, tmp_path):
    for folder, name in (("xdg/trainrun", "x"), ("home/.config/trainrun", "h")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "machines.yaml").write_text(f"machines: {{{name}: {{on: slurm}}}}")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert "h" in choice.names()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    assert "x" in choice.names()


class Third(Machine):
    name = "third"


@pytest.mark.parametrize(
    ("found", "error", "sentence"),
    [
        (lambda: 3, UsageError, "--on third: 3 is no subclass of Machine"),
        (lambda: __import__("no_such_package"), UnavailableError, "--on third: cannot be loaded: No module"),
    ],
)
def test_an_entry_point_that_is_no_machine_is_said(monkeypatch, found, error, sentence):
    monkeypatch.setattr(choice, "_kinds", lambda: {"third": found, "slurm": lambda: Slurm})
    with pytest.raises(error, match=sentence):
        choose_machine("third")


@pytest.mark.parametrize("words", [["--detach"], ["--workers", "3"], ["--dry-run"]])
def test_options_of_machines_need_one(tmp_path, words):
    said = trainrun_("fit", "x.yaml", *words, cwd=tmp_path, code=2).stderr
    assert "need --on with another machine than local" in said


def test_machines_says_what_this_one_is_like(tmp_path):
    said = trainrun_("machines", cwd=tmp_path).stdout
    assert said.startswith("machine   local\nhost      ")
    assert "\nothers    " in said


def test_tensorboard_needs_the_epochs_of_this_machine(tmp_path):
    said = trainrun_("fit", "x.yaml", "--on", "slurm", "--tensorboard", cwd=tmp_path, code=2).stderr
    assert "--tensorboard: needs --on local" in said
