"""The simulator's answer to a question: sentences of its context that bear on it."""

import re
from collections.abc import Iterator, Sequence

from meanwhile.providers.simulation.context import FILE, Context, Turn
from meanwhile.providers.simulation.words import WORDS

_LONGEST_QUOTE = 300
_SENTENCE = re.compile(r"[^\s.!?][^.!?\n]*(?:[.!?](?!\s|$)[^.!?\n]*)*[.!?]*")
_WORD = re.compile(r"[^\W_]+")
_MY = re.compile(
    r"\bmy ([^\W\d][\w' -]{0,60}?) (is|are|was|were) ([^!?\n]{1,200}?)(?=[.!?]?$)", re.IGNORECASE
)
_SUM = re.compile(r"(-?\d{1,9}) ?(\+|-|\*|x|plus|minus|times) ?(-?\d{1,9})\b", re.IGNORECASE)


def facts_for(context: Context) -> str:
    """Answer the last question from function outputs, arithmetic, or what was said before."""
    asked = context.question
    said = [f"{each.name} returned: {_quoted(each.output)}." for each in context.results]
    said += _sums(asked.text) or _matching(context) or ([] if said else _recent(context))
    if asked.images:
        said.append(
            f"I was sent {asked.images} image{'s' * (asked.images > 1)}, which a simulator cannot see."
        )
    if asked.files:
        said.append(f"I was sent {asked.files} PDF{'s' * (asked.files > 1)}, which a simulator cannot read.")
    if asked.text.strip():
        said.append(f"You asked: {_quoted(asked.text)}.")
    return " ".join(said) or "Nothing was asked."


def _sums(text: str) -> list[str]:
    found = _SUM.search(text)
    if not found:
        return []
    left, sign, right = int(found.group(1)), found.group(2).lower(), int(found.group(3))
    if sign in ("+", "plus"):
        result = left + right
    elif sign in ("-", "minus"):
        result = left - right
    else:
        result = left * right
    return [f"{found.group()} is {result}."]


def _matching(context: Context) -> list[str]:
    """Return the sentence that shares most words with the question, the latest of equals."""
    question = _question_in(context.question.text)
    wanted = _telling(question)
    best, score = None, 0
    for turn, sentence in _statements(context.turns):
        if turn is context.question and sentence == question:
            continue
        shared = len(wanted & _telling(sentence))
        if shared and shared >= score:
            best, score = (turn, sentence), shared
    if best is None:
        return []
    turn, sentence = best
    own = _MY.search(sentence) if turn.role == "user" else None
    if own:
        return [f"Your {own.group(1)} {own.group(2)} {own.group(3)}."]
    who = {"user": "You said", "assistant": "I said", FILE: "The file says"}
    return [f"{who.get(turn.role, 'My instructions say')}: {_quoted(sentence)}."]


def _recent(context: Context) -> list[str]:
    """Return what the user said before, the last three messages of it."""
    earlier = [each.text for each in context.turns if each.role == "user" and each is not context.question]
    quotes = "; ".join(_quoted(each) for each in earlier[-3:] if each)
    return [f"Earlier you said: {quotes}."] if quotes else []


def _statements(turns: Sequence[Turn]) -> Iterator[tuple[Turn, str]]:
    for turn in turns:
        for sentence in _SENTENCE.findall(turn.text):
            if not sentence.endswith("?"):
                yield turn, sentence.strip()


def _question_in(text: str) -> str:
    """Return the last sentence that asks, or the last one at all."""
    sentences: list[str] = _SENTENCE.findall(text)
    asking = [each for each in sentences if each.endswith("?")]
    return (asking or sentences or [""])[-1].strip()


def _telling(text: str) -> set[str]:
    words = {each.lower() for each in _WORD.findall(text)} - WORDS.without_meaning
    return {each.removesuffix("s") for each in words}


def _quoted(text: str) -> str:
    short = " ".join(text[: _LONGEST_QUOTE + 1].split())
    cut = f"{short[:_LONGEST_QUOTE]}…" if len(text) > _LONGEST_QUOTE else short.rstrip(".")
    return f'"{cut}"'
