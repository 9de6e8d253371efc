"""Machines: runs of a command that train on other machines, through engines that schedule them."""

from __future__ import annotations

from trainrun.machines.choice import choose_machine
from trainrun.machines.front import DryRun, Front
from trainrun.machines.machine import Machine, Task

__all__ = ["DryRun", "Front", "Machine", "Task", "choose_machine"]
