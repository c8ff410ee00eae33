"""What the simulator says, worked out whole before the first token: a pure function of the request."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from meanwhile.domain.request import Json, Request
from meanwhile.providers.simulation.context import FILE, Context
from meanwhile.providers.simulation.facts import facts_for
from meanwhile.providers.simulation.fitting import fitting
from meanwhile.providers.simulation.prose import prose
from meanwhile.providers.simulation.summary import summary_of
from meanwhile.providers.simulation.tokens import tokens_of

INTRODUCTION = "I am a simulator, not a language model: I only repeat what I was given."
_MOST_WORDS = 100_000
_LENGTH = re.compile(r"\b(\d{1,6}|\d{1,3},\d{3})[\s-](word|token)s?\b", re.IGNORECASE)
_EXACTLY = re.compile(
    r"\b(?:reply|respond|answer|say|output|write|return|repeat)\b[^\n:\"“]{0,40}?\b(?:exactly|only|just|verbatim)\b"
    r"[^\n:\"“]{0,40}?(?::\s*|(?=[\"“]))(?:[\"“]([^\"”\n]+)[\"”]|([^\n]+))",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Call:
    """A function to call, with its arguments as JSON text."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The thinking, then either text or calls."""

    reasoning: str = ""
    text: str = ""
    calls: Sequence[Call] = ()


def answer_to(request: Request) -> Answer:
    """Return everything the simulator will say, before any limit cuts it."""
    summary = summary_of(request)
    if summary is not None:
        return Answer(text=summary)
    context = Context.of(request)
    reasoning = _reasoning(request, context)
    tools = _tools_to_call(request, context)
    if tools:
        calls = [Call(tool["name"], _json(tool.get("parameters") or {}, context)) for tool in tools]
        return Answer(reasoning=reasoning, calls=calls)
    match request.text_format.get("type"):
        case "json_schema":
            return Answer(reasoning=reasoning, text=_json(request.text_format.get("schema") or {}, context))
        case "json_object":
            said = {"simulated": True, "answer": facts_for(context)}
            return Answer(reasoning=reasoning, text=json.dumps(said, ensure_ascii=False))
    return Answer(reasoning=reasoning, text=_text(context))


def _reasoning(request: Request, context: Context) -> str:
    if (request.reasoning or {}).get("effort") in (None, "none", "minimal"):
        return ""
    messages = sum(turn.role != FILE for turn in context.turns)
    return (
        f"I have {messages} messages and {len(context.results)} function outputs before me. "
        "I look for what bears on the last question and repeat that."
    )


def _tools_to_call(request: Request, context: Context) -> Sequence[Json]:
    """Return the functions to call now: none once outputs for this question are there."""
    tools = [each for each in request.tools if each.get("type") == "function"]
    choice = request.tool_choice
    if choice == "none" or context.results:
        return ()
    if isinstance(choice, dict):
        if choice.get("type") == "function":
            return [each for each in tools if each.get("name") == choice.get("name")][:1]
        if choice.get("type") == "allowed_tools":
            allowed = {each.get("name") for each in choice.get("tools", [])}
            tools = [each for each in tools if each.get("name") in allowed]
    wanted = _words(context.question.text)
    tools.sort(key=lambda each: -len(wanted & _words(f"{each.get('name')} {each.get('description')}")))
    return tools[: 2 if request.parallel_tool_calls else 1]


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]{3,}", text.lower()))


def _json(schema: Json, context: Context) -> str:
    outputs = [each.output for each in context.results]
    prompt = "\n".join([*outputs, context.question.text])
    return json.dumps(fitting(schema or {"type": "object"}, prompt), ensure_ascii=False)


def _text(context: Context) -> str:
    asked = context.question.text
    length = _LENGTH.search(asked)
    if length:
        return _of_length(int(length.group(1).replace(",", "")), length.group(2).lower(), context)
    exactly = _EXACTLY.search(asked)
    if exactly and not context.results:
        return (exactly.group(1) or exactly.group(2)).strip()
    return f"{INTRODUCTION} {facts_for(context)}"


def _of_length(wanted: int, unit: str, context: Context) -> str:
    """Return exactly so many words or tokens: what an answer would say, then prose about nothing."""
    wanted = min(wanted, _MOST_WORDS)
    opening = f"{INTRODUCTION} {facts_for(context)}\n\n"
    taken = len(opening.split())
    if taken >= wanted:
        opening, taken = "", 0
    text = opening + "".join(prose(wanted - taken, context.seed))
    return text if unit == "word" else "".join(tokens_of(text)[:wanted])
