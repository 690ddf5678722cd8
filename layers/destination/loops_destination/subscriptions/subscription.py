"""A compiled subscription."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from loops_destination.actions import ACTIONS, Action
from loops_destination.errors import DefinitionError, Problem, SubscriptionsError
from loops_destination.idempotency import idempotency_key_of
from loops_destination.loops_request import LoopsRequest
from loops_destination.mapping import Mapping
from loops_destination.subscriptions.definition import identity, problems_of, well_typed
from loops_destination.trigger import Trigger

_Compiled = TypeVar("_Compiled")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Subscription:
    """A trigger, a mapping and an action, compiled once and used for every event.

    `id` identifies the subscription in results, messages and idempotency keys. `name` is shown to people; a subscription
    without a name shows its id.
    """

    id: str
    name: str
    enabled: bool
    action: Action
    trigger: Trigger
    mapping: Mapping

    @classmethod
    def from_json(cls, definition: Any) -> Subscription:
        """Compile an object of Segment's API (`actionSlug`, `settings`) or of a mappings file (`action`, `mapping`).

        A missing or null trigger or mapping takes the action's default. The id is the definition's `id`, else its
        `name`, else its action. Unknown keys are ignored in an export of Segment's and refused in a file written by
        hand, where a misspelt `trigger` would make the subscription match too many events. Raises `SubscriptionsError`
        with every problem.
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
        name = given.get("name") or known_as
        return cls(known_as, name, given.get("enabled", True), action, trigger, mapping)

    def matches(self, event: dict[str, Any]) -> bool:
        """Return True if the subscription is enabled and its trigger matches the event."""
        return self.enabled and self.trigger.matches(event)

    def request(self, event: dict[str, Any], idempotency_key: str | None = None) -> LoopsRequest:
        """Build the request that sends an event to Loops, whether or not the trigger matches it.

        The body shares values with the event. `idempotency_key` is for actions that take one; by default it is
        derived from the event. Raises `MappingError` or `PayloadError` if this event can never be delivered by this
        subscription.
        """
        action = self.action
        body = action.body(action.payload(self.mapping.resolve(event)))
        if not action.keyed:
            return LoopsRequest(action.method, action.path, body)
        headers = {"Idempotency-Key": idempotency_key or idempotency_key_of(event, self.id)}
        return LoopsRequest(action.method, action.path, body, headers)

    def __repr__(self) -> str:
        return f"Subscription({self.id!r}, {self.action.slug})"


def _compiled(
    compile_definition: Callable[[Any], _Compiled], definition: Any, place: str, problems: list[Problem]
) -> _Compiled | None:
    """Return the trigger or mapping; None if it has problems, or if it is missing and no known action has a default."""
    if definition is None:
        return None
    try:
        return compile_definition(definition)
    except DefinitionError as error:
        problems += [Problem(place + problem.path, problem.message) for problem in error.problems]
        return None
