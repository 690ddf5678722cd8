"""The settings of a function, read from the environment variables that the template sets."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from loops_destination.errors import SettingsError

METRICS_NAMESPACE = "LoopsDestination"

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
"""The level of a log line, from the least severe."""


class Settings(BaseModel):
    """The settings of a function; each field is the environment variable of the same name in capitals."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    secret_id: str = Field(min_length=1)
    retry_queue_url: str = Field(min_length=1)
    dead_letter_queue_url: str = Field(min_length=1)
    mappings_file: Path = Path("/opt/mappings.json")
    loops_base_url: str = "https://app.loops.so/api"
    loops_requests_per_second: float = Field(default=10, gt=0)
    retry_for_hours: float = Field(default=72, gt=0, le=13 * 24)  # SQS keeps a message for 14 days
    max_event_age_hours: float = Field(default=72, gt=0)
    trust_unsigned_batch_items: bool = False
    contact_ledger_table: str = ""  # without one, there is no contact ledger
    stack_id: str = ""  # salts the contact ledger's hashes
    resend_unchanged_after_hours: float = Field(default=168, gt=0)
    powertools_log_level: Level = "INFO"
    metrics_namespace: str = METRICS_NAMESPACE  # one for each stack, because an account may have several
    aws_sam_local: bool = False

    @field_validator("loops_base_url")
    @classmethod
    def _is_url(cls, url: str) -> str:
        if urlsplit(url).scheme not in {"https", "http"} or not urlsplit(url).hostname:
            raise ValueError("not a URL; use one such as https://app.loops.so/api")
        return url.rstrip("/")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings. Raises `SettingsError`, which names every variable that is missing or invalid."""
        given = {name: environ[name.upper()] for name in cls.model_fields if environ.get(name.upper())}
        try:
            settings = cls.model_validate(given)
        except ValidationError as error:
            problems = [f"{str(problem['loc'][0]).upper()}: {problem['msg']}" for problem in error.errors()]
            raise SettingsError("; ".join(problems)) from None
        if not settings.keeps_api_key_private:
            raise SettingsError("LOOPS_BASE_URL: plain http would expose the API key; use https")
        return settings

    @property
    def keeps_api_key_private(self) -> bool:
        """Return whether the API key is sent over https, or to this machine only.

        In a container of `sam local`, this machine has a name that is not a loopback address.
        """
        url = urlsplit(self.loops_base_url)
        return url.scheme == "https" or self.aws_sam_local or _is_loopback(url.hostname or "")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
