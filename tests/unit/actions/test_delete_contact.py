from typing import Any

import pytest

from loops_destination.actions import ACTIONS

ACTION = ACTIONS["deleteContact"]


@pytest.mark.parametrize(("user_id", "sent"), [("u-1", "u-1"), (7, "7"), (["u-1"], "u-1")])
def test_user_id_is_text(user_id: Any, sent: str) -> None:
    """A deletion sends the userId as text, and nothing else."""
    assert ACTION.body(ACTION.payload({"userId": user_id, "email": "ada@example.com"})) == {"userId": sent}
