"""`--on ray` on a real Ray: whatever dies, the runs end as if nothing had.

Ray needs seconds to start, and most of the time of a test is waiting for it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from batch import require_identical, runs_in
from ray_cluster import RayCluster, find, parent_of
from ray_commands import CONFIG, Command, kill
from waiting import wait_until

pytestmark = pytest.mark.ray

SHORT, LONG = 20, 300
WAYS = ["ray", "ray:shared=no"]
Victims = Callable[[Command], list[int]]


@pytest.fixture(scope="module")
def references(tmp_path_factory) -> dict[str, Path]:
    """Folders of runs that trained here, without Ray."""
    found = {}
    for name, epochs, seeds in (("short", SHORT, 12), ("long", LONG, 4)):
        folder = tmp_path_factory.mktemp(name)
        (folder / f"{name}.yaml").write_text(CONFIG.format(epochs=epochs))
        assert Command(folder, "fit", f"{name}.yaml", "--seeds", str(seeds)).ends() == 0
        found[name] = folder / "runs"
    return found


@pytest.fixture(autouse=True)
def configs(tmp_path) -> Iterator[None]:
    """Configs in the folder of the test; and nothing that is left of it afterwards."""
    (tmp_path / "short.yaml").write_text(CONFIG.format(epochs=SHORT))
    (tmp_path / "long.yaml").write_text(CONFIG.format(epochs=LONG))
    yield
    wait_until(lambda: not find("trainrun work", f"{tmp_path}/"), "the end of all that trains", 60)


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    made = RayCluster()
    try:
        made.add_node()
        made.add_node()
        yield made
    finally:
        made.close()


def fit(folder: Path, name: str, seeds: int, on: str, *more: str, **keys) -> Command:
    return Command(folder, "fit", f"{name}.yaml", "--seeds", str(seeds), "--on", on, *more, **keys)


def require_same(command: Command, reference: Path, seeds: int) -> None:
    assert len(runs_in(command.runs)) == seeds
    require_identical(command.runs, reference)
    assert not (command.runs / ".machines").exists()


def starts(runs: Path) -> int:
    """How often a run has begun or continued, all together."""
    lines = (line for path in runs.glob("*/*/events.jsonl") for line in path.read_text().splitlines())
    return sum(json.loads(line).get("event") == "start" for line in lines)


# A Ray of the command's own


@pytest.mark.parametrize("on", WAYS)
def test_the_runs_are_those_of_this_machine(on, tmp_path, references):
    command = fit(tmp_path, "short", 12, on)
    assert command.ends() == 0, command.said()
    require_same(command, references["short"], 12)


def test_nothing_listens_beyond_loopback_and_nothing_is_left(tmp_path):
    before = listening()
    command = fit(tmp_path, "long", 2, "ray")
    command.has_begun()
    new = listening() - before
    assert new
    assert all(address.startswith(("127.", "[::ffff:127.", "[::1]")) for address in new)
    group = command.driver()
    (folder,) = {place.parent for place in Path("/tmp").glob("trainrun-*/ray") if group_has(group, place)}
    assert folder.stat().st_mode & 0o077 == 0
    command.process.send_signal(signal.SIGTERM)
    assert command.ends() == 75
    wait_until(lambda: not find(str(folder)) and not folder.exists(), "the end of Ray", 120)


def listening() -> set[str]:
    lines = subprocess.run(["ss", "-Hltn"], capture_output=True, text=True, check=True).stdout.splitlines()
    return {line.split()[3] for line in lines}


def group_has(group: int, place: Path) -> bool:
    return bool(find(str(place), group=group))


def a_trainer(command: Command) -> list[int]:
    return command.trainers()[:1]


def a_worker(command: Command) -> list[int]:
    return [parent_of(process) for process in command.trainers()[:1]]


def the_node(command: Command) -> list[int]:
    return find("raylet/raylet", group=command.driver())


def the_head(command: Command) -> list[int]:
    return find("gcs_server", group=command.driver())


def the_driver(command: Command) -> list[int]:
    return [command.driver()]


@pytest.mark.parametrize("on", WAYS)
@pytest.mark.parametrize("victims", [a_trainer, a_worker, the_node, the_head, the_driver])
def test_what_is_killed_is_trained_on_from_its_checkpoint(on, victims: Victims, tmp_path, references):
    command = fit(tmp_path, "long", 4, on)
    command.has_begun()
    found = victims(command)
    assert found
    kill(*found)
    assert command.ends() == 0, command.said()
    require_same(command, references["long"], 4)
    if victims is not the_head:  # which may live long enough
        assert starts(command.runs) > 4


@pytest.mark.parametrize("on", WAYS)
def test_when_the_command_is_killed_ray_ends_and_the_same_command_goes_on(on, tmp_path, references):
    command = fit(tmp_path, "long", 4, on)
    command.has_begun()
    group = command.driver()
    kill(command.process.pid)
    command.ends()
    wait_until(lambda: not find(group=group) and not command.trainers(), "the end of Ray", 120)
    again = fit(tmp_path, "long", 4, on)
    assert again.ends() == 0, again.said()
    require_same(again, references["long"], 4)
    assert starts(again.runs) > 4


def test_when_command_and_driver_are_killed_nothing_is_left(tmp_path):
    command = fit(tmp_path, "long", 4, "ray")
    command.has_begun()
    group = command.driver()
    kill(command.process.pid, group)
    command.ends()
    wait_until(lambda: not find(group=group) and not command.trainers(), "the end of Ray", 120)
    assert not find("raylet", str(group))


@pytest.mark.parametrize("on", WAYS)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 75)])
def test_a_request_to_stop_is_handed_on(on, number, code, tmp_path, references):
    command = fit(tmp_path, "long", 4, on)
    command.has_begun()
    command.process.send_signal(number)
    begun = time.monotonic()
    assert command.ends() == code
    assert time.monotonic() - begun < 10  # two seconds are promised to a machine that has nothing else to do
    wait_until(lambda: not command.trainers(), "checkpoints", 60)
    again = fit(tmp_path, "long", 4, on)
    assert again.ends() == 0, again.said()
    require_same(again, references["long"], 4)


@pytest.mark.parametrize("on", WAYS)
def test_exit_codes_are_those_of_this_machine(on, tmp_path):
    (tmp_path / "wild.yaml").write_text("{data: digits, hidden: [8], learning_rate: 1.0e+30, epochs: 3}\n")
    assert Command(tmp_path, "fit", "wild.yaml", "--on", on).ends() == 3
    shutil.rmtree(tmp_path / "runs")
    command = Command(tmp_path, "compare", "short.yaml", "--vs", "dropout=0", "--seeds", "2", "--on", on)
    assert command.ends() == 0, command.said()
    assert len(runs_in(command.runs)) == 4


@pytest.mark.parametrize("on", WAYS)
def test_data_that_a_machine_does_not_have_is_named(on, tmp_path):
    """It goes while Ray starts."""
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{n},{n % 2}\n" for n in range(99)))
    (tmp_path / "t.yaml").write_text("{data: {path: t.csv, target: y}, hidden: [4], epochs: 2}\n")
    command = fit(tmp_path, "t", 2, on)
    wait_until(lambda: "Submitted" in command.said(), "the submission")
    (tmp_path / "t.csv").unlink()
    assert command.ends() == 66
    assert "t.csv" in command.said()


@pytest.mark.parametrize("on", WAYS)
def test_a_probe_comes_through(on, tmp_path):
    command = Command(tmp_path, "machines", "--on", on)
    assert command.ends() == 0, command.said()
    assert "seen there too" in command.output


def test_a_local_ray_is_not_left_alone(tmp_path):
    command = fit(tmp_path, "long", 2, "ray", "--detach")
    assert command.ends() == 2
    assert "leave --detach out" in command.said()


# A cluster


@pytest.mark.parametrize("shared", ["auto", "no"])
def test_a_cluster_gives_the_runs_of_this_machine(shared, cluster, tmp_path, references):
    on = f"ray:{cluster.address},shared={shared}"
    command = fit(tmp_path, "short", 12, on, environment=cluster.environment)
    assert command.ends() == 0, command.said()
    require_same(command, references["short"], 12)


@pytest.mark.parametrize("shared", ["auto", "no"])
def test_a_node_that_is_killed_costs_what_was_not_saved(shared, cluster, tmp_path, references):
    on = f"ray:{cluster.address},shared={shared}"
    doomed = cluster.add_node()
    command = fit(tmp_path, "long", 4, on, "--workers", "4", environment=cluster.environment)
    command.has_begun()
    wait_until(lambda: len(command.trainers()) == 4, "all tasks", 60)
    cluster.kill_node(doomed)
    assert command.ends() == 0, command.said()
    require_same(command, references["long"], 4)


def test_the_work_goes_on_without_the_command_which_finds_it_again(cluster, tmp_path, references):
    on = f"ray:{cluster.address}"
    command = fit(tmp_path, "long", 4, on, environment=cluster.environment)
    command.has_begun()
    kill(command.process.pid, command.driver())
    command.ends()
    trainers = command.trainers()
    assert trainers
    again = fit(tmp_path, "long", 4, on, environment=cluster.environment)
    assert again.ends() == 0, again.said()
    assert "Attached" in again.said()
    require_same(again, references["long"], 4)
    assert starts(again.runs) == 4


def test_detached_work_is_submitted_once(cluster, tmp_path, references):
    words = ("long", 2, f"ray:{cluster.address}", "--detach")
    codes = []
    while not codes or codes[-1] == 75:
        command = fit(tmp_path, *words, environment=cluster.environment)
        codes.append(command.ends())
    assert codes[0] == 75
    assert "are with ray:" in command.said()
    assert codes[-1] == 0, command.said()
    assert starts(command.runs) == 2
    require_same(command, references["long"], 2)


def test_work_in_the_cluster_stops_with_the_command_when_asked(cluster, tmp_path, references):
    on = f"ray:{cluster.address}"
    command = fit(tmp_path, "long", 2, on, environment=cluster.environment)
    command.has_begun()
    command.process.send_signal(signal.SIGTERM)
    assert command.ends() == 75
    wait_until(lambda: not command.trainers(), "checkpoints", 60)
    again = fit(tmp_path, "long", 2, on, environment=cluster.environment)
    assert again.ends() == 0, again.said()
    require_same(again, references["long"], 2)


@pytest.mark.skipif(os.getuid() != 0, reason="only root hides a folder from a process")
def test_a_node_that_does_not_see_the_folder_is_noticed(cluster, tmp_path, references):
    (tmp_path / "runs").mkdir()
    hidden = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', tmp_path / "runs"]
    blind = cluster.add_node(hidden)
    try:
        on = f"ray:{cluster.address}"
        command = fit(tmp_path, "long", 4, on, environment=cluster.environment)
        command.has_begun()
        kill(command.process.pid)  # as nobody but the command writes the folder, the work ends with it
        command.ends()
        wait_until(lambda: not command.trainers(), "the end of the tasks", 60)
        again = fit(tmp_path, "long", 4, on, environment=cluster.environment)
        assert again.ends() == 0, again.said()
        require_same(again, references["long"], 4)
    finally:
        cluster.kill_node(blind)


def test_a_head_that_dies_is_said_and_the_same_command_goes_on(tmp_path, references):
    cluster = RayCluster()
    try:
        cluster.add_node()
        on = f"ray:{cluster.address}"
        (tmp_path / "long.yaml").write_text(CONFIG.format(epochs=20 * LONG))
        command = fit(tmp_path, "long", 2, on, environment=cluster.environment)
        command.has_begun()
        cluster.kill_head()
        assert command.ends() == 69, command.said()
        assert "no Ray at" in command.said()
        wait_until(lambda: not command.trainers(), "the end of the tasks", 120)
        refused = fit(tmp_path, "long", 2, on, environment=cluster.environment)
        assert refused.ends() == 69
    finally:
        cluster.close()
