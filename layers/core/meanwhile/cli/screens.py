"""Three ways to show one response: growing on a terminal, whole in a pipe, as JSON for scripts.

The answer goes to `out` and everything about it to `notes` (standard error), so that
`meanwhile ask "..." > answer.txt` holds the answer and nothing else.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.status import Status
from rich.text import Text

from meanwhile.cli.news import Began, Called, Grew, Moved, News, StartedOver, calls_of, text_of
from meanwhile.cli.prose import Prose, harmless

Json = dict[str, Any]

_STARTS_OVER = "Its worker was lost; the answer starts over."
_COLOURS = {"completed": "green", "cancelled": "yellow", "incomplete": "yellow", "failed": "red"}


class Screen(Protocol):
    """Whoever shows a response."""

    for_eyes: bool
    """Whether somebody watches it grow."""

    def begin(self, response: Json) -> None:
        """Show which response this is."""

    def show(self, news: News) -> None:
        """Show what is new."""

    def end(self, response: Json) -> None:
        """Show how it ended."""

    def stop(self) -> None:
        """Stop in mid-sentence, and leave the cursor where others may write."""


def as_line(found: Json) -> str:
    """Return one line of JSON; what is not ASCII is escaped, so that any pipe can carry it."""
    return json.dumps(found, separators=(",", ":"))


def write(out: Console, text: str) -> None:
    """Write text as it is: not wrapped, coloured or read as markup."""
    out.print(Text(text, end=""), end="", soft_wrap=True)


def note_end(notes: Console, response: Json) -> None:
    """Say how a response ended, and why if it is not complete."""
    status, usage = response["status"], response.get("usage")
    parts = [_reason(response), f"{usage['output_tokens']} tokens" if usage else "", _duration(response)]
    detail = "".join(f" · {part}" for part in parts if part)
    notes.print(Text.assemble((status, _COLOURS.get(status, "")), (detail, "dim")), soft_wrap=True)


def note_interrupted(notes: Console, response_id: str) -> None:
    """Say how to come back."""
    notes.print(Text("It keeps going without you. Pick it up with:"), soft_wrap=True)
    notes.print(Text(f"  meanwhile watch {response_id}", style="bold"), soft_wrap=True)


def _reason(response: Json) -> str:
    error, details = response.get("error"), response.get("incomplete_details")
    if error:
        return harmless(f"{error['message']} ({error['code']})")
    return str(details["reason"]) if details else ""


def _duration(response: Json) -> str:
    ended = response.get("completed_at")
    return f"{ended - response['created_at']} s" if ended else ""


def _call(called: Called) -> str:
    return f"→ {called.name}({called.arguments})"


def _note_begin(notes: Console, response: Json) -> None:
    notes.print(Text(f"{response['id']} · {response['model']}", style="dim"), soft_wrap=True)


@dataclass(slots=True)
class Growing:
    """A terminal: words appear as they arrive, and nothing that was lost stays if it can be taken back."""

    out: Console
    notes: Console
    for_eyes: bool = True
    _prose: Prose = field(init=False)
    _waiting: Status | None = None
    _wrote: bool = False

    def __post_init__(self) -> None:
        self._prose = Prose(self.out.width)

    def begin(self, response: Json) -> None:
        """Show which response this is."""
        _note_begin(self.notes, response)
        self.notes.print()

    def show(self, news: News) -> None:
        """Show what is new."""
        match news:
            case Moved(status):
                if self._prose.at_margin:
                    self._wait(status)
            case Began():
                self._finish()
                self._gap()
            case Grew(text):
                self._wait(None)
                self._wrote = True
                write(self.out, self._prose.add(harmless(text)))
            case StartedOver():
                self._forget()
                self._wait("starting over")
            case Called():
                self._finish()
                self._wrote = True
                write(self.out, harmless(_call(news)) + "\n")

    def end(self, response: Json) -> None:
        """Show how it ended."""
        self._finish()
        self._gap()
        note_end(self.notes, response)

    def stop(self) -> None:
        """Stop in mid-sentence: what was held back stays back."""
        self._prose.drop()
        self._finish()
        self._gap()

    def _finish(self) -> None:
        """Write what was held back, and end the line."""
        self._wait(None)
        write(self.out, self._prose.end())
        if not self._prose.at_margin:
            write(self.out, "\n")
        self._prose = Prose(self.out.width)

    def _gap(self) -> None:
        """Set the answer apart from what is said about it."""
        if self._wrote:
            self.notes.print()
        self._wrote = False

    def _wait(self, status: str | None) -> None:
        """Turn a wheel for as long as there is nothing else to see."""
        if self._waiting is not None:
            self._waiting.stop()
        self._waiting = self.notes.status(f"[dim]{status.replace('_', ' ')}[/dim]") if status else None
        if self._waiting is not None:
            self._waiting.start()

    def _forget(self) -> None:
        """Take back the text if it still stands on the screen; say in any case that it starts over."""
        self._wait(None)
        rows = self._prose.rows
        can_erase = self.out.is_terminal and not self.out.is_dumb_terminal
        if can_erase and self._prose.width == self.out.width and rows < self.out.height - 1:
            erase = (ControlType.ERASE_IN_LINE, 2)
            up = [(ControlType.CURSOR_UP, 1), erase] * rows
            self.out.control(Control(ControlType.CARRIAGE_RETURN, erase, *up))
            self._prose = Prose(self.out.width)
        else:
            self._finish()
            self._gap()
        self.notes.print(Text(_STARTS_OVER, style="yellow"), soft_wrap=True)


@dataclass(slots=True)
class Whole:
    """A pipe: what is written cannot be taken back, so the answer comes when it is final."""

    out: Console
    notes: Console
    for_eyes: bool = False

    def begin(self, response: Json) -> None:
        """Show which response this is."""
        _note_begin(self.notes, response)

    def show(self, news: News) -> None:
        """Show what is new about it, not in it."""
        match news:
            case Moved(status):
                self.notes.print(Text(status), soft_wrap=True)
            case StartedOver():
                self.notes.print(Text(_STARTS_OVER), soft_wrap=True)

    def end(self, response: Json) -> None:
        """Write the answer as the model gave it."""
        for text in (text_of(response), *map(_call, calls_of(response))):
            if text:
                self.out.file.write(text + ("" if text.endswith("\n") else "\n"))
        self.out.file.flush()
        note_end(self.notes, response)

    def stop(self) -> None:
        """Do nothing: nothing is half written."""


@dataclass(slots=True)
class Lines:
    """A script: the object that the API returns, on one line, when it is final."""

    out: Console
    notes: Console
    for_eyes: bool = False

    def begin(self, response: Json) -> None:
        """Show nothing: the object itself says which it is."""

    def show(self, news: News) -> None:
        """Show nothing: only the end counts."""

    def end(self, response: Json) -> None:
        """Write the object."""
        self.out.file.write(as_line(response) + "\n")
        self.out.file.flush()

    def stop(self) -> None:
        """Do nothing: nothing is half written."""


def screen_for(out: Console, notes: Console, *, as_json: bool) -> Screen:
    """Return what suits whoever reads."""
    if as_json:
        return Lines(out, notes)
    chosen: Callable[[Console, Console], Screen] = Growing if out.file.isatty() else Whole
    return chosen(out, notes)
