"""Where the program begins, and where it ends: what no command can catch becomes a line and an exit code.

Nothing is imported before Ctrl-C is looked out for.
"""

import os
import sys
from io import TextIOWrapper

from meanwhile.cli.exits import Exit


def main() -> None:
    """Run the program."""
    try:
        code = _run()
    except KeyboardInterrupt:  # while it was being loaded; the commands have words of their own
        code = Exit.INTERRUPTED
    sys.exit(_flushed(code))


def _run() -> int:
    if any(_is_no_text(argument) for argument in sys.argv):
        return _failed("An argument is not text in this terminal's encoding.", Exit.USAGE)
    if sys.stdout is None:
        return _failed("Standard output is closed.", Exit.FAILED)
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: SIM115  # for as long as the process lives: it ends at once
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a letter still shows the others

    from meanwhile.cli.app import app

    try:
        app()
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else Exit.COMPLETED
    except OSError as error:
        return _failed(_sentence(error), Exit.FAILED)
    return Exit.COMPLETED


def _flushed(code: int) -> int:
    """Return the code once all is written; what cannot be, Python would try again at the very end."""
    if sys.stdout is None:
        return code
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if code == Exit.COMPLETED and not isinstance(error, BrokenPipeError):  # whoever left need not be told
            return _failed(_sentence(error), Exit.FAILED)
        return code or Exit.FAILED
    return code


def _failed(sentence: str, code: Exit) -> int:
    if sys.stderr is not None:
        sys.stderr.write(f"{sentence}\n")
    return code


def _sentence(error: OSError) -> str:
    return f"It cannot be written: {error.strerror or type(error).__name__}."


def _is_no_text(argument: str) -> bool:
    """Whether it came as bytes that are no text; Python carries them as halves of characters."""
    return any("\ud800" <= letter <= "\udfff" for letter in argument)


if __name__ == "__main__":
    main()
