"""A value that fits a JSON Schema, made of what the prompt offers; small where it is recursive."""

import math
from collections.abc import Callable, Iterator
from typing import Any

from meanwhile.domain.errors import ProviderRejected
from meanwhile.domain.request import Json
from meanwhile.providers.simulation.checking import fits, same, types_of_value
from meanwhile.providers.simulation.hints import Hints
from meanwhile.providers.simulation.patterns import NotSimple, example_of
from meanwhile.providers.simulation.shapes import NOT, ONE_OF, Schemas, Unfit, budget

_SHALLOWEST = 3  # optional and recursive parts are filled in down to here, below only what is required
_DEEPEST = 32
_MOST_STEPS = 20_000
_LONGEST = 10_000
_PROMPT_READ = 4_000
_NOT_A_SCHEMA = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What a keyword of the wrong type, `"minimum": "three"` for instance, ends in; the caller wrote it."""


def fitting(schema: Any, prompt: str) -> Any:
    """Return a value that fits, as shallow as the schema allows.

    Raises:
        ProviderRejected: Nothing fits, or finding it takes too long; the schema is the caller's.
    """
    spend = budget(_MOST_STEPS, lambda: ProviderRejected("The simulator finds this JSON Schema too large."))
    for depth in range(_SHALLOWEST, _DEEPEST):
        try:
            return _Fitter(schema, Hints(prompt[-_PROMPT_READ:]), spend).value(schema, "", depth)
        except Unfit:
            continue
        except _NOT_A_SCHEMA as error:
            raise ProviderRejected("The simulator cannot read this JSON Schema.") from error
    raise ProviderRejected("The simulator finds no value that fits this JSON Schema.")


class _Fitter:
    def __init__(self, root: Any, hints: Hints, spend: Callable[[], None]) -> None:
        self._schemas = Schemas(root, spend)
        self._hints = hints
        self._spend = spend
        self._unfit: dict[tuple[int, int], Any] = {}  # holds the schema too, so that its id stays taken

    def value(self, schema: Any, name: str, left: int, nth: int = 0) -> Any:
        """Return a value for the property `name`, nested no deeper than `left`."""
        if (id(schema), left) in self._unfit or left < 0:
            raise Unfit(name)
        for shape in self._schemas.shapes(schema):
            for candidate in self._candidates(shape, name, left, nth):
                if self._passes(candidate, shape):
                    return candidate
        self._unfit[id(schema), left] = schema
        raise Unfit(name)

    def _passes(self, value: Any, shape: Json) -> bool:
        return all(
            sum(fits(value, each, self._schemas) for each in group) == 1 for group in shape.get(ONE_OF, [])
        ) and not any(fits(value, each, self._schemas) for each in shape.get(NOT, []))

    def _candidates(self, shape: Json, name: str, left: int, nth: int) -> Iterator[Any]:
        self._spend()
        if "const" in shape or "enum" in shape:
            options = [shape["const"]] if "const" in shape else self._by_mention(shape["enum"], nth)
            yield from (each for each in options if fits(each, _without_checks(shape), self._schemas))
            return
        for kind in types_of_value(shape):
            try:
                yield from self._of_type(kind, shape, name, left, nth)
            except Unfit:
                continue

    def _by_mention(self, options: list[Any], nth: int) -> list[Any]:
        said = [each for each in options if isinstance(each, str) and self._hints.mentions(each)]
        others = [each for each in options if each is not None and each not in said]
        ordered = [*said, *others, *([None] if None in options else [])]
        start = nth % len(ordered) if ordered else 0
        return [*ordered[start:], *ordered[:start]]

    def _of_type(self, kind: str, shape: Json, name: str, left: int, nth: int) -> Iterator[Any]:
        match kind:
            case "object":
                yield self._object(shape, left)
                yield self._object(shape, left, lean=True)  # asked for only where optional parts did harm
            case "array":
                yield self._array(shape, name, left)
            case "string":
                yield self._string(shape, name, nth)
            case "integer" | "number":
                yield from self._numbers(shape, nth, whole=kind == "integer")
            case "boolean":
                yield from (nth % 2 == 0, nth % 2 == 1)
            case "null":
                yield None

    def _object(self, shape: Json, left: int, *, lean: bool = False) -> Json:
        required = list(shape.get("required", []))
        most = shape.get("maxProperties", math.inf)
        if len(required) > most:
            raise Unfit("maxProperties")
        properties = shape.get("properties", {})
        result: Json = {}
        for key, schema in properties.items():
            if key in required:
                result[key] = self.value(schema, key, left - 1)
            elif left > 0 and not lean and len(result) + len(set(required) - set(result)) < most:
                try:
                    result[key] = self.value(schema, key, left - 1)
                except Unfit:
                    continue
        extra = shape.get("additionalProperties", True)
        for key in required:
            if key not in result:
                result[key] = self.value(extra, key, left - 1)
        while len(result) < shape.get("minProperties", 0):
            name = f"simulated_{len(result) + 1}"
            result[name] = self.value(extra, name, left - 1)
        return result

    def _array(self, shape: Json, name: str, left: int) -> list[Any]:
        least, most = shape.get("minItems", 0), shape.get("maxItems", math.inf)
        first = shape.get("prefixItems", [])
        result: list[Any] = []
        for nth in range(min(max(least, len(first), 1), most)):
            schema = first[nth] if nth < len(first) else shape.get("items", True)
            try:
                result.append(self._element(shape, schema, name.removesuffix("s"), left - 1, result))
            except Unfit:
                if nth < least:
                    raise
                break
        return result

    def _element(self, shape: Json, schema: Any, name: str, left: int, before: list[Any]) -> Any:
        for nth in range(len(before), 2 * len(before) + 2):
            element = self.value(schema, name, left, nth)
            if not shape.get("uniqueItems") or not any(same(element, each) for each in before):
                return element
        raise Unfit("uniqueItems")

    def _string(self, shape: Json, name: str, nth: int) -> str:
        least, most = shape.get("minLength", 0), shape.get("maxLength", _LONGEST)
        if least > most or least > _LONGEST:
            raise Unfit("minLength")
        if "pattern" in shape:
            return _example(shape["pattern"], least, most)
        formatted = self._hints.formatted(shape.get("format", ""))
        if formatted is not None:
            return formatted
        text = self._hints.phrase(name, nth)
        if nth and text == self._hints.phrase(name):
            text = f"{nth + 1} {text}"
        return text[:most] if most < len(text) else text + "." * (least - len(text))

    def _numbers(self, shape: Json, nth: int, *, whole: bool) -> Iterator[float]:
        low, high = _bounds(shape)
        step = shape.get("multipleOf", 1 if whole else None)
        rest = {**_without_checks(shape), "type": "integer" if whole else "number"}
        for said in list(self._hints.numbers()):
            offered = int(said) if whole or said.is_integer() else said
            if offered == said and fits(offered, rest, self._schemas):
                self._hints.use(said)
                yield offered
        for guess in _guesses(low, high, step, nth):
            offered = int(guess) if whole or float(guess).is_integer() else guess
            if fits(offered, rest, self._schemas):
                yield offered


def _example(pattern: str, least: int, most: int) -> str:
    for extra in range(min(least, 100) + 1):
        try:
            text = example_of(pattern, extra)
        except NotSimple as error:
            raise Unfit("pattern") from error
        if least <= len(text) <= most:
            return text
    raise Unfit("pattern")


def _without_checks(shape: Json) -> Json:
    return {key: value for key, value in shape.items() if key not in (ONE_OF, NOT)}


def _bounds(shape: Json) -> tuple[float, float]:
    lows = [shape[key] for key in ("minimum", "exclusiveMinimum") if key in shape]
    highs = [shape[key] for key in ("maximum", "exclusiveMaximum") if key in shape]
    return max(lows, default=-math.inf), min(highs, default=math.inf)


def _guesses(low: float, high: float, step: float | None, nth: int) -> Iterator[float]:
    """Yield numbers up from the lower bound, down from a small upper one, or up from 1; then what is left."""
    start, way = (low, 1) if math.isfinite(low) else (high, -1) if high < 2 else (1, 1)
    if step:
        first = math.ceil(start / step) if way > 0 else math.floor(start / step)
        yield from ((first + way * more) * step for more in (nth, nth + 1, 0, 1))
    else:
        yield from (start + way * nth, start + way * (nth + 0.5))
    if math.isfinite(low) and math.isfinite(high):
        yield from ((low + high) / 2, high)
