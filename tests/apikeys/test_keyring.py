from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings as configured
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from pytest_django import Settings

from apikeys import key_file, keyring, vault
from apikeys.key_file import NotInFileError
from apikeys.models import ProviderKey
from apikeys.signals import key_changed
from snapshots import snapshot
from snapshots.models import Revision
from tests import canary

pytestmark = pytest.mark.django_db(transaction=True)

VARIABLE = "KEYRING_TEST_KEY"
OTHER_SECRET = "another-secret-key-of-some-length-0123456789"


@pytest.fixture(autouse=True)
def file(tmp_path: Path, settings: Settings) -> Path:
    """The configuration file, which declares the services a and b without a key."""
    settings.CONFIG_FILE = tmp_path / "oxide.yaml"
    settings.CONFIG_FILE.write_text("services:\n  a: {type: cli, command: [a]}\n  b: {type: cli, command: [b]}\n")
    return tmp_path / "oxide.yaml"


@pytest.fixture
def told() -> Iterator[list[str]]:
    """The services whose key was told to be another one."""
    services: list[str] = []

    def note(service: str, **_signal: object) -> None:
        services.append(service)

    key_changed.connect(note)
    yield services
    key_changed.disconnect(note)


@pytest.fixture
def in_database(settings: Settings) -> None:
    settings.KEY_STORE = "database"


# Where a key is found


def test_without_a_key_anywhere_there_is_none() -> None:
    assert keyring.find("a", VARIABLE) == keyring.Found("", None)
    assert keyring.secret_for("a") == ""


def test_environment_then_database_then_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key_file.write(file, "a", "key-of-the-file")
    assert keyring.find("a", VARIABLE) == keyring.Found("key-of-the-file", "file")
    ProviderKey.store("a", "key-of-the-database")
    assert keyring.find("a", VARIABLE) == keyring.Found("key-of-the-database", "database")
    monkeypatch.setenv(VARIABLE, " key-of-the-environment\n")
    assert keyring.find("a", VARIABLE) == keyring.Found("key-of-the-environment", "environment")
    assert keyring.find("a").source == "database"


