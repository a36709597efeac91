"""What can go wrong below Dagster. Each message is one sentence for the person who reads the run, without a secret.

What the sentence is about is in the message, what to do in general about errors of its class in `what_to_do`.

RefreshError
  ExtractError             reading the API
    SourceError              the YAML, the settings or the run's config cannot be used as they are
    RequestFailed            no usable answer came back
      ApiUnreachable           refused, timed out or cut off, after all attempts
      ApiStatusError           an HTTP status that is not a success
        KeyRefused               401 or 403: asked once, never repeated
        NotFound                 404: past the end for some APIs
      BadAnswer                a success whose body is not what was described
        UnreadableBody           a success whose body is no complete JSON document
    IncompleteSweep          the answers do not add up to everything the API has
    RedactedError            another library's error, said again without the secret it held
  WarehouseError           storing the rows; nothing of them was kept
    WarehouseUnusable        the file cannot be made, opened, read or written
    WarehouseBusy            another run or process held it for longer than the limit
      SweepOutdated            another run has loaded while this one read the API
    NotContinuous            an incremental sweep did not bring the known records again
    TableRefused             a table there cannot take these rows without loss
    DeletionRefused          more rows would vanish than is believable
    NothingStored            no record of a sweep of everything can be stored as declared
    LoadFailed               the load itself failed
"""

from __future__ import annotations

PASSING_STATUSES = frozenset({429, 500, 502, 503, 504})
"""The HTTP statuses that may go away; every other one is final."""

_CHECK = "`python -m invoices_assets.describe check` asks the API and tells what of the source file does not fit it"
_LATER = "Run it again later; the next scheduled run does so by itself."


class RefreshError(Exception):
    """Base of all errors below Dagster; `str()` is one clear sentence."""

    may_be_retried = False
    """Whether the same run may succeed later: not after a refused key, a bad declaration or a contradiction."""

    what_to_do = "Do what the sentence says, and run it again."
    """What helps in general, in sentences for the person who reads the run."""


class ExtractError(RefreshError):
    """The API cannot be read, or not to a proven end."""

    what_to_do = f"See whether source file and API belong together: {_CHECK}."


class SourceError(ExtractError):
    """The source YAML is unreadable, or describes something that cannot be loaded safely."""

    what_to_do = "Correct that place in the source file, the settings or the config of the run, and run it again."


class RequestFailed(ExtractError):
    """A request brought no usable answer."""


class ApiUnreachable(RequestFailed):
    """Connection refused, timed out or cut off, after all attempts."""

    may_be_retried = True
    what_to_do = f"See whether this machine reaches the address. {_LATER}"


class ApiStatusError(RequestFailed):
    """An HTTP status that is not a success.

    Parameters:
        status: the HTTP status code.
        message: the whole sentence, redacted.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.may_be_retried = status in PASSING_STATUSES
        if self.may_be_retried:
            self.what_to_do = _LATER


class KeyRefused(ApiStatusError):
    """401 or 403. Never repeated: some APIs ban a client after several wrong keys.

    Parameters:
        challenge: how the API wants to be asked (`WWW-Authenticate`), such as `Basic realm="api"`.
    """

    what_to_do = (
        "Set a key that is valid and may read this, and only then run it again: some APIs lock out whoever repeats "
        "a wrong one."
    )

    def __init__(self, status: int, message: str, challenge: str = "") -> None:
        super().__init__(status, message)
        self.challenge = challenge


class NotFound(ApiStatusError):
    """404, which some APIs answer past their last page."""

    what_to_do = f"Compare base URL and `path` with the API's documentation; {_CHECK}."


class BadAnswer(RequestFailed):
    """A success whose body is not JSON, or lacks the selected data."""

    what_to_do = f"Compare `data_selector` and paging with an answer of the API; {_CHECK}."


class IncompleteSweep(ExtractError):
    """The pages received do not prove to be everything that the API has."""

    what_to_do = f"Run it again when the API is quieter. If it stays, {_CHECK}."


class RedactedError(ExtractError):
    """The error of another library whose text or arguments held a secret, said again without it."""

    what_to_do = "Nobody foresaw this: report it, with the traceback that the log of the run has at level DEBUG."


class UnreadableBody(BadAnswer):
    """A success that is no complete JSON document; a cut body looks like this, so it is worth asking again."""

    what_to_do = f"{_LATER} If it stays, ask the vendor: such an answer is cut off, or no JSON."


class WarehouseError(RefreshError):
    """The rows cannot be stored; nothing of them was kept."""


class WarehouseUnusable(WarehouseError):
    """The file or its folder cannot be made, opened, read or written, or the disk is full."""

    what_to_do = "Make that place usable (its address, rights, version or room), and run it again."


class WarehouseBusy(WarehouseError):
    """Another run, or another process that holds the file open, did not let go within the limit."""

    may_be_retried = True
    what_to_do = f"Let the other one finish. {_LATER}"


class SweepOutdated(WarehouseBusy):
    """Another run has loaded since the sweep began, so that its rows may be older than those in the warehouse."""

    def __init__(self) -> None:
        super().__init__(
            "another run has loaded into the warehouse since this one began to read the API; "
            "nothing was loaded, run it again"
        )


class NotContinuous(WarehouseError):
    """None of the records that an incremental sweep asked for again came back.

    Parameters:
        known: how many the warehouse has.
    """

    def __init__(self, known: int) -> None:
        super().__init__(
            f"none of the {known} known records that the API was asked for again came back; nothing was loaded, "
            "ask for everything"
        )
        self.known = known


class TableRefused(WarehouseError):
    """A table that is already there cannot take these rows without losing or changing something."""

    what_to_do = "Declare the columns so that the table's rows fit, or move the table away and read everything anew."


class DeletionRefused(WarehouseError):
    """The sweep would mark so many rows as deleted that the API's answer is more likely to be wrong."""

    what_to_do = "See what the API shows to this key; accept the deletions only where the rows are gone indeed."


class NothingStored(WarehouseError):
    """Not one record of a sweep of everything fits its declaration, so that one is wrong."""

    what_to_do = "Correct the columns that the sentence names in the source file, and run it again."


class LoadFailed(WarehouseError):
    """dlt or the database failed in the middle; the transaction was rolled back."""

    what_to_do = "Run it again. If it stays, report it, with the traceback that the log of the run has at level DEBUG."
