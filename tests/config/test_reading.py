from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from config.problems import ConfigInvalidError
from config.reading import MAX_BYTES, read
from config.schema import Declaration
from tests import canary

ECHO = "services:\n  echo:\n    type: builtin\n"


def refusal(path: Path) -> str:
    with pytest.raises(ConfigInvalidError) as caught:
        read(path)
    return str(caught.value)


def test_a_small_file_is_read(declare: Callable[[str], Declaration]) -> None:
    declaration = declare(ECHO)
    assert list(declaration.services) == ["echo"]
    assert "default" not in declaration.routing.model_fields_set


def test_all_problems_are_told_at_once_each_with_line_and_field(refuse: Callable[[str], list[str]]) -> None:
    correct = "declare it or correct the spelling"
    assert refuse(
        "services:\n"
        "  ollama_local:\n"
        "    type: http\n"
        "    api: ollama\n"
        "    base_url: http://localhost:11434\n"
        "    timeout_seconds: -3\n"
        "    enabled: 'yes'\n"
        "  lmstudio:\n"
        "    type: http\n"
        "    api: openai\n"
        "routing:\n"
        "  rules:\n"
        "    - id: rule-1\n"
        "      task_type: chat\n"
        "      service: lmstudoi\n"
    ) == [
        "oxide.yaml, line 6, services.ollama_local.timeout_seconds: must be at least 0.1 (got -3)",
        "oxide.yaml, line 7, services.ollama_local.enabled: must be true or false (got 'yes')",
        "oxide.yaml, line 8, services.lmstudio.base_url: is missing: a service of type http needs it",
        f"oxide.yaml, line 15, routing.rules[0].service: there is no service 'lmstudoi' in this file: {correct}",
    ]


def test_the_problems_are_there_for_programs_too(write: Callable[[str], Path]) -> None:
    path = write("services:\n  echo:\n    type: builtin\n    enabled: 12\n")
    with pytest.raises(ConfigInvalidError) as caught:
        read(path)
    (problem,) = caught.value.problems
    assert (caught.value.path, problem.line, problem.field) == (path, 4, "services.echo.enabled")


def test_a_file_outside_the_current_folder_is_named_in_full(tmp_path: Path) -> None:
    path = tmp_path / "elsewhere.yaml"
    path.write_text("[]")
    assert refusal(path).startswith(f"{path}, line 1: must hold fields")


def test_a_missing_file(tmp_path: Path) -> None:
    assert "does not exist: create it" in refusal(tmp_path / "nothing.yaml")


def test_a_folder(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    assert "is not a regular file" in refusal(tmp_path / "pipe.yaml")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_read_permission(write: Callable[[str], Path]) -> None:
    path = write(ECHO)
    path.chmod(0)
    assert "cannot be read (Permission denied)" in refusal(path)


def test_a_file_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"services:\n  # caf\xe9\n")
    assert "line 2: is not UTF-8" in refusal(path)


def test_a_byte_order_mark_does_no_harm(declare: Callable[[str], Declaration]) -> None:
    assert "echo" in declare("\ufeff" + ECHO).services


def test_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "windows.yaml"
    path.write_bytes((ECHO + "    enabled: 3\n").replace("\n", "\r\n").encode())
    assert "line 4, services.echo.enabled" in refusal(path)


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "null\n"])
def test_an_empty_file(refuse: Callable[[str], list[str]], text: str) -> None:
    (problem,) = refuse(text)
    assert "is empty" in problem


@pytest.mark.parametrize("text", ["- services\n", "services\n", "12\n"])
def test_a_file_that_is_no_mapping(refuse: Callable[[str], list[str]], text: str) -> None:
    (problem,) = refuse(text)
    assert "line 1: must hold fields with values at its top" in problem


def test_a_file_that_is_far_too_large(refuse: Callable[[str], list[str]]) -> None:
    (problem,) = refuse(ECHO + "#" * MAX_BYTES)
    assert "is larger than 256 kB" in problem


def test_a_syntax_error_is_told_with_its_line(refuse: Callable[[str], list[str]]) -> None:
    (problem,) = refuse("services:\n  echo: {type: builtin\nrouting: {}\n")
    assert problem.startswith("oxide.yaml, line 3: is not valid YAML (")


def test_a_tab_is_told_with_its_line(refuse: Callable[[str], list[str]]) -> None:
    (problem,) = refuse("services:\n\techo: {}\n")
    assert problem.startswith("oxide.yaml, line 2: is not valid YAML (")


def test_a_character_that_yaml_forbids_is_told_with_its_line(refuse: Callable[[str], list[str]]) -> None:
    (problem,) = refuse("services:\n  echo:\n    model: \x01\n")
    assert problem.startswith("oxide.yaml, line 3: holds a character")


def test_a_second_document_in_the_file(refuse: Callable[[str], list[str]]) -> None:
    (problem,) = refuse(ECHO + "---\n" + ECHO)
    assert "is not valid YAML" in problem


def test_a_field_that_stands_twice(refuse: Callable[[str], list[str]]) -> None:
    assert refuse(ECHO + "    enabled: true\n    model: a\n    enabled: false\n") == [
        "oxide.yaml, line 6, services.echo.enabled: stands on line 4 already: remove one of the two"
    ]


def test_a_service_that_stands_twice_does_not_hide_other_problems(refuse: Callable[[str], list[str]]) -> None:
    assert refuse(ECHO + "    enabled: 1\n  echo:\n    type: builtin\n") == [
        "oxide.yaml, line 4, services.echo.enabled: must be true or false (got 1)",
        "oxide.yaml, line 5, services.echo: stands on line 2 already: remove one of the two",
    ]


