"""The console of a fit: wording, prefixes, and streams that break."""

import io
import os
import pty
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from story import FILLED, QUIET, ended, epoch, make_writers, side_by_side, story, take
from trainrun.events import Event
from trainrun.notes import Note
from trainrun.report.progress.console import Console
from trainrun.report.progress.stack_lines import StackLines
from trainrun.report.progress.summary import run_summary, spread
from trainrun.runs.paths import RunPaths
from trainrun.runs.reading import Run
from trainrun.runs.writing import RunWriter


def watch(console: Console, writers: list[RunWriter], events: Sequence[Event]) -> None:
    console.expect(len(writers))
    console.begin([writer.info for writer in writers])
    for event in events:
        take(writers[event.member], event)
        console.handle(event)
    console.end()


def printed(folder: Path, members: int = 1, progress: str = "plain", **options: Sequence) -> list[str]:
    page = io.StringIO()
    writers = make_writers(folder, members, options.get("notes", ()), options.get("data_notes", ()))
    watch(Console(progress, page), writers, side_by_side(members, options.get("diverged", ())))
    return page.getvalue().splitlines()


def test_one_run_speaks_as_its_log_does(tmp_path):
    lines = printed(tmp_path, notes=["Differs from somewhere"], data_notes=[QUIET, FILLED])
    log = (tmp_path / "net-0123abcd" / "seed-0" / "log.txt").read_text().splitlines()
    assert lines[0] == f"Run directory: {tmp_path}/net-0123abcd/seed-0"
    assert lines[1] == "Differs from somewhere"
    assert lines[2 : 2 + len(log)] == log
    assert log[0] == r"data: filled 3 missing values: a\x1b]0;x\n 3"
    assert log[1].startswith("Epoch 1/9")


def test_the_summary_says_what_came_out(tmp_path):
    summary = printed(tmp_path)[-7:]
    assert summary[:4] == [
        "Best epoch: 2 of 3, stopped early",
        "train: loss 0.2500, accuracy 0.7500",
        "valid: loss 0.4000, accuracy 0.5000",
        "test: loss 0.6250, accuracy 0.8750",
    ]
    assert summary[5] == "Exact zeros: 2 weights of 6 parameters"
    assert re.fullmatch(rf"Trained in \d+\.\d seconds: {tmp_path}/net-0123abcd/seed-0", summary[-1])


def test_the_penalty_is_said_once(tmp_path):
    assert [line for line in printed(tmp_path) if "Penalty" in line] == [
        "Penalty: 0.2500 at the best epoch (its own column, not part of loss or val_loss)"
    ]


def test_several_runs_are_told_apart(tmp_path):
    other = Note("guessed", "column 'b': as a code")
    lines = printed(tmp_path, 2, notes=["Warned"], data_notes=[other, FILLED])
    assert all(re.match(r"net-0123abcd/seed-[01]: ", line) for line in lines)
    assert f"net-0123abcd/seed-1: Run directory: {tmp_path}/net-0123abcd/seed-1" in lines
    assert "net-0123abcd/seed-1: Epoch 3: early stopping" in lines
    assert [line for line in lines if "Warned" in line] == ["net-0123abcd/seed-0: Warned"]
    assert [line for line in lines if "a code" in line] == ["net-0123abcd/seed-0: column 'b': as a code"]
    assert len([line for line in lines if "filled" in line]) == 1


@pytest.mark.parametrize("members", [2, 9])
def test_a_note_of_one_run_alone_is_said_with_its_label(tmp_path, members):
    writers = make_writers(tmp_path, members, data_notes=[FILLED])
    own = RunWriter(writers[1].paths, writers[1].config, data_notes=[FILLED, Note("leak", "Is it a leak?")])
    own.begin({}, device="cpu", threads=1)
    page = io.StringIO()
    watch(Console("plain", page), [writers[0], own, *writers[2:]], side_by_side(members))
    lines = page.getvalue().splitlines()
    label = "net-0123abcd/seed-1" if members == 2 else "net-0123abcd"
    assert [line for line in lines if "leak" in line] == [f"{label}: Is it a leak?"]
    assert len([line for line in lines if "filled" in line]) == 1


