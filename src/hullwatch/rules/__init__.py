"""The rule language: from YAML files to functions that judge events."""