@pytest.mark.parametrize("key", ["12", "true", "on", "~", "1.5", "[a]", "{a: b}", "2024-01-01"])
def test_a_field_name_that_is_not_text(refuse: Callable[[str], list[str]], key: str) -> None:
    problems = refuse(f"services:\n  echo:\n    type: builtin\n    ? {key}\n    : 1\n")
    assert problems == ["oxide.yaml, line 4, services.echo: the name of a field must be text: put it in quotes"]


def test_a_merge_key(refuse: Callable[[str], list[str]]) -> None:
    problems = refuse(ECHO + "  other:\n    <<: {type: builtin}\n    type: builtin\n")
    assert problems == ["oxide.yaml, line 5, services.other: merge keys (<<) are not supported: write the fields out"]


def test_an_alias_stands_for_what_it_names(declare: Callable[[str], Declaration]) -> None:
    declaration = declare("services:\n  a: &echo {type: builtin, timeout_seconds: 7}\n  b: *echo\n")
    assert declaration.services["b"].timeout_seconds == 7


def test_nested_aliases_cannot_fill_the_memory(refuse: Callable[[str], list[str]]) -> None:
    laughs = "".join(f"  - &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    (problem,) = refuse(f"lol:\n  - &a0 [lol]\n{laughs}")
    assert "holds more than 20000 values" in problem


def test_an_alias_to_what_it_stands_in(refuse: Callable[[str], list[str]]) -> None:
    (problem,) = refuse("services: &all\n  echo: *all\n")
    assert "is nested too deeply" in problem


@pytest.mark.parametrize("text", ["[" * 50_000, "- " * 50_000, "{a: " * 20_000])
def test_endless_nesting(refuse: Callable[[str], list[str]], text: str) -> None:
    (problem,) = refuse(text)
    assert "is nested too deeply" in problem


@pytest.mark.parametrize(
    "value",
    ["!!python/object/apply:os.system ['touch oxide-was-here']", "!!python/name:os.system x", "!secret x", "!!set {a}"],
)
def test_a_tag_is_not_obeyed(refuse: Callable[[str], list[str]], value: str, tmp_path: Path) -> None:
    problems = refuse(ECHO + f"    model: {value}\n")
    assert len(problems) == 1
    assert "line 4" in problems[0]
    assert [path.name for path in tmp_path.iterdir()] == ["oxide.yaml"]


@pytest.mark.parametrize("value", ["!!int twelve", "!!int ''", "!!bool maybe", "!!float x", "9" * 5000])
def test_a_value_that_is_not_what_it_claims_to_be(refuse: Callable[[str], list[str]], value: str) -> None:
    problems = refuse(ECHO + f"    max_concurrency: {value}\n")
    assert len(problems) == 1
    assert "line 4, services.echo.max_concurrency: cannot be read as" in problems[0]


@pytest.mark.parametrize("value", [".inf", "-.inf", ".nan"])
def test_a_number_without_end(refuse: Callable[[str], list[str]], value: str) -> None:
    assert refuse(ECHO + f"    timeout_seconds: {value}\n") == [
        "oxide.yaml, line 4, services.echo.timeout_seconds: must be a finite number"
    ]


@pytest.mark.parametrize("value", ['"a\\0b"', '"\\ud800"', '"\\e"'])
def test_text_that_no_database_takes(refuse: Callable[[str], list[str]], value: str) -> None:
    assert refuse(ECHO + f"    model: {value}\n") == [
        "oxide.yaml, line 4, services.echo.model: holds a control character: remove it"
    ]


def test_a_model_may_be_named_like_a_date(declare: Callable[[str], Declaration]) -> None:
    assert declare(ECHO + "    model: 2024-08-06\n").services["echo"].model == "2024-08-06"


KEY = canary.provider_key("read")


@pytest.mark.parametrize(
    "line",
    [
        f"api_key: [{KEY}]",
        f"api_key_env: {KEY}",
        f"api_kye: {KEY}",
        f"api_key: {KEY}\n    timeout_seconds: 0",
        f"options: {{access_token: {KEY}}}",
        f"options: 'token={KEY}'",
        f"base_url: https://{KEY}@example.org",
        f"base_url: https://example.org/?key={KEY}",
        f"base_url: {KEY}",
        f"command: llm --key {KEY}",
        f"models: {KEY}",
        f"enabled: {{api_key: {KEY}}}",
        f"api_key: *{KEY}",
        f"api_key: '{KEY}",
        f"api_key: {KEY}\n    api_key: {KEY}",
    ],
)
def test_no_message_shows_a_key(refuse: Callable[[str], list[str]], line: str) -> None:
    text = f"services:\n  openrouter:\n    type: http\n    api: openai\n    {line}\n"
    problems = refuse(text)
    assert problems
    assert KEY not in "\n".join(problems)


def test_a_number_in_the_place_of_a_key_is_not_shown_either(refuse: Callable[[str], list[str]]) -> None:
    text = "services:\n  a: {type: http, api: openai, base_url: http://a.example, api_key: 31415926}\n"
    (problem,) = refuse(text)
    assert "services.a.api_key: must be text" in problem
    assert "31415926" not in problem


def test_a_key_in_the_file_is_not_in_the_text_of_the_declaration(declare: Callable[[str], Declaration]) -> None:
    text = f"services:\n  a: {{type: http, api: openai, base_url: http://a.example, api_key: {KEY}}}\n"
    declaration = declare(text)
    api_key = declaration.services["a"].api_key
    assert api_key is not None
    assert api_key.get_secret_value() == KEY
    assert KEY not in repr(declaration)
    assert KEY not in declaration.model_dump_json()
