"""Keeps secrets out of everything but the request: they are recognised by value, whatever carries them."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from invoices_assets.errors import ExtractError, RedactedError
from invoices_assets.redaction import hooks
from invoices_assets.redaction.finder import SecretFinder
from invoices_assets.redaction.values import is_ordinary, values_in_data, values_of

MARK = "***"
"""Stands where a secret was."""

_LONGEST_SENTENCE = 1000
T = TypeVar("T")


class Redactor:
    """Replaces secrets in texts, bytes, values and exceptions by `***`.

    A secret is found by what a text means, however it is written: raw, percent-encoded, in base64 (also as part of
    `user:secret`), escaped for JSON, Python or HTML, cut up by HTML tags, in UTF-16, and in mixtures of these. With
    the secret `k3y/8+chars`, each of these becomes `***`:

        k3y/8+chars    k3y%2F8%2Bchars    k3y\\/8\\u002bchars    k3y&#47;8+<b>chars</b>    azN5LzgrY2hhcnM

    Of a header value such as `Token abc`, and of `user:password`, the parts are found by themselves too.

    A secret that could stand in a text by chance is replaced only where it cannot be anything else, for elsewhere it
    would blacken logs and rewrite names. With fewer than 4 characters that is as a whole query value (`?key=abc`);
    words of letters only and short numbers (`data`, `2025`) are replaced there and after a name such as `api_key:`;
    others with fewer than 8 characters, and numbers, where they stand alone. In bodies of answers only secrets of at
    least 8 characters are replaced that are neither a word nor a number of fewer than 12 digits: an invoice must
    never be altered by chance.

    Parameters:
        secrets: keys, passwords, tokens or whole header values; empty ones are ignored.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._secrets: frozenset[str] = frozenset()
        self._in_text = self._in_data = SecretFinder(())
        self._masked_bodies = 0
        self.add(*secrets)

    def __repr__(self) -> str:
        return f"Redactor({len(self._secrets)} secrets)"

    def add(self, *secrets: str) -> None:
        """Also replaces these from now on, for example a token that was only just obtained."""
        with self._lock:
            fresh = {secret for secret in secrets if secret} - self._secrets
            if not fresh:
                return
            self._secrets |= fresh
            self._in_text = SecretFinder({value for secret in self._secrets for value in values_of(secret)})
            # A body holds a secret inside base64 only as the header that was sent, which is a secret of its own.
            in_data = {value for secret in self._secrets for value in values_in_data(secret)}
            self._in_data = SecretFinder(in_data, in_base64=False)

    def text(self, text: str) -> str:
        """The text without secrets; the same object where it holds none."""
        spans = self._in_text.spans(text)
        return _masked(text, spans) if spans else text

    def data(self, data: bytes) -> bytes:
        """The body of an answer without secrets; the same object where it holds none."""
        text = data.decode("latin-1")
        spans = self._in_data.spans(text)
        if not spans:
            return data
        with self._lock:
            self._masked_bodies += 1
        return _masked(text, spans).encode("latin-1")

    def remarks(self) -> list[str]:
        """What whoever reads the rows should know, in sentences; bodies are counted since the last call."""
        with self._lock:
            bodies, self._masked_bodies = self._masked_bodies, 0
        weak = any(is_ordinary(secret) for secret in self._secrets)
        told = []
        if bodies:
            told.append(
                f"the key stood in answers of the API and was replaced by {MARK}, in rows as well (answers: {bodies})"
            )
        if weak:
            told.append("the key is a word or a short number: it is masked only where it stands as a value")
        return told

    def value(self, value: T) -> T:
        """A metadata value without secrets at any depth, keys included; the same object where it holds none.

        Texts, bytes, mappings, sequences, sets, named tuples and dataclasses are searched; others are
        returned as they are.
        """
        cleaned: T = self._value(value, ())
        return cleaned

    def exception(self, error: BaseException) -> str:
        """An exception and its causes as one line without secrets."""
        sentences: list[str] = []
        seen: set[int] = set()
        cause: BaseException | None = error
        while cause is not None and id(cause) not in seen:
            seen.add(id(cause))
            text = " ".join(self.text(_told(cause)).split())
            if not isinstance(cause, ExtractError):
                text = f"{type(cause).__name__}: {text}" if text else type(cause).__name__
            sentences.append(text)
            cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
        line = self.text("; caused by ".join(dict.fromkeys(sentences)))
        return line if len(line) <= _LONGEST_SENTENCE else f"{line[:_LONGEST_SENTENCE]}…"

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Lets no exception out that holds a secret: one that does is replaced by its redacted sentence.

        Raises:
            RedactedError: in place of an exception whose text, arguments or causes hold a secret. It has no
                cause and no traceback below this point, for their frames hold what the exception held; its
                note is the redacted traceback.
        """
        replacement = None
        try:
            yield
        except Exception as error:
            if not self._holds_secret(error):
                raise
            replacement = RedactedError(self.exception(error))
            replacement.add_note(self.text(hooks.traceback_text(error)))
            _empty(error)
        if replacement is not None:
            raise replacement

    @contextmanager
    def installed(self) -> Iterator[Redactor]:
        """Redacts, for the time of a run, what leaves the process by whatever library.

        Log records (message, arguments, traceback, stack, extras) of all loggers, warnings, uncaught
        exceptions and what is written to `sys.stdout` and `sys.stderr`. Runs may be nested or concurrent: as
        long as one is under way, the secrets of all of them are redacted.
        """
        with hooks.watched(self):
            yield self

    def _holds_secret(self, error: BaseException) -> bool:
        seen: set[int] = set()
        waiting: list[BaseException | None] = [error]
        while waiting:
            cause = waiting.pop()
            if cause is None or id(cause) in seen:
                continue
            seen.add(id(cause))
            held = [_told(cause), *(_told(each, repr) for each in (*cause.args, *vars(cause).values()))]
            if any(self.text(text) != text for text in held):
                return True
            waiting += [cause.__cause__, cause.__context__]
        return False

    def _value(self, value: Any, within: tuple[int, ...]) -> Any:
        if isinstance(value, str):
            text = self.text(value)
            return value if text == value else text
        if isinstance(value, bytes):
            text = value.decode("utf-8", "surrogateescape")
            cleaned = self.text(text)
            return value if cleaned == text else cleaned.encode("utf-8", "surrogateescape")
        if id(value) in within:
            return value
        within = (*within, id(value))
        if isinstance(value, Mapping):
            old = [item for pair in value.items() for item in pair]
            new = [self._value(item, within) for item in old]
            unchanged = all(one is other for one, other in zip(old, new, strict=True))
            return value if unchanged else dict(zip(new[::2], new[1::2], strict=True))
        if isinstance(value, (list, tuple, set, frozenset)):
            return self._sequence(value, within)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._dataclass(value, within)
        return value

    def _sequence(self, value: Any, within: tuple[int, ...]) -> Any:
        # Dagster's records are tuples that refuse to be iterated.
        old = list(tuple.__iter__(value) if isinstance(value, tuple) else value)
        items = [self._value(item, within) for item in old]
        if all(one is other for one, other in zip(items, old, strict=True)):
            return value
        if isinstance(value, tuple) and type(value) is not tuple:
            return tuple.__new__(type(value), items)
        return type(value)(items)

    def _dataclass(self, value: Any, within: tuple[int, ...]) -> Any:
        old = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.init}
        new = {name: self._value(item, within) for name, item in old.items()}
        changed = {name: item for name, item in new.items() if item is not old[name]}
        return dataclasses.replace(value, **changed) if changed else value


def _masked(text: str, spans: list[tuple[int, int]]) -> str:
    pieces, at = [], 0
    for start, end in spans:
        # in UTF-16 as many bytes for each character, so that what follows stays readable
        pieces += [text[at:start], "\0".join(MARK) if "\0" in text[start:end] else MARK]
        at = end
    return "".join([*pieces, text[at:]])


def _told(value: Any, by: Callable[[Any], str] = str) -> str:
    try:
        return by(value)
    except Exception:
        return ""


def _empty(error: BaseException | None) -> None:
    """Takes from an exception all that it holds, for it stays the context of the one that replaces it."""
    while error is not None:
        following = error.__cause__ or error.__context__
        error.__cause__ = error.__context__ = error.__traceback__ = None
        vars(error).clear()
        error.args = ()
        for name in ("strerror", "filename", "filename2", "object", "reason", "msg"):
            if isinstance(getattr(error, name, None), (str, bytes)):
                with suppress(AttributeError, TypeError):
                    setattr(error, name, type(getattr(error, name))())
        error = following
