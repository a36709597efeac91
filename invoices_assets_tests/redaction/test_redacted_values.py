"""Values at any depth and exceptions with all that hangs on them lose the secrets."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from invoices_assets.errors import ApiStatusError, RedactedError
from invoices_assets.redaction.redactor import MARK, Redactor
from invoices_assets_tests.support.leaking import KEY, failing_request


class Point(NamedTuple):
    name: str
    size: int


@dataclass(frozen=True)
class Box:
    label: str
    points: list[Point]


def test_values_are_redacted_at_any_depth_keys_included() -> None:
    value = {
        KEY: [1, (KEY, {KEY}), Point(KEY, 2)],
        "box": Box("a", [Point(f"<{KEY}>", 3)]),
        "raw": KEY.encode(),
    }

    assert Redactor([KEY]).value(value) == {
        MARK: [1, (MARK, {MARK}), Point(MARK, 2)],
        "box": Box("a", [Point(f"<{MARK}>", 3)]),
        "raw": MARK.encode(),
    }


def test_a_value_that_contains_itself_is_survived() -> None:
    value: list[Any] = ["a"]
    value.append(value)

    Redactor([KEY]).value(value)


def test_an_exception_and_its_causes_become_one_line() -> None:
    with pytest.raises(ValueError, match="cannot") as caught:
        failing_request()

    assert Redactor([KEY]).exception(caught.value) == (
        "ValueError: cannot read ***; caused by ConnectionError: [Errno 113] no route for /v1?k=***; "
        "caused by OSError: [Errno 113] no route for /v1?k=***"
    )


def test_an_error_of_this_package_is_its_sentence() -> None:
    assert Redactor([KEY]).exception(ApiStatusError(400, f"bad {KEY}")) == "bad ***"


def test_guard_lets_no_exception_out_that_holds_a_secret() -> None:
    with (
        pytest.raises(RedactedError, match=r"^ValueError: cannot read \*\*\*; caused by") as caught,
        Redactor([KEY]).guard(),
    ):
        failing_request()

    context = caught.value.__context__
    assert caught.value.__cause__ is None
    assert "s3cr" not in f"{context!r} {context} {vars(context)}"
    assert context is not None
    assert (context.__traceback__, context.__cause__, context.__context__) == (None, None, None)
    assert [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)][-1] == "guard"


def test_guard_finds_a_secret_in_arguments_and_attributes() -> None:
    class Strange(Exception):
        url = ""

        def __str__(self) -> str:
            return "strange"

    redactor = Redactor([KEY])
    error = Strange()
    error.url = f"/?k={quote(KEY)}"
    for raised in (Strange({"key": KEY}), error):
        with pytest.raises(RedactedError), redactor.guard():
            raise raised


def test_guard_leaves_other_exceptions_as_they_are() -> None:
    error = KeyError("id")

    with pytest.raises(KeyError) as caught, Redactor([KEY]).guard():
        raise error

    assert caught.value is error


def test_bytes_of_a_value_lose_a_short_key_like_its_texts_and_are_no_answer_of_the_api() -> None:
    redactor = Redactor(["k3y7#"])
    value = redactor.value({"sent": b"key=k3y7#", "text": "key=k3y7#"})
    assert value == {"sent": f"key={MARK}".encode(), "text": f"key={MARK}"}
    assert redactor.remarks() == []
