"""A way to one API for the time of a run: where it is, the secret, and the budget of requests."""

from __future__ import annotations

from dataclasses import dataclass, field

from invoices_assets.extract.endpoint import Endpoint
from invoices_assets.extract.http.client import HttpClient
from invoices_assets.extract.http.limits import DEFAULT_LIMITS, AnswerLimits
from invoices_assets.extract.http.retry import DEFAULT_POLICY, RetryPolicy
from invoices_assets.redaction.redactor import Redactor
from invoices_assets.source.file import Source
from invoices_assets.source.resource import ResourceSpec


@dataclass(frozen=True)
class Api:
    """Where an API is and how it may be asked.

    Parameters:
        base_url: with scheme, for example `https://api.vendor.example`.
        secret: the API key; it is kept out of every `repr`.
        redactor: knows the secret by value.
        window: pages in flight together, for offset and page-number paging.
        requests_per_second: a budget shared by all pages in flight; None for no limit.
        limits: of the time and the size of one answer.
        has_fixed_address: whether the base URL tells one API from another; not so for a sandbox on a free port.
    """

    base_url: str
    secret: str = field(repr=False)
    redactor: Redactor = field(repr=False)
    window: int = 8
    requests_per_second: float | None = None
    limits: AnswerLimits = DEFAULT_LIMITS
    has_fixed_address: bool = True

    @property
    def address(self) -> str | None:
        """Where the API is, as it may be stored beside its rows; None where that tells nothing."""
        return self.redactor.text(self.base_url) if self.has_fixed_address else None

    def resources(self, source: Source) -> dict[str, ResourceSpec]:
        """The resources of a source file, with the secret in place."""
        return {name: spec.with_auth(self.secret) for name, spec in source.resources.items()}

    def client(self, spec: ResourceSpec, policy: RetryPolicy = DEFAULT_POLICY) -> HttpClient:
        """An HTTP client that carries the auth of a resource; the caller closes it."""
        return HttpClient(
            auth=spec.auth,
            redactor=self.redactor,
            policy=policy,
            limits=self.limits,
            requests_per_second=self.requests_per_second,
            pool=max(1, self.window),
        )

    def endpoint(self, http: HttpClient, spec: ResourceSpec) -> Endpoint:
        """Asks a resource for pages."""
        return Endpoint(http, spec, self.base_url)
