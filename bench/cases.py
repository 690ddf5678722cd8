"""The measured cases: events of three sizes, under the default and a rich subscription of each action."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from loops_destination.actions import ACTIONS

API_KEY = "0123456789abcdef0123456789abcdef"
SHARED_SECRET = "nothing-but-a-benchmark"  # noqa: S105  # of no system

LARGE_TRAITS = 202
"""Number of traits that make the large event 30 KB; Segment accepts 32 KB."""


@dataclass(frozen=True, slots=True)
class Case:
    """One event under one subscription; `size` and `kind` name both."""

    size: str
    kind: str
    event: dict[str, Any]
    action: str
    trigger: str
    mapping: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.event['type']}, {self.size}, {self.kind}"

    @property
    def subscription(self) -> dict[str, Any]:
        """Return the subscription as the mappings file has it."""
        return {"name": self.name, "action": self.action, "trigger": self.trigger, "mapping": self.mapping}


def cases() -> list[Case]:
    """Return every event under every subscription that matches it."""
    return [
        Case(size, kind, event, action, trigger, mapping)
        for action, events in EVENTS.items()
        for kind, (trigger, mapping) in SUBSCRIPTIONS[action].items()
        for size, event in events.items()
    ]


CONTEXT = {
    "active": True,
    "app": {"name": "Shop", "version": "5.14.2", "build": "5142"},
    "campaign": {"name": "Spring", "source": "newsletter", "medium": "email", "term": "tea", "content": "header"},
    "ip": "203.0.113.9",
    "library": {"name": "analytics.js", "version": "npm:next-1.76.1"},
    "locale": "en-GB",
    "page": {
        "path": "/account/plan",
        "referrer": "https://shop.example/",
        "search": "?tab=plan",
        "title": "Your plan",
        "url": "https://shop.example/account/plan?tab=plan",
    },
    "timezone": "Europe/London",
    "traits": {"email": "ada.lovelace@example.com", "plan": "pro"},
    "userAgent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
}

TYPICAL = {
    "anonymousId": "507f191e-810c-4972-9de8-60ea00000000",
    "channel": "browser",
    "context": CONTEXT,
    "integrations": {},
    "messageId": "ajs-next-1772366400000-507f191e-810c-4972-9de8-60ea00000000",
    "originalTimestamp": "2026-03-01T12:00:00.000Z",
    "receivedAt": "2026-03-01T12:00:00.412Z",
    "sentAt": "2026-03-01T12:00:00.101Z",
    "timestamp": "2026-03-01T12:00:00.311Z",
    "userId": "user-6f1d02",
    "version": 2,
    "writeKey": "benchwritekey",
}

TRAITS = {
    "email": "ada.lovelace@example.com",
    "firstName": "Ada",
    "lastName": "Lovelace",
    "plan": "Pro Yearly",
    "company": {"name": "Analytical Engines", "employees": 12, "industry": "Computing"},
    "createdAt": "2025-11-20T09:30:00.000Z",
    "logins": 42,
    "newsletter": True,
    "phone": None,
    "tags": ["early", "beta"],
    "userGroup": "customers",
}

PROPERTIES = {
    "order_id": "o-50314",
    "total": 129.5,
    "currency": "EUR",
    "coupon": "SPRING-2026",
    "is_gift": False,
    "products": [
        {"sku": "T-1", "name": "Darjeeling", "price": 19.5, "quantity": 2},
        {"sku": "T-7", "name": "Sencha", "price": 30.25, "quantity": 1},
        {"sku": "P-2", "name": "Pot", "price": 60.25, "quantity": 1},
    ],
    "shipping": {"method": "express", "city": "London"},
}

MANY = {
    f"attribute_{number:03}": f"value {number} of the many that are sent along, " + "x" * 80
    for number in range(LARGE_TRAITS)
}

EVENTS: dict[str, dict[str, dict[str, Any]]] = {
    "createOrUpdateContact": {
        "small": {
            "type": "identify",
            "messageId": "m-1",
            "userId": "u-1",
            "traits": {"email": "ada@example.com", "firstName": "Ada"},
        },
        "typical": {"type": "identify", **TYPICAL, "traits": TRAITS},
        "30 KB": {"type": "identify", **TYPICAL, "traits": TRAITS | MANY},
    },
    "sendEvent": {
        "small": {
            "type": "track",
            "messageId": "m-2",
            "userId": "u-1",
            "event": "Order Completed",
            "properties": {"total": 9.5, "email": "ada@example.com"},
        },
        "typical": {"type": "track", "event": "Order Completed", **TYPICAL, "properties": PROPERTIES},
        "30 KB": {"type": "track", "event": "Order Completed", **TYPICAL, "properties": PROPERTIES | MANY},
    },
}


def _either(path: str, otherwise: Any) -> dict[str, Any]:
    return {"@if": {"exists": {"@path": path}, "then": {"@path": path}, "else": otherwise}}


RICH_CONTACT = {
    "userId": {"@path": "$.userId"},
    "email": {"@case": {"operator": "lower", "value": _either("$.traits.email", {"@path": "$.context.traits.email"})}},
    "firstName": {"@path": "$.traits.firstName"},
    "lastName": {"@path": "$.traits.lastName"},
    "source": {"@template": "{{context.app.name}} {{context.app.version}}"},
    "userGroup": {"@if": {"blank": {"@path": "$.traits.plan"}, "then": {"@path": "$.traits.plan"}, "else": "free"}},
    "createdAt": _either("$.traits.createdAt", {"@path": "$.timestamp"}),
    "subscribed": {"@path": "$.traits.newsletter"},
    "mailingLists": {"cm1": {"@path": "$.traits.newsletter"}, "cm2": False},
    "customAttributes": {
        "@merge": {
            "direction": "right",
            "objects": [
                {"@flatten": {"value": {"@path": "$.traits"}, "separator": "_"}},
                {
                    "fullName": {"@template": "{{traits.firstName}} {{traits.lastName}}"},
                    "plan": {"@replace": {"pattern": " ", "replacement": "-", "value": {"@path": "$.traits.plan"}}},
                    "campaign": {"@excludeWhenNull": {"@path": "$.context.campaign.name"}},
                    "company": {"@json": {"mode": "encode", "value": {"@path": "$.traits.company"}}},
                },
            ],
        }
    },
}

RICH_EVENT = {
    "userId": {"@path": "$.userId"},
    "email": {
        "@case": {"operator": "lower", "value": _either("$.properties.email", {"@path": "$.context.traits.email"})}
    },
    "eventName": {"@replace": {"pattern": " ", "replacement": "_", "value": {"@path": "$.event"}}},
    "contactProperties": {
        "lastOrder": {"@path": "$.timestamp"},
        "lastPage": {"@template": "{{context.page.title}} ({{context.page.path}})"},
        "plan": {"@path": "$.context.traits.plan"},
    },
    "eventProperties": {
        "@merge": {
            "direction": "right",
            "objects": [
                {"@flatten": {"value": {"@path": "$.properties"}, "separator": "_", "omitArrays": True}},
                {
                    "products": {
                        "@json": {
                            "mode": "encode",
                            "value": {
                                "@arrayPath": [
                                    "$.properties.products",
                                    {"name": {"@path": "$.name"}, "cost": {"@path": "$.price"}},
                                ]
                            },
                        }
                    },
                    "summary": {"@template": "{{event}}: {{properties.total}} {{properties.currency}}"},
                },
            ],
        }
    },
}

RICH_CONTACT_TRIGGER = 'type = "identify" and contains(traits.email, "@") and (traits.plan != null or userId != null)'
RICH_EVENT_TRIGGER = 'type = "track" and match(event, "Order*") and (properties.total > 5 or properties.is_gift = true)'

SUBSCRIPTIONS = {
    "createOrUpdateContact": {
        "default": (ACTIONS["createOrUpdateContact"].trigger, ACTIONS["createOrUpdateContact"].mapping),
        "rich": (RICH_CONTACT_TRIGGER, RICH_CONTACT),
    },
    "sendEvent": {
        "default": (ACTIONS["sendEvent"].trigger, ACTIONS["sendEvent"].mapping),
        "rich": (RICH_EVENT_TRIGGER, RICH_EVENT),
    },
}
