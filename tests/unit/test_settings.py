"""The environment variables."""

import pytest

from loops_destination.errors import SettingsError
from loops_destination.settings import Settings

NEEDED = {"SECRET_ID": "s", "RETRY_QUEUE_URL": "https://r", "DEAD_LETTER_QUEUE_URL": "https://d"}


def test_each_variable_becomes_a_setting() -> None:
    """Each variable becomes a setting of its type, and an empty one counts as missing."""
    settings = Settings.from_environment(
        NEEDED
        | {"TRUST_UNSIGNED_BATCH_ITEMS": "true", "RETRY_FOR_HOURS": "24", "MAX_EVENT_AGE_HOURS": "48"}
        | {"LOOPS_BASE_URL": "", "OTHER": "x"}
    )
    assert settings.trust_unsigned_batch_items is True
    assert settings.retry_for_hours == 24
    assert settings.max_event_age_hours == 48
    assert settings.loops_base_url == "https://app.loops.so/api"


def test_events_are_too_old_after_three_days_by_default() -> None:
    """Without MAX_EVENT_AGE_HOURS the limit is 72 hours."""
    assert Settings.from_environment(NEEDED).max_event_age_hours == 72


def test_every_problem_is_reported_at_once() -> None:
    """A missing variable and an invalid one are both named."""
    with pytest.raises(SettingsError) as error:
        Settings.from_environment({"SECRET_ID": "s", "RETRY_QUEUE_URL": "r", "LOOPS_REQUESTS_PER_SECOND": "0"})
    assert "DEAD_LETTER_QUEUE_URL" in str(error.value)
    assert "LOOPS_REQUESTS_PER_SECOND" in str(error.value)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:4010/api", "http://localhost/api", "http://[::1]:1/api", "https://x/api/"]
)
def test_loops_may_be_on_this_machine(url: str) -> None:
    """Plain http is accepted for a loopback address."""
    assert Settings.from_environment(NEEDED | {"LOOPS_BASE_URL": url}).loops_base_url == url.rstrip("/")


@pytest.mark.parametrize(
    "url", ["http://app.loops.so/api", "http://10.0.0.1/api", "ftp://x", "app.loops.so", "https://"]
)
def test_the_api_key_is_not_sent_in_the_clear(url: str) -> None:
    """Any other address must be https, because plain http would expose the API key."""
    with pytest.raises(SettingsError, match="LOOPS_BASE_URL"):
        Settings.from_environment(NEEDED | {"LOOPS_BASE_URL": url})


def test_sam_local_may_use_plain_http() -> None:
    """Plain http is accepted in a container of `sam local`, where this machine has a name that is not loopback."""
    given = NEEDED | {"LOOPS_BASE_URL": "http://host.docker.internal:4010/api", "AWS_SAM_LOCAL": "true"}
    assert Settings.from_environment(given).aws_sam_local is True
