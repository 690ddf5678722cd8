"""Which part of a request is trusted: told by its signature or its bearer token, before anything is parsed."""

from __future__ import annotations

from dataclasses import dataclass

from loops_destination.errors import DestinationError, SecretNotSetUp, SecretUnavailable
from loops_destination.events import MAX_BODY_BYTES
from loops_destination.http_api import WebhookRequest
from loops_destination.outcomes import Denial
from loops_destination.secret_store import SecretStore
from loops_destination.signature import Coverage, FirstElement, bearer_matches, first_element, verify


class Denied(DestinationError):
    """The request is answered without looking at its events."""

    def __init__(self, denial: Denial, cause: str = "") -> None:
        self.denial = denial
        super().__init__(cause or denial.value)


@dataclass(frozen=True, slots=True)
class Gatekeeper:
    """Lets in what the live or the previous version of the secret vouches for."""

    secrets: SecretStore
    trust_unsigned_batch_items: bool = False

    def admit(self, request: WebhookRequest) -> list[bytes]:
        """The bodies that may be parsed, each an event or a batch; `Denied` when the sender is not trusted."""
        if len(request.body) > MAX_BODY_BYTES:
            raise Denied(Denial.TOO_LARGE)
        try:
            return self._admit(request)
        except SecretNotSetUp as error:
            raise Denied(Denial.SECRET_NOT_SET_UP, str(error)) from None
        except SecretUnavailable as error:
            raise Denied(Denial.SECRET_UNAVAILABLE, str(error)) from None

    def _admit(self, request: WebhookRequest) -> list[bytes]:
        self.secrets.api_key()  # without it nothing can be delivered, so Segment had better keep the event
        coverage = self._coverage(request)
        if not self._suffices(coverage, request.body) and self.secrets.refresh():
            coverage = self._coverage(request)
        if coverage is Coverage.BODY:
            return [request.body]
        first = first_element(request.body) if coverage is Coverage.FIRST else None
        if first is not None:
            return self._batch(first)
        if all(secret.opens_nothing for secret in self.secrets.versions()):
            raise SecretNotSetUp(
                "the secret has neither a sharedSecret nor a bearerToken: Segment's is to be put there"
            )
        if not self.secrets.is_certain:
            # Segment drops at once what is answered 401, and this may be signed with a version that was not read.
            raise SecretUnavailable("a version of the secret could not be read")
        raise Denied(Denial.BAD_SIGNATURE)

    def _batch(self, first: FirstElement) -> list[bytes]:
        """The first element is parsed from the very bytes that were verified."""
        if not first.is_alone and not self.trust_unsigned_batch_items:
            raise Denied(Denial.UNSIGNED_BATCH_ITEMS)
        return [first.signed] if first.is_alone else [first.signed, first.rest]

    def _suffices(self, coverage: Coverage, body: bytes) -> bool:
        if coverage is not Coverage.FIRST or self.trust_unsigned_batch_items:
            return coverage is not Coverage.NOTHING
        first = first_element(body)
        return first is not None and first.is_alone

    def _coverage(self, request: WebhookRequest) -> Coverage:
        """The most that any version of the secret vouches for."""
        best = Coverage.NOTHING
        for secret in self.secrets.versions():
            if request.authorization and bearer_matches(request.authorization, [secret.bearer_token]):
                return Coverage.BODY
            coverage = verify(request.body, request.signature, [secret.shared_secret])
            if coverage is Coverage.BODY:
                return coverage
            best = coverage if coverage is Coverage.FIRST else best
        return best
