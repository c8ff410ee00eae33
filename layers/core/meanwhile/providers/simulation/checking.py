"""Whether a value fits a JSON Schema: enough of the rules to choose between alternatives."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from meanwhile.domain.request import Json
from meanwhile.providers.simulation.shapes import Schemas, types_in

_IMPLIED = {
    "properties": "object",
    "required": "object",
    "additionalProperties": "object",
    "minProperties": "object",
    "items": "array",
    "prefixItems": "array",
    "minItems": "array",
    "minimum": "number",
    "maximum": "number",
    "exclusiveMinimum": "number",
    "exclusiveMaximum": "number",
    "multipleOf": "number",
}


def types_of_value(shape: Json) -> Sequence[str]:
    """Return the types to try for a shape, `null` last: the named ones, or the one its rules speak of."""
    if "type" in shape:
        return sorted(types_in(shape["type"]), key=lambda each: each == "null")
    implied = [kind for key, kind in _IMPLIED.items() if key in shape]
    return implied[:1] or ["string"]


def fits(value: Any, schema: Any, schemas: Schemas, following: frozenset[str] = frozenset()) -> bool:
    """Whether the value fits. Patterns and formats are taken on trust: a caller's pattern is never run."""
    schemas.spend()
    if not isinstance(schema, Mapping):
        return schema is not False
    if "$ref" in schema:
        reference = str(schema["$ref"])
        if reference in following or not fits(
            value, schemas.resolved(reference), schemas, following | {reference}
        ):
            return False
    return (
        _fits_type(value, schema)
        and _fits_choice(value, schema)
        and _fits_size(value, schema)
        and all(fits(value, each, schemas, following) for each in schema.get("allOf", []))
        and ("anyOf" not in schema or any(fits(value, each, schemas, following) for each in schema["anyOf"]))
        and (
            "oneOf" not in schema
            or sum(fits(value, each, schemas, following) for each in schema["oneOf"]) == 1
        )
        and ("not" not in schema or not fits(value, schema["not"], schemas, following))
        and _fits_inside(value, schema, schemas)
    )


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same: `true` is not 1, `1.0` is."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _fits_choice(value: Any, schema: Mapping[str, Any]) -> bool:
    return ("const" not in schema or same(value, schema["const"])) and (
        "enum" not in schema or any(same(value, each) for each in schema["enum"])
    )


def _fits_type(value: Any, schema: Mapping[str, Any]) -> bool:
    return "type" not in schema or any(_is(value, each) for each in types_in(schema["type"]))


def _is(value: Any, kind: str) -> bool:
    match kind:
        case "object":
            return isinstance(value, Mapping)
        case "array":
            return isinstance(value, list)
        case "string":
            return isinstance(value, str)
        case "integer":
            return (
                isinstance(value, int | float) and not isinstance(value, bool) and value == math.floor(value)
            )
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
    return kind == "null" and value is None


def _fits_size(value: Any, schema: Mapping[str, Any]) -> bool:
    if isinstance(value, bool) or value is None:
        return True
    if isinstance(value, int | float):
        return _fits_number(value, schema)
    for kind, noun in ((str, "Length"), (list, "Items"), (Mapping, "Properties")):
        if isinstance(value, kind):
            return bool(schema.get(f"min{noun}", 0) <= len(value) <= schema.get(f"max{noun}", math.inf))
    return True


def _fits_number(value: float, schema: Mapping[str, Any]) -> bool:
    if not schema.get("minimum", -math.inf) <= value <= schema.get("maximum", math.inf):
        return False
    if not schema.get("exclusiveMinimum", -math.inf) < value < schema.get("exclusiveMaximum", math.inf):
        return False
    return "multipleOf" not in schema or (value / schema["multipleOf"]).is_integer()


def _fits_inside(value: Any, schema: Mapping[str, Any], schemas: Schemas) -> bool:
    if isinstance(value, list):
        first = schema.get("prefixItems", [])
        rest = schema.get("items", True)
        return all(
            fits(each, first[place] if place < len(first) else rest, schemas)
            for place, each in enumerate(value)
        )
    if isinstance(value, Mapping):
        properties, extra = schema.get("properties", {}), schema.get("additionalProperties", True)
        return all(key in value for key in schema.get("required", [])) and all(
            fits(each, properties.get(key, extra), schemas) for key, each in value.items()
        )
    return True
