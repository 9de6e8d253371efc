"""Errors that a user may see, each with its exit code (docs/exit-codes.md)."""

from __future__ import annotations

import sys
from collections.abc import Iterable

# How PyTorch says it where its error is a plain RuntimeError: the allocator on a CPU, and CUDA's libraries.
_OUT_OF_MEMORY = (
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
)

#: The code of a command that did several runs: the first of these that occurred.
EXIT_PRECEDENCE = (1, 2, 4, 6, 65, 66, 69, 71, 73, 74, 75, 5, 3)


#: The codes of a command in which a run diverged, or was saved and left when asked to: no errors.
DIVERGED, INTERRUPTED = 3, 75
#: The code of a command whose reader closed the pipe, as shells have it.
BROKEN_PIPE = 141


class TrainrunError(Exception):
    """A failure that is explained in a sentence or two, without a traceback."""

    exit_code = 1


class UsageError(TrainrunError):
    """The command line asks for something that does not exist or fit together."""

    exit_code = 2


class ConfigError(TrainrunError):
    """One config file's problems, all of them at once.

    Args:
        problems: a sentence each, with its place: `a.yaml:7:3: dropout: must be below 1, got 1.5`.
    """

    exit_code = 2

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class DifferentRunError(TrainrunError):
    """The run directory holds something else than this command would write."""

    exit_code = 4


class RunBusyError(TrainrunError):
    """Another process is training this run."""

    exit_code = 5


class CheckpointError(TrainrunError):
    """The run had begun, but no checkpoint of it is valid."""

    exit_code = 6


class DataError(TrainrunError):
    """The data cannot be used as it is."""

    exit_code = 65


class DataMissingError(TrainrunError):
    """A data file is not there or not readable."""

    exit_code = 66


class DeviceError(TrainrunError):
    """The device asked for is not available here."""

    exit_code = 69


class UnavailableError(TrainrunError):
    """A scheduler cannot be reached from here."""

    exit_code = 69


class ResourceError(TrainrunError):
    """Out of memory, file descriptors or processes."""

    exit_code = 71


class RunDirectoryError(TrainrunError):
    """The run directory cannot be created or locked."""

    exit_code = 73


class StorageError(TrainrunError):
    """Reading or writing failed: the disk is full or broken."""

    exit_code = 74


class ResumableError(TrainrunError):
    """The run stops here for a reason that another try may not meet: what was saved is still there."""

    exit_code = INTERRUPTED


def as_out_of_memory(error: Exception, doing: str) -> ResourceError:
    """Return a ResourceError for a failure that is a lack of memory; raise any other error again.

    Args:
        error: a failure of PyTorch or NumPy.
        doing: what was being done: `training 3 runs together`.
    """
    if isinstance(error, ResourceError):  # recognized before
        return error
    if is_out_of_memory(error):
        return ResourceError(f"out of memory while {doing}")
    raise error


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an error says that an allocation failed, on the CPU or on a GPU."""
    torch = sys.modules.get("torch")  # whoever has not imported it cannot have its error
    if isinstance(error, MemoryError) or (torch and isinstance(error, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _OUT_OF_MEMORY)


def exit_code(codes: Iterable[int]) -> int:
    """Return the exit code of a command whose runs ended with `codes`; 0 if there were no errors."""
    occurred = set(codes)
    return next((code for code in EXIT_PRECEDENCE if code in occurred), 0)


def error_of(code: int, message: str) -> TrainrunError:
    """Return the error with an exit code, as another process has reported it."""
    kinds = (kind for kind in vars(sys.modules[__name__]).values() if isinstance(kind, type))
    found = (kind for kind in kinds if issubclass(kind, TrainrunError) and kind is not ConfigError)
    return next((kind for kind in found if kind.exit_code == code), TrainrunError)(message)
