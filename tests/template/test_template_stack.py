"""AWS::LanguageExtensions as the rules simulate it: parameters become values before SAM reads the template."""

from __future__ import annotations

from typing import Any

import pytest

from tests.template.template_stack import FUNCTION, TRANSFORMS, Reading, Stack, evaluated

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


def test_parameters_become_values_under_the_least_reading() -> None:
    """References to parameters are replaced by text; those to resources, attributes and pseudo parameters stay."""
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
def test_globals_and_branches_are_resolved_under_the_most_reading(size: str, properties: dict[str, Any]) -> None:
    """Fn::If becomes the branch that applies, AWS::NoValue removes its property, and Globals have values."""
    expanded = Stack(DOCUMENT).expanded(Reading.MOST, Size=size)
    assert expanded.properties("It") == properties
    assert expanded.document["Globals"]["Function"]["Environment"]["Variables"] == {"SIZE": size}


@pytest.mark.parametrize("transforms", [TRANSFORMS[1], TRANSFORMS[1:], TRANSFORMS[::-1]])
def test_nothing_is_replaced_without_the_extensions_before_sam(transforms: Any) -> None:
    """SAM sees references to parameters if AWS::LanguageExtensions is missing or comes after it."""
    stack = Stack({**DOCUMENT, "Transform": transforms})
    assert stack.expanded(Reading.MOST, Size="7").document == stack.document


def test_a_value_is_evaluated_as_by_cloudformation() -> None:
    """Parameters without a value have their defaults, and conditions decide between branches."""
    properties = DOCUMENT["Resources"]["It"]["Properties"]
    assert evaluated(DOCUMENT, properties["List"]) == ["5", *REST]
    assert evaluated(DOCUMENT, properties["List"], Size="7") == ["7", *REST, "7"]


@pytest.mark.parametrize("reading", Reading)
def test_the_functions_alone_are_deployed_as_in_the_whole_template(reading: Reading) -> None:
    """Functions, versions and aliases are the same, whether or not the rest of the template is translated with them."""
    stack = Stack.read()
    whole = stack.deployed(reading, Canary="false")["Resources"]
    alone = stack.functions_alone().deployed(reading, Canary="false")["Resources"]
    assert len(alone) == len(stack.functions_alone().document["Resources"]) + 2 * len(stack.of_type(FUNCTION))
    assert alone.items() <= whole.items()
