"""Every error we raise has a status, a code and a text for whoever is at the other end."""

from __future__ import annotations

import inspect

import pytest

from headwater import errors
from headwater.api.problems import problem_of, status_of

ALL = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, errors.HeadwaterError) and cls is not errors.HeadwaterError
]

EXPECTED = {
    errors.NotFound: 404,
    errors.PublisherNotFound: 404,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.InvalidSdp: 400,
    errors.InvalidMessage: 400,
    errors.UnsupportedCodec: 422,
    errors.InvalidSlug: 422,
    errors.NoOffer: 409,
    errors.LimitReached: 503,
    errors.WorkerClosed: 503,
    errors.NegotiationTimeout: 408,
}


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
def test_an_error_becomes_a_complete_problem(cls: type[errors.HeadwaterError]) -> None:
    problem = problem_of(cls("what to do"))
    assert 400 <= problem.status < 600
    assert problem.code == cls.code
    assert problem.type.endswith(cls.code)
    assert problem.title
    assert "\n" not in problem.title
    assert problem.detail == ("what to do" if problem.status != 500 else "see the server's log")


@pytest.mark.parametrize(("cls", "status"), EXPECTED.items(), ids=lambda v: getattr(v, "__name__", str(v)))
def test_the_status_says_who_erred(cls: type[errors.HeadwaterError], status: int) -> None:
    assert status_of(cls()) == status


def test_an_error_of_no_known_kind_hides_its_text() -> None:
    class Strange(errors.HeadwaterError):
        """Strange."""

    problem = problem_of(Strange("a path, a password"))
    assert problem.status == 500
    assert "password" not in problem.detail
