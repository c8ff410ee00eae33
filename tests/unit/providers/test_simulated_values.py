"""Values made for JSON Schemas fit them: judged by the jsonschema library, over schemas nobody thought of."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # a judge for tests only

from meanwhile.domain.errors import ProviderRejected
from meanwhile.providers.simulation.fitting import fitting

Schema = dict[str, Any]
NAMES = ["city", "name", "count", "email", "note", "children"]
PROMPT = (
    "Book 3 rooms in Paris for Ada on 2026-05-06, at most 99.5 euros, ada@example.com. The note is: hurry"
)


def validates(value: Any, schema: Any) -> bool:
    """Whether an independent judge accepts the value."""
    return bool(Draft202012Validator(schema).is_valid(value))


@st.composite
def numbers(draw: st.DrawFn) -> Schema:
    """Draw a schema of numbers that has room for some."""
    low, room = draw(st.integers(-50, 50)), draw(st.integers(2, 40))
    bounds = {"minimum": low, "exclusiveMinimum": low, "maximum": low + room, "exclusiveMaximum": low + room}
    chosen: Schema = {key: bounds[key] for key in draw(st.sets(st.sampled_from(sorted(bounds))))}
    if draw(st.booleans()):
        chosen["multipleOf"] = 1
    return {"type": draw(st.sampled_from(["integer", "number"])), **chosen}


@st.composite
def strings(draw: st.DrawFn) -> Schema:
    """Draw a schema of strings."""
    least = draw(st.integers(0, 12))
    return draw(
        st.sampled_from(
            [
                {"type": "string"},
                {"type": "string", "minLength": least, "maxLength": least + draw(st.integers(0, 5))},
                {"type": "string", "format": draw(st.sampled_from(["email", "date", "uuid", "uri", "x"]))},
                {"type": "string", "pattern": "^[A-Z]{2}-\\d{3,5}$"},
                {"type": "string", "enum": ["Paris", "Rome"]},
            ]
        )
    )


def has_no_pattern(schema: Schema) -> bool:
    """Whether it can stand in a `oneOf`: patterns are never run, so they cannot tell alternatives apart."""
    return "pattern" not in json.dumps(schema)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return schemas made of others."""
    named = st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    return st.one_of(
        named.flatmap(
            lambda properties: st.fixed_dictionaries(
                {
                    "type": st.just("object"),
                    "properties": st.just(properties),
                    "required": st.lists(st.sampled_from(sorted(properties)), unique=True)
                    if properties
                    else st.just([]),
                    "additionalProperties": st.booleans(),
                }
            )
        ),
        st.builds(
            lambda each, n: {"type": "array", "items": each, "minItems": n, "maxItems": n + 2},
            inner,
            st.integers(0, 3),
        ),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: {"anyOf": each}),
        inner.map(lambda each: {"allOf": [each, {}]}),
        inner.filter(has_no_pattern).map(lambda each: {"oneOf": [{"const": "Simulated."}, each]}),
    )


LEAVES = st.one_of(
    numbers(),
    strings(),
    st.sampled_from(
        [
            {"type": "boolean"},
            {"type": "null"},
            {"type": ["string", "null"]},
            {"const": {"a": [1, None]}},
            {"enum": [None, 3, "Paris"]},
            {"$ref": "#/$defs/Node"},
            {"$ref": "#/$defs/Leaf"},
        ]
    ),
)
DEFINITIONS: Schema = {
    "Leaf": {"type": "string", "minLength": 1},
    "Node": {
        "type": "object",
        "properties": {
            "value": {"$ref": "#/$defs/Leaf"},
            "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
            "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
        },
        "required": ["value", "next", "children"],
        "additionalProperties": False,
    },
}


