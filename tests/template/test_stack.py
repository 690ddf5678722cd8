"""AWS::LanguageExtensions as the rules play it: parameters become values before SAM looks at the template."""

from __future__ import annotations

from typing import Any

import pytest

from tests.template.stack import TRANSFORMS, Reading, Stack, evaluated

SIZE = {"Ref": "Size"}
CHOICE = {"Fn::If": ["IsLarge", {"Ref": "Size"}, {"Ref": "AWS::NoValue"}]}
DOCUMENT: dict[str, Any] = {
    "Transform": TRANSFORMS,
    "Parameters": {"Size": {"Type": "Number", "Default": 5, "Description": "${Size}"}},
    "Conditions": {"IsLarge": {"Fn::Not": [{"Fn::Equals": [SIZE, "5"]}]}},
    "Globals": {"Function": {"Environment": {"Variables": {"SIZE": SIZE}}}},
    "Resources": {
        "It": {
            "Type": "AWS::SQS::Queue",
            "Properties": {
                "Size": SIZE,
                "Choice": CHOICE,
                "List": [SIZE, {"Fn::GetAtt": ["Other", "Arn"]}, {"Ref": "Other"}, CHOICE],
                "Text": {"Fn::Sub": "${AWS::StackName} ${Size} ${!Size} ${Other.Arn}"},
            },
        }
    },
    "Outputs": {"Size": {"Value": SIZE}},
}
REST = [{"Fn::GetAtt": ["Other", "Arn"]}, {"Ref": "Other"}]
TEXT = {"Fn::Sub": "${AWS::StackName} 7 ${!Size} ${Other.Arn}"}


def test_at_least_the_parameters_become_values() -> None:
    """References to parameters are replaced, as text, and resources, attributes and pseudo parameters stay."""
    expanded = Stack(DOCUMENT).expanded(Reading.LEAST, Size="7")
    conditional = {"Fn::If": ["IsLarge", "7", {"Ref": "AWS::NoValue"}]}
    assert expanded.properties("It") == {
        "Size": "7",
        "Choice": conditional,
        "List": ["7", *REST, conditional],
        "Text": TEXT,
    }
    assert expanded.document["Outputs"]["Size"]["Value"] == "7"
    assert expanded.document["Conditions"]["IsLarge"] == {"Fn::Not": [{"Fn::Equals": ["7", "5"]}]}
    assert expanded.document["Globals"] == DOCUMENT["Globals"]


@pytest.mark.parametrize(
    ("size", "properties"),
    [
        ("7", {"Size": "7", "Choice": "7", "List": ["7", *REST, "7"], "Text": TEXT}),
        (
            "5",
            {
                "Size": "5",
                "List": ["5", *REST],
                "Text": {"Fn::Sub": "${AWS::StackName} 5 ${!Size} ${Other.Arn}"},
            },
        ),
    ],
)
def test_at_most_globals_and_branches_are_resolved_as_well(size: str, properties: dict[str, Any]) -> None:
    """Fn::If becomes the branch that applies, AWS::NoValue leaves its property out, and Globals have values."""
    expanded = Stack(DOCUMENT).expanded(Reading.MOST, Size=size)
    assert expanded.properties("It") == properties
    assert expanded.document["Globals"]["Function"]["Environment"]["Variables"] == {"SIZE": size}


@pytest.mark.parametrize("transforms", [TRANSFORMS[1], TRANSFORMS[1:], TRANSFORMS[::-1]])
def test_without_the_extensions_before_sam_everything_stays(transforms: Any) -> None:
    """SAM sees references to parameters when AWS::LanguageExtensions is missing or comes after it."""
    stack = Stack({**DOCUMENT, "Transform": transforms})
    assert stack.expanded(Reading.MOST, Size="7").document == stack.document


def test_a_value_is_evaluated_as_cloudformation_does() -> None:
    """Defaults are used where no value is given, and conditions decide."""
    properties = DOCUMENT["Resources"]["It"]["Properties"]
    assert evaluated(DOCUMENT, properties["List"]) == ["5", *REST]
    assert evaluated(DOCUMENT, properties["List"], Size="7") == ["7", *REST, "7"]
