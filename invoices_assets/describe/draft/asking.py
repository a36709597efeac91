"""Single requests to an API of which nothing is known yet; none of them is repeated."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, cast

import requests
from dlt.sources.helpers.rest_client.utils import join_url
from dlt.sources.rest_api.config_setup import create_auth

from invoices_assets.describe.draft.records import Listed, listed
from invoices_assets.errors import ApiStatusError, BadAnswer, RequestFailed
from invoices_assets.extract.api import Api
from invoices_assets.extract.http.client import HttpClient
from invoices_assets.extract.http.clock import Clock
from invoices_assets.extract.http.origins import linked, url_of
from invoices_assets.extract.http.retry import RetryPolicy
from invoices_assets.extract.page import read_json
from invoices_assets.source.auth import read_auth, with_secret

NO_RETRIES = RetryPolicy(retries=0)
Auth = Mapping[str, Any] | None
"""As in the YAML, `{type: bearer}`; None where no key is sent."""


def keep_budget(api: Api) -> None:
    """Waits before another client asks, for each has a budget of its own."""
    if api.requests_per_second:
        Clock().sleep(1 / api.requests_per_second)


class TooManyRequests(RequestFailed):
    """429: whatever the API would answer now says nothing, so that no more is asked."""


@dataclass(frozen=True)
class Answer:
    """A success that is JSON.

    Parameters:
        document: the body; numbers are `int` or `Decimal`.
        headers: case-insensitive.
        url: that was asked, for relative links.
    """

    document: Any
    headers: Mapping[str, str]
    url: str


class Asker:
    """Asks an API with its key in one place.

    Parameters:
        api: where it is, the key, and the budget of requests.
        auth: where the key goes.
        before: the asker that was used until now; the budget goes on from it.
    """

    def __init__(self, api: Api, auth: Auth, before: Asker | None = None) -> None:
        if before is not None:
            before.close()
            keep_budget(api)
        self.api, self.auth = api, auth
        self._before = before.sent if before is not None else 0
        config = read_auth(auth)
        self._http = HttpClient(
            auth=None if config is None else create_auth(cast(Any, with_secret(config, api.secret))),
            redactor=api.redactor,
            policy=NO_RETRIES,
            limits=api.limits,
            requests_per_second=api.requests_per_second,
            pool=1,
        )

    @property
    def sent(self) -> int:
        """Requests so far, those of the askers before included."""
        return self._before + self._http.stats.requests

    def close(self) -> None:
        """Ends the connections."""
        self._http.close()

    def ask(self, path: str, params: Mapping[str, Any]) -> Answer:
        """The answer to a path.

        Raises:
            TooManyRequests: 429.
            RequestFailed: another status that is no success, no answer, or one that is no JSON.
        """
        return self._answer(requests.Request("GET", join_url(self.api.base_url, path), params=dict(params)))

    def follow(self, link: str, base: str) -> Answer:
        """The answer to a link of another answer; raises as `ask`."""
        return self._answer(requests.Request("GET", linked(base, link)))

    def _answer(self, request: requests.Request) -> Answer:
        try:
            response = self._http.send(request)
        except ApiStatusError as error:
            if error.status == 429:
                said = "the API answers 429 Too Many Requests, so nothing more was asked; try again later, or with"
                raise TooManyRequests(f"{said} a smaller `--requests-per-second`") from None
            raise
        document, _ = read_json(response.content, response.headers.get("Content-Type", ""))
        return Answer(document, response.headers, url_of(request))


@dataclass(frozen=True)
class Listing:
    """A list of an API that can be asked for with parameters.

    Parameters:
        asker: with the key in its place.
        path: of the list, without query.
        params: that each request has.
        keys: that lead from an answer to the records.
    """

    asker: Asker
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    keys: tuple[str, ...] = ()

    def with_params(self, more: Mapping[str, Any]) -> Listing:
        """The same list, asked for with more parameters."""
        return replace(self, params={**self.params, **more})

    def page(self, more: Mapping[str, Any]) -> Listed | None:
        """The records that come with more parameters; None where the API refuses them, or answers no list.

        Raises:
            RequestFailed: 429, or the API cannot be reached.
        """
        with suppress(ApiStatusError, BadAnswer):
            return self._listed(self.asker.ask(self.path, {**self.params, **more}))
        return None

    def behind(self, link: str, base: str) -> Listed | None:
        """The records behind a link; None where it leads nowhere."""
        try:
            return self._listed(self.asker.follow(link, base))
        except TooManyRequests:
            raise
        except RequestFailed:
            return None

    def _listed(self, answer: Answer) -> Listed | None:
        found = listed(answer.document, answer.headers, answer.url, self.path)
        return found if found is not None and found.keys == self.keys else None