def test_nine_members_speak_with_one_voice(tmp_path):
    lines = printed(tmp_path, 9, diverged=[8])
    assert lines[0] == f"net-0123abcd: Run directory: {tmp_path}/net-0123abcd"
    assert lines[1:4] == [
        "net-0123abcd: Epoch 1/9 - 9 training - val_loss: mean 4.90000 (0.90000 to 8.90000)",
        "net-0123abcd: Epoch 2/9 - 9 training - val_loss: mean 4.40000 (0.40000 to 8.40000)",
        "net-0123abcd: Epoch 3/9 - 9 training - val_loss: mean 4.50000 (0.50000 to 8.50000)",
    ]
    assert lines[4].startswith("net-0123abcd/seed-8: Epoch 4: diverged at step 120, the loss is not finite")
    assert lines[5:8] == [
        "net-0123abcd: 8 of 9 runs complete, 1 diverged",
        "net-0123abcd: train: loss mean 0.2500 (0.2500 to 0.2500), accuracy mean 0.7500 (0.7500 to 0.7500)",
        "net-0123abcd: valid: loss mean 3.9000 (0.4000 to 7.4000), accuracy mean 0.5000 (0.5000 to 0.5000)",
    ]


def test_a_stack_says_how_many_have_stopped(tmp_path):
    writers = make_writers(tmp_path, 10)
    events = [next(story(member)) for member in range(10)]
    events += [epoch(1, [0.5], member) for member in range(10)] + [ended(0, [0.5])]
    events += [epoch(2, [0.5, float("nan")], member) for member in range(1, 10)]
    page = io.StringIO()
    watch(Console("plain", page), writers, events)
    assert (
        page.getvalue().splitlines()[2] == "net-0123abcd: Epoch 2/9 - 9 training, 1 stopped - val_loss: nan"
    )


def test_without_progress_only_the_ends_are_said(tmp_path):
    lines = printed(tmp_path, progress="none")
    assert lines[0].startswith("Run directory: ")
    assert lines[1].startswith("Best epoch: ")


@pytest.mark.parametrize("progress", ["auto", "rich", "plain", "none"])
def test_no_escape_codes_where_no_terminal_is(tmp_path, progress):
    page = io.StringIO()
    watch(Console(progress, page), make_writers(tmp_path, 1), side_by_side(1))
    assert "\x1b" not in page.getvalue()
    assert "\r" not in page.getvalue()


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError("gone")


CLOSED = io.StringIO()
CLOSED.close()


@pytest.mark.parametrize("stream", [None, CLOSED, Broken()], ids=["none", "closed", "broken"])
def test_a_stream_that_breaks_stops_nothing(tmp_path, stream):
    writers = make_writers(tmp_path, 1)
    watch(Console("plain", stream), writers, side_by_side(1))
    assert Run(writers[0].paths.directory).status == "complete"


def test_a_full_disk_behind_the_console_stops_nothing(tmp_path):
    writers = make_writers(tmp_path, 1)
    with Path("/dev/full").open("w") as full:
        watch(Console("plain", full), writers, side_by_side(1))
        assert os.fstat(full.fileno()).st_rdev == Path(os.devnull).stat().st_rdev  # or the end would fail
    assert Run(writers[0].paths.directory).status == "complete"


def on_a_terminal(writers: list[RunWriter], events: Sequence[Event] = ()) -> str:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as stream:
        watch(Console("auto", stream), writers, events or side_by_side(len(writers)))
    chunks = []
    with suppress(OSError):  # the end of a terminal is an error on Linux
        while chunk := os.read(ours, 1 << 16):
            chunks.append(chunk)
    os.close(ours)
    return b"".join(chunks).decode()


