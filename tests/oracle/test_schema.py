#!/usr/bin/env python3
"""Schemas and grammars against Python's jsonschema and re.

Random schemas: whatever our grammar lets through must be JSON that jsonschema calls valid; valid instances must pass
our grammar; our validator must judge instances, valid and spoilt, as jsonschema does. Random regular expressions, as
patterns and as GBNF: must match what re matches."""
import argparse
import json
import random
import re
import struct
import subprocess
import sys
import time

import jsonschema


class Probe:
    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, letter, data):
        data = data.encode() if isinstance(data, str) else data
        self.process.stdin.write(letter.encode() + struct.pack("<I", len(data)) + data)
        self.process.stdin.flush()
        answer = self.process.stdout.read(1).decode()
        size = struct.unpack("<I", self.process.stdout.read(4))[0]
        return answer, self.process.stdout.read(size)


# --- schemas, each with instances that are valid by construction -----------------------------------------------------

WORDS = ["a", "b", "ab", "name", "x-1", "é", "日本", "with space", "quo\"te", "back\\slash", "new\nline", "", "aa", "null"]
FORMATS = {
    "date": lambda r: f"{r.randint(1, 9999):04}-{r.randint(1, 12):02}-{r.randint(1, 28):02}",
    "time": lambda r: f"{r.randint(0, 23):02}:{r.randint(0, 59):02}:{r.randint(0, 59):02}" + r.choice(["Z", "+01:30", ".5Z"]),
    "date-time": lambda r: FORMATS["date"](r) + "T" + FORMATS["time"](r),
    "uuid": lambda r: "-".join("".join(r.choice("0123456789abcdef") for _ in range(n)) for n in (8, 4, 4, 4, 12)),
    "email": lambda r: r.choice(["a@b.c", "x.y+z@example.com", "q@h0st-name.org"]),
    "hostname": lambda r: r.choice(["a", "example.com", "a-b.c"]),
    "ipv4": lambda r: ".".join(str(r.randint(0, 255)) for _ in range(4)),
    "ipv6": lambda r: r.choice(["::", "::1", "1:2:3:4:5:6:7:8", "fe80::1:2", "a::b:c"]),
    "duration": lambda r: r.choice(["P1D", "PT5M", "P1Y2M3DT4H5M6S", "P3W"]),
}
PATTERNS = {
    "^[a-z]{2,4}$": lambda r: "".join(r.choice("abcz") for _ in range(r.randint(2, 4))),
    r"^\d{3}-\d{4}$": lambda r: f"{r.randint(0, 999):03}-{r.randint(0, 9999):04}",
    r"^(foo|ba[rz]+)?$": lambda r: r.choice(["", "foo", "bar", "bazz"]),
    r"ab+": lambda r: r.choice(["ab", "xabby", "abb\""]),
    r"^[^\s,]+, .*!$": lambda r: r.choice(["a, b!", "é, \"x\"!"]),
    r"^#(?:[0-9a-fA-F]{3}){1,2}$": lambda r: r.choice(["#abc", "#012DEF"]),
    r"^\w+\s\S$|^x": lambda r: r.choice(["ab c", "x\ty"]),
}


