"""No secret of an address is ever shown."""

from __future__ import annotations

import pytest

from monitor.channels import redact, target_name

ADDRESSES = {
    "json://desk:T0p-passw0rd@10.0.0.7:8080/hook/s3cretpath?key=s3cretkey": (
        "T0p-passw0rd",
        "s3cretpath",
        "s3cretkey",
    ),
    "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ": (
        "T1JJ3T3L2",
        "A1BRTD4JD",
        "TIiajkdnlazkcOXrIdevi7FQ",
    ),
    "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazk": ("TIiajkdnlazk",),
    "tgram://123456789:AAF-abcdefg_hijk/12315544/": ("123456789", "AAF-abcdefg_hijk"),
    "mailto://me%40x.example:p%40ss%2Fword@mail.example/?to=ann@x.example": ("p@ss/word",),
    "pagerduty://IntegrationK3y@ApiK3y/": ("IntegrationK3y", "ApiK3y"),
}


@pytest.mark.parametrize("url", ADDRESSES)
def test_a_receiver_is_named_without_its_secrets(url: str) -> None:
    name = target_name(url)
    assert not [secret for secret in ADDRESSES[url] if secret in name]
    assert name.startswith(url.partition("://")[0])


@pytest.mark.parametrize("url", ADDRESSES)
def test_a_text_is_rid_of_the_secrets_of_its_address(url: str) -> None:
    for secret in ADDRESSES[url]:
        shown = redact(f"failed for {secret!r} at {url}: retry {secret}/x?{secret}", [url])
        assert not [s for s in ADDRESSES[url] if s in shown]


def test_an_address_in_a_text_is_cut_to_what_may_be_seen_even_if_nobody_named_it() -> None:
    shown = redact("Max retries: https://u:pw@host.example:8443/hook/abc?token=def (refused)")
    assert shown == "Max retries: https://host.example:8443 (refused)"


def test_a_short_secret_does_not_eat_innocent_words() -> None:
    assert redact("a password a was wrong", ["json://u:a@h/"]) == "*** password *** was wrong"
    assert redact("bad aardvark", ["json://u:a@h/"]) == "bad aardvark"


def test_two_addresses_of_one_service_have_two_names() -> None:
    assert target_name("json://h/one") != target_name("json://h/two")


@pytest.mark.parametrize("url", ["", "no address", "://x", "json://[::1", "json://h:port/x"])
def test_what_is_no_address_has_a_name_too(url: str) -> None:
    assert "#" in target_name(url)
    assert redact(f"cannot read {url}", [url])
