"""The command `trainrun`: the one place where an error becomes a line and an exit code."""

from __future__ import annotations

import atexit
import gc
import io
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its code.

    Args:
        arguments: of the command line; None takes the process's own.
    """
    from trainrun.errors import BROKEN_PIPE, TrainrunError, UsageError
    from trainrun.os_errors import exit_code_of
    from trainrun.text import printable

    # What ends gives everything back: to look through PyTorch for garbage first takes a third of a second.
    atexit.register(gc.freeze)
    _repair_streams()
    try:
        if not _has_a_folder():
            raise UsageError("The current folder is gone: change to one that is there")
        from trainrun.cli import app

        app(arguments, prog_name="trainrun")
    except TrainrunError as error:
        _leave(str(error), error.exit_code)
    except SystemExit as leaving:
        if isinstance(leaving.__context__, BrokenPipeError):  # Typer's own texts, such as the help
            sys.exit(BROKEN_PIPE)
        raise
    except KeyboardInterrupt:
        _leave("Interrupted", 130)
    except MemoryError:
        _leave("Out of memory", 71)
    except UnicodeEncodeError as error:
        if error.encoding in ("utf-8", "utf8") or error.encoding != sys.getfilesystemencoding():
            _report_bug()
        place, encoding = printable(str(error.object)), printable(error.encoding)
        _leave(f"{place}: the locale's encoding {encoding} cannot spell this name; set PYTHONUTF8=1", 2)
    except OSError as error:
        if code := exit_code_of(error):
            place = f"{printable(str(error.filename))}: " if error.filename else ""
            _leave(f"{place}{error.strerror}", code)
        _report_bug()
    except Exception:
        _report_bug()


def _repair_streams() -> None:
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper):
            continue
        # A name that the locale cannot spell must not end a fit.
        stream.reconfigure(errors="backslashreplace")
        if isinstance(stream.buffer, io.RawIOBase):
            # PYTHONUNBUFFERED: what a full disk or a reader that leaves cuts short would be lost in silence.
            whole = io.BufferedWriter(stream.buffer)
            setattr(sys, name, io.TextIOWrapper(whole, stream.encoding, stream.errors, line_buffering=True))


def _has_a_folder() -> bool:
    try:
        return Path.cwd().is_dir()
    except FileNotFoundError:  # which ends some libraries with a message of their own
        return False


def _leave(message: str, code: int) -> None:
    from trainrun.report.progress.stream import BestEffortStream

    # The code is the answer, whether or not anyone can read the message.
    BestEffortStream(sys.stderr).lines([message])
    sys.exit(code)


def _report_bug() -> None:
    from trainrun.text import printable

    lines = [printable(line) for line in traceback.format_exc().splitlines()]
    _leave("\n".join([*lines, "This is a bug in trainrun: please report it with the lines above."]), 1)


if __name__ == "__main__":
    main()