class Maker:
    """Makes pairs of a schema and a function that makes valid instances."""

    def __init__(self, r):
        self.r = r
        self.defs = {}

    def schema(self, depth):
        r = self.r
        kinds = ["string", "integer", "number", "boolean", "null", "enum", "const", "format", "pattern"]
        if depth > 0:
            kinds += ["object", "object", "object", "array", "array", "tuple", "anyOf", "oneOf", "allOf", "ref", "map", "types"]
        return getattr(self, "make_" + r.choice(kinds))(depth)

    def make_string(self, depth):
        r, schema = self.r, {"type": "string"}
        low, high = 0, 8
        if r.random() < 0.5:
            low = schema["minLength"] = r.randint(0, 4)
        if r.random() < 0.5:
            high = schema["maxLength"] = low + r.randint(0, 40)
        return schema, lambda: "".join(r.choice("aé日\"\\\n \U0001F600z/") for _ in range(r.randint(low, max(low, min(high, low + 8)))))

    def bounds(self, low, high, whole):
        r, schema = self.r, {}
        if r.random() < 0.6:
            if r.random() < 0.7:
                schema["minimum"] = low
            else:
                schema["exclusiveMinimum"] = low - 1 if whole else low - 0.5
        if r.random() < 0.6:
            if r.random() < 0.7:
                schema["maximum"] = high
            else:
                schema["exclusiveMaximum"] = high + 1 if whole else high + 0.25
        return schema

    def make_integer(self, depth):
        r = self.r
        size = r.choice([10, 1000, 10**6, 10**12, 2**62])
        low = r.randint(-size, size)
        high = low + r.randint(0, size)
        if low < -2**63 or high >= 2**63:
            low, high = 0, 10
        schema = {"type": "integer", **self.bounds(low, high, True)}
        if r.random() < 0.1:
            schema["multipleOf"] = 1
        unbounded = "minimum" not in schema and "maximum" not in schema and "exclusiveMinimum" not in schema and "exclusiveMaximum" not in schema
        return schema, lambda: r.randint(max(low, -10**17), min(high, 10**17)) if unbounded and low < 10**17 and high > -10**17 else r.randint(low, high) if not unbounded else 7

    def make_number(self, depth):
        r = self.r
        low = round(r.uniform(-1000, 1000), r.randint(0, 4))
        high = round(low + abs(r.choice([0, 0.5, r.uniform(0, 5), r.uniform(0, 2000)])), 4)
        schema = {"type": "number", **self.bounds(low, high, False)}
        return schema, lambda: r.choice([low, high, min(max(round(r.uniform(low, high), r.randint(0, 5)), low), high)])

    def make_boolean(self, depth):
        return {"type": "boolean"}, lambda: self.r.random() < 0.5

    def make_null(self, depth):
        return {"type": "null"}, lambda: None

    def value(self, depth=2):
        r = self.r
        kind = r.randint(0, 7 if depth > 0 else 5)
        if kind < 2:
            return r.choice([True, False, None])
        if kind < 4:
            return r.choice([0, -1, 12345, 2**53 + 1, 2**63 - 1, -2**63, 1.5, -0.25, 1e20, 1e-7])
        if kind < 6:
            return r.choice(WORDS)
        if kind < 7:
            return [self.value(depth - 1) for _ in range(r.randint(0, 3))]
        return {r.choice(WORDS): self.value(depth - 1) for _ in range(r.randint(0, 3))}

    def make_enum(self, depth):
        values = [self.value() for _ in range(self.r.randint(1, 5))]
        return {"enum": values}, lambda: self.r.choice(values)

    def make_const(self, depth):
        value = self.value()
        return {"const": value}, lambda: value

    def make_format(self, depth):
        name = self.r.choice(list(FORMATS))
        return {"type": "string", "format": name}, lambda: FORMATS[name](self.r)

    def make_pattern(self, depth):
        pattern = self.r.choice(list(PATTERNS))
        return {"type": "string", "pattern": pattern}, lambda: PATTERNS[pattern](self.r)

    def make_object(self, depth):
        r = self.r
        names = r.sample(WORDS, r.randint(0, 6))
        made = {name: self.schema(depth - 1) for name in names}
        required = [name for name in names if r.random() < 0.5]
        schema = {"type": "object", "properties": {name: made[name][0] for name in names}}
        if required or r.random() < 0.5:
            schema["required"] = required
        others = None
        if r.random() < 0.5:
            schema["additionalProperties"] = False
        elif r.random() < 0.3:
            schema["additionalProperties"], others = self.make_integer(0)
        low, high = len(required), len(names)
        if r.random() < 0.2 and names:
            low = schema["minProperties"] = r.randint(0, len(names))
        if r.random() < 0.2:
            high = schema["maxProperties"] = r.randint(max(low, len(required)), max(low, len(names)) + 1)

        def make():
            chosen = [name for name in names if name in required or r.random() < 0.5]
            free = [name for name in names if name not in chosen]
            while len(chosen) < low and free:
                chosen.append(free.pop())
            droppable = [name for name in chosen if name not in required]
            while len(chosen) > high and droppable:
                chosen.remove(droppable.pop())
            value = {name: made[name][1]() for name in names if name in chosen}
            if others and len(value) < high and r.random() < 0.5:
                value["other"] = others()
            return value
        return schema, make

    def make_map(self, depth):
        inner, make = self.schema(depth - 1)
        r = self.r
        schema = {"type": "object", "additionalProperties": inner}
        low = 0
        if r.random() < 0.3:
            low = schema["minProperties"] = r.randint(0, 3)
        return schema, lambda: {name: make() for name in r.sample(WORDS, r.randint(low, low + 3))}

    def make_array(self, depth):
        r = self.r
        inner, make = self.schema(depth - 1)
        schema, low, high = {"type": "array", "items": inner}, 0, 4
        if r.random() < 0.4:
            low = schema["minItems"] = r.randint(0, 3)
        if r.random() < 0.4:
            high = schema["maxItems"] = low + r.randint(0, 3)
        return schema, lambda: [make() for _ in range(r.randint(low, max(low, min(high, low + 3))))]

    def make_tuple(self, depth):
        r = self.r
        made = [self.schema(depth - 1) for _ in range(r.randint(1, 3))]
        schema, rest = {"type": "array", "prefixItems": [m[0] for m in made], "minItems": len(made)}, None
        if r.random() < 0.5:
            schema["items"] = False
        elif r.random() < 0.5:
            schema["items"], rest = self.make_boolean(0)
        return schema, lambda: [m[1]() for m in made] + ([rest()] if rest and r.random() < 0.5 else [])

    def make_types(self, depth):
        string, make_string = self.make_string(0)
        number, make_number = self.make_number(0)
        return ({**string, **number, "type": ["string", "number", "null"]},
                lambda: self.r.choice([make_string, make_number, lambda: None])())

    def make_anyOf(self, depth):
        made = [self.schema(depth - 1) for _ in range(self.r.randint(1, 3))]
        return {"anyOf": [m[0] for m in made]}, lambda: self.r.choice(made)[1]()

    def make_oneOf(self, depth):
        r, made = self.r, []
        if r.random() < 0.5:
            made = [self.make_string(0), self.make_integer(0), self.make_array(depth), self.make_null(0)]
            made = r.sample(made, r.randint(1, 4))
        else:
            for tag in r.sample(["cat", "dog", "bird"], 2):
                schema, make = self.make_object(depth)
                schema["properties"] = {"kind": {"const": tag}, **schema["properties"]}
                schema["required"] = ["kind"] + schema.get("required", [])
                schema.pop("minProperties", None)
                schema.pop("maxProperties", None)
                made.append((schema, lambda tag=tag, make=make: {"kind": tag, **make()}))
        return {"oneOf": [m[0] for m in made]}, lambda: r.choice(made)[1]()

    def make_allOf(self, depth):
        r = self.r
        first, make_first = self.make_object(depth)
        second, make_second = self.make_object(depth)
        first = {k: v for k, v in first.items() if k in ("type", "properties", "required")}
        second = {k: v for k, v in second.items() if k in ("type", "properties", "required")}
        second["properties"] = {k + "2": v for k, v in second["properties"].items()}
        second["required"] = [k + "2" for k in second.get("required", [])]

        def make():
            value = make_first()
            value = {k: v for k, v in value.items() if k in first["properties"]}
            value.update({k + "2": v for k, v in make_second().items() if k + "2" in second["properties"]})
            return value
        if set(first["properties"]) & set(second["properties"]):
            return self.make_boolean(0)
        return {"allOf": [first, second]}, make

    def make_ref(self, depth):
        r = self.r
        known = [name for name, made in self.defs.items() if made]
        if known and r.random() < 0.5:
            name = r.choice(known)
        else:
            name = r.choice(["Node", "a/b", "t~x", "p%q"]) + str(len(self.defs))
            self.defs[name] = None  # in the making
            if r.random() < 0.4:  # recursive
                inner, make = self.make_integer(0)
                link = {"$ref": self.pointer(name)}
                schema = {"type": "object", "properties": {"value": inner, "next": {"anyOf": [link, {"type": "null"}]},
                                                           "all": {"type": "array", "items": link}},
                          "required": ["value", "next"], "additionalProperties": False}

                def nest(level=2):
                    value = {"value": make(), "next": nest(level - 1) if level and r.random() < 0.5 else None}
                    if r.random() < 0.5:
                        value["all"] = [nest(level - 1) for _ in range(2)] if level else []
                    return value
                self.defs[name] = (schema, nest)
            else:
                self.defs[name] = self.schema(depth - 1)
        return {"$ref": self.pointer(name)}, lambda: self.defs[name][1]()

    @staticmethod
    def pointer(name):
        return "#/$defs/" + name.replace("~", "~0").replace("/", "~1").replace("%", "%25")

    def root(self):
        schema, make = self.schema(3)
        if self.defs:
            schema = {"$defs": {k: v[0] for k, v in self.defs.items()}, **schema}
        return schema, make


