"""What it means when no complete answer came: worth asking again or not, and the sentence that says so."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from http.client import HTTPException, IncompleteRead, RemoteDisconnected

import urllib3.exceptions as urllib3_errors

from invoices_assets.errors import ApiStatusError, ApiUnreachable, ExtractError, RequestFailed
from invoices_assets.extract.http.limits import AnswerLimits, AnswerTooLarge, AnswerTooSlow
from invoices_assets.extract.http.origins import address_of, origin_of
from invoices_assets.extract.http.retry import AttemptResult

EXPECTED = (urllib3_errors.HTTPError, HTTPException, OSError, UnicodeError, AnswerTooSlow, AnswerTooLarge)
"""What an exchange may raise when the network, the server or the request is to blame."""


def exhausted(outcome: AttemptResult, line: str, origin: str, attempts: int) -> ExtractError:
    """The error after the last attempt.

    Parameters:
        line: what was asked, for example `GET http://host/v1/invoices`.
        origin: scheme, host and port.
    """
    times = f"after {attempts} attempt{'s' if attempts > 1 else ''}"
    if outcome.doubt is not None:
        return type(outcome.doubt)(f"{line} failed {times}: {outcome.reason}")
    if outcome.status is not None:
        return ApiStatusError(outcome.status, f"{line} failed {times}: {outcome.reason}")
    if outcome.unreachable:
        return ApiUnreachable(f"cannot reach {origin} {times}: {outcome.reason}")
    return ApiUnreachable(f"{line} failed {times}: {outcome.reason}")


_REASONS: tuple[tuple[tuple[type[BaseException], ...], str, bool], ...] = (
    ((AnswerTooSlow,), "no complete answer within {limits.seconds:,g} s, the limit (`answer_seconds`)", False),
    ((IncompleteRead, urllib3_errors.InvalidChunkLength), "the answer was cut short", False),
    ((urllib3_errors.DecodeError,), "the compressed answer is broken or cut short", False),
    ((urllib3_errors.ProxyError,), "the proxy made no connection", True),
    ((socket.gaierror,), "the name of the host is not known", True),
    ((urllib3_errors.NewConnectionError,), "", True),
    ((urllib3_errors.ConnectTimeoutError,), "no connection within {limits.connect:g} s", True),
    ((urllib3_errors.ReadTimeoutError, TimeoutError), "no answer within {limits.read:g} s", False),
    ((RemoteDisconnected,), "the connection was closed without an answer", False),
)
"""What is worth asking again, why, and whether not even a connection was made; the first that fits counts.
Without a reason of ours it is what the system says."""


def outcome_of(error: Exception, url: str, limits: AnswerLimits) -> AttemptResult:
    """What an exception of urllib3 or Python means for the exchange.

    Its own text is not used, for it may hold the URL with its query, or the header with the key.

    Parameters:
        url: without secrets.
        limits: that the answer was held to.
    """
    chain = list(_chain(error))

    def among(*kinds: type[BaseException]) -> BaseException | None:
        return next((cause for cause in chain if isinstance(cause, kinds)), None)

    if among(AnswerTooLarge):
        most = f"{limits.megabytes:,g} MB, the limit (`answer_megabytes`)"
        return AttemptResult(error=RequestFailed(f"the answer of {address_of(url)} is larger than {most}"))
    if among(urllib3_errors.LocationValueError, UnicodeError):
        return AttemptResult(error=RequestFailed(f"the address `{address_of(url)}` is not a valid URL"))
    if (tls := among(ssl.SSLError)) and not among(ssl.SSLEOFError, ssl.SSLZeroReturnError):
        return AttemptResult(error=ApiUnreachable(f"no secure connection to {origin_of(url)}: {_tls_reason(tls)}"))
    found = ((reason, unreachable) for kinds, reason, unreachable in _REASONS if among(*kinds))
    reason, unreachable = next(found, ("", False))
    said = reason.format(limits=limits) or _said_by_system(chain) or "the connection failed"
    return AttemptResult(reason=said, unreachable=unreachable)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and all that it was made from; urllib3 wraps the cause into arguments."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        cause = waiting.pop(0)
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            waiting += [*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__]


def _tls_reason(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate cannot be verified ({error.verify_message})"
    if getattr(error, "reason", None) == "WRONG_VERSION_NUMBER":
        return "it does not speak TLS; should the address begin with http://?"
    return str(getattr(error, "reason", None) or "TLS failed").lower().replace("_", " ")


def _said_by_system(chain: list[BaseException]) -> str:
    """For example `connection refused`."""
    said = (cause.strerror for cause in chain if isinstance(cause, OSError))
    return next((text.lower() for text in said if isinstance(text, str)), "")
