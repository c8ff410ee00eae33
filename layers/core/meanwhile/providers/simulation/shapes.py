"""JSON Schemas taken apart: the plain shapes that an instance may have, one alternative after the other."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any
from urllib.parse import unquote

from meanwhile.domain.request import Json

_COMBINERS = frozenset({"$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "not", "$defs", "definitions"})
_LARGER = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})
_SMALLER = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})
ONE_OF, NOT = "oneOf", "not"
"""In a shape these two hold lists of what is still to be checked on the finished value."""


class Unfit(Exception):
    """No value fits here, or none within the depth that is left."""


class Schemas:
    """One schema document: follows its references, counts the work."""

    def __init__(self, root: Any, spend: Callable[[], None]) -> None:
        self._root = root
        self.spend = spend

    def shapes(self, schema: Any, following: frozenset[str] = frozenset()) -> Iterator[Json]:
        """Yield schemas without references and combiners; what fits one of them fits the schema."""
        self.spend()
        if schema is False:
            return
        if not isinstance(schema, Mapping):
            yield {}
            return
        own: Json = {key: value for key, value in schema.items() if key not in _COMBINERS}
        if NOT in schema:
            own[NOT] = [schema[NOT]]
        choices: list[Sequence[Any]] = [[each] for each in schema.get("allOf", [])]
        reference = schema.get("$ref", schema.get("$dynamicRef"))
        if isinstance(reference, str):
            if reference in following:
                return
            following |= {reference}
            choices.append([self.resolved(reference)])
        if "anyOf" in schema:
            choices.append(schema["anyOf"])
        if ONE_OF in schema:
            own[ONE_OF] = [schema[ONE_OF]]
            choices.append(schema[ONE_OF])
        yield from self._combined(own, choices, following)

    def _combined(
        self, shape: Json, choices: Sequence[Sequence[Any]], following: frozenset[str]
    ) -> Iterator[Json]:
        if not choices:
            yield shape
            return
        for choice in choices[0]:
            for more in self.shapes(choice, following):
                both = merged(shape, more)
                if both is not None:
                    yield from self._combined(both, choices[1:], following)

    def resolved(self, reference: str) -> Any:
        """Return what a reference within the document points at; Unfit where it points at nothing."""
        if not reference.startswith("#"):
            raise Unfit(reference)
        place = self._root
        for step in filter(None, unquote(reference[1:]).split("/")):
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(place, Mapping) and key in place:
                place = place[key]
            elif isinstance(place, list) and key.isdecimal() and int(key) < len(place):
                place = place[int(key)]
            else:
                raise Unfit(reference)
        return place


def merged(one: Json, other: Json) -> Json | None:
    """Return the shape of what fits both; None where that is seen to be nothing."""
    result = dict(one)
    for key, value in other.items():
        if key not in result or result[key] == value:
            result[key] = value
        elif key == "properties":
            result[key] = _merged_properties(result[key], value)
        elif key in (ONE_OF, NOT):
            result[key] = [*result[key], *value]
        elif key == "required":
            result[key] = list(dict.fromkeys([*result[key], *value]))
        elif key == "type":
            result[key] = _common_types(result[key], value)
        elif key == "enum":
            result[key] = [each for each in result[key] if each in value]
        elif key in _LARGER:
            result[key] = max(result[key], value)
        elif key in _SMALLER:
            result[key] = min(result[key], value)
        elif key in ("items", "additionalProperties"):
            result[key] = {"allOf": [result[key], value]}
        elif key == "const":
            return None
        else:
            result[key] = value
        if key in ("type", "enum") and not result[key]:
            return None
    return result


def _merged_properties(one: Json, other: Json) -> Json:
    both = {key: {"allOf": [one[key], other[key]]} for key in one if key in other}
    return {**one, **other, **both}


def _common_types(one: Any, other: Any) -> Sequence[str]:
    ours, theirs = types_in(one), types_in(other)
    common = [each for each in ours if each in theirs]
    for one_side, other_side in ((ours, theirs), (theirs, ours)):
        if "integer" in one_side and "number" in other_side and "integer" not in common:
            common.append("integer")
    return common


def types_in(value: Any) -> Sequence[str]:
    """Return the `type` keyword's value as a list."""
    return [value] if isinstance(value, str) else list(value)


def budget(most: int, exhausted: Callable[[], Exception]) -> Callable[[], None]:
    """Return a function that may be called so many times, and then raises."""
    spent = count(1)

    def spend() -> None:
        if next(spent) > most:
            raise exhausted()

    return spend
