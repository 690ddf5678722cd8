"""The calls that many contact updates cost, with the contact ledger, in virtual time."""

from bench.burst import Run, burst, repeats


def test_a_burst_of_updates_costs_two_calls_a_contact() -> None:
    """Of 200 contacts that change 20 times within a minute, none ends with an old value; a contact costs two calls or less."""
    figures = Run(burst(1), with_ledger=True).run().figures()
    assert figures["contacts with an old value"] == 0
    assert figures["calls a contact"] <= 2


def test_repeated_identifies_cost_no_calls() -> None:
    """Of ten identify calls of which nine change nothing, Loops gets one; a hundred changes cost 105 calls or fewer."""
    figures = Run(repeats(1), with_ledger=True).run().figures()
    assert figures["contacts with an old value"] == 0
    assert figures["calls a change"] <= 1.05
