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
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol


class Cleans(Protocol):
    """What a redactor offers to the hooks."""

    def text(self, text: str) -> str: ...
    def data(self, data: bytes) -> bytes: ...
    def value(self, value: Any) -> Any: ...


class LoggedException(Exception):
    """Stands in a log record for an exception: its text is the redacted traceback, and it has no frames."""


_lock = threading.RLock()
_watchers: Counter[Cleans] = Counter()
_active: tuple[Cleans, ...] = ()


def watch(cleaner: Cleans) -> None:
    """Applies a redactor to every exit until as many calls of `unwatch`."""
    global _active
    with _lock:
        _watchers[cleaner] += 1
        _active = tuple(_watchers)
        for hook in _hooks:
            hook.put()


def unwatch(cleaner: Cleans) -> None:
    global _active
    with _lock:
        _watchers[cleaner] -= 1
        if not _watchers[cleaner]:
            del _watchers[cleaner]
        _active = tuple(_watchers)
        if not _active:
            for hook in reversed(_hooks):
                hook.remove()


def traceback_text(error: BaseException) -> str:
    return "".join(traceback.format_exception(type(error), error, error.__traceback__)).rstrip("\n")


def _clean(text: str) -> str:
    for cleaner in _active:
        text = cleaner.text(text)
    return text


def _clean_bytes(data: Any) -> Any:
    if not _active:
        return data
    text = bytes(data).decode("utf-8", "surrogateescape")
    cleaned = _clean(text)
    return data if cleaned == text else cleaned.encode("utf-8", "surrogateescape")


def _clean_value(value: Any) -> Any:
    for cleaner in _active:
        value = cleaner.value(value)
    return value


class _Hook:
    """A replaceable attribute of the process, and this module's replacement for it."""

    def __init__(self, read: Callable[[], Any], write: Callable[[Any], Any], wrap: Callable[[Any], Any]) -> None:
        self._read, self._write, self._wrap = read, write, wrap
        self._original: Any = None
        self._ours: Any = None

    def put(self) -> None:
        current = self._read()
        if current is not None and (self._ours is None or current is not self._ours):
            self._original, self._ours = current, self._wrap(current)
            self._write(self._ours)

    def remove(self) -> None:
        if self._ours is not None and self._read() is self._ours:
            self._write(self._original)
        self._original = self._ours = None


def _attribute(owner: Any, name: str, wrap: Callable[[Any], Any]) -> _Hook:
    return _Hook(lambda: getattr(owner, name), lambda value: setattr(owner, name, value), wrap)


class _CleanStream:
    """A stream that writes texts and bytes without secrets; a secret split over two writes is not seen."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: Any) -> Any:
        if isinstance(text, str):
            self._stream.write(_clean(text))
            return len(text)
        cleaned = _clean_bytes(text)
        return self._stream.write(text) if cleaned is text else (self._stream.write(cleaned), len(text))[1]

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


def _print_cleaned(kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
    """Prints a traceback that holds a secret without it; False where it holds none."""
    text = "".join(traceback.format_exception(kind, error, trace))
    cleaned = _clean(text)
    if cleaned != text and sys.stderr is not None:
        sys.stderr.write(cleaned)
    return cleaned != text


def _except_hook(original: Callable[..., None]) -> Callable[..., None]:
    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not _print_cleaned(kind, error, trace):
            original(kind, error, trace)

    return hook


def _hook_with_details(original: Callable[[Any], None]) -> Callable[[Any], None]:
    def hook(details: Any) -> None:
        if not _print_cleaned(details.exc_type, details.exc_value, details.exc_traceback):
            original(details)

    return hook


_hooks = (
    _attribute(logging.Logger, "handle", _logger_handle),
    _attribute(warnings, "showwarning", _show_warning),
    _attribute(sys, "excepthook", _except_hook),
    _attribute(sys, "unraisablehook", _hook_with_details),
    _attribute(threading, "excepthook", _hook_with_details),
    _attribute(sys, "stdout", _CleanStream),
    _attribute(sys, "stderr", _CleanStream),
)
