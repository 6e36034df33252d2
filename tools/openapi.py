#!/usr/bin/python3
"""Writes docs/openapi.json: openapi.py [--check]

Paths and parameters come from the server's own tables (the routes of src/api/api.c, the al_api_param arrays beside the
endpoints), so that the document cannot promise what the server does not read. What the tables do not say, the types of
structured members and the answers, stands in tools/openapi_types.py. With --check nothing is written: exit status 1 when
the document is not what it would become.
"""
import argparse
import json
import pathlib
import re
import sys

from openapi_types import ANSWERS, COMPONENTS, ENDPOINTS, PARAMETERS

ROOT = pathlib.Path(__file__).resolve().parents[1]
API = ROOT / "src" / "api"
READERS = {
    "al_api_read_bool": {"type": "boolean"}, "al_api_check_bool": {"type": "boolean"},
    "al_api_read_int": {"type": "integer"}, "al_api_read_int64": {"type": "integer"},
    "al_api_read_float": {"type": "number"}, "al_api_check_str": {"type": "string"},
    "al_api_read_model": {"type": "string"}, "al_api_ollama_read_model": {"type": "string"},
    "al_api_check_false": {"const": False}, "al_api_read_chars": {"type": "string"}, "read_echo": {"type": "string"}, "read_str": {"type": "string"},
}


def constants():
    """Names of numbers in the sources."""
    found = {"INT32_MAX": 2**31 - 1}
    for file in [*API.glob("*.[ch]"), ROOT / "src/sched/scheduler.h"]:
        for name, value in re.findall(r"constexpr \w+ (\w+) = ([\d']+);", file.read_text()):
            found[name] = int(value.replace("'", ""))
    return found


CONSTANTS = constants()


def number(text):
    text = text.strip().replace("'", "")
    return CONSTANTS[text] if text in CONSTANTS else float(text) if "." in text else int(text)


def bounds(schema, least, most):
    if schema.get("type") in ("integer", "number") and least is not None:
        schema["minimum"], schema["maximum"] = number(least), number(most)
    return schema


def entry(fields, place):
    name = re.search(r'\.name = "([^"]+)"', fields)[1]
    reader = re.search(r"\.read = (\w+)", fields)[1]
    words = re.search(r'\.words = "([^"]*)"', fields)
    if reader == "al_api_refuse" or reader == "al_api_check_empty":
        return name, None
    if reader == "al_api_check_word":
        return name, {"enum": words[1].split("|")}
    known = [table[key] for table, key in ((PARAMETERS, f"{place}.{name}"), (PARAMETERS, name), (READERS, reader))
             if key in table]
    if not known:
        raise SystemExit(f"openapi: the type of '{name}' ({place}, {reader}) is missing in tools/openapi_types.py")
    least, most = re.search(r"\.least = ([^,}]+)", fields), re.search(r"\.most = ([^,}]+)", fields)
    return name, bounds(dict(known[0]), least and least[1], most and most[1])


def table(place):
    """{name: schema, or None when it is refused} of "file.array"."""
    file, array = place.split(".")
    source = re.sub(r"/\*.*?\*/", "", (API / f"{file}.c").read_text(), flags=re.S)
    body = re.search(rf"struct al_api_param {array}\[\] = \{{(.*?)\n\}};", source, re.S)[1]
    out = {}
    for fields, kind, macro in re.findall(r"(\{ *\.name =.*?\})|(REAL|INT)\((.*?)\)", body, re.S):
        if fields:
            name, out[name] = entry(fields, file)
        else:
            name, _, least, most = [part.strip() for part in macro.split(",")]
            out[name.strip('"')] = bounds({"type": "number" if kind == "REAL" else "integer"}, least, most)
    return out


def request_schema(endpoint):
    properties = {}
    for place in endpoint["tables"]:
        for name, schema in table(place).items():
            properties.setdefault(name, schema)
    allowed = {name: schema for name, schema in sorted(properties.items()) if schema is not None}
    return {"type": "object", "properties": allowed, "required": endpoint["required"], "additionalProperties": False}


def routes():
    """[(method, path in OpenAPI's spelling)]"""
    source = (API / "api.c").read_text()
    found = re.findall(r'\{ AL_HTTP_(\w+), "([^"]+)",', source)
    return [(method.lower(), path.replace("...}", "}")) for method, path in found]


def form_schema(endpoint):
    """Of multipart/form-data: an array's fields are called "name[]", and the files stand beside the fields."""
    schema = request_schema(endpoint)
    fields = {name + "[]" if part.get("type") == "array" else name: part for name, part in schema["properties"].items()}
    files = {name: {"type": "string", "format": "binary"} for name in endpoint["form"]}
    return {**schema, "properties": dict(sorted({**fields, **files}.items()))}


def answer(name):
    if name is None:
        return {"description": "Bytes", "content": {}}
    return {"description": name, "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}}


def operation(method, path):
    endpoint = ENDPOINTS[f"{method} {path}"]
    out = {"summary": endpoint["summary"], "operationId": re.sub(r"\W+", "_", f"{method}{path}").strip("_"),
           "responses": {"200": answer(endpoint["answer"])}}
    if "stream" in endpoint:
        out["responses"]["200"]["content"][endpoint["stream"]] = {"schema": {"type": "string"}}
    for kind in endpoint.get("also", []):
        out["responses"]["200"]["content"][kind] = {"schema": {"type": "string"}}
    out["responses"]["default"] = answer(endpoint.get("error", "Error"))
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                  for name in re.findall(r"\{(\w+)\}", path)]
    parameters += [{"name": name, "in": "query", "schema": schema} for name, schema in endpoint.get("query", {}).items()]
    if parameters:
        out["parameters"] = parameters
    if "form" in endpoint:
        out["requestBody"] = {"required": True, "content": {"multipart/form-data": {"schema": form_schema(endpoint)}}}
    elif "tables" in endpoint:
        out["requestBody"] = {"required": True, "content": {"application/json": {"schema": request_schema(endpoint)}}}
    return out


def document():
    paths = {}
    for method, path in routes():
        if f"{method} {path}" not in ENDPOINTS:
            raise SystemExit(f"openapi: {method} {path} is missing in tools/openapi_types.py")
        if ENDPOINTS[f"{method} {path}"] is not None:
            paths.setdefault(path, {})[method] = operation(method, path)
    version = re.search(r"version: '([^']+)'", (ROOT / "meson.build").read_text())[1]
    return {"openapi": "3.1.0", "info": {"title": "aLLM", "version": version, "license": {"name": "Apache-2.0"}},
            "security": [{}, {"bearer": []}], "paths": paths,
            "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
                           "schemas": {**COMPONENTS, **ANSWERS}}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    target, text = ROOT / "docs" / "openapi.json", json.dumps(document(), indent=1) + "\n"
    if not args.check:
        target.write_text(text)
        return 0
    if not target.exists() or target.read_text() != text:
        print("docs/openapi.json is not what tools/openapi.py writes: run it", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
