"""What the commands do, with the service, the terminal and the time passed in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from meanwhile.cli import lists
from meanwhile.cli.errors import CommandFailed, Refused
from meanwhile.cli.exits import Exit
from meanwhile.cli.follow import Follow
from meanwhile.cli.screens import Screen, as_line, note_interrupted, write
from meanwhile.cli.service import Json, Service


@dataclass(frozen=True, slots=True)
class Session:
    """One run of the program; every command returns what the shell is told."""

    service: Service
    out: Console
    notes: Console
    screen: Screen
    as_json: bool
    sleep: Callable[[float], None]
    monotonic: Callable[[], float]

    def ask(self, asked: Json, *, wait: bool) -> Exit:
        """Ask in the background, and watch."""
        try:
            accepted = self.service.create(asked)
        except KeyboardInterrupt:
            self._say(
                "Interrupted before the service had answered; `meanwhile responses` lists what it took."
            )
            return Exit.INTERRUPTED
        if not wait:
            write(self.out, f"{as_line(accepted) if self.as_json else accepted['id']}\n")
            return Exit.COMPLETED
        return self._follow(accepted["id"], accepted)

    def watch(self, response_id: str) -> Exit:
        """Show a response from its beginning, and what it does until it ends."""
        return self._follow(response_id, None)

    def responses(self, *, status: str | None, limit: int) -> Exit:
        """List responses, the newest first."""
        found = self.service.responses(status=status, limit=limit)
        if self.as_json:
            lists.show_json(self.out, found)
        else:
            lists.show(self.out, lists.RESPONSES, map(lists.row_of_response, found))
        return Exit.COMPLETED

    def models(self) -> Exit:
        """List models."""
        found = self.service.models()
        if self.as_json:
            lists.show_json(self.out, found)
        else:
            lists.show(self.out, lists.MODELS, map(lists.row_of_model, found))
        return Exit.COMPLETED

    def cancel(self, response_ids: Sequence[str]) -> Exit:
        """Cancel each that can be."""
        return self._each(response_ids, self.service.cancel, "cancelled")

    def delete(self, response_ids: Sequence[str]) -> Exit:
        """Delete each that can be."""
        return self._each(response_ids, self.service.delete, "deleted")

    def _follow(self, response_id: str, accepted: Json | None) -> Exit:
        follow = Follow(self.service, self.screen, self.sleep, self.monotonic)
        try:
            ended = follow(response_id, accepted=accepted)
        except KeyboardInterrupt:
            self.screen.stop()
            note_interrupted(self.notes, response_id)
            return Exit.INTERRUPTED
        except CommandFailed:
            self.screen.stop()
            if accepted:
                note_interrupted(self.notes, response_id)
            raise
        self.screen.end(ended)
        return Exit.of_response(ended["status"])

    def _each(self, response_ids: Sequence[str], act: Callable[[str], Json], done: str) -> Exit:
        """Act on each, though one is refused; say which."""
        code = Exit.COMPLETED
        for response_id in response_ids:
            try:
                found = act(response_id)
            except Refused as refused:
                self._say(f"{response_id}: {refused}")
                code = Exit.FAILED
                continue
            write(self.out, f"{as_line(found) if self.as_json else f'{response_id} {done}'}\n")
        return code

    def _say(self, text: str) -> None:
        self.notes.print(Text(text), soft_wrap=True)
