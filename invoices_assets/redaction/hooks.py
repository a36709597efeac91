"""The ways by which text leaves this process, watched as long as a run with secrets is under way.

Each hook asks the redactors of all runs under way, and passes everything through when there are none; so
it does no harm where other code has kept a reference to it or has put its own hook on top.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol


class Cleans(Protocol):
    """What a redactor offers to the hooks."""

    def text(self, text: str) -> str: ...
    def value(self, value: Any) -> Any: ...


class LoggedException(Exception):
    """Stands in a log record for an exception: its text is the redacted traceback, and it has no frames."""


_lock = threading.RLock()
_watchers: Counter[Cleans] = Counter()
_active: tuple[Cleans, ...] = ()


@contextmanager
def watched(cleaner: Cleans) -> Iterator[None]:
    """Applies a redactor to every exit until the end; may be nested and concurrent."""
    with _lock:
        _count(cleaner, 1)
        for hook in _hooks:
            hook.put()
    try:
        yield
    finally:
        with _lock:
            _count(cleaner, -1)
            for hook in () if _active else reversed(_hooks):
                hook.remove()


def _count(cleaner: Cleans, change: int) -> None:
    global _active
    _watchers[cleaner] += change
    _active = tuple(+_watchers)
    if not _watchers[cleaner]:
        del _watchers[cleaner]


def traceback_text(error: BaseException) -> str:
    return "".join(traceback.format_exception(type(error), error, error.__traceback__)).rstrip("\n")


def _clean(text: str) -> str:
    for cleaner in _active:
        text = cleaner.text(text)
    return text


def _clean_value(value: Any) -> Any:
    for cleaner in _active:
        value = cleaner.value(value)
    return value


class _Hook:
    """An attribute of the process that all text of one kind goes through, and this module's replacement for it."""

    def __init__(self, owner: Any, name: str, wrap: Callable[[Any], Any]) -> None:
        self._owner, self._name, self._wrap = owner, name, wrap
        self._original: Any = None
        self._ours: Any = None

    def put(self) -> None:
        current = getattr(self._owner, self._name)
        if current is not None and (self._ours is None or current is not self._ours):
            self._original, self._ours = current, self._wrap(current)
            setattr(self._owner, self._name, self._ours)

    def remove(self) -> None:
        if self._ours is not None and getattr(self._owner, self._name) is self._ours:
            setattr(self._owner, self._name, self._original)
        self._original = self._ours = None


class _CleanStream:
    """A stream that writes texts and bytes without secrets; a secret split over two writes is not seen."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: Any) -> Any:
        if isinstance(text, str):
            self._stream.write(_clean(text))
            return len(text)
        data = bytes(text)
        cleaned = _clean_value(data)
        # a raw stream returns how much of it was taken
        return self._stream.write(text) if cleaned is data else (self._stream.write(cleaned), len(data))[1]

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    @property
    def buffer(self) -> Any:
        return _CleanStream(self._stream.buffer)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


_STANDARD_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def _clean_record(record: logging.LogRecord) -> None:
    if not _active:
        return
    try:
        message = record.getMessage()
        cleaned = _clean(message)
    except Exception:
        # Python would print a message that does not fit its arguments to stderr, with the arguments.
        message, cleaned = "", _clean(f"{record.msg} {record.args!r}")
    if cleaned != message:
        record.msg, record.args = cleaned, ()
    elif isinstance(record.args, dict):
        record.args = _clean_value(record.args)
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        text = str(error) if isinstance(error, LoggedException) else traceback_text(error)
        record.exc_text = _clean(text)
        # Some handlers print the frames' local variables; so the frames go no further than here.
        record.exc_info = (LoggedException, LoggedException(record.exc_text), None)
    elif record.exc_text:
        record.exc_text = _clean(record.exc_text)
    if record.stack_info:
        record.stack_info = _clean(record.stack_info)
    for name, value in list(vars(record).items()):
        if name not in _STANDARD_ATTRIBUTES:
            record.__dict__[name] = _clean_value(value)


def _logger_handle(original: Callable[..., None]) -> Callable[..., None]:
    """Sees every record of every logger, before its handlers and filters, with the extras."""

    def handle(self: logging.Logger, record: logging.LogRecord) -> None:
        _clean_record(record)
        original(self, record)

    return handle


def _show_warning(original: Callable[..., None]) -> Callable[..., None]:
    def show(message: Warning | str, category: type[Warning], *args: Any, **kwargs: Any) -> None:
        text = str(message)
        cleaned = _clean(text)
        original(message if cleaned == text else cleaned, category, *args, **kwargs)

    return show


def _except_hook(original: Callable[..., None]) -> Callable[..., None]:
    """Prints a traceback that holds a secret without it."""

    def hook(*given: Any) -> None:
        # `sys.excepthook` is given three values, the other two one object that has them
        kind, error, trace = given if len(given) == 3 else given[0][:3]
        text = "".join(traceback.format_exception(kind, error, trace))
        cleaned = _clean(text)
        if cleaned == text:
            original(*given)
        elif sys.stderr is not None:
            sys.stderr.write(cleaned)

    return hook


_hooks = (
    _Hook(logging.Logger, "handle", _logger_handle),
    _Hook(warnings, "showwarning", _show_warning),
    _Hook(sys, "excepthook", _except_hook),
    _Hook(sys, "unraisablehook", _except_hook),
    _Hook(threading, "excepthook", _except_hook),
    _Hook(sys, "stdout", _CleanStream),
    _Hook(sys, "stderr", _CleanStream),
)
