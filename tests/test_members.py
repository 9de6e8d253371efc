"""The progress of many runs at once: counts, time left, and a terminal that goes away."""

import io
import os
import pty
import re
from contextlib import suppress

import pytest

from story import FILLED, QUIET, make_writers, side_by_side, story
from trainrun.report.progress import stack_progress as members
from trainrun.report.progress.stack_progress import StackProgress
from trainrun.runs.reading import Run


def watched(folder, stream, runs: int = 4, **options) -> None:
    """Watch a stack of `runs` members, of which the last diverges."""
    writers = make_writers(folder, runs, options.get("notes", ()), options.get("data_notes", ()))
    progress = StackProgress(stream)
    progress.expect(runs + options.get("before", 0))
    for _ in range(options.get("before", 0)):
        progress.already(Run(folder))
    progress.begin([writer.info for writer in writers])
    for event in side_by_side(runs, diverged=[runs - 1]):
        writers[event.member].handle(event)
        progress.handle(event)
    progress.end()
    progress.close()


def test_off_a_terminal_it_says_a_line_now_and_then(tmp_path):
    page = io.StringIO()
    watched(tmp_path, page)
    first, last = page.getvalue().splitlines()
    assert first.startswith("net-0123abcd/seed-3: Epoch 4: diverged at step 120")
    assert re.fullmatch(r"4 of 4 trained \(3 stopped early, 1 diverged\) in \d+\.\d seconds", last)


def test_a_line_counts_the_trained_the_training_and_the_time_left(tmp_path, monkeypatch):
    monkeypatch.setattr(members, "_SECONDS_BETWEEN_LINES", 0.0)
    page = io.StringIO()
    watched(tmp_path, page, before=2)
    lines = page.getvalue().splitlines()
    assert lines[0] == "2 of 6 trained (2 there before), 1 training, 3 left"
    assert any(
        line.startswith("2 of 6 trained (2 there before), 4 training, 0 left, about ") for line in lines
    )
    assert any(
        re.search(r"5 of 6 .*3 stopped early\), 1 training, 0 left, about \d+ s to go", line)
        for line in lines
    )


def test_the_time_left_is_by_the_epochs_not_by_what_came_before_them(tmp_path, monkeypatch):
    monkeypatch.setattr(members, "_SECONDS_BETWEEN_LINES", 0.0)
    writers = make_writers(tmp_path, 2)
    page = io.StringIO()
    progress = StackProgress(page)
    progress.expect(2)
    progress._begun -= 1000  # spent on loading
    progress.begin([writer.info for writer in writers])
    for event in side_by_side(2):
        progress.handle(event)
    estimates = [line for line in page.getvalue().splitlines() if "about" in line]
    assert estimates
    assert all(line.endswith("about 0 s to go") for line in estimates)


def everything(leader: int) -> str:
    """All that was written to a terminal that is closed by now; it hands out a page at a time."""
    pages = []
    with suppress(OSError):  # the end of it
        while page := os.read(leader, 65536):
            pages.append(page)
    os.close(leader)
    return b"".join(pages).decode()


def test_a_run_that_continues_counts_for_what_was_done(tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(members, "_SECONDS_BETWEEN_DRAWINGS", 0.0)
    (writer,) = make_writers(tmp_path, 1)
    started, first, *_ = story()
    for event in (started, first):
        writer.handle(event)
    writer.begin({}, device="cpu", threads=1, snapshot=writer.snapshot())
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w") as stream:
        progress = StackProgress(stream)
        progress.expect(1)
        progress.begin([writer.info])
        progress.handle(started)
        progress.close()
    assert " 11%" in everything(leader), "an epoch of nine"


def test_what_there_is_to_note_is_said_once(tmp_path):
    page = io.StringIO()
    notes = ["Warned", "Differs from another: epochs: 1 -> 2"]
    watched(tmp_path, page, notes=notes, data_notes=[FILLED, QUIET])
    assert page.getvalue().count("Warned\n") == 1
    assert page.getvalue().count(r"data: filled 3 missing values: a\x1b]0;x\n 3") == 1
    assert "categories" not in page.getvalue()
    assert "Differs from" not in page.getvalue()


def test_where_everything_was_finished_nothing_is_said():
    page = io.StringIO()
    progress = StackProgress(page)
    progress.close()
    assert page.getvalue() == ""


def test_on_a_terminal_there_is_a_bar_that_goes_away(tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(members, "_SECONDS_BETWEEN_DRAWINGS", 0.0)
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w") as stream:
        watched(tmp_path, stream)
    text = everything(leader)
    assert "0%" in text
    assert "4 of 4 trained (3 stopped early, 1 diverged), 0 training, 0 left" in text
    assert "diverged at step 120" in text
    assert text.rstrip().endswith("seconds")


@pytest.mark.parametrize("stream", [None, "closed"])
def test_a_stream_that_is_gone_stops_nothing(tmp_path, stream):
    page = io.StringIO()
    page.close()
    watched(tmp_path, page if stream else None)


def test_a_run_that_has_no_epochs_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(members, "_SECONDS_BETWEEN_LINES", 0.0)
    (writer,) = make_writers(tmp_path, 1)
    page = io.StringIO()
    progress = StackProgress(page)
    progress.expect(1)
    progress.begin([writer.info])
    started, *_, ended = story()
    for event in (started, ended):
        progress.handle(event)
    assert page.getvalue().splitlines()[-1].startswith("1 of 1 trained (1 stopped early), 0 training, 0 left")
