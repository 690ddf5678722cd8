"""Verification of a request by its signature or its bearer token, before anything of it is parsed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loops_destination.errors import DestinationError, SecretNotSetUp, SecretUnavailable
from loops_destination.events import MAX_BODY_BYTES
from loops_destination.http_api import WebhookRequest
from loops_destination.outcomes import Denial
from loops_destination.secret_store import SecretStore
from loops_destination.signature import SignablePart, bearer_matches, is_signed, signable_parts


class Denied(DestinationError):
    """The whole request is denied; `str()` is the cause, and quotes nothing of the request."""

    def __init__(self, denial: Denial, cause: str = "") -> None:
        self.denial = denial
        super().__init__(cause or denial.value)


@dataclass(frozen=True, slots=True)
class Verifier:
    """Verifies requests with the current and the previous version of the secret.

    `trust_unsigned_batch_items`: trust the items of a batch that follow the signed one.
    """

    secrets: SecretStore
    trust_unsigned_batch_items: bool = False

    def trusted_bodies(self, request: WebhookRequest) -> list[bytes]:
        """Return the bodies that may be parsed, each an event or a batch. Raises `Denied`.

        The signed item of a batch is a body of its own, so that what is parsed are the very bytes that were verified.
        """
        if len(request.body) > MAX_BODY_BYTES:
            raise Denied(Denial.TOO_LARGE)
        try:
            self.secrets.api_key()  # without an API key nothing can be delivered, so Segment should keep the events
            part = self._trusted_part(request)
        except SecretNotSetUp as error:
            raise Denied(Denial.SECRET_NOT_SET_UP, str(error)) from None
        except SecretUnavailable as error:
            raise Denied(Denial.SECRET_UNAVAILABLE, str(error)) from None
        return [part.signed, part.rest] if part.rest else [part.signed]

    def _trusted_part(self, request: WebhookRequest) -> SignablePart:
        parts = signable_parts(request.body)
        part = self._verified_part(request, parts)
        if not self._suffices(part) and self.secrets.refresh():
            part = self._verified_part(request, parts)
        if part is None:
            raise self._why_unverified()
        if not self._suffices(part):
            raise Denied(Denial.UNSIGNED_BATCH_ITEMS)
        return part

    def _verified_part(self, request: WebhookRequest, parts: Sequence[SignablePart]) -> SignablePart | None:
        """Return a verified part that suffices or else, if there is one, a verified part that does not."""
        insufficient = None
        for secret in self.secrets.versions():
            if bearer_matches(request.authorization, [secret.bearer_token]):
                return parts[0]
            for part in parts:
                if is_signed(part.signed, request.signature, [secret.shared_secret]):
                    if self._suffices(part):
                        return part
                    insufficient = part
        return insufficient

    def _suffices(self, part: SignablePart | None) -> bool:
        return part is not None and (not part.rest or self.trust_unsigned_batch_items)

    def _why_unverified(self) -> DestinationError:
        if not any(secret.can_verify for secret in self.secrets.versions()):
            return SecretNotSetUp(
                "the secret has neither a sharedSecret nor a bearerToken; store Segment's shared secret in it"
            )
        if not self.secrets.is_up_to_date:
            # The request may be signed with the version that could not be read, and Segment drops what is answered 401.
            return SecretUnavailable("Secrets Manager did not return one of the secret's versions")
        return Denied(Denial.BAD_SIGNATURE)
