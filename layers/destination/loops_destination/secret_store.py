"""The stack's secret: the Loops API key and what Segment's requests are verified with, from Secrets Manager.

Kept for five minutes by Powertools; when Secrets Manager is down, the last known one serves on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property, lru_cache
from typing import Any

import boto3
from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from botocore.config import Config
from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from loops_destination.clock import Clock
from loops_destination.errors import SecretNotSetUp, SecretUnavailable

KEPT_SECONDS = 300
ASK_AGAIN_SECONDS = 10  # while Secrets Manager is down
REFRESH_EVERY_SECONDS = 60  # a wrong signature must not let its sender call Secrets Manager at will
PLACEHOLDER = "replace-me"
"""What the template puts where a person has to put a value; it opens nothing."""


class Secret(BaseModel):
    """One version of the secret. The values show in no repr, no error and no log."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, extra="ignore")

    stored_api_key: SecretStr = Field(default=SecretStr(""), alias="apiKey")
    stored_shared_secret: SecretStr = Field(default=SecretStr(""), alias="sharedSecret")
    stored_bearer_token: SecretStr = Field(default=SecretStr(""), alias="bearerToken")

    @field_validator("*", mode="before")
    @classmethod
    def _empty(cls, value: Any) -> Any:
        """What is null is not there."""
        return "" if value is None else value

    @classmethod
    def from_json(cls, text: str) -> Secret:
        """The secret in this JSON text; `SecretNotSetUp` says which part is not as documented."""
        try:
            return cls.model_validate(json.loads(text))
        except (ValueError, RecursionError) as error:
            places = (
                ", ".join(sorted({str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}))
                if isinstance(error, ValidationError)
                else ""
            )
            raise SecretNotSetUp(
                f'the secret must be JSON: {{"apiKey": "…", "sharedSecret": "…"}}{places and f"; mend {places}"}'
            ) from None

    @cached_property
    def api_key(self) -> str:
        """The API key; `SecretNotSetUp` while it is a placeholder."""
        key = _live(self.stored_api_key)
        if not key:
            raise SecretNotSetUp("the secret has no apiKey yet: put the API key of Loops there")
        if not (key.isascii() and key.isprintable()):
            raise SecretNotSetUp("the secret's apiKey is no API key: it has characters that no header can carry")
        return key

    @property
    def opens_nothing(self) -> bool:
        """Whether neither a signature nor a token can be verified with it."""
        return not self.shared_secret and not self.bearer_token

    @cached_property
    def shared_secret(self) -> str:
        """The shared secret, empty while it is a placeholder."""
        return _live(self.stored_shared_secret)

    @cached_property
    def bearer_token(self) -> str:
        """The bearer token, empty while there is none."""
        return _live(self.stored_bearer_token)


class SecretStore:
    """The current and the previous version of one secret, each read when it is first needed.

    `fetch` gives the text of the version at a stage, None where there is none; it raises `SecretUnavailable`.
    """

    def __init__(self, fetch: Callable[[str], str | None], clock: Clock) -> None:
        self._clock = clock
        self._current = _Stage("AWSCURRENT", fetch, clock)
        self._previous = _Stage("AWSPREVIOUS", fetch, clock)
        self._refreshed = -math.inf

    def current(self) -> Secret:
        """The live version; `SecretUnavailable` when it cannot be read and never was."""
        text = self._current.read()
        if text is None:
            raise SecretNotSetUp("the secret has no value yet: put the API key of Loops there")
        return _parse(text)

    def api_key(self) -> str:
        """The live API key; `SecretNotSetUp` while it is a placeholder."""
        return self.current().api_key

    def versions(self) -> Iterator[Secret]:
        """The versions whose signatures count, the live one first; the other is read only when that one fails."""
        yield self.current()
        # What was signed before a rotation is still on its way; when the older version cannot be read, `is_certain`
        # tells, for nobody may be turned away then.
        with suppress(SecretUnavailable, SecretNotSetUp):
            if (text := self._previous.read()) is not None:
                yield _parse(text)

    @property
    def is_certain(self) -> bool:
        """Whether both stages were answered for when they were last asked for."""
        return self._current.answered and self._previous.answered

    def refresh(self) -> bool:
        """Reads both anew, at most once a minute; whether either changed."""
        now = self._clock.time()
        if now - self._refreshed < REFRESH_EVERY_SECONDS:
            return False
        self._refreshed = now
        changed = self._current.refresh()
        return self._previous.refresh() or changed


class _Stage:
    """The text at one version stage, and until when it need not be asked for again."""

    def __init__(self, name: str, fetch: Callable[[str], str | None], clock: Clock) -> None:
        self._name = name
        self._fetch = fetch
        self._clock = clock
        self._text: str | None = None
        self._known = False
        self._good_until = -math.inf
        self.answered = True

    def read(self) -> str | None:
        if self._clock.time() >= self._good_until:
            self._ask()
        return self._text

    def refresh(self) -> bool:
        """Whether it is another text now than what was known."""
        before = (self._known, self._text)
        with suppress(SecretUnavailable):
            self._ask()
        return before != (self._known, self._text)

    def _ask(self) -> None:
        self.answered = False
        try:
            self._text = self._fetch(self._name)
            self.answered = True
        except SecretUnavailable:
            if not self._known:
                raise
            self._good_until = self._clock.time() + ASK_AGAIN_SECONDS
        else:
            self._known = True
            self._good_until = self._clock.time() + KEPT_SECONDS


def from_secrets_manager(secret_id: str) -> Callable[[str], str | None]:
    """Reads the versions of a secret through Powertools, with a provider for each stage.

    Powertools' cache does not tell the stages of one secret apart, so how long a value is kept is the store's.
    """
    config = Config(connect_timeout=1, read_timeout=1, retries={"total_max_attempts": 1, "mode": "standard"})
    client = boto3.client("secretsmanager", config=config)
    provider = SecretsProvider(boto3_client=client)

    def fetch(stage: str) -> str | None:
        try:
            value = provider.get(secret_id, max_age=0, force_fetch=True, VersionStage=stage)
        except GetParameterError as error:
            if _is_absent(error):
                return None
            raise SecretUnavailable(f"Secrets Manager did not give the secret: {_code(error)}") from None
        return value if isinstance(value, str) else None

    return fetch


def _is_absent(error: GetParameterError) -> bool:
    return _code(error) == "ResourceNotFoundException"


def _code(error: GetParameterError) -> str:
    """AWS's code for what went wrong, else the kind of error; messages could quote what should not be shown."""
    cause = error.__context__
    return str(cause.response["Error"]["Code"]) if isinstance(cause, ClientError) else type(cause).__name__


@lru_cache(maxsize=4)
def _parse(text: str) -> Secret:
    return Secret.from_json(text)


def _live(value: SecretStr) -> str:
    text = value.get_secret_value().strip()
    return "" if text == PLACEHOLDER else text
