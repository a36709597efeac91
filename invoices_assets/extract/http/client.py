"""Asks an API over HTTP, as often as the retry policy allows, and never lets the key out of the request."""

from __future__ import annotations

import logging

import requests
from requests.auth import AuthBase

from invoices_assets.errors import ApiStatusError, ExtractError, KeyRefused, RequestFailed
from invoices_assets.extract.http.clock import Clock
from invoices_assets.extract.http.limits import DEFAULT_LIMITS, AnswerLimits
from invoices_assets.extract.http.network_errors import EXPECTED, exhausted, outcome_of
from invoices_assets.extract.http.oauth import TokenAuth, fetches_tokens
from invoices_assets.extract.http.origins import (
    address_of,
    difference,
    linked,
    location_of,
    may_have_key,
    origin_of,
    redirected,
    secured,
    url_of,
)
from invoices_assets.extract.http.rate_limit import RateLimiter
from invoices_assets.extract.http.responses import cleaned, judged
from invoices_assets.extract.http.retry import DEFAULT_POLICY, AttemptResult, Attempts, Check, RetryPolicy
from invoices_assets.extract.http.stats import HttpStats, RequestCounter
from invoices_assets.extract.http.transport import Transport
from invoices_assets.redaction.redactor import Redactor

MOST_REDIRECTS = 5
_log = logging.getLogger("invoices_assets")


