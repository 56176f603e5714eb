"""Settings: defaults, one file, the environment over it, and nothing passed over in silence."""

from __future__ import annotations

import os
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from monitor.assessment import Rules
from monitor.config import Config, load_config
from monitor.errors import ConfigurationError, UnknownNameError, UsageError
from monitor.models import MODELS
from monitor.venues import VENUES
from monitor.verdict.base import Severity
from monitor.verdict.inventory import DEFAULT_INVENTORY

EXAMPLE = Path(__file__).parents[2] / "deploy" / "misspec.toml"


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.upper().startswith("MISSPEC_")]:
        monkeypatch.delenv(name)


def written(folder: Path, text: str) -> Path:
    path = folder / "misspec.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_defaults_are_the_rules_own() -> None:
    assert load_config().rules().digest() == Rules().digest()


def test_every_nightly_model_is_judged_and_two_are_used() -> None:
    config = load_config()
    nightly = {name for name, model in MODELS.items() if model.cadence == "nightly"}
    assert set(config.models) == set(config.inventory) == nightly
    used = {name: use.purpose for name, use in config.inventory.items() if use.pages}
    assert used == {"svi": "marking", "heston": "hedging"}


def test_every_rule_can_be_set() -> None:
    said = {"judgements"}  # by experts, on record; not by configuration
    assert {f.name for f in fields(Rules)} - said <= set(Config.model_fields)


def test_every_venue_has_its_section() -> None:
    config = load_config()
    assert all(type(config.venue(name)) is kind.settings for name, kind in VENUES.items())
    with pytest.raises(UnknownNameError, match="deribit"):
        config.venue("deribt")


def test_the_example_file_is_the_defaults() -> None:
    example, default = load_config(EXAMPLE), load_config()
    assert example == default
    assert example.rules().digest() == default.rules().digest()


def test_the_example_file_names_every_key() -> None:
    def keys(value: object) -> object:
        # What has no value in TOML (an absent tolerance, a folder of this machine) stands there
        # as a comment.
        if not isinstance(value, dict):
            return None
        return {k: keys(v) for k, v in value.items() if v not in (None, "", {})}

    dumped = load_config().model_dump(mode="json", exclude={"home", "database_url"})
    text = EXAMPLE.read_text(encoding="utf-8")
    assert keys(tomllib.loads(text)) == keys(dumped)
    for absent in ("home", "database_url", "url", "streams"):
        assert f"# {absent} = " in text


def test_the_budget_is_shared_by_all_that_may_page(tmp_path: Path) -> None:
    # Two coins, each with the smile, svi and heston; the nine benchmarks of the default never page.
    assert load_config().rules().drift.streams == 6
    text = 'underlyings = ["BTC"]\nmodels = ["black", "svi", "bates"]\n'
    assert load_config(written(tmp_path, text)).rules().drift.streams == 2
    more = text + '[inventory.bates]\npurpose = "hedging"\n'
    assert load_config(written(tmp_path, more)).rules().drift.streams == 3
    venues = more + '[venues]\nactive = ["deribit", "recorded"]\n'
    assert load_config(written(tmp_path, venues)).rules().drift.streams == 6
    said = text + "[drift]\nstreams = 12\n"
    assert load_config(written(tmp_path, said)).rules().drift.streams == 12


def test_a_file_overrides_the_defaults(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        'underlyings = ["btc"]\nmodels = ["svi"]\n[judgement]\nmin_quotes = 60\n'
        '[alerts.routes]\nred = ["json://127.0.0.1:9/x"]\n[venues.deribit]\ntimeout_s = 3\n',
    )
    config = load_config(path)
    assert config.underlyings == ("BTC",)
    assert config.rules().models == ("svi",)
    assert config.rules().judgement.min_quotes == 60
    assert config.rules().cleaning == Rules().cleaning
    assert config.alerts.routes.of(Severity.RED) == ("json://127.0.0.1:9/x",)
    assert config.alerts.routes.of(Severity.AMBER) == ()
    assert config.venue("deribit").timeout_s == 3.0


def test_the_environment_overrides_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, "[judgement]\nmin_quotes = 60\nmax_age_s = 100.0\n")
    monkeypatch.setenv("MISSPEC_CONFIG", str(path))
    monkeypatch.setenv("MISSPEC_JUDGEMENT__MIN_QUOTES", "70")
    monkeypatch.setenv("MISSPEC_HOME", str(tmp_path / "h"))
    monkeypatch.setenv("MISSPEC_MODELS", "svi, heston")
    monkeypatch.setenv("MISSPEC_VENUES__DERIBIT__URL", "http://127.0.0.1:1")
    monkeypatch.setenv("MISSPEC_VENUES__ACTIVE", "deribit,recorded")
    monkeypatch.setenv("MISSPEC_VENUES__RECORDED__PATHS", '["a.parquet"]')
    monkeypatch.setenv("MISSPEC_ALERTS__ROUTES", '{"red": ["json://127.0.0.1:9/x"]}')
    config = load_config()
    assert config.judgement.min_quotes == 70
    assert config.judgement.max_age_s == 100.0
    assert config.database == f"sqlite:///{tmp_path / 'h' / 'misspec.db'}"
    assert config.archive == tmp_path / "h" / "archive"
    assert config.models == ("svi", "heston")
    assert config.venue("deribit").url == "http://127.0.0.1:1"
    assert config.venue("recorded").paths == ("a.parquet",)
    assert config.venues.active == ("deribit", "recorded")
    assert config.alerts.routes.red == ("json://127.0.0.1:9/x",)