def spoil(r, value):
    """A value that differs somewhere."""
    if isinstance(value, dict) and value and r.random() < 0.8:
        key = r.choice(list(value))
        if r.random() < 0.2:
            return {k: v for k, v in value.items() if k != key}
        if r.random() < 0.2:
            return {**value, "extra": r.choice([1, "x", None])}
        return {**value, key: spoil(r, value[key])}
    if isinstance(value, list) and value and r.random() < 0.8:
        at = r.randrange(len(value))
        return value[:at] + r.choice([[], [spoil(r, value[at])], [value[at]] * 2]) + value[at + 1:]
    if isinstance(value, str) and r.random() < 0.7:
        at = r.randint(0, len(value))
        return r.choice([value[:at] + r.choice("a0-.é\" ") + value[at:], value[:at], value[at:], value * 3])
    if isinstance(value, (int, float)) and not isinstance(value, bool) and r.random() < 0.8:
        return r.choice([value + 1, value - 1, -value, value * 10, value + 0.5, float(value)])
    return r.choice([None, True, 0, -5, 1.5, "", "x", [], {}, [1], {"a": 1}, 2**64, 10**19])


# --- the checks ------------------------------------------------------------------------------------------------------

class Checks:
    def __init__(self, probe, seed):
        self.probe, self.r, self.failures, self.counts = probe, random.Random(seed), [], {}

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def fail(self, what, *details):
        self.failures.append((what, details))
        if len(self.failures) <= 10:
            print("FAIL", what, *(str(d)[:1500] for d in details), sep="\n  ")

    def schemas(self, n):
        checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
        for _ in range(n):
            schema, make = Maker(self.r).root()
            text = json.dumps(schema)
            answer, grammar = self.probe.ask("s", text)
            if answer == "e":
                self.fail("our own grammar does not compile", text, grammar.decode()[-300:])
                continue
            if answer == "n":
                self.count("refused")
                if not any(word in grammar for word in (b"no value satisfies", b"may admit the same value", b"64 bits",
                                                        b"two patterns")):
                    self.fail("refused", text, grammar.decode())
                continue
            self.count("schemas")
            validator = jsonschema.Draft202012Validator(schema, format_checker=checker)
            self.walks(text, validator)
            self.instances(schema, text, validator, make)

    def walks(self, text, validator):
        for _ in range(3):
            answer, sample = self.probe.ask("w", struct.pack("<Q", self.r.getrandbits(31)))
            if answer == "d":
                self.fail("a dead end", text, sample)
            if answer != "y":
                self.count("walks without end")
                continue
            pairs = []
            try:
                value = json.loads(sample, object_pairs_hook=lambda p: (pairs.append(p), dict(p))[1])
                problem = next(validator.iter_errors(value), None)
            except ValueError as error:
                problem = error
            twice = any(len(dict(p)) != len(p) for p in pairs)
            if twice:  # a key twice is JSON, but the validator does not accept it
                self.count("samples with a key twice")
            elif problem:
                self.fail("the grammar admits what is not valid", text, sample, problem)
            else:
                self.count("samples")
                if self.probe.ask("v", sample)[0] != "y":
                    self.fail("our validator refuses what is valid", text, sample, self.probe.ask("v", sample)[1])

    def instances(self, schema, text, validator, make):
        for i in range(4):
            try:
                value = make()
            except RecursionError:
                return
            if i >= 2:
                value = spoil(self.r, value)
            dumped = json.dumps(value, ensure_ascii=False, separators=self.r.choice([(",", ":"), (", ", ": ")]))
            if is_beyond(value):
                continue
            is_valid = validator.is_valid(value)
            ours, why = self.probe.ask("v", dumped)
            if is_valid != (ours == "y") and not self.is_known(value, is_valid, why):
                self.fail("the validators disagree", text, dumped, f"jsonschema {is_valid}, ours {ours}", why)
            self.count("instances judged, valid" if is_valid else "instances judged, not valid")
            if is_valid and i < 2 and not has_other_order(value, schema):
                answer, _ = self.probe.ask("m", dumped)
                self.count("instances matched")
                if answer != "y":
                    self.fail("the grammar does not admit a valid instance", text, dumped, answer)

    @staticmethod
    def is_known(value, is_valid, why):
        """We are stricter with e-mail addresses, host names and durations, and stay within 64 bits."""
        return is_valid and (b"email" in why or b"hostname" in why or b"duration" in why or b"fits none" in why or
                             b"format time" in why or b"format date-time" in why)

    def patterns(self, n):
        for _ in range(n):
            pattern = random_regex(self.r, 3)
            if self.r.random() < 0.5:
                pattern = "^(" + pattern + ")$"
            compiled = re.compile(pattern, re.ASCII)
            for _ in range(5):
                text = "".join(self.r.choice("abc0_ -é") for _ in range(self.r.randint(0, 6)))
                answer, why = self.probe.ask("p", pattern.encode() + b"\0" + text.encode())
                wanted = "y" if compiled.search(text) else "n"
                self.count("patterns tried")
                if answer != wanted:
                    self.fail("a pattern differs from re", pattern, repr(text), answer, why)

    def grammars(self, n):
        for _ in range(n):
            pattern, gbnf = random_grammar(self.r)
            answer, why = self.probe.ask("g", gbnf)
            if answer != "y":
                self.fail("a grammar does not compile", gbnf, why)
                continue
            compiled = re.compile(pattern)
            for _ in range(8):
                text = "".join(self.r.choice("abc") for _ in range(self.r.randint(0, 8)))
                answer, _ = self.probe.ask("m", text)
                self.count("texts for grammars")
                if (answer == "y") != bool(compiled.fullmatch(text)):
                    self.fail("a grammar differs from re", gbnf, pattern, text, answer)