@pytest.mark.parametrize("members", [1, 2, 9])
def test_on_a_terminal_there_is_a_bar_beside_the_lines(tmp_path, monkeypatch, members):
    monkeypatch.setenv("TERM", "xterm")
    text = on_a_terminal(make_writers(tmp_path, members))
    assert "\x1b[" in text
    assert "/9" in text
    assert "Epoch 3" in text
    assert "Best epoch: 2" in text or "9 of 9 runs complete" in text


@pytest.mark.parametrize(
    ("columns", "members", "told"),
    [
        (80, 1, r"3/9 .*left loss 0\.2500  val_loss 0\.50000  █▁▂  wait 1/10"),
        (60, 1, r"3/9 .*left loss 0\.2500  val_loss 0\.50000  ▁█  wait 1/10"),
        (80, 2, r"3/9 .*left 2 training  val_loss 1\.00000  █▁▂"),
        (200, 9, r"3/9 .*left 9 training  val_loss 4\.50000  █▁▂"),
    ],
)
def test_the_bar_says_how_a_run_or_a_stack_stands(tmp_path, monkeypatch, columns, members, told):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    text = re.sub(r"\x1b\[[\d;?]*\w", "", on_a_terminal(make_writers(tmp_path, members)))
    assert re.search(told, text)


def test_the_bar_starts_where_a_run_continues(tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    (writer,) = make_writers(tmp_path, 1)
    started, first, second, third, end = story()
    for event in (started, first, second):
        writer.handle(event)
    snapshot = writer.snapshot()
    writer.begin({}, device="cpu", threads=1, snapshot=snapshot)
    text = on_a_terminal([writer], [started, third, end])
    assert "0/9" not in text
    assert text.index("2/9") < text.index("3/9 ")
    assert "█▁▂" in text, "the spark line knows the epochs before"


@pytest.mark.parametrize(("variable", "value"), [("TERM", "dumb"), ("TERM", "")])
def test_on_a_dumb_terminal_there_is_none(tmp_path, monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    assert "\x1b" not in on_a_terminal(make_writers(tmp_path, 1))


@pytest.mark.parametrize("columns", ["1", "80", "200"])
def test_any_width_will_do(tmp_path, monkeypatch, columns):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", columns)
    text = on_a_terminal(make_writers(tmp_path, 1))
    assert "\x1b[3" not in text, "colours, in spite of NO_COLOR"
    assert "val_loss improved from inf to 0.90000, saving model to best.safetensors" in text


def test_markup_in_names_is_just_text(tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    writers = make_writers(tmp_path, 2)
    writers[1].paths = RunPaths(tmp_path / "a[bold]\x1b]52;x-0123abcd" / "seed-1")
    writers[1].begin({}, device="cpu", threads=1)
    text = on_a_terminal(writers)
    assert "a[bold]\\x1b]52;x-0123abcd/seed-1: Epoch 1: " in text


def test_a_finished_run_is_summed_up_again(tmp_path):
    printed(tmp_path)
    page = io.StringIO()
    console = Console("auto", page)
    console.expect(1)
    run = Run(tmp_path / "net-0123abcd" / "seed-0")
    console.already(run)
    assert page.getvalue().splitlines() == [f"Already complete: {run.directory}", *run_summary(run)[:-1]]


def test_of_many_finished_runs_each_is_a_line(tmp_path):
    printed(tmp_path)
    page = io.StringIO()
    console = Console("auto", page)
    console.expect(9)
    console.already(Run(tmp_path / "net-0123abcd" / "seed-0"))
    assert page.getvalue().count("\n") == 1


def test_a_spread_of_one():
    assert spread([0.5], 5) == "mean 0.50000 (0.50000 to 0.50000)"


def test_a_stacks_line_counts_as_of_its_epoch_where_parts_are_not_equally_far(tmp_path):
    ahead, behind = list(story(0, [0.9, 0.8])), list(story(1, [0.7]))
    lines = StackLines()
    said = [line for event in [ahead[0], behind[0], *ahead[1:], *behind[1:]] for line in lines.lines(event)]
    assert [line.split(" - ")[:2] for line in said] == [
        ["Epoch 1/9", "2 training"],
        ["Epoch 2/9", "1 training, 1 stopped"],
    ]
