"""The table of parameters is whole, and true."""

import inspect
import json
from dataclasses import asdict
from typing import Any

import pytest
from openai.resources.responses import Responses
from openai.types.responses.function_tool_param import FunctionToolParam
from openai.types.responses.input_token_count_params import InputTokenCountParams
from openai.types.responses.response_create_params import StreamOptions
from openai.types.shared_params.reasoning import Reasoning
from pydantic import BaseModel

from infra.parameters import BEYOND_THE_SDK, EXAMPLE_OF_TOOLS, PAGE, PARAMETERS, Fate, Parameter, page
from meanwhile.domain.errors import InvalidRequest
from meanwhile.providers.catalogue import Catalogue
from meanwhile.web.create import to_request
from meanwhile.web.schemas.create import CountInputTokens, CreateResponse
from meanwhile.web.schemas.options import FunctionTool, ReasoningOptions
from meanwhile.web.schemas.options import StreamOptions as OurStreamOptions

CATALOGUE = Catalogue.load(has_upstream=False)

ABOUT_THE_CALL = {"self", "extra_headers", "extra_query", "extra_body", "timeout"}
"""What the SDK's method takes and does not send as a parameter."""

ECHOED = {"max_tool_calls", "prompt_cache_key", "safety_identifier", "user"}
"""Stored and shown, though they change nothing."""


def of_fate(fate: Fate) -> list[Any]:
    """Return the parameters of one fate, as cases."""
    found = [each for each in (*PARAMETERS, *BEYOND_THE_SDK) if each.fate is fate]
    return [pytest.param(each, id=each.name) for each in found]


def stored(**said: Any) -> dict[str, Any]:
    """Return what is stored of a body, without the ids that are made for it."""
    body = {"model": "simulator", "input": "Hello"} | said
    found = asdict(to_request(json.dumps(body).encode(), CATALOGUE))
    for item in found["input"]:
        del item["id"]
    return found


def test_every_parameter_of_the_sdk_is_in_the_table() -> None:
    """Taken from the signature of the SDK that is installed: a new one fails here until it has a row."""
    known = set(inspect.signature(Responses.create).parameters) - ABOUT_THE_CALL

    assert [each.name for each in PARAMETERS] == sorted(known)


def test_the_table_has_every_parameter_of_the_schema() -> None:
    """What is taken without a row would be undocumented."""
    assert {each.name for each in (*PARAMETERS, *BEYOND_THE_SDK)} == set(CreateResponse.model_fields)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (InputTokenCountParams, CountInputTokens),
        (Reasoning, ReasoningOptions),
        (FunctionToolParam, FunctionTool),
        (StreamOptions, OurStreamOptions),
    ],
)
def test_every_name_in_the_sdks_types_is_known(theirs: Any, ours: type[BaseModel]) -> None:
    """Taken or refused by name, never as a name that nobody has heard of."""
    known = {field.alias or name for name, field in ours.model_fields.items()}

    assert set(theirs.__annotations__) <= known


@pytest.mark.parametrize("parameter", of_fate(Fate.HONOURED))
def test_what_is_honoured_reaches_the_request(parameter: Parameter) -> None:
    """From there on other tests follow it, to the provider and into the response object."""
    beside = EXAMPLE_OF_TOOLS if parameter.needs else {}

    assert (
        stored(**beside, **{parameter.name: parameter.example})[parameter.name]
        != (stored(**beside)[parameter.name])
    )


@pytest.mark.parametrize("parameter", of_fate(Fate.IGNORED))
def test_what_is_ignored_changes_nothing_but_its_echo(parameter: Parameter) -> None:
    """Accepted means no error, ignored means the same request."""
    with_it, without = stored(**{parameter.name: parameter.example}), stored()

    if parameter.name in ECHOED:
        assert with_it.pop(parameter.name) == parameter.example
        del without[parameter.name]
    assert with_it == without


@pytest.mark.parametrize("parameter", of_fate(Fate.REFUSED))
def test_what_is_refused_is_named(parameter: Parameter) -> None:
    """Left out in silence it would give an answer to another question."""
    with pytest.raises(InvalidRequest) as refused:
        stored(**{parameter.name: parameter.example})

    assert (refused.value.param, refused.value.narrow_code) == (parameter.name, "unsupported_parameter")
    assert f"'{parameter.name}'" in refused.value.message or parameter.name == "stream"
    assert stored(**{parameter.name: None}) == stored()


def test_the_page_is_the_table() -> None:
    """Run `make parameters` after a change."""
    assert PAGE.read_text() == page()
