"""What can go wrong while an API is read. Each message is one sentence for a person, without a secret.

ExtractError
  SourceError            the YAML cannot be used as it is
  RequestFailed          no usable answer came back
    ApiUnreachable         refused, timed out or cut off, after all attempts
    ApiStatusError         an HTTP status that is not a success
      KeyRefused             401 or 403: asked once, never repeated
      NotFound               404: past the end for some APIs
    BadAnswer              a success whose body is not what was described
  IncompleteSweep        the answers do not add up to everything the API has
  RedactedError          another library's error, said again without the secret it held
"""

from __future__ import annotations


class ExtractError(Exception):
    """Base of all errors of this package; `str()` is one clear sentence."""


class SourceError(ExtractError):
    """The source YAML is unreadable, or describes something that cannot be loaded safely."""


class RequestFailed(ExtractError):
    """A request brought no usable answer."""


class ApiUnreachable(RequestFailed):
    """Connection refused, timed out or cut off, after all attempts."""


class ApiStatusError(RequestFailed):
    """An HTTP status that is not a success.

    Parameters:
        status: the HTTP status code.
        message: the whole sentence, redacted.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class KeyRefused(ApiStatusError):
    """401 or 403. Never repeated: some APIs ban a client after several wrong keys."""


class NotFound(ApiStatusError):
    """404, which some APIs answer past their last page."""


class BadAnswer(RequestFailed):
    """A success whose body is not JSON, or lacks the selected data."""


class IncompleteSweep(ExtractError):
    """The pages received do not prove to be everything that the API has."""


class RedactedError(ExtractError):
    """The error of another library whose text or arguments held a secret, said again without it."""