def test_an_empty_variable_is_none(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key_file.write(file, "a", "key-of-the-file")
    monkeypatch.setenv(VARIABLE, " ")
    assert keyring.find("a", VARIABLE).source == "file"


def test_a_file_that_cannot_be_read_holds_no_keys_and_is_told_without_its_text(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_text("services:\n  a: {type: cli, api_key: sk-canary\n")
    assert keyring.secret_for("a") == ""
    assert "not valid YAML" in caplog.text
    assert "sk-canary" not in caplog.text


def test_a_key_is_in_no_representation(file: Path) -> None:
    key_file.write(file, "a", canary.provider_key("keyring"))
    assert "canary" not in repr(keyring.find("a"))
    ProviderKey.store("b", canary.provider_key("keyring"))
    shown = repr(keyring.stored_keys.get()) + repr(ProviderKey.objects.get()) + str(ProviderKey.objects.get())
    assert "canary" not in shown


@pytest.mark.parametrize(
    ("secret", "shown"),
    [("sk-or-v1-abcxyz", "sk-o...xyz"), ("twelve-chars", "twel...ars"), ("elevenchars", "..."), ("x", "..."), ("", "")],
)
def test_the_preview_shows_no_short_key(secret: str, shown: str) -> None:
    assert keyring.preview(secret) == shown


# Storing


def test_a_key_goes_into_the_file_and_is_used_at_once(file: Path) -> None:
    assert keyring.secret_for("a") == ""
    assert keyring.store("a", "a-new-key-of-a") == "file"
    assert key_file.read(file) == {"a": "a-new-key-of-a"}
    assert keyring.find("a") == keyring.Found("a-new-key-of-a", "file")


def test_a_key_in_the_file_takes_the_place_of_a_stored_one() -> None:
    ProviderKey.store("a", "an-old-key-of-a")
    keyring.store("a", "a-new-key-of-a")
    assert keyring.find("a") == keyring.Found("a-new-key-of-a", "file")
    assert not ProviderKey.objects.exists()


def test_what_the_file_does_not_take_leaves_the_stored_key() -> None:
    ProviderKey.store("elsewhere", "an-old-key")
    with pytest.raises(NotInFileError):
        keyring.store("elsewhere", "a-new-key")
    assert keyring.secret_for("elsewhere") == "an-old-key"


@pytest.mark.usefixtures("in_database")
def test_a_key_goes_into_the_database_encrypted_and_nowhere_else(file: Path) -> None:
    before = file.read_bytes()
    assert keyring.store("a", canary.provider_key("keyring")) == "database"
    assert keyring.find("a") == keyring.Found(canary.provider_key("keyring"), "database")
    assert file.read_bytes() == before
    with connection.cursor() as cursor:
        cursor.execute("SELECT ciphertext FROM apikeys_providerkey")
        ((ciphertext,),) = cursor.fetchall()
    assert "canary" not in ciphertext
    if connection.vendor == "sqlite":
        names = (str(connection.settings_dict["NAME"]), f"{connection.settings_dict['NAME']}-wal")
        assert all(b"canary" not in Path(name).read_bytes() for name in names if Path(name).exists())


@pytest.mark.usefixtures("in_database")
def test_another_key_takes_the_place_of_the_first() -> None:
    keyring.store("a", "the-first-key")
    keyring.store("a", "the-second-key")
    assert keyring.secret_for("a") == "the-second-key"
    assert ProviderKey.objects.count() == 1


def test_a_stored_key_that_is_deleted_is_used_no_longer() -> None:
    ProviderKey.store("a", "a-key-of-a")
    assert keyring.secret_for("a")
    ProviderKey.objects.all().delete()
    assert keyring.secret_for("a") == ""


def test_who_uses_a_key_is_told_when_it_is_another_one(told: list[str]) -> None:
    assert keyring.secret_for("a") == ""
    keyring.store("a", "the-first-key-of-a")
    keyring.store("a", "the-first-key-of-a")
    assert told == ["a"]
    ProviderKey.store("b", "the-first-key-of-b")
    assert told == ["a", "b"]


@pytest.mark.parametrize("store", ["file", "database"])
def test_other_processes_see_that_there_is_something_to_read(store: str, settings: Settings) -> None:
    settings.KEY_STORE = store
    name = {"file": "file_keys", "database": "provider_keys"}[store]
    before = Revision.numbers().get(name, 0)
    keyring.store("a", "a-new-key-of-a")
    assert Revision.numbers()[name] > before


def test_a_key_changed_by_another_process_is_followed(file: Path) -> None:
    assert keyring.secret_for("a") == keyring.secret_for("b") == ""
    # What another process does: its snapshots are not those of this one.
    key_file.write(file, "a", "key-of-the-file")
    Revision.bump("file_keys")
    ProviderKey.objects.bulk_create([ProviderKey(service="b", ciphertext=vault.encrypt("key-of-the-database"))])
    Revision.bump("provider_keys")
    snapshot.follow_all()
    assert keyring.secret_for("a") == "key-of-the-file"
    assert keyring.secret_for("b") == "key-of-the-database"


def test_reading_the_file_again_tells_whose_key_is_another_one(file: Path) -> None:
    key_file.write(file, "a", "the-first-key-of-a")
    assert keyring.secret_for("a") == "the-first-key-of-a"
    key_file.write(file, "a", "the-second-key-of-a")
    key_file.write(file, "b", "the-first-key-of-b")
    assert keyring.secret_for("a") == "the-first-key-of-a"
    with transaction.atomic():
        assert keyring.reread_file() == ("a", "b")
    assert keyring.secret_for("a") == "the-second-key-of-a"
    with transaction.atomic():
        assert keyring.reread_file() == ()


# Another secret key


def test_a_key_encrypted_with_another_secret_is_told_and_left_out(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    ProviderKey.store("a", canary.provider_key("keyring"))
    settings.SECRET_KEY = OTHER_SECRET
    ProviderKey.store("b", "a-key-of-b")
    snapshot.forget_all()
    with caplog.at_level(logging.DEBUG):
        assert keyring.secret_for("a") == ""
    assert keyring.secret_for("b") == "a-key-of-b"
    assert "The stored key of a was encrypted with another OXIDE_SECRET_KEY" in caplog.text
    assert "OXIDE_SECRET_KEY_FALLBACKS" in keyring.stored_keys.get().unreadable["a"]
    assert "canary" not in caplog.text


def test_the_secret_of_before_still_opens_what_it_encrypted(settings: Settings) -> None:
    ProviderKey.store("a", "a-key-of-a")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = OTHER_SECRET
    snapshot.forget_all()
    assert keyring.secret_for("a") == "a-key-of-a"


def test_renewed_keys_need_the_secret_of_before_no_longer(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    ProviderKey.store("a", "a-key-of-a")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = OTHER_SECRET
    call_command("renew_keys")
    assert "1 key" in capsys.readouterr().out
    settings.SECRET_KEY_FALLBACKS = []
    snapshot.forget_all()
    assert keyring.secret_for("a") == "a-key-of-a"


def test_renewing_what_cannot_be_read_names_it_and_goes_on(settings: Settings) -> None:
    ProviderKey.store("a", "a-key-of-a")
    first = configured.SECRET_KEY
    settings.SECRET_KEY = OTHER_SECRET
    ProviderKey.store("b", "a-key-of-b")
    with pytest.raises(CommandError, match=r"a was encrypted with another OXIDE_SECRET_KEY"):
        call_command("renew_keys")
    settings.SECRET_KEY = first
    snapshot.forget_all()
    assert keyring.secret_for("a") == "a-key-of-a"


def test_the_same_key_is_never_encrypted_to_the_same_text() -> None:
    assert vault.encrypt("a-key") != vault.encrypt("a-key")


@pytest.mark.parametrize(("kept", "added"), [(-4, "AAAA"), (0, ""), (0, "x"), (20, "")])
def test_what_was_tampered_with_is_refused(kept: int, added: str) -> None:
    with pytest.raises(vault.VaultError, match="enter the key again"):
        vault.decrypt(vault.encrypt("a-key")[:kept] + added)


# What is known


def test_the_keys_of_every_place_are_known_once_they_were_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "sk-of-the-environment")
    key_file.write(file, "a", "sk-of-the-file")
    ProviderKey.store("b", "sk-of-the-database")
    assert keyring.known() == frozenset()
    keyring.find("a")
    assert keyring.known([VARIABLE, "", "UNSET"]) == {"sk-of-the-environment", "sk-of-the-file", "sk-of-the-database"}


def test_of_the_keys_that_were_used_the_last_ones_are_known() -> None:
    for number in range(keyring.MOST_REMEMBERED):
        keyring.remember(f"sk-used-{number}")
    keyring.remember("sk-used-0")
    keyring.remember("sk-used-more")
    known = keyring.known()
    assert len(known) == keyring.MOST_REMEMBERED
    assert {"sk-used-0", "sk-used-more"} <= known
    assert "sk-used-1" not in known


def test_what_is_too_short_for_a_key_is_not_looked_for() -> None:
    keyring.remember("model")
    keyring.remember("")
    assert keyring.known() == frozenset()