@settings(max_examples=150)
@given(st.recursive(LEAVES, containers, max_leaves=8))
def test_a_value_fits_whatever_the_schema_is(schema: Schema) -> None:
    """Structured output is a promise: an answer that does not fit breaks the caller's parser."""
    document = {**schema, "$defs": DEFINITIONS}

    assert validates(fitting(document, PROMPT), document)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"type": "integer", "minimum": 7}}},
        {"type": "object", "properties": {"self": {"$ref": "#"}}},
        {"type": "object", "properties": {"list": {"type": "array", "items": {"$ref": "#"}, "minItems": 0}}},
        {"anyOf": [{"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}, {"const": 1}]},
        {"oneOf": [{"type": "integer"}, {"type": "number"}]},
        {
            "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
            "properties": {"a": {"const": 1}, "b": {"const": 2}},
        },
        {
            "allOf": [
                {"properties": {"a": {"minimum": 5}}},
                {"properties": {"a": {"maximum": 6}}, "required": ["a"]},
            ]
        },
        {"type": "array", "items": {"enum": [1, 2, 3]}, "minItems": 3, "uniqueItems": True},
        {"type": "array", "items": {"enum": ["Rome", "Paris"]}, "minItems": 2, "uniqueItems": True},
        {"type": "array", "items": {"type": "string"}, "minItems": 4, "uniqueItems": True},
        {
            "type": "array",
            "prefixItems": [{"type": "string"}, {"type": "integer"}],
            "items": False,
            "minItems": 2,
        },
        {"type": "object", "minProperties": 2, "additionalProperties": {"type": "integer"}},
        {"type": "object", "required": ["x"]},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        {"type": "number", "multipleOf": 0.5, "minimum": 1.2},
        {"type": "integer", "multipleOf": 7, "minimum": 10},
        {"type": "number", "exclusiveMaximum": 1},
        {"type": "integer", "exclusiveMaximum": -5, "multipleOf": 3},
        {"type": ["null", "integer"], "maximum": -3},
        {"not": {"type": "string"}, "type": ["string", "integer"]},
        {"$defs": {"odd/name~": {"const": 5}}, "$ref": "#/$defs/odd~1name~0"},
        {"enum": [{"deep": [1, {"x": None}]}]},
        {},
        {"type": "object", "properties": {}, "additionalProperties": False},
    ],
)
def test_a_value_fits_the_schemas_that_are_easy_to_get_wrong(schema: Schema) -> None:
    """References, recursion, and rules that only hold together."""
    assert validates(fitting(schema, PROMPT), schema)


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"$ref": "#"},
        {"$ref": "#/$defs/missing"},
        {"$ref": "https://example.com/schema"},
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"type": "string", "minLength": 5, "maxLength": 2},
        {"type": "integer", "minimum": "three"},
        {"type": 5},
        {"allOf": 7},
        {"type": "string", "pattern": "(?=x)y"},
        {"type": "array", "minItems": 10**9},
        {"type": "object", "minProperties": 10**9},
        {"type": "string", "minLength": 10**9},
    ],
)
def test_a_schema_that_nothing_fits_is_rejected(schema: Any) -> None:
    """Quickly, and as the caller's fault: the schema came from outside."""
    with pytest.raises(ProviderRejected):
        fitting(schema, PROMPT)


def test_a_schema_that_explodes_is_rejected_before_it_costs_time() -> None:
    """Twenty definitions that each use the next twice make a million values."""
    definitions = {
        f"d{n}": {"type": "array", "prefixItems": [{"$ref": f"#/$defs/d{n + 1}"}] * 2, "minItems": 2}
        for n in range(20)
    }

    with pytest.raises(ProviderRejected):
        fitting({"$ref": "#/$defs/d0", "$defs": {**definitions, "d20": {"const": 1}}}, PROMPT)


def test_values_come_from_the_prompt() -> None:
    """A simulated answer is easier to believe, and to test against, when it repeats what was said."""
    names = ["city", "email", "rooms", "date", "price", "note", "colour"]
    kinds: dict[str, Schema] = {name: {"type": "string"} for name in names}
    kinds |= {"rooms": {"type": "integer"}, "price": {"type": "number"}}
    kinds |= {"email": {"type": "string", "format": "email"}, "date": {"type": "string", "format": "date"}}

    value = fitting({"type": "object", "properties": kinds}, PROMPT)

    assert value == {
        "city": "Paris",
        "email": "ada@example.com",
        "rooms": 3,
        "date": "2026-05-06",
        "price": 99.5,
        "note": "hurry",
        "colour": "simulated colour",
    }


@settings(max_examples=100)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "type",
                        "items",
                        "properties",
                        "anyOf",
                        "oneOf",
                        "allOf",
                        "not",
                        "$ref",
                        "enum",
                        "const",
                        "required",
                        "minimum",
                        "minItems",
                        "maxItems",
                        "pattern",
                        "format",
                        "prefixItems",
                        "additionalProperties",
                        "minLength",
                        "multipleOf",
                        "uniqueItems",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_a_schema_made_of_nonsense_does_no_harm(nonsense: Any) -> None:
    """It gets a value or a rejection: a worker that crashes takes other responses along."""
    try:
        json.dumps(fitting(nonsense, PROMPT))
    except ProviderRejected:
        return