def has_other_order(value, schema):
    """Keys that need escapes beyond the declared ones, or other members before declared ones, cannot come."""
    text = json.dumps(value, ensure_ascii=False)
    return '"other"' in text or (("additionalProperties" in json.dumps(schema)) and ("\\" in text)) or \
        any_number(value, lambda n: abs(n) >= 2**63 or (n != 0 and abs(n) < 1e-6))


def any_number(value, test):
    if isinstance(value, dict):
        return any(any_number(v, test) for v in value.values())
    if isinstance(value, list):
        return any(any_number(v, test) for v in value)
    return isinstance(value, (int, float)) and not isinstance(value, bool) and test(value)


def is_beyond(value):
    """Whole numbers beyond 64 bits are read as doubles: the lowest 64-bit one and its neighbour look alike."""
    return any_number(value, lambda n: n <= -2**63 or n >= 2**64)


def random_regex(r, depth):
    kind = r.randint(0, 9 if depth else 4)
    if kind < 3:
        return r.choice("abc0")
    if kind == 3:
        return r.choice(["[a-c]", "[^a]", r"\d", r"\w", "[0-9_]", r"[\da]", ".", r"\-", "é"])
    if kind == 4:
        return r.choice([r"\s", "b", "[b]", "_"])
    if kind < 7:
        return "".join(random_regex(r, depth - 1) for _ in range(r.randint(1, 3)))
    if kind == 7:
        return "(?:" + "|".join(random_regex(r, depth - 1) for _ in range(r.randint(1, 3))) + ")"
    return "(" + random_regex(r, depth - 1) + ")" + r.choice(["*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}"])


