"""Every exception of the client library leaves as one of ours."""

import inspect

import pytest
from ccxt.base import errors as theirs

from monitor.errors import VenueError, VenueMalformed, VenueRefused, VenueUnavailable
from monitor.venues.errors import translate, translated

CLASSES = [
    c for _, c in inspect.getmembers(theirs, inspect.isclass) if issubclass(c, theirs.BaseError)
]


def hierarchy(tree):
    for name, below in tree.items():
        yield name
        yield from hierarchy(below)


def test_the_walk_sees_every_class_that_the_library_declares():
    assert {c.__name__ for c in CLASSES} == set(hierarchy(theirs.error_hierarchy))
    assert len(CLASSES) > 35


@pytest.mark.parametrize("theirs_class", CLASSES, ids=lambda c: c.__name__)
def test_every_class_is_translated_and_keeps_its_cause(theirs_class):
    with pytest.raises(VenueError) as caught, translated():
        raise theirs_class("deribit said no")
    assert isinstance(caught.value.__cause__, theirs_class)
    assert "deribit said no" in str(caught.value)
    assert theirs_class.__name__ in str(caught.value)
    if theirs_class is not theirs.BaseError:
        assert type(caught.value) in (VenueUnavailable, VenueRefused, VenueMalformed)


@pytest.mark.parametrize("theirs_class", CLASSES, ids=lambda c: c.__name__)
def test_what_is_worth_a_retry_is_what_may_heal(theirs_class):
    ours = type(translate(theirs_class("x")))
    if issubclass(theirs_class, theirs.BadResponse):
        assert ours is VenueMalformed  # under the retryable branch, and no better a second time
    elif issubclass(theirs_class, theirs.ExchangeError):
        assert ours is VenueRefused
    elif issubclass(theirs_class, theirs.NetworkError):
        assert ours is VenueUnavailable


@pytest.mark.parametrize(
    ("status", "ours"),
    [(404, VenueRefused), (403, VenueRefused), (503, VenueUnavailable), (500, VenueUnavailable)],
)
def test_a_wrong_address_is_a_refusal_though_the_library_calls_it_unavailable(status, ours):
    text = f"deribit GET http://127.0.0.1:1/api/v2/public/get_time {status} Not Found nginx"
    assert type(translate(theirs.ExchangeNotAvailable(text))) is ours


def test_an_endless_page_is_cut_in_the_message():
    assert len(str(translate(theirs.ExchangeError("x" * 100_000)))) < 500


def test_what_is_not_a_failure_of_the_venue_passes():
    with pytest.raises(ZeroDivisionError), translated():
        raise ZeroDivisionError
