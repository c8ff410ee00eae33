"""The table from errors to answers."""

import json
from typing import Any

import pytest

from meanwhile.domain import errors as domain
from meanwhile.web import errors


def family(of: type[domain.ServiceError]) -> list[type[domain.ServiceError]]:
    """Return a class and everything below it."""
    return [of, *(kind for child in of.__subclasses__() for kind in family(child))]


def made(kind: type[domain.ServiceError]) -> domain.ServiceError:
    """Return an error of a class, with a message that nobody outside should see."""
    return kind("in_progress")


ANSWERS: dict[type[domain.ServiceError], int] = {
    domain.InvalidRequest: 400,
    domain.NotCancellable: 400,
    domain.StillRunning: 400,
    domain.NotAuthenticated: 401,
    domain.NotPermitted: 403,
    domain.ResponseNotFound: 404,
    errors.ModelNotFound: 404,
    errors.UnknownUrl: 404,
    errors.WrongMethod: 405,
    domain.TooLarge: 413,
    domain.LogCorrupt: 500,
    domain.ProviderBroken: 500,
    domain.Unavailable: 503,
}


@pytest.mark.parametrize("kind", ANSWERS, ids=lambda kind: kind.__name__)
def test_each_error_has_its_status(kind: type[domain.ServiceError]) -> None:
    """SDKs choose their exception, and whether to retry, by the status alone."""
    error = kind() if kind is domain.StillRunning else made(kind)

    assert errors.answer(error, {}).status_code == ANSWERS[kind]


@pytest.mark.parametrize("kind", family(domain.ServiceError), ids=lambda kind: kind.__name__)
def test_every_error_of_the_family_has_an_answer(kind: type[domain.ServiceError]) -> None:
    """Also those added later, by the nearest base. None is 409, which SDKs retry."""
    row = errors.row_of(kind)

    assert (row.status < 500) is issubclass(kind, domain.RequestError)
    assert row.status != 409
    assert row.retry_after is None or row.retry_after <= 60


def test_an_answer_has_the_apis_shape() -> None:
    """All four keys, always."""
    answer = errors.answer(domain.InvalidRequest("Wrong.", param="input[0]", code="invalid_type"), {})

    assert json.loads(bytes(answer.body)) == {
        "error": {
            "message": "Wrong.",
            "type": "invalid_request_error",
            "param": "input[0]",
            "code": "invalid_type",
        }
    }


@pytest.mark.parametrize("kind", [domain.LogCorrupt, domain.Unavailable, domain.ServiceError])
def test_what_goes_on_inside_stays_inside(kind: type[domain.ServiceError]) -> None:
    """The messages of these are for us."""
    assert b"in_progress" not in bytes(errors.answer(made(kind), {}).body)


@pytest.mark.parametrize(
    ("state", "kind", "headers"),
    [
        ({}, domain.Unavailable, {"retry-after": "1"}),
        ({"may_have_happened": True}, domain.Unavailable, {"x-should-retry": "false"}),
        ({"may_have_happened": True}, domain.LogCorrupt, {"x-should-retry": "false"}),
        ({"may_have_happened": True}, domain.NotCancellable, {}),
        ({}, domain.LogCorrupt, {}),
    ],
)
def test_a_retry_is_asked_for_only_where_it_does_no_harm(
    state: dict[str, Any], kind: type[domain.ServiceError], headers: dict[str, str]
) -> None:
    """SDKs repeat a POST after any 5xx unless they are told not to."""
    answer = errors.answer(made(kind), {"state": state})

    told = {name: value for name, value in answer.headers.items() if "retry" in name}
    assert told == headers
