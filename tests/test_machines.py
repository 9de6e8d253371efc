"""Runs on other machines: one submission, found again; the same bits as here; nothing trained twice."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from fits import CONFIG, carry, files, statuses
from nearby import Commands, install
from shell import trainrun_
from trainrun.errors import UnavailableError
from trainrun.fitting import Observer
from trainrun.machines import DryRun, Front, Machine, watching
from trainrun.machines.worker import work
from trainrun.runs.lock import RunLock
from trainrun.runs.paths import RunPaths
from trainrun.runs.submissions import FOLDER, submissions
from waiting import wait_until


class Inline(Machine):
    """A machine of which the tests decide what becomes of its tasks."""

    name = "inline"

    def __init__(self, *, works: bool = True, most: int | None = None) -> None:
        super().__init__({})
        self.works, self.most = works, most
        self.submitted: list[tuple[Path, list[int]]] = []
        self.stopped: list[str] = []
        self.waiting: set[int] | None = set()
        self.log = ""

    def submit(self, name, tasks, folder):
        self.submitted.append((folder, [task.number for task in tasks]))
        for task in tasks:
            task.log.write_text(self.log)
            if self.works:
                work(folder, task.number)
        return str(len(self.submitted))

    def alive(self, job):
        return self.waiting

    def stop(self, job):
        self.stopped.append(job)

    def most_tasks(self):
        return self.most

    def work(self) -> None:
        """Do what was submitted."""
        folder, tasks = self.submitted[-1]
        for task in tasks:
            work(folder, task)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(watching, "_FIRST_WAIT", 0)
    monkeypatch.setattr(watching, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(watching, "_LONGEST_PAUSE", 0.02)
    monkeypatch.setattr("trainrun.machines.worker._WAITS_FOR_OTHERS", 0)


@pytest.fixture
def config(tmp_path) -> Path:
    path = tmp_path / "net.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def runs(tmp_path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def fit(config, runs):
    """Fits seeds; says how the runs ended."""

    def carry_out(machine: Machine | None, *, on: str = "inline", seeds: int = 3, **keys) -> list:
        options = {name: keys.pop(name) for name in ("workers", "detach", "dry_run", "say") if name in keys}
        front = Front(machine, on, **options) if machine else None
        return carry(keys.pop("runs", runs), config, seeds=seeds, elsewhere=front, **keys)

    return carry_out


def errors(outcomes) -> set[tuple[int, str]]:
    return {(one.exit_code, str(one.error)) for one in outcomes if one.error}


def test_runs_have_the_same_bits_as_here_and_leave_no_record(fit, runs, tmp_path):
    machine = Inline()
    assert statuses(fit(machine, workers=2)) == ["complete"] * 3
    fit(None, runs=tmp_path / "here")
    assert files(runs) == files(tmp_path / "here")
    assert [tasks for _, tasks in machine.submitted] == [[0, 1]]
    assert not (runs / FOLDER).exists()


def test_what_is_complete_is_not_submitted(fit):
    fit(None)
    machine = Inline()
    assert statuses(fit(machine)) == ["complete"] * 3
    assert machine.submitted == []


def test_a_detached_command_submits_once_and_says_in_the_end_that_all_is_complete(fit, runs):
    machine, said = Inline(works=False), []
    machine.waiting = {0, 1, 2, 3}
    for _ in range(3):
        outcomes = fit(machine, detach=True, say=said.append)
        assert [one.exit_code for one in outcomes] == [75] * 3
    assert len(machine.submitted) == 1
    assert sum("Attached to inline, job 1" in line for line in said) == 2
    machine.work()
    assert [one.exit_code for one in fit(machine, detach=True)] == [0] * 3
    assert len(machine.submitted) == 1
    assert not (runs / FOLDER).exists()


@pytest.mark.parametrize("on", [None, "inline:other"])
def test_other_commands_on_these_runs_get_5(fit, on):
    machine = Inline(works=False)
    machine.waiting = {0, 1, 2, 3}
    fit(machine, detach=True)
    outcomes = fit(on and Inline(), on=on or "")
    assert [one.exit_code for one in outcomes] == [5] * 3
    assert all("is submitted to inline as job 1; the same command" in str(one.error) for one in outcomes)


def test_runs_that_nobody_has_are_trained_beside_those_of_another_submission(fit):
    machine = Inline(works=False)
    machine.waiting = {0, 1, 2, 3}
    fit(machine, detach=True)
    assert [one.exit_code for one in fit(Inline(), on="inline:more", seeds=5)] == [5, 5, 5, 0, 0]


def test_a_run_that_a_process_here_trains_is_not_submitted(fit, runs):
    fit(None)
    directory = next(runs.glob("net-*/seed-1"))
    for result in runs.glob("net-*/*/result.json"):
        result.unlink()
    with RunLock(RunPaths(directory)):
        machine = Inline()
        assert [one.exit_code for one in fit(machine)] == [0, 5, 0]


def test_a_command_that_dies_before_it_notes_the_job_leaves_no_second_copy(fit, runs, monkeypatch):
    machine = Inline(works=False)
    machine.waiting = {0, 1, 2, 3}
    fit(machine, detach=True)
    next((runs / FOLDER).glob("*/job.json")).unlink()
    monkeypatch.setattr(machine, "find", lambda folder: "1", raising=False)
    fit(machine, detach=True)
    assert len(machine.submitted) == 1


def test_asked_to_stop_it_hands_that_on_and_the_same_command_continues(fit, runs, tmp_path):
    machine = Inline(works=False)
    machine.waiting = {0, 1, 2, 3}
    assert statuses(fit(machine, looks=20)) == ["interrupted"] * 3
    assert machine.stopped == ["1"]
    folder, _ = machine.submitted[0]
    assert work(folder, 0) == 75  # a task that was still in the queue
    assert not list(runs.glob("net-*/seed-*"))
    assert statuses(fit(Inline())) == ["complete"] * 3
    assert not (runs / FOLDER).exists()


def test_after_a_stop_the_runs_are_anyones(fit):
    machine = Inline(works=False)
    machine.waiting = {0, 1, 2, 3}
    fit(machine, looks=20)
    assert statuses(fit(None)) == ["complete"] * 3


def test_a_machine_that_cannot_be_told_to_stop_is_said(fit):
    class Deaf(Inline):
        def stop(self, job):
            raise UnavailableError("no controller")

    machine, said = Deaf(works=False), []
    machine.waiting = {0, 1, 2, 3}
    fit(machine, looks=20, say=said.append)
    assert said[-1] == "no controller; its tasks may go on: stop job 1 by hand"


def test_tasks_that_vanish_are_submitted_again_three_times(fit, runs):
    machine = Inline(works=False)
    machine.log = "first\nbash: \x1b[31mpython: not found\n"
    outcomes = fit(machine, seeds=1)
    ((code, sentence),) = errors(outcomes)
    assert code == 71
    assert sentence.startswith(
        r"task 0 ended 4 times without its runs, the last time with: bash: \x1b[31mpyt"
    )
    assert len(machine.submitted) == 4
    assert sentence.endswith("log-0.txt)")
    assert list((runs / FOLDER).glob("*/log-0.txt"))  # the sentence names it
    assert statuses(fit(Inline(), seeds=1)) == ["complete"]  # the same command tries anew
    assert not (runs / FOLDER).exists()


def test_only_lost_tasks_are_submitted_again(fit):
    machine = Inline(works=False)
    machine.waiting = {0}

    class Again(Observer):
        def elsewhere(self, done, words):
            if len(machine.submitted) == 2:
                machine.waiting = {0, 1}
                work(machine.submitted[0][0], 1)
                work(machine.submitted[0][0], 0)

    assert statuses(fit(machine, workers=2, seeds=2, observer=Again())) == ["complete"] * 2
    assert [tasks for _, tasks in machine.submitted] == [[0, 1], [1]]


def test_a_task_that_asks_to_be_started_again_costs_no_try(fit, runs):
    class Timed(Inline):
        def submit(self, name, tasks, folder):
            self.works = len(self.submitted) == 6
            job = super().submit(name, tasks, folder)
            (folder / "again-0").touch()
            return job

    assert statuses(fit(Timed(), seeds=1)) == ["complete"]


def test_a_task_killed_for_its_memory_is_not_tried_again(fit):
    machine = Inline(works=False)
    machine.log = "slurmstepd: error: Detected 1 oom_kill event in StepId=7.0\n"
    ((code, sentence),) = errors(fit(machine, seeds=1))
    assert code == 71
    assert "out of memory: slurmstepd" in sentence
    assert len(machine.submitted) == 1


@pytest.mark.parametrize("code", [65, 66, 69, 71, 6])
def test_what_a_worker_says_is_the_runs_failure(fit, runs, code):
    class Failing(Inline):
        def submit(self, name, tasks, folder):
            one = {"directory": directory(), "status": "failed", "code": code, "message": "its \x07 words"}
            (folder / "task-0.json").write_text(json.dumps({"outcomes": [one]}))
            work(folder, 1)
            return super().submit(name, [], folder)

    def directory() -> str:
        one = next(submissions(runs))
        return one.tasks[0][0].directory

    outcomes = fit(Failing(), seeds=2, workers=2)
    assert errors(outcomes) == {(code, r"its \x07 words")}
    assert statuses(outcomes) == ["failed", "complete"]


def test_a_run_that_diverges_there_is_diverged_here(tmp_path, runs):
    path = tmp_path / "wild.yaml"
    path.write_text(f"{CONFIG}learning_rate: 1e30\noptimizer: sgd\n")
    (outcome,) = carry(runs, path, elsewhere=Front(Inline(), "inline"))
    assert (outcome.status, outcome.exit_code) == ("diverged", 3)


def test_other_data_on_the_worker_are_66_with_both_fingerprints(tmp_path, runs):
    (tmp_path / "t.csv").write_text("a,y\n" + "1,2\n3.5,4\n" * 30)
    path = tmp_path / "net.yaml"
    path.write_text("data: {path: t.csv, target: y, task: regression}\nepochs: 2\n")

    class Elsewhere(Inline):
        def submit(self, name, tasks, folder):
            (tmp_path / "t.csv").write_text("a,y\n" + "1,2\n3.5,5\n" * 30)
            return super().submit(name, tasks, folder)

    ((code, sentence),) = errors(carry(runs, path, elsewhere=Front(Elsewhere(), "inline")))
    assert code == 66
    assert "other data on" in sentence
    assert len(set(sentence.split()) & set(_fingerprints(sentence))) == 2


def _fingerprints(sentence: str) -> list[str]:
    return [word for word in sentence.split() if len(word) == 12 and set(word) <= set("0123456789abcdef")]


def test_a_device_that_only_the_worker_may_lack_is_judged_there(config, runs):
    config.write_text(f"{CONFIG}device: cuda\n")
    machine = Inline()
    outcomes = carry(runs, config, elsewhere=Front(machine, "inline"))
    if outcomes[0].error:  # no GPU here
        assert outcomes[0].exit_code == 69
    assert len(machine.submitted) == 1


def test_without_an_answer_of_the_machine_the_files_alone_count(fit):
    machine, said = Inline(), []
    machine.waiting = None
    assert statuses(fit(machine, say=said.append)) == ["complete"] * 3

    late = Inline(works=False)
    late.waiting = None

    class Later(Observer):
        looks = 0

        def elsewhere(self, done, words):
            self.looks += 1
            if self.looks == 5:
                late.work()

    assert statuses(fit(late, seeds=4, say=said.append, observer=Later())) == ["complete"] * 4
    assert said.count("inline does not answer: looking at the files alone") == 1


def test_a_machine_that_cannot_be_reached_for_a_moment_is_asked_again(fit):
    class Moody(Inline):
        calls = 0

        def submit(self, name, tasks, folder):
            self.calls += 1
            self.works = self.calls == 5
            if 1 < self.calls < 5:
                raise UnavailableError("no controller")
            return super().submit(name, tasks, folder)

    assert statuses(fit(Moody(works=False), seeds=1)) == ["complete"]


def test_a_machine_that_cannot_be_reached_at_first_is_an_error_without_a_record(fit, runs):
    class Away(Inline):
        def submit(self, name, tasks, folder):
            raise UnavailableError("no controller")

    with pytest.raises(UnavailableError, match="no controller"):
        fit(Away())
    assert not (runs / FOLDER).exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"outcomes": 3}',
        '{"outcomes": [3, {"directory": [], "status": "failed"}], "ended": "x"}',
        '{"ended": 1e999, "training": NaN, "partly": -3, "host": {}}',
        '{"training": ' + "9" * 400 + "}",
        "[" * 100_000,
    ],
)
def test_damaged_reports_do_no_harm(fit, text):
    class Damaging(Inline):
        def submit(self, name, tasks, folder):
            (folder / "task-1.json").write_text(text)
            (folder / "job.json").write_text(text)
            return super().submit(name, tasks, folder)

    machine = Damaging(works=False)
    machine.waiting = {0, 1}

    class Later(Observer):
        looks = 0

        def elsewhere(self, done, words):
            assert done >= 0
            self.looks += 1
            if self.looks == 3:
                machine.work()

    assert all(
        status in ("complete", "failed") for status in statuses(fit(machine, workers=2, observer=Later()))
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: "",
        lambda facts: "[" * 100_000,
        lambda facts: json.dumps(facts | {"version": 2}),
        lambda facts: json.dumps(facts | {"tasks": [[{"directory": "../../x"}]]}),
        lambda facts: json.dumps(facts | {"tasks": 3}),
        lambda facts: json.dumps(facts | {"tasks": [[{**facts["tasks"][0][0], "digests": 3}]]}),
        lambda facts: json.dumps(facts | {"save_seconds": "x"}),
    ],
)
def test_a_damaged_record_holds_no_run(fit, runs, change):
    machine = Inline(works=False)
    machine.waiting = {0, 1, 2, 3}
    fit(machine, detach=True)
    record = next((runs / FOLDER).glob("*/work.json"))
    record.write_text(change(json.loads(record.read_text())))
    assert statuses(fit(None)) == ["complete"] * 3
    folder = record.parent
    with pytest.raises(Exception, match=r"work\.json: (is damaged|was written by another)"):
        work(folder, 0)


def test_fresh_starts_over_once(fit, runs):
    fit(None)
    machine = Inline(works=False)
    machine.waiting = {0, 1, 2, 3}
    assert [one.exit_code for one in fit(machine, detach=True, fresh=True)] == [75] * 3
    assert not list(runs.glob("net-*/*/result.json"))
    machine.work()
    assert [one.exit_code for one in fit(machine, detach=True, fresh=True)] == [0] * 3
    assert len(machine.submitted) == 1


def test_the_machines_limit_caps_the_tasks(fit):
    machine = Inline(most=2)
    fit(machine, workers=3)
    assert [tasks for _, tasks in machine.submitted] == [[0, 1]]


def test_a_dry_run_submits_nothing(fit, runs):
    machine = Inline()
    with pytest.raises(DryRun, match=r"2 tasks of 2, 1 runs: .*trainrun work"):
        fit(machine, workers=2, dry_run=True)
    assert machine.submitted == []
    assert not runs.exists()


def test_records_are_no_runs(fit, runs, tmp_path):
    machine = Inline(works=False)
    machine.waiting = {0, 1, 2, 3}
    fit(machine, detach=True)
    assert trainrun_("list", "--format", "json", cwd=tmp_path).stdout.strip() == "[]"
    assert trainrun_("clean", "--older", "0s", "--yes", cwd=tmp_path).stdout == ""
    trainrun_("show", FOLDER, cwd=tmp_path, code=2)
    assert (runs / FOLDER).exists()


def test_a_command_that_watches_sees_that_another_has_stopped_the_work(fit):
    machine, said = Inline(works=False), []
    machine.waiting = {0, 1, 2, 3}

    class Other(Observer):
        def elsewhere(self, done, words):
            machine.submitted[0][0].joinpath("stopped").touch()

    assert statuses(fit(machine, say=said.append, observer=Other())) == ["interrupted"] * 3
    assert said[-1] == "The work was stopped by another command: the same command continues"


def test_a_worker_waits_for_a_run_that_another_process_has(fit, runs, monkeypatch):
    monkeypatch.setattr("trainrun.machines.worker._WAITS_FOR_OTHERS", 3)
    machine = Inline(works=False)
    machine.waiting = {0, 1, 2, 3}
    fit(machine, detach=True, seeds=1)
    ((folder, _),) = machine.submitted
    directory = next(submissions(runs)).tasks[0][0].directory
    waited = []
    with RunLock(RunPaths(runs / directory)) as lock:

        def sleep(_: float) -> None:
            waited.append(1)
            if len(waited) == 2:
                lock.release()

        monkeypatch.setattr("trainrun.machines.worker.sleep", sleep)
        assert work(folder, 0) == 0
    assert len(waited) == 2


@pytest.fixture(scope="module")
def plugins(tmp_path_factory) -> Path:
    return install(tmp_path_factory.mktemp("plugins"))


LONG = "{data: digits, hidden: [32, 32], dropout: 0.2, early_stopping: false, epochs: 80}\n"


@pytest.fixture(scope="module")
def long_reference(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("long")
    (folder / "long.yaml").write_text(LONG)
    trainrun_("fit", "long.yaml", "--seeds", "4", "--progress", "none", cwd=folder)
    return folder / "runs"


@pytest.fixture
def command(tmp_path, plugins) -> Commands:
    (tmp_path / "long.yaml").write_text(LONG)
    return Commands(tmp_path, plugins)


FIT = ("fit", "long.yaml", "--seeds", 4, "--on", "nearby", "--workers", 2, "--progress", "none")


def processes(runs: Path) -> list[int]:
    """The processes of the tasks that are at work."""
    found = [json.loads(path.read_text()) for path in runs.glob(f"{FOLDER}/*/task-*.json")]
    return [report["process"] for report in found if report["outcomes"] is None]


def test_kills_of_the_command_and_of_workers_change_no_bit(command, long_reference):
    """Everything dies at moments that differ from one call to the next."""
    runs = command.folder / "runs"
    front = command.start(*FIT)
    wait_until(lambda: processes(runs), "a task")
    time.sleep(time.time() % 0.5)
    front.kill()
    front.communicate()
    command.run(*FIT[:4], code=5)  # here
    os.kill(processes(runs)[0], signal.SIGKILL)
    said = command.run(*FIT)
    assert "Attached to nearby" in said
    assert "again, which ended without all runs" in said
    assert files(runs) == files(long_reference)
    assert sum(event["event"] == "end" for event in events(runs)) == 4  # none was trained to its end twice
    assert not (runs / FOLDER).exists()


def test_two_commands_at_once_submit_once(command, long_reference):
    fronts = [command.start(*FIT) for _ in range(2)]
    said = [front.communicate(timeout=300)[1] for front in fronts]
    assert [front.returncode for front in fronts] == [0, 0]
    assert sum(text.count("Submitted to nearby") for text in said) == 1
    assert files(command.folder / "runs") == files(long_reference)


def test_a_signal_to_the_command_stops_its_tasks(command, long_reference):
    runs = command.folder / "runs"
    front = command.start(*FIT)
    wait_until(lambda: list(runs.glob("*/*/metrics.jsonl")), "the first epochs")
    front.send_signal(signal.SIGTERM)
    _, said = front.communicate()
    assert front.returncode == 75
    assert said.endswith("Stopped by SIGTERM: the same command continues\n")
    command.run(*FIT)
    assert {"SIGTERM"} <= {event.get("reason") for event in events(runs)}
    assert files(runs) == files(long_reference)
    assert not (runs / FOLDER).exists()


def events(runs: Path) -> list[dict]:
    return [json.loads(line) for path in runs.rglob("events.jsonl") for line in path.read_text().splitlines()]


def test_a_comparison_trains_there(command):
    command.run(
        "compare",
        "long.yaml",
        "--vs",
        "dropout=0",
        "--seeds",
        2,
        "--on",
        "nearby",
        "--workers",
        1,
        "--set",
        "epochs=3",
    )
    assert len(list((command.folder / "runs").glob("*/*/result.json"))) == 4
    assert not (command.folder / "runs" / FOLDER).exists()


def test_a_detached_comparison_says_how_far_it_is(command):
    words = (
        "compare",
        "long.yaml",
        "--vs",
        "dropout=0",
        "--seeds",
        2,
        "--on",
        "nearby",
        "--workers",
        1,
        "--set",
        "epochs=3",
    )
    assert "4 of 4 runs are with nearby" in command.run(*words, "--detach", code=75)
    command.run(*words)


def test_the_machine_is_probed(command):
    process = command.start("machines", "--on", "nearby", "--format", "json")
    found = json.loads(process.communicate()[0])
    assert found["machine"] == "nearby"
    assert found["differences"] == []
    assert found["versions"]["trainrun"]
    assert not (command.folder / "runs").exists()


def test_a_probe_that_gets_no_answer_is_69(command, plugins, tmp_path):
    broken = install(tmp_path / "broken")
    code = (broken / "nearby.py").read_text()
    (broken / "nearby.py").write_text(code.replace('"--task"', '"--tusk"'))
    said = Commands(command.folder, broken).run("machines", "--on", "nearby", code=69)
    assert "its task ended without an answer" in said
