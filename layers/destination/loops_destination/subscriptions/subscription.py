"""One subscription, compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from loops_destination.actions import ACTIONS, Action
from loops_destination.errors import DefinitionError, Problem, SubscriptionsError
from loops_destination.idempotency import idempotency_key
from loops_destination.loops_request import LoopsRequest
from loops_destination.mapping import Mapping
from loops_destination.subscriptions.definition import identity, problems_of, well_typed
from loops_destination.trigger import Trigger

_Compiled = TypeVar("_Compiled")


class Subscription:
    """A trigger, an action and a mapping, compiled once and then asked of every event.

    `id` is what results, messages and keys call it; `name` is for people, and its id where it has none.
    """

    __slots__ = ("_mapping", "_trigger", "action", "enabled", "id", "name")

    def __init__(  # noqa: PLR0913  # its parts, made by from_json alone
        self, known_as: str, action: Action, trigger: Trigger, mapping: Mapping, *, name: str, enabled: bool
    ) -> None:
        self.id = known_as
        self.name = name
        self.action = action
        self.enabled = enabled
        self._trigger = trigger
        self._mapping = mapping

    @classmethod
    def from_json(cls, definition: Any) -> Subscription:
        """The subscription of an object of Segment's API, or of our own file, which says `action` and `mapping`.

        A missing trigger or mapping takes the action's default; null counts as missing. It is known by its `id`, else
        its `name`, else its action. Unknown keys are ignored in what Segment exported, and refused in what was written
        by hand: with `trigger` misspelt it would take every event. `SubscriptionsError` tells every problem.
        """
        if not isinstance(definition, dict):
            raise SubscriptionsError([Problem("", "a subscription must be an object")])
        problems = list(problems_of(definition))
        given = well_typed(definition)
        action = ACTIONS.get(given.get("actionSlug", given.get("action", "")))
        mapping_key = "settings" if "settings" in given else "mapping"
        trigger = _compiled(Trigger, given.get("trigger", action and action.trigger), "/trigger", problems)
        mapping = _compiled(Mapping, given.get(mapping_key, action and action.mapping), f"/{mapping_key}", problems)
        if problems or action is None or trigger is None or mapping is None:
            raise SubscriptionsError(problems)
        known_as = identity(definition)
        name = given.get("name", known_as)
        return cls(known_as, action, trigger, mapping, name=name, enabled=given.get("enabled", True))

    def matches(self, event: dict[str, Any]) -> bool:
        """Whether the event is to be delivered: the subscription is enabled, and its trigger matches."""
        return self.enabled and self._trigger.matches(event)

    def request(self, event: dict[str, Any], key: str | None = None) -> LoopsRequest:
        """What Loops is asked for this event, whether or not it matches; the body shares values with the event.

        `key` is the Idempotency-Key where the action has one; when None, it is made of the event.
        `MappingError` and `PayloadError` tell of an event that cannot be delivered under this subscription.
        """
        action = self.action
        body = action.body(action.payload(self._mapping.resolve(event)))
        if not action.keyed:
            return LoopsRequest(action.method, action.path, body)
        headers = {"Idempotency-Key": idempotency_key(event, self.id) if key is None else key}
        return LoopsRequest(action.method, action.path, body, headers)

    def __repr__(self) -> str:
        return f"Subscription({self.id!r}, {self.action.slug})"


def _compiled(
    compile_definition: Callable[[Any], _Compiled], definition: Any, place: str, problems: list[Problem]
) -> _Compiled | None:
    """The trigger or mapping; None when it is faulty, or missing where no known action gives it a default."""
    if definition is None:
        return None
    try:
        return compile_definition(definition)
    except DefinitionError as error:
        problems += [Problem(place + problem.path, problem.message) for problem in error.problems]
        return None
