"""Where settings come from: given by hand, then variables, then files of the same names in TOCSIN_SECRETS_DIR."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from services.channels.drivers.broadcast import BroadcastSettings
from services.channels.drivers.email.email import EmailSettings
from services.channels.drivers.twilio.http import TwilioSettings
from services.commands.kit import settings
from services.shared.errors import Refused
from services.shared.settings import Environment, Settings

URL = "postgresql+asyncpg://tocsin:fromfile@db/tocsin"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of secrets as deployment mounts it, and no other TOCSIN_ variable."""
    monkeypatch.delenv("TOCSIN_DATABASE_URL", raising=False)
    monkeypatch.delenv("TOCSIN_AMQP_URL", raising=False)
    monkeypatch.setenv("TOCSIN_SECRETS_DIR", str(tmp_path))
    secrets = {
        "tocsin_database_url": f"{URL}\n",
        "tocsin_amqp_url": "amqp://tocsin:fromfile@broker/tocsin-live",
        "tocsin_twilio_auth_token": "  fromfile \n",
        "tocsin_smtp_password": "fromfile",
        "tocsin_broadcast_urls": "https://broadcaster.example/key/fromfile",
        "index.key": "another's",
    }
    for name, value in secrets.items():
        (tmp_path / name).write_text(value)
    return tmp_path


def test_each_secret_is_read_from_its_file(folder: Path) -> None:
    """Ours and the drivers', without the white space around them; what has no file keeps its default."""
    assert URL == Settings().database_url
    assert "amqp://tocsin:fromfile@broker/tocsin-live" == Settings().amqp_url
    assert "fromfile" == TwilioSettings().auth_token.get_secret_value()
    assert "fromfile" == EmailSettings().password.get_secret_value()
    assert "https://broadcaster.example/key/fromfile" == BroadcastSettings().urls
    assert 8080 == Settings().port


def test_a_variable_wins_over_a_file_and_what_is_given_by_hand_over_both(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that an operator can try another value without touching what is deployed."""
    monkeypatch.setenv("TOCSIN_AMQP_URL", "amqp://variable")
    monkeypatch.setenv("TOCSIN_TWILIO_AUTH_TOKEN", "variable")
    assert "amqp://variable" == Settings().amqp_url
    assert "variable" == TwilioSettings().auth_token.get_secret_value()
    assert "amqp://hand" == Settings(amqp_url="amqp://hand").amqp_url


def test_without_the_variable_no_file_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset or empty; a folder of the working directory is none."""
    for empty in (False, True):
        monkeypatch.setenv("TOCSIN_SECRETS_DIR", "") if empty else monkeypatch.delenv("TOCSIN_SECRETS_DIR")
        assert "" == Settings().database_url
        assert "" == TwilioSettings().auth_token.get_secret_value()


def test_every_settings_model_reads_the_folder() -> None:
    """None goes past it: a driver that is added later is found here."""
    models = [m for m in BaseSettings.__subclasses__() if m.__module__.startswith("services.")]
    assert [Environment] == models
    assert {Settings, TwilioSettings, EmailSettings, BroadcastSettings} <= set(Environment.__subclasses__())


def missing(folder: Path) -> Path:
    return folder / "nowhere"


def a_file(folder: Path) -> Path:
    return folder / "index.key"


def a_folder_in_place_of_a_secret(folder: Path) -> Path:
    (folder / "tocsin_database_url").unlink()
    (folder / "tocsin_database_url").mkdir()
    return folder


def a_link_to_elsewhere(folder: Path) -> Path:
    (folder / "in").mkdir()
    (folder / "in" / "tocsin_database_url").symlink_to(folder / "tocsin_database_url")
    return folder / "in"


def no_text(folder: Path) -> Path:
    (folder / "tocsin_database_url").write_bytes(b"\xff\xfe")
    return folder


@pytest.mark.parametrize("wrong", [missing, a_file, a_folder_in_place_of_a_secret, a_link_to_elsewhere, no_text])
def test_what_cannot_be_read_is_refused_in_one_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, wrong: Callable[[Path], Path]
) -> None:
    """Nothing starts with a password left out unseen; the sentence names the variable and holds no secret."""
    monkeypatch.setenv("TOCSIN_SECRETS_DIR", str(wrong(folder)))
    with pytest.raises(Refused, match=r"TOCSIN_SECRETS_DIR=.* cannot be read .*: give a folder") as refused:
        settings()
    assert "TOCSIN_SECRETS_DIR" == refused.value.field
    assert "fromfile" not in refused.value.message


@pytest.mark.parametrize("url", ["postgresql://tocsin@db/tocsin", "postgres", "sqlite:///x.db"])
def test_a_database_of_another_driver_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """The address is in the form that is read, or it says which; it is not repeated, as it may hold a password."""
    monkeypatch.setenv("TOCSIN_DATABASE_URL", url)
    with pytest.raises(Refused, match=r"TOCSIN_DATABASE_URL: .*postgresql\+asyncpg://") as refused:
        settings()
    assert url not in refused.value.message.replace("postgresql+asyncpg://user:password@host/database", "")


def test_an_empty_variable_is_as_none_save_for_the_plane(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose files write every variable they pass on; a rehearsal must not go out because its variable held nothing."""
    monkeypatch.setenv("TOCSIN_TIMEZONE", "")
    monkeypatch.setenv("TOCSIN_POLICY", "")
    monkeypatch.delenv("TOCSIN_PLANE", raising=False)
    assert ("UTC", None, "live") == (Settings().timezone, Settings().policy, Settings().plane)
    monkeypatch.setenv("TOCSIN_PLANE", "")
    with pytest.raises(Refused, match="TOCSIN_PLANE is set and empty: give live or drill"):
        Settings()
    assert "drill" == Settings(plane="drill").plane


def test_a_part_of_the_tree_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What changes in the environment later changes nothing of a process that runs."""
    monkeypatch.setenv("TOCSIN_TWILIO_ACCOUNT_SID", "AC1")
    tree = Settings()
    assert "AC1" == tree.part(TwilioSettings).account_sid
    monkeypatch.setenv("TOCSIN_TWILIO_ACCOUNT_SID", "AC2")
    assert "AC1" == tree.part(TwilioSettings).account_sid
    assert "AC2" == Settings().part(TwilioSettings).account_sid
