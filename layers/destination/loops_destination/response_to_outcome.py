"""Decide the outcome of a delivery from Loops' response: delivered, queued (the event waits) or rejected.

| Loops' response                                          | outcome                                              |
|----------------------------------------------------------|------------------------------------------------------|
| 2xx; 404 to a deletion                                   | delivered                                            |
| 409 to an event: its idempotency key was used before     | delivered; rejected if an earlier attempt was refused |
| 408, 429, 5xx, an unreadable response, none in time      | queued                                               |
| 401, 403                                                 | queued                                               |
| 400, 404 for a contact named by its `userId` only        | queued if its identify may still come, else rejected |
| any other 4xx                                            | rejected                                             |

`loops/responses.py` reads the status. After a 409, the contact ledger may still update the contact
(`ledger/protocol.py`). A web function also queues deliveries without a call (`handlers/webhook.py`).
"""

from __future__ import annotations

from loops_destination.loops.responses import Meaning, Response
from loops_destination.outcomes import Outcome, Reason


def outcome_of(
    response: Response, *, may_have_used_idempotency_key: bool, contact_may_come: bool
) -> tuple[Outcome, Reason | None]:
    """Return the outcome of a delivery with this response, and the reason unless it is delivered.

    `may_have_used_idempotency_key`: Loops refused an earlier attempt. Loops does not document if that uses up the
    idempotency key, so a 409 does not prove that Loops took the event.
    """
    match response.meaning:
        case Meaning.DONE:
            return Outcome.DELIVERED, None
        case Meaning.ALREADY_DONE if may_have_used_idempotency_key:
            return Outcome.REJECTED, Reason.IDEMPOTENCY_KEY_ALREADY_USED
        case Meaning.ALREADY_DONE:
            return Outcome.DELIVERED, None
        case Meaning.TRY_AGAIN | Meaning.API_KEY_REFUSED:
            return Outcome.QUEUED, response.reason
        case Meaning.CONTACT_UNKNOWN if contact_may_come:
            return Outcome.QUEUED, response.reason
        case Meaning.CONTACT_UNKNOWN | Meaning.REFUSED:
            return Outcome.REJECTED, response.reason