def test_an_inventory_entry_is_laid_over_the_default_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, "[inventory.svi]\nmax_rmse_iv = 0.02\n")
    monkeypatch.setenv("MISSPEC_INVENTORY__HESTON__OWNER", "vol desk")
    inventory = load_config(path).rules().inventory
    assert inventory["svi"].purpose == "marking"
    assert inventory["svi"].max_rmse_iv == 0.02
    assert inventory["svi"].min_inside_share == DEFAULT_INVENTORY["svi"].min_inside_share
    assert inventory["heston"].owner == "vol desk"
    assert inventory["black"] == DEFAULT_INVENTORY["black"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("underlying = ['BTC']", ["underlying", "Did you mean 'underlyings'?", "Known: alerts"]),
        ("[judgement]\nmin_quote = 3", ["judgement.min_quote", "'min_quotes'", "max_age_s"]),
        ("[inventory.svi]\npurpos = 'x'", ["inventory.svi.purpos", "'purpose'", "owner"]),
        ("[venues.deribit]\nurls = 'x'", ["venues.deribit.urls", "'url'", "timeout_s"]),
        ("[venues.derbit]\nurl = 'x'", ["venues.derbit", "'deribit'"]),
        ("[alerts.routes]\norange = []", ["alerts.routes.orange", "Known: amber, info, red"]),
        ("[judgement]\nmin_quotes = 'many'", ["judgement.min_quotes", "'many'", "integer"]),
        ("[judgement]\nmin_quotes = -1", ["judgement", "min_quotes must be zero or more, was -1"]),
        ("[cleaning]\nmin_tenor_h = 0.5", ["min_tenor_h must be at least 1, was 0.5"]),
        ("[cleaning]\nmax_width_iv = nan", ["cleaning", "max_width_iv must be zero or more"]),
        ("[judgement]\nmax_rejected_share = 60.0", ["max_rejected_share is a share"]),
        ("[inventory.svi]\npurpose = 'trading'", ["'marking', 'hedging' or 'benchmark'"]),
        ("[schedule]\nnightly = 'midnight'", ["schedule.nightly", "five fields"]),
        ("models = []", ["models", "at least one model", "heston"]),
        ("underlyings = []", ["underlyings", "at least one"]),
        ("models = svi", ["is not TOML", "line 1"]),
    ],
)
def test_what_is_not_allowed_is_named_with_what_is(
    tmp_path: Path, text: str, said: list[str]
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigurationError) as caught:
        load_config(path)
    for part in (*said, str(path)):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("models = ['hestn']", "Did you mean 'heston'"),
        ("[inventory.hestn]\nowner = 'x'", "heston"),
        ("[venues]\nactive = ['derbit']", "deribit"),
        ("[calibration]\npull = ['hestn']", "Did you mean 'heston'"),
    ],
)
def test_a_name_that_is_not_registered_is_refused(tmp_path: Path, text: str, known: str) -> None:
    with pytest.raises(UnknownNameError, match=known):
        load_config(written(tmp_path, text))


def test_smiles_of_an_expirys_own_cannot_be_drawn_to_last_nights(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"pull names svi, whose parameters are each"):
        load_config(written(tmp_path, "[calibration]\npull = ['heston', 'svi']"))


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("MISSPEC_HOMES", "x", "Did you mean MISSPEC_HOME?"),
        ("MISSPEC_JUDGMENT__MIN_QUOTES", "3", "Did you mean MISSPEC_JUDGEMENT?"),
        ("MISSPEC_JUDGEMENT__MIN_QUOTE", "3", "judgement.min_quote"),
        ("MISSPEC_JUDGEMENT__MIN_QUOTES", "x", "(MISSPEC_JUDGEMENT__MIN_QUOTES)"),
        ("MISSPEC_JUDGEMENT", "x", "JSON"),
        ("MISSPEC_ALERTS__ROUTES", "x", "JSON"),
        ("MISSPEC_MODELS", "[svi", "MISSPEC_MODELS is no JSON"),
    ],
)
def test_the_environment_is_held_to_the_same(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError) as caught:
        load_config()
    assert said in str(caught.value)


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing\.toml cannot be read: No such file"):
        load_config(tmp_path / "nothing.toml")