def random_grammar(r):
    """The same language as a regular expression and as rules that call each other."""
    rules = []

    def make(depth):
        kind = r.randint(0, 8 if depth else 2)
        if kind < 2:
            letter = r.choice("abc")
            return letter, f'"{letter}"'
        if kind == 2:
            return r.choice([("", '""'), ("[ab]", "[ab]"), ("[^a]", "[^a]"), ("ab", '"ab"')])
        if kind < 5:
            parts = [make(depth - 1) for _ in range(r.randint(1, 3))]
            pair = "(?:" + "".join(p[0] for p in parts) + ")", "(" + " ".join(p[1] for p in parts) + ")"
        elif kind < 7:
            parts = [make(depth - 1) for _ in range(r.randint(1, 3))]
            pair = "(?:" + "|".join(p[0] for p in parts) + ")", "(" + " | ".join(p[1] for p in parts) + ")"
        else:
            inner = make(depth - 1)
            sign = r.choice(["*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}", "{3,4}"])
            pair = f"(?:{inner[0]}){sign}", f"({inner[1]}){sign}"
        if r.random() < 0.4:
            rules.append(pair[1])
            return pair[0], f"r{len(rules) - 1}"
        return pair
    pattern, body = make(4)
    return pattern, f"root ::= {body}\n" + "".join(f"r{i} ::= {rule}\n" for i, rule in enumerate(rules))


# --- schemas that must pass, and such that must be refused at once ---------------------------------------------------

