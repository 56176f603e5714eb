"""One layer asks again, with growing waits, and only for what can heal."""

import asyncio

import numpy as np
import pytest

from monitor.errors import ConfigurationError, VenueMalformed, VenueRefused, VenueUnavailable
from monitor.venues.base import VenueSettings
from monitor.venues.retry import delay_s, retried

SETTINGS = VenueSettings(attempts=4, backoff_s=0.5, backoff_max_s=3.0)


class Script:
    """Raises what it is told, one a call, then answers."""

    def __init__(self, *failures):
        self.failures, self.calls, self.waits = list(failures), 0, []

    async def ask(self):
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return "answer"

    async def sleep(self, seconds):
        self.waits.append(seconds)

    def run(self, settings=SETTINGS):
        return asyncio.run(retried(self.ask, settings, np.random.default_rng(3), self.sleep))


def test_an_answer_is_taken_at_once():
    script = Script()
    assert script.run() == "answer"
    assert (script.calls, script.waits) == (1, [])


def test_what_can_heal_is_asked_again_after_growing_waits():
    script = Script(*[VenueUnavailable("busy")] * 3)
    assert script.run() == "answer"
    assert script.calls == 4
    for wait, full in zip(script.waits, (0.5, 1.0, 2.0), strict=True):
        assert full / 2 <= wait <= full


def test_the_last_failure_says_how_often_it_was_asked():
    with pytest.raises(VenueUnavailable, match="busy; asked 4 times"):
        Script(*[VenueUnavailable("busy")] * 9).run()
    with pytest.raises(VenueUnavailable, match="asked once"):
        Script(VenueUnavailable("busy")).run(VenueSettings(attempts=1))


@pytest.mark.parametrize("failure", [VenueRefused("no"), VenueMalformed("html")])
def test_what_cannot_heal_is_not_asked_again(failure):
    script = Script(failure)
    with pytest.raises(type(failure)):
        script.run()
    assert script.calls == 1


def test_waits_stay_below_their_limit_and_differ_between_desks():
    rng = np.random.default_rng(0)
    waits = [delay_s(attempt, SETTINGS, rng) for attempt in range(1, 40)]
    assert max(waits) <= SETTINGS.backoff_max_s
    assert len(set(waits)) == len(waits)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"attempts": 0}, "attempts must be at least 1, was 0"),
        ({"timeout_s": 0.0}, "timeout_s must be positive"),
        ({"backoff_s": -1.0}, "backoff_s must be zero or more"),
        ({"url": "127.0.0.1:80"}, "must begin with http"),
        ({"min_listed_share": 1.5}, "must lie in 0 to 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ConfigurationError, match=message):
        VenueSettings(**settings)