class HttpClient:
    """Sends requests to one API; may be used by several threads at once.

    Parameters:
        auth: puts the key into each request; None where the API needs none.
        redactor: knows the key. Bodies, headers and URLs of answers come back without it.
        policy: which failures are worth asking again.
        limits: of the time and the size of one answer.
        requests_per_second: at most, evenly spaced over all threads; None for no limit.
        pool: requests under way at once at most; it shrinks when the API answers 429 and grows back.
        clock: None for that of the system.
    """

    def __init__(
        self,
        *,
        auth: AuthBase | None,
        redactor: Redactor,
        policy: RetryPolicy = DEFAULT_POLICY,
        limits: AnswerLimits = DEFAULT_LIMITS,
        requests_per_second: float | None = None,
        pool: int = 8,
        clock: Clock | None = None,
    ) -> None:
        self._redactor = redactor
        self._policy = policy
        self._limits = limits
        self._clock = clock or Clock()
        self._tokens: HttpClient | None = None
        if fetches_tokens(auth):
            self._tokens = HttpClient(
                auth=None, redactor=redactor, policy=policy, limits=limits, pool=1, clock=self._clock
            )
            auth = TokenAuth(auth, self._tokens.send)
        self._transport = Transport(auth, limits, pool, redactor.add)
        self._gate = RateLimiter(pool, requests_per_second, self._clock)
        self._counter = RequestCounter()
        self._first_url: str | None = None
        self._upgrades: dict[str, str] = {}
        self._refused: dict[str, KeyRefused] = {}

    @property
    def stats(self) -> HttpStats:
        """What happened so far."""
        return self._counter.snapshot()

    def close(self) -> None:
        """Closes the connections and ends all waits; later requests fail."""
        self._gate.close()
        self._clock.stop()
        self._transport.close()
        if self._tokens is not None:
            self._tokens.close()

    def send(
        self, request: requests.Request, usable: Check | None = None, spent: Attempts | None = None
    ) -> requests.Response:
        """Sends a request and reads its answer, as often as the policy allows in all.

        All requests here are reads, searches by POST included, so each may be repeated. Redirects are
        followed to the same host and port only. The response has its whole body and is without secrets; its
        `raw` and `history` are empty. 304 is an answer where the request asked for changes
        (`If-Modified-Since`).

        Parameters:
            usable: judges each success, and each status that is final by itself; what it doubts is asked again.
            spent: what earlier calls for the same answer have spent. The answer at hand is judged first.

        Raises:
            KeyRefused: 401 or 403. What was refused is not repeated, and after a 401 nothing more is sent:
                some APIs ban a client after a few.
            NotFound: 404.
            ApiStatusError: any other status that is no success, or one that did not go away.
            ApiUnreachable: no complete answer after all attempts, or no secure connection.
            RequestFailed: the URL or a header cannot be sent.
            ExtractError: what `usable` said of the last answer.
        """
        url = self._redactor.text(url_of(request))
        line = f"{(request.method or 'GET').upper()} {address_of(url)}"
        spent = spent or Attempts()
        if spent.last is None:
            self._try(request, line, spent)
        while (outcome := self._doubted(spent.last, usable)).reason and spent.count < self._policy.attempts:
            self._wait(outcome, line, spent.count)
            self._try(request, line, spent)
        if outcome.response is not None:
            return outcome.response
        failure = outcome.error or exhausted(outcome, line, origin_of(url), self._policy.attempts)
        raise failure.with_traceback(None)

    def _try(self, request: requests.Request, line: str, spent: Attempts) -> None:
        """One attempt. An interrupt leaves no frame behind that holds the key."""
        spent.last, interrupt = self._outcome(request, line, spent.count)
        spent.count += 1
        if interrupt is not None:
            interrupt.__context__ = None
            raise interrupt.with_traceback(None)

    def _doubted(self, outcome: AttemptResult | None, usable: Check | None) -> AttemptResult:
        """The outcome, or the reason why the answer cannot be used as it is."""
        assert outcome is not None
        came = outcome.response if outcome.response is not None else outcome.error
        if usable is None or not isinstance(came, (requests.Response, ApiStatusError)):
            return outcome
        if isinstance(came, ApiStatusError) and (came.status in (401, 403) or came.status in self._policy.statuses):
            return outcome
        doubt = usable(came)
        return outcome if doubt is None else AttemptResult(reason=str(doubt), doubt=doubt)

    def _outcome(self, request: requests.Request, line: str, failed: int) -> tuple[AttemptResult, BaseException | None]:
        """How an attempt ended, and what interrupted it, such as Ctrl-C."""
        try:
            return self._attempt(request, line, failed), None
        except ExtractError as error:
            return AttemptResult(error=error), None
        except Exception as error:
            return AttemptResult(error=RequestFailed(f"{line} failed: {self._redactor.exception(error)}")), None
        except BaseException as error:
            return AttemptResult(), error

    def _attempt(self, request: requests.Request, line: str, failed: int) -> AttemptResult:
        """One attempt, redirects included."""
        status = 0
        for _ in range(MOST_REDIRECTS + 1):
            if refused := self._refused.get("") or self._refused.get(line):
                raise KeyRefused(refused.status, str(refused))
            ticket = self._gate.enter(failed)
            throttled = False
            try:
                answer = self._exchange(request)
                throttled = isinstance(answer, requests.Response) and answer.status_code == 429
            finally:
                self._gate.leave(ticket, throttled=throttled)
            if isinstance(answer, AttemptResult):
                return answer
            if not answer.is_redirect:
                return self._judged(request, answer, line)
            status = answer.status_code
            request = self._following(request, answer, line)
        raise ApiStatusError(status, f"{line} answers with more than {MOST_REDIRECTS} redirects")

    def _exchange(self, request: requests.Request) -> requests.Response | AttemptResult:
        """Sends once; a failure without a complete answer is an AttemptResult."""
        self._keep_home(request)
        try:
            response, size = self._transport.send(request)
        except EXPECTED as error:
            self._counter.sent()
            return outcome_of(error, self._redactor.text(url_of(request)), self._limits)
        self._first_url = self._first_url or url_of(request)
        self._counter.sent(response.status_code, size)
        return response

    def _keep_home(self, request: requests.Request) -> None:
        """Keeps the key on the host that it was first sent to, whatever the links in answers say."""
        url, first = url_of(request), self._first_url
        if first is None or (url == first and not self._upgrades):
            return
        if upgraded := self._upgrades.get(origin_of(url)):
            request.url = url = upgraded + url.removeprefix(origin_of(url))
        if may_have_key(first, url):
            return
        request.url = secured(first, url)
        if request.url is None:
            place = self._redactor.text(difference(first, url))
            raise RequestFailed(f"the API points to {place}; the key is not sent there")

    def _judged(self, request: requests.Request, response: requests.Response, line: str) -> AttemptResult:
        response = cleaned(response, url_of(request), self._redactor)
        outcome = judged(request, response, line, self._policy, self._redactor, self._clock.now())
        if isinstance(outcome.error, KeyRefused):
            self._refused["" if outcome.error.status == 401 else line] = outcome.error
        return outcome

    def _following(self, request: requests.Request, response: requests.Response, line: str) -> requests.Request:
        """The request that a redirect leads to.

        Raises:
            RequestFailed: it leads where the key may not go, or nowhere in particular.
        """
        url = url_of(request)
        target = linked(url, location_of(response))
        if not may_have_key(url, target):
            place = self._redactor.text(difference(url, target))
            message = f"{line} answers with a redirect to {place}; the key is not sent there"
            raise ApiStatusError(response.status_code, message)
        self._remember_upgrade(origin_of(url), origin_of(target))
        return redirected(request, target, response.status_code)

    def _remember_upgrade(self, origin: str, target: str) -> None:
        """Sends later requests by TLS at once, lest each one sends the key unprotected first."""
        if target.startswith("https:") and not origin.startswith("https:"):
            self._upgrades[origin] = target
            _log.warning("%s redirects to %s, which should be the address of the API", origin, target)

    def _wait(self, outcome: AttemptResult, line: str, failed: int) -> None:
        """Waits for the next attempt; all requests share the wait where the API is too busy for any."""
        seconds = self._policy.wait(failed, outcome.retry_after)
        self._counter.repeated()
        self._counter.waits(self._clock.monotonic(), seconds)
        _log.warning(
            "%s: %s; trying again in %s s (attempt %d of %d)",
            line,
            outcome.reason,
            f"{seconds:,.3g}",
            failed + 1,
            self._policy.attempts,
        )
        if outcome.throttled:
            self._gate.pause(seconds)
        else:
            self._clock.sleep(seconds)
