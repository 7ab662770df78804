import msgspec

from hullwatch.config import Settings, leaves, schema


def test_every_value_has_a_help_text() -> None:
    assert [path for path, leaf in leaves().items() if not leaf.help] == []


def test_every_value_has_a_variable_of_its_own() -> None:
    variables = [leaf.variable for leaf in leaves().values()]
    assert len(set(variables)) == len(variables)
    assert "HULLWATCH_OUTPUT_FORMAT" in variables


def test_the_schema_asks_for_durations_as_text() -> None:
    definitions = schema()["$defs"]
    assert definitions["HoldSettings"]["properties"]["timeout"]["type"] == "string"
    assert definitions["HoldSettings"]["properties"]["timeout"]["default"] == "500ms"
    assert b'"number"' not in msgspec.json.encode(definitions["RunSettings"]["properties"]["duration"])


def test_the_schema_names_every_section() -> None:
    assert set(schema()["$defs"]["Settings"]["properties"]) == set(Settings.__struct_fields__)
