"""An email that changes hands, and one that does not."""

from typing import Any

from loops_destination.ledger import Called, Conclusion, Effect
from loops_destination.loops_request import LoopsRequest
from tests.unit.ledger.ledgers import Bench, Call, Sent

HERS, HIS = "ada@loops.so", "bob@loops.so"


def ada(second: float, **body: Any) -> Sent:
    return Sent("update", second, {"email": HERS, **body}, user="u-ada")


def bob(second: float, **body: Any) -> Sent:
    return Sent("update", second, body, user="u-bob")


def answers(effect: Effect) -> Call:
    return lambda _request, _seconds: Called(effect, effect.name)


def sent(bench: Bench, delivery: Sent) -> list[LoopsRequest]:
    """Deliver, and return the calls."""
    before = len(bench.calls)
    bench.deliver(delivery)
    return bench.calls[before:]


def test_a_refused_handover_leaves_the_owner_what_was_known() -> None:
    """If Loops refuses an email for another person, its owner's values are still known, and no consent is sent again."""
    for effect in (Effect.REFUSED, Effect.TOO_FAST, Effect.NOT_YET):
        bench = Bench()
        bench.deliver(ada(1, subscribed=True))
        bench.deliver(bob(2, email=HIS))
        bench.deliver(bob(3, email=HERS), answers(effect))
        assert sent(bench, ada(4, subscribed=True)) == [], effect


def test_a_refused_handover_takes_no_consent() -> None:
    """A consent flag that was not taken over is sent when it changes."""
    bench = Bench()
    bench.deliver(bob(1, email=HIS, subscribed=True))
    bench.deliver(ada(2, subscribed=False))
    bench.deliver(bob(3, email=HERS), answers(Effect.REFUSED))
    (call,) = sent(bench, bob(4, email=HIS, subscribed=False))
    assert call.body["subscribed"] is False


def test_a_refused_claim_leaves_the_email_free() -> None:
    """An email that Loops refused for one person belongs to nobody, so an older identify of another may take it."""
    bench = Bench()
    bench.deliver(bob(3, email=HERS), answers(Effect.REFUSED))
    (call,) = sent(bench, ada(2))
    assert call.body["email"] == HERS


def test_an_email_that_was_left_hands_nothing_over() -> None:
    """The former owner of an email, who has another one now, keeps what is known, and the new owner sends the consent."""
    bench = Bench()
    bench.deliver(ada(1, subscribed=False))
    bench.deliver(Sent("update", 2, {"email": "ada@new.example", "subscribed": False}, user="u-ada"))
    (call,) = sent(bench, bob(3, email=HERS, subscribed=False))
    assert call.body["subscribed"] is False
    assert sent(bench, Sent("update", 4, {"email": "ada@new.example", "subscribed": False}, user="u-ada")) == []


def test_an_older_event_takes_no_email_from_its_owner() -> None:
    """An email whose owner still had it at a later event stays with the owner, even if that event cost no call."""
    bench = Bench()
    bench.deliver(ada(1))
    assert bench.deliver(ada(3)).conclusion is Conclusion.UNCHANGED
    (call,) = sent(bench, bob(2, email=HERS, firstName="Bob"))
    assert "email" not in call.body


def test_the_case_of_an_email_does_not_matter() -> None:
    """An email that differs in case alone is unchanged."""
    bench = Bench()
    bench.deliver(ada(1))
    assert bench.deliver(ada(2, email=HERS.upper())).conclusion is Conclusion.UNCHANGED