ACCEPTED = [
    {"type": "object", "title": "Step", "properties": {"explanation": {"type": "string", "title": "Explanation"}},
     "required": ["explanation"], "additionalProperties": False},
    {"$defs": {"Color": {"enum": ["red", "green"], "title": "Color", "type": "string"},
               "Cat": {"properties": {"kind": {"const": "cat", "title": "Kind", "type": "string"},
                                      "color": {"$ref": "#/$defs/Color"}}, "required": ["kind", "color"],
                       "title": "Cat", "type": "object", "additionalProperties": False},
               "Dog": {"properties": {"kind": {"const": "dog", "type": "string"},
                                      "age": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None}},
                       "required": ["kind", "age"], "type": "object", "additionalProperties": False}},
     "properties": {"pet": {"discriminator": {"mapping": {"cat": "#/$defs/Cat", "dog": "#/$defs/Dog"},
                                              "propertyName": "kind"},
                            "oneOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}], "title": "Pet"},
                    "color": {"allOf": [{"$ref": "#/$defs/Color"}], "description": "its colour", "default": "red"}},
     "required": ["pet", "color"], "title": "Owner", "type": "object", "additionalProperties": False},
    {"type": "object", "properties": {"root": {"$ref": "#"}, "children": {"type": "array", "items": {"$ref": "#"}},
                                      "v": {"type": ["string", "null"]}}, "required": ["v"], "additionalProperties": False},
    {"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"P": {"type": "number", "exclusiveMinimum": 0}},
     "type": "object", "properties": {"p": {"$ref": "#/definitions/P"}, "t": {"type": "array", "items": [{"type": "string"}],
                                                                              "additionalItems": False}}},
    {"minimum": 9223372036854775807, "type": "integer"},
    {"type": "integer", "minimum": 0, "maximum": 18446744073709551615},
    {"type": "string", "maxLength": 100000}, {"type": "array", "items": {"type": "string", "maxLength": 5000}, "maxItems": 100000},
    {"type": "object", "properties": {f"p{i}": {"type": "string"} for i in range(500)}, "additionalProperties": False},
    {"enum": [f"value {i}" for i in range(5000)]},
    True, {}, {"type": "object"}, {"type": "array"},
]
REFUSED = [
    ({"not": {"type": "string"}}, b"schema.not"), ({"$ref": "#"}, b"without end"), ({"anyOf": [{"$ref": "#"}]}, b"without end"),
    ({"$ref": "http://example.com/s.json"}, b"schema.$ref"), ({"type": "strin"}, b"schema.type"), (False, b"no value"),
    ({"type": "string", "format": "uri-template"}, b"schema.format"), ({"type": "array", "uniqueItems": True}, b"uniqueItems"),
    ({"type": "object", "patternProperties": {}}, b"patternProperties"), ({"type": "string", "pattern": "(?=a)"}, b"schema.pattern"),
    ({"properties": {"a": {"type": "number", "multipleOf": 0.1}}}, b"schema.properties.a.multipleOf"),
    ({"oneOf": [{"type": "string"}, {"maxLength": 3}]}, b"schema.oneOf"), ({"frobnicate": 1}, b"schema.frobnicate"),
    ({"type": "integer", "minimum": 5, "maximum": 4}, b"no value"), ({"enum": [1], "type": "string"}, b"no value"),
    ({"type": "integer", "minimum": 1e30}, b"64 bits"), ({"type": "object", "required": ["a"], "additionalProperties": False}, b"no value"),
]


def fixed(checks):
    for schema in ACCEPTED:
        began = time.monotonic()
        answer, grammar = checks.probe.ask("s", json.dumps(schema))
        if answer != "y" or time.monotonic() - began > 1:
            checks.fail("must be accepted, quickly", json.dumps(schema)[:300], answer, grammar.decode()[-300:])
    for schema, says in REFUSED:
        answer, why = checks.probe.ask("s", json.dumps(schema))
        if answer != "n" or says not in why:
            checks.fail("must be refused with its place", json.dumps(schema), answer, why[-300:])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("probe")
    parser.add_argument("--schemas", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    checks = Checks(Probe(arguments.probe), arguments.seed)
    fixed(checks)
    checks.patterns(arguments.schemas)
    checks.grammars(arguments.schemas)
    checks.schemas(arguments.schemas)
    print("schemas:", ", ".join(f"{what} {n}" for what, n in sorted(checks.counts.items())))
    print(f"schemas: {len(checks.failures)} differences")
    return 1 if checks.failures else 0


if __name__ == "__main__":
    sys.exit(main())
