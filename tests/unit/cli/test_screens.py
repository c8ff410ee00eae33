"""One response, as it is seen on a terminal, in a pipe and by a script."""

import io
import json
from typing import Any

import pytest
from rich.console import Console

from meanwhile.cli.news import Reader
from meanwhile.cli.screens import Growing, Lines, Screen, Whole
from tests.unit.cli.fake_service import ID, message, response
from tests.unit.cli.terminal import Terminal

WIDTH = 72
AGAIN = "Its worker was lost; the answer starts over."
LONG = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"


def terminal_of(*, height: int = 20, dumb: bool = False) -> Console:
    """Return a console that believes in its terminal."""
    env = {"TERM": "dumb" if dumb else "xterm"}
    return Console(
        file=io.StringIO(), force_terminal=True, width=WIDTH, height=height, highlight=False, _environ=env
    )


def play(screen: Screen, *looks: dict[str, Any]) -> None:
    """Show these looks at a response, and its end."""
    reader = Reader()
    screen.begin(looks[0])
    for look in looks:
        for news in reader.read(look):
            screen.show(news)
    screen.end(looks[-1])


def seen_on(console: Console) -> str:
    """Return what stands on a terminal at the end."""
    assert isinstance(console.file, io.StringIO)
    terminal = Terminal(WIDTH)
    terminal.feed(console.file.getvalue())
    return terminal.seen


def test_a_terminal_shows_the_id_the_answer_and_its_end() -> None:
    """The id first, for whoever has to leave at once; nothing of the turning wheel stays."""
    console = terminal_of()

    play(
        Growing(console, console),
        response("queued"),
        response("in_progress", "Once upon"),
        response("completed", "Once upon a time."),
    )

    assert seen_on(console) == f"{ID} · simulator\n\nOnce upon a time.\n\ncompleted · 7 tokens · 4 s"


def test_an_answer_that_starts_over_is_not_seen_twice() -> None:
    """What a crash took is taken from the screen too, though it filled several rows."""
    console = terminal_of()

    play(
        Growing(console, console),
        response("in_progress", LONG),
        response("in_progress", lost=1),
        response("completed", f"{LONG}.", lost=1),
    )

    assert seen_on(console).split("\n") == [
        f"{ID} · simulator",
        "",
        AGAIN,
        "one two three four five six seven eight nine ten eleven twelve thirteen",
        "fourteen fifteen sixteen.",
        "",
        "completed · 7 tokens · 4 s",
    ]


def test_only_what_was_lost_is_taken_back() -> None:
    """A message that was whole before the crash is no part of what starts over."""
    console = terminal_of()
    first, lost, again = message(0, "First."), message(1, status="incomplete"), message(2, "Second.")

    play(
        Growing(console, console),
        response("in_progress", "First.", "Seco"),
        response("completed", output=[first, lost, again]),
    )

    shown = seen_on(console).split("\n")
    assert [line for line in shown[2:-2] if line] == ["First.", AGAIN, "Second."]


@pytest.mark.parametrize("console", [terminal_of(height=2), terminal_of(dumb=True)], ids=["scrolled", "dumb"])
def test_what_cannot_be_taken_back_is_set_apart(console: Console) -> None:
    """It has scrolled away, or the terminal cannot erase: then a line says where the answer begins anew."""
    play(Growing(console, console), response("in_progress", LONG), response("completed", "Anew.", lost=1))

    said = seen_on(console)
    assert said.index("one two") < said.index(AGAIN) < said.index("Anew.")


def test_whoever_leaves_finds_the_cursor_on_a_line_of_its_own() -> None:
    """The shell's prompt must not stand in the middle of the answer."""
    console = terminal_of()
    screen = Growing(console, console)
    for news in Reader().read(response("in_progress", "Once upon a ti")):
        screen.show(news)

    screen.stop()
    console.print("$")

    assert seen_on(console) == "Once upon a\n\n$"


def test_a_models_words_do_not_command_the_terminal_nor_rich() -> None:
    """Escape codes are dropped; what looks like rich's markup is text."""
    console = terminal_of()

    play(Growing(console, console), response("completed", "\x1b[2J[red]x[/red] :smile: [/]"))

    assert "[2J[red]x[/red] :smile: [/]" in seen_on(console)


def test_a_pipe_gets_the_answer_alone_and_as_it_is() -> None:
    """`meanwhile ask "..." > answer.txt` holds what the model said: no wrap, no colour, nothing twice."""
    out, notes = Console(file=io.StringIO()), Console(file=io.StringIO())

    play(
        Whole(out, notes),
        response("queued"),
        response("in_progress", LONG),
        response("completed", f"{LONG} [red]{LONG}", lost=1),
    )

    assert written(out) == f"{LONG} [red]{LONG}\n"
    assert written(notes).split("\n") == [
        f"{ID} · simulator",
        "queued",
        "in_progress",
        AGAIN,
        "completed · 7 tokens · 4 s",
        "",
    ]


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (response("failed", error={"code": "boom", "message": "It broke."}), "failed · It broke. (boom)"),
        (
            response("incomplete", incomplete_details={"reason": "max_output_tokens"}),
            "incomplete · max_output_tokens",
        ),
        (response("cancelled"), "cancelled"),
    ],
)
def test_an_end_that_is_not_whole_says_why(ended: dict[str, Any], said: str) -> None:
    """The reason is the service's own."""
    out, notes = Console(file=io.StringIO()), Console(file=io.StringIO())

    play(Whole(out, notes), ended)

    assert written(notes).splitlines()[-1] == said


def test_a_call_is_shown_as_one() -> None:
    """A model that only wants a function called has an answer too."""
    call = {"id": "fc_1", "type": "function_call", "status": "completed", "name": "f", "arguments": "{}"}
    piped, console = Console(file=io.StringIO()), terminal_of()
    found = response("completed", output=[call])

    play(Whole(piped, Console(file=io.StringIO())), found)
    play(Growing(console, console), found)

    assert written(piped) == "→ f({})\n"
    assert "\n→ f({})\n\ncompleted" in seen_on(console)


def test_a_script_gets_one_object_on_one_line() -> None:
    """As the API returned it, and nothing else on either stream."""
    out, notes = Console(file=io.StringIO()), Console(file=io.StringIO())

    play(Lines(out, notes), response("queued"), response("completed", "Grüße\n"))

    (line,) = written(out).splitlines()
    assert json.loads(line) == response("completed", "Grüße\n")
    assert written(notes) == ""


def written(console: Console) -> str:
    """Return what was written to a pipe."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
