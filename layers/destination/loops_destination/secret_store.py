"""The Loops API key, and the credentials that verify Segment's requests: one secret in Secrets Manager.

Every API key that is sent to Loops comes from `SecretStore.api_key`. The store keeps each version of the secret for five
minutes. While Secrets Manager is down, it goes on with the last version that it read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property, lru_cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from loops_destination.clock import Clock
from loops_destination.errors import SecretNotSetUp, SecretUnavailable

KEEP_SECONDS = 300
RETRY_SECONDS = 10  # while Secrets Manager is down
REFRESH_INTERVAL_SECONDS = 60  # so that wrong signatures cannot cause one call of Secrets Manager each
PLACEHOLDER = "replace-me"
"""The value that the template generates for the API key. It counts as missing wherever it appears."""


class Secret(BaseModel):
    """One version of the secret. Its values appear in no repr, error or log."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, extra="ignore")

    stored_api_key: SecretStr = Field(default=SecretStr(""), alias="apiKey")
    stored_shared_secret: SecretStr = Field(default=SecretStr(""), alias="sharedSecret")
    stored_bearer_token: SecretStr = Field(default=SecretStr(""), alias="bearerToken")

    @field_validator("*", mode="before")
    @classmethod
    def _null_is_missing(cls, value: Any) -> Any:
        return "" if value is None else value

    @classmethod
    def from_json(cls, text: str) -> Secret:
        """Parse a secret. Raises `SecretNotSetUp`, which names the fields that are not text."""
        try:
            return cls.model_validate(json.loads(text))
        except ValidationError as error:
            fields = sorted({str(problem["loc"][0]) for problem in error.errors() if problem["loc"]})
            raise SecretNotSetUp(_not_valid(fields)) from None
        except (ValueError, RecursionError):
            raise SecretNotSetUp(_not_valid([])) from None

    @cached_property
    def api_key(self) -> str:
        """The API key. Raises `SecretNotSetUp` if it is missing, or cannot be sent in a header."""
        api_key = _value(self.stored_api_key)
        if not api_key:
            raise SecretNotSetUp("the secret has no apiKey yet; store the Loops API key in it")
        if not (api_key.isascii() and api_key.isprintable()):
            raise SecretNotSetUp(
                "the apiKey in the secret contains characters that no header can carry; store it again"
            )
        return api_key

    @cached_property
    def shared_secret(self) -> str:
        """The shared secret, or an empty string if it is missing."""
        return _value(self.stored_shared_secret)

    @cached_property
    def bearer_token(self) -> str:
        """The bearer token, or an empty string if it is missing."""
        return _value(self.stored_bearer_token)

    @property
    def can_verify(self) -> bool:
        """Return whether the secret has a shared secret or a bearer token."""
        return bool(self.shared_secret or self.bearer_token)


class SecretStore:
    """The current and the previous version of the secret, each fetched when it is first needed.

    `fetch` returns the text of the version with a staging label, or None if it does not exist. It raises
    `SecretUnavailable`.
    """

    def __init__(self, fetch: Callable[[str], str | None], clock: Clock) -> None:
        self._clock = clock
        self._current = _CachedVersion("AWSCURRENT", fetch, clock)
        self._previous = _CachedVersion("AWSPREVIOUS", fetch, clock)
        self._refreshed_at = -math.inf

    def api_key(self) -> str:
        """Return the current API key. Raises `SecretNotSetUp` or `SecretUnavailable`."""
        return self.current().api_key

    def current(self) -> Secret:
        """Return the current version. Raises `SecretUnavailable` if it was never read, `SecretNotSetUp` if it is invalid."""
        text = self._current.read()
        if text is None:
            raise SecretNotSetUp("the secret has no value yet; store the Loops API key in it")
        return _parse(text)

    def versions(self) -> Iterator[Secret]:
        """Yield the versions that verify requests: the current one, then the previous one, unless it cannot be used.

        The previous version is needed after a rotation, for requests that were signed before it. It is read only when
        the caller asks for it.
        """
        yield self.current()
        with suppress(SecretUnavailable, SecretNotSetUp):
            if (text := self._previous.read()) is not None:
                yield _parse(text)

    @property
    def is_up_to_date(self) -> bool:
        """Return whether Secrets Manager answered the last time that each version was fetched."""
        return self._current.is_up_to_date and self._previous.is_up_to_date

    def refresh(self) -> bool:
        """Fetch both versions again, at most once a minute, and return whether one of them has changed."""
        now = self._clock.time()
        if now - self._refreshed_at < REFRESH_INTERVAL_SECONDS:
            return False
        self._refreshed_at = now
        current_changed = self._current.refresh()
        return self._previous.refresh() or current_changed


class _CachedVersion:
    """The text of the version with one staging label, None if it does not exist."""

    def __init__(self, stage: str, fetch: Callable[[str], str | None], clock: Clock) -> None:
        self._stage = stage
        self._fetch = fetch
        self._clock = clock
        self._text: str | None = None
        self._was_fetched = False
        self._keep_until = -math.inf
        self.is_up_to_date = True

    def read(self) -> str | None:
        if self._clock.time() >= self._keep_until:
            self._update()
        return self._text

    def refresh(self) -> bool:
        before = (self._was_fetched, self._text)
        with suppress(SecretUnavailable):
            self._update()
        return before != (self._was_fetched, self._text)

    def _update(self) -> None:
        self.is_up_to_date = False
        try:
            self._text = self._fetch(self._stage)
        except SecretUnavailable:
            if not self._was_fetched:
                raise
            self._keep_until = self._clock.time() + RETRY_SECONDS
        else:
            self._was_fetched = True
            self.is_up_to_date = True
            self._keep_until = self._clock.time() + KEEP_SECONDS


def from_secrets_manager(secret_id: str) -> Callable[[str], str | None]:
    """Return the function with which a `SecretStore` fetches this secret from Secrets Manager.

    Each call takes a second to connect and a second to read, at most. Errors carry AWS' code or the name of the
    exception, and no message, because a message might quote what must stay secret.
    """
    config = Config(connect_timeout=1, read_timeout=1, retries={"total_max_attempts": 1, "mode": "standard"})
    client = boto3.client("secretsmanager", config=config)

    def fetch(stage: str) -> str | None:
        try:
            response = client.get_secret_value(SecretId=secret_id, VersionStage=stage)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ResourceNotFoundException":
                return None
            raise SecretUnavailable(f"Secrets Manager did not return the secret: {code}") from None
        except (BotoCoreError, ResponseParserError) as error:
            raise SecretUnavailable(f"Secrets Manager did not return the secret: {type(error).__name__}") from None
        return response.get("SecretString")

    return fetch


@lru_cache(maxsize=4)
def _parse(text: str) -> Secret:
    return Secret.from_json(text)


def _value(stored: SecretStr) -> str:
    value = stored.get_secret_value().strip()
    return "" if value == PLACEHOLDER else value


def _not_valid(fields: list[str]) -> str:
    expected = 'the secret must be JSON of the form {"apiKey": "…", "sharedSecret": "…"}'
    return f"{expected}; correct {', '.join(fields)}" if fields else expected
