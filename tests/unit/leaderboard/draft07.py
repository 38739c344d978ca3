"""The part of JSON Schema draft-07 that Every Eval Ever's schema uses; `complaints` says where a value breaks it."""

import re

TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
}
KNOWN = {
    *("$schema", "$id", "$defs", "version", "title", "description", "default", "examples", "$comment", "format"),
    *(
        "type",
        "enum",
        "const",
        "required",
        "properties",
        "additionalProperties",
        "items",
        "minItems",
        "minimum",
        "maximum",
    ),
    *("pattern", "oneOf", "anyOf", "allOf", "not", "if", "then", "else", "$ref", "uniqueItems", "minLength"),
}


def _is(value, kind):
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "integer":
        return (isinstance(value, int) and not isinstance(value, bool)) or (
            isinstance(value, float) and value.is_integer()
        )
    return isinstance(value, TYPES[kind])


def complaints(value, schema, root=None, place="$"):
    """Every way in which `value` breaks `schema`, as texts; a keyword that is not known here is an error."""
    root = schema if root is None else root
    unknown = set(schema) - KNOWN
    assert not unknown, f"draft07 knows no {unknown}"

    def again(inner, given=value, where=place):
        return list(complaints(given, inner, root, where))

    if "$ref" in schema:
        target = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return again(target)
    found = []
    kinds = schema.get("type")
    if kinds is not None and not any(_is(value, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
        return [f"{place}: {value!r} is no {kinds}"]
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{place}: {value!r} is none of {schema['enum']}")
    if "const" in schema and value != schema["const"]:
        found.append(f"{place}: {value!r} is not {schema['const']!r}")
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{place}: {value!r} does not match {schema['pattern']}")
    if isinstance(value, str) and len(value) < schema.get("minLength", 0):
        found.append(f"{place}: too short")
    if _is(value, "number") and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        found.append(f"{place}: {value} is out of range")
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            found.append(f"{place}: too few items")
        for number, each in enumerate(value):
            found += again(schema.get("items", {}), each, f"{place}[{number}]")
    if isinstance(value, dict):
        found += [f"{place}: {name} is missing" for name in schema.get("required", ()) if name not in value]
        properties, more = schema.get("properties", {}), schema.get("additionalProperties", True)
        for name, each in value.items():
            if name in properties:
                found += again(properties[name], each, f"{place}.{name}")
            elif more is False:
                found.append(f"{place}: {name} is not allowed")
            elif isinstance(more, dict):
                found += again(more, each, f"{place}.{name}")
    if "oneOf" in schema and sum(not again(each) for each in schema["oneOf"]) != 1:
        found.append(f"{place}: not exactly one of the alternatives")
    if "anyOf" in schema and all(again(each) for each in schema["anyOf"]):
        found.append(f"{place}: none of the alternatives")
    for each in schema.get("allOf", ()):
        found += again(each)
    if "not" in schema and not again(schema["not"]):
        found.append(f"{place}: what must not be")
    if "if" in schema:
        found += again(schema.get("else" if again(schema["if"]) else "then", {}))
    return found
