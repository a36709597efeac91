"""Finds the path of the invoices, and the place in which the API takes the key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from invoices_assets.describe.draft.asking import Answer, Asker, Auth, Listing, TooManyRequests
from invoices_assets.describe.draft.names import PATHS
from invoices_assets.describe.draft.places import places_for
from invoices_assets.describe.draft.records import Listed, listed
from invoices_assets.errors import (
    ApiStatusError,
    ApiUnreachable,
    KeyRefused,
    NotFound,
    RequestFailed,
    SourceError,
    UnreadableBody,
)
from invoices_assets.extract.api import Api
from invoices_assets.extract.http.origins import address_of

MOST_REFUSALS = 6
"""With a key in them: some APIs ban after several."""


@dataclass
class Access:
    """A list with records, and how it was reached.

    Parameters:
        listing: the list, to be asked for with parameters.
        first: the records of the first answer.
        notes: what the answers did not prove of the key, in sentences.
    """

    listing: Listing
    first: Listed
    notes: list[str] = field(default_factory=list)

    @property
    def auth(self) -> Auth:
        """Where the key goes, as in the YAML."""
        return self.listing.asker.auth


def find_access(api: Api, path: str | None, auth: Auth) -> Access:
    """Asks without a key, then with it in one usual place after the other, until records come.

    Parameters:
        path: of the list, also with a query; None for the usual ones.
        auth: where the key goes; None to find it out.

    Raises:
        SourceError: no list with records was found; the sentence says how far it came.
        RequestFailed: 429, or the API cannot be reached.
    """
    search = _Search(api, [_split(path)] if path else [(usual, {}) for usual in PATHS])
    try:
        access = search.with_auth(auth) if auth is not None else search.everywhere()
    except BaseException:
        search.asker.close()
        raise
    return access if not access.first.has_rows else _as_objects(access)


def _split(path: str) -> tuple[str, dict[str, Any]]:
    parts = urlsplit(path)
    found = parse_qs(parts.query, keep_blank_values=True)
    return parts.path, {name: values if len(values) > 1 else values[0] for name, values in found.items()}


def _as_objects(access: Access) -> Access:
    """The same list with an object for each record, as Datasette gives it when it is asked to."""
    listing = access.listing.with_params({"_shape": "objects"})
    page = listing.page({})
    if page is None or not page.records or not isinstance(page.records[0], dict):
        raise SourceError("The API answers each record as a list of values, not as an object, which cannot be loaded.")
    return Access(listing, page, access.notes)


class _Search:
    """What was asked so far, and what to say if nothing is found."""

    def __init__(self, api: Api, paths: Sequence[tuple[str, dict[str, Any]]]) -> None:
        self.api, self.paths = api, paths
        self.asker = Asker(api, None)
        self._refused: list[ApiStatusError] = []
        self._others: list[RequestFailed | str] = []
        self._empty: str | None = None
        self._empties = 0

    def with_auth(self, auth: Auth) -> Access:
        """With the key in a known place.

        Raises:
            SourceError: no list with records is there.
        """
        self._use(auth)
        found = self._first_of(self.paths)
        if found is None:
            raise self._failure()
        return found

    def everywhere(self) -> Access:
        """Without a key, and then with it.

        Raises:
            SourceError: no list with records is there.
        """
        for number, place in enumerate(self.paths):
            if number:
                self._use(None)
            if (found := self._try(*place)) is not None:
                return self._more_with_key(found)
            if self._refused or self._empty or len(self.paths) == 1:
                if (found := self._with_key(self.paths[number:])) is not None:
                    return found
                break
        raise self._failure()

    def _with_key(self, paths: Sequence[tuple[str, dict[str, Any]]]) -> Access | None:
        for auth in places_for(self.api.secret, self._refused[0] if self._refused else None):
            if len(self._refused) > MOST_REFUSALS:
                return None
            self._use(auth)
            if (found := self._first_of(paths)) is not None:
                return found
        return None

    def _first_of(self, paths: Sequence[tuple[str, dict[str, Any]]]) -> Access | None:
        """The first path with records; those behind one that is there, or that refuses the key, are not tried."""
        for place in paths:
            known = len(self._refused) + self._empties
            found = self._try(*place)
            if found is not None or len(self._refused) + self._empties > known:
                return found
        return None

    def _try(self, path: str, params: dict[str, Any]) -> Access | None:
        try:
            answer = self.asker.ask(path, params)
        except (TooManyRequests, ApiUnreachable):
            raise
        except (NotFound, UnreadableBody) as error:
            self._others.append(error)
        except ApiStatusError as error:
            self._refused.append(error)
        else:
            return self._listed(answer, path, params)
        return None

    def _listed(self, answer: Answer, path: str, params: dict[str, Any]) -> Access | None:
        page = listed(answer.document, answer.headers, answer.url, path)
        if page is None:
            self._others.append(f"the answer at `{path}` has no list of objects")
        elif not page.records:
            self._empty, self._empties = self._empty or path, self._empties + 1
        else:
            return Access(Listing(self.asker, path, params, page.keys), page)
        return None

    def _more_with_key(self, access: Access) -> Access:
        """Whether a key shows more than comes without one; asked once."""
        self._use(places_for(self.api.secret, None)[0])
        listing = access.listing
        found = self._try(listing.path, dict(listing.params))
        is_more = found is not None and (
            found.first.claims.total != access.first.claims.total
            or len(found.first.records) > len(access.first.records)
        )
        if found is not None and is_more:
            return found
        self._use(None)
        note = "the API shows records without a key, so none is sent; whether it shows more to one in another place"
        return Access(
            Listing(self.asker, listing.path, listing.params, listing.keys), access.first, [f"{note} was not tried"]
        )

    def _use(self, auth: Auth) -> None:
        self.asker = Asker(self.api, auth, self.asker)

    def _failure(self) -> SourceError:
        """How far the search came, in one sentence."""
        if self._empty:
            return SourceError(
                f"The list at `{self._empty}` is empty, so that nothing can be drafted: there is no invoice yet, or "
                "the key may not see them (some APIs answer an empty list to a wrong key); `--auth` says where the "
                "key goes."
            )
        texts = [other for other in self._others if isinstance(other, str)]
        if texts:
            return SourceError(f"No list was found: {texts[0]}; `--path` names where the invoices are.")
        refused = next((one for one in reversed(self._refused) if isinstance(one, KeyRefused)), None)
        if refused is not None:
            return SourceError(
                f"The key is refused in each place in which it was tried: {refused}; `--auth` says where the key goes."
            )
        if self._refused:
            return SourceError(f"The API gives no answer to draft from: {self._refused[-1]}.")
        return self._no_api()

    def _no_api(self) -> SourceError:
        page = next((other for other in self._others if isinstance(other, UnreadableBody)), None)
        if page is not None:
            address = address_of(self.api.redactor.text(self.api.base_url))
            return SourceError(
                f"{address} does not answer like an API: {page}; is it the address of a web page or a login?"
            )
        paths = ", ".join(f"`{path}`" for path, _ in self.paths)
        return SourceError(f"The API has nothing at {paths} (404): `--path` names where the invoices are.")
