#!/usr/bin/env python3
"""The C renderer against jinja2 under transformers' own settings, byte by byte.

    test_templates.py PROBE [--seed N] [--generated N] [--show N] [--time]

PROBE is the program built from template_probe.c. Compared are the family templates of tests/data/templates with many
chats, hand-written small templates (corpus.jsonl there), and generated ones. Where jinja2 fails we must fail. What we refuse
as AL_UNSUPPORTED, what shows addresses in memory, and slices of constants that have none (jinja2 computes them while
compiling, where that is no error) is counted apart, as not comparable."""
import argparse
import json
import pathlib
import random
import re
import subprocess
import sys
import time
import warnings

from transformers.utils.chat_template_utils import _compile_jinja_template

warnings.simplefilter("ignore")
DATA = pathlib.Path(__file__).resolve().parent.parent / "data/templates"

WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "The weather at a place. <b>\"Now\"</b> & soon",
    "parameters": {"type": "object", "properties": {
        "city": {"type": "string", "description": "Città, 都市 or\ntown"},
        "days": {"type": "integer", "minimum": 0.5, "maximum": 1e22},
        "unit": {"enum": ["celsius", "fahrenheit", None]}}, "required": ["city"]}}}
SEARCH = {"type": "function", "function": {
    "name": "a_search", "description": "Looks it up", "parameters": {"type": "object", "properties": {
        "queries": {"type": "array", "items": {"type": "object", "properties": {"q": {"type": ["string", "null"]}}}},
        "empty": {"type": "object", "properties": {}}}}, "return": {"type": "string"}}}

TYPES = {"type": "function", "function": {"name": "types", "description": "All types", "parameters": {"type": "object", "properties": {
    "a": {"type": "array", "items": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "integer"}}}}},
    "b": {"type": "boolean", "default": True}, "n": {"type": "number", "default": 1e-7}, "e": {"type": "string", "enum": ["x", "y"], "default": "x"},
    "o": {"oneOf": [{"type": "string", "description": "text"}, {"type": ["integer", "null"]}]}, "s": {"type": "string", "nullable": True}},
    "additionalProperties": False}}}


def call(name, arguments, ident="abcdef123"):
    return {"id": ident, "type": "function", "function": {"name": name, "arguments": arguments}}


def chats():
    texts = ["Hello", "", "  spaces around \n\n", "ünï¢ödé 日本語 🙂 \u200b\u00a0", "quotes ' \" \\ and {{ braces }} {% if %}",
             "<think>\nhm, 1+1\n</think>\n\nIt is 2.", "line\r\nbreak\ttab \x07 \u2028", "<|im_end|>[/INST]", "'''", "a'b"]
    yield []
    for text in texts:
        yield [{"role": "user", "content": text}]
        yield [{"role": "system", "content": text}, {"role": "user", "content": "Q"}]
        yield [{"role": "user", "content": "Q"}, {"role": "assistant", "content": text}, {"role": "user", "content": text}]
        yield [{"role": "system", "content": "S"}, {"role": "user", "content": text}, {"role": "assistant", "content": text},
               {"role": "user", "content": text}, {"role": "assistant", "content": text}]
    user = {"role": "user", "content": "Weather?"}
    for arguments in ({"city": "Köln", "days": 2, "deep": {"a": [1, 2.5, None, True]}}, {}, '{"city": "Rome"}', {"q": "x"}):
        calls = {"role": "assistant", "content": "", "tool_calls": [call("get_weather", arguments)]}
        none = dict(calls, content=None)
        answer = {"role": "tool", "name": "get_weather", "tool_call_id": "abcdef123", "content": '{"temp": 21.5}'}
        last = {"role": "assistant", "content": "21 degrees"}
        yield [user, calls, answer, last, user]
        yield [user, none, answer, answer, last]
        yield [user, calls]
        yield [user, dict(calls, tool_calls=[call("get_weather", arguments), call("a_search", {"x": 1}, "123456789")]), answer, answer]
        yield [user, dict(calls, reasoning_content="I must look"), answer, dict(last, reasoning_content="Warm")]
        yield [user, calls, dict(answer, content={"temp": [1, {"é": None}]}), last]
        yield [user, dict(calls, content="<think>\nwell\n</think>\n\nCalling", tool_calls=[call("x", {}, "short")])]
    yield [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, {"type": "image"}]}]
    yield [{"role": "system", "content": [{"type": "text", "text": "Sys"}]}, {"role": "user", "content": [{"type": "text", "text": "Hi"}]}]
    yield [{"role": "user", "content": 5}]
    yield [{"role": "user"}]
    yield [{"role": "assistant", "content": "I begin"}]
    yield [{"role": "narrator", "content": "Once"}, user]
    yield [user, user]
    yield [{"role": "system", "content": "S", "tools": "[]"}, user]


def family_cases():
    options = [{"add_generation_prompt": True}, {"add_generation_prompt": False, "enable_thinking": False},
               {"add_generation_prompt": True, "enable_thinking": False, "tools": [WEATHER, SEARCH]},
               {"add_generation_prompt": True, "tools": [WEATHER], "tools_in_user_message": False, "date_string": "1 Jan 2025"},
               {"tools": None, "builtin_tools": ["get_weather", "code_interpreter"]}, {"tools": [], "documents": None},
               {"add_generation_prompt": True, "tools": [WEATHER, SEARCH, TYPES], "reasoning_effort": "high", "enable_thinking": True,
                "thinking_budget": 512, "thinking": True, "model_identity": "I am a test.", "truncate_history_thinking": False},
               {"reasoning_effort": "low", "thinking_budget": 0, "enable_thinking": False, "add_generation_prompt": True}]
    for path in sorted(DATA.glob("*.jinja")):
        template = path.read_text()
        for messages in chats():
            for option in options:
                yield path.name, template, {"messages": messages, "bos_token": "<s>", "eos_token": "</s>", **option}


def corpus_cases():
    for number, line in enumerate((DATA / "corpus.jsonl").read_text().splitlines(), 1):
        if line.strip():
            case = json.loads(line)
            template, variables = case["template"], case.get("vars", {})
            yield f"corpus:{number}", template, variables
            if "{%" not in template:  # each output alone, so that a failure hides nothing
                for part in re.findall(r"\{\{.*?\}\}", template, re.S):
                    yield f"corpus:{number}", part, variables


VARS = {
    "s": "Hello, World", "t": "  two words\n", "e": "", "u": "ÄÖ straße ΣΑΣ 日本 🙂", "digits": "042", "csv": "a,b,,c",
    "n": 7, "z": 0, "neg": -3, "f": 2.5, "big": 1e16, "tiny": 1.5e-7, "yes": True, "no": False, "nil": None,
    "ints": [3, 1, 2, 3], "words": ["pear", "Apple", "fig", "apple"], "mixed": [1, "a", None, 2.0, True, [1], {"k": 1}],
    "empty": [], "d": {"b": 2, "a": 1, "C": {"x": [1, 2, {"y": "deep"}]}, "items": "shadow"}, "nodict": {},
    "rows": [{"name": "bob", "age": 5, "tags": ["x"]}, {"name": "Al", "age": 3, "tags": []}, {"name": "cy", "age": 5}],
    "messages": [{"role": "user", "content": "Hi <you> & 'me'"}, {"role": "assistant", "content": "\"ok\"\n\ttab"}],
}
NAMES = [name for name in VARS] + ["missing"]


class Generator:
    """Random templates. What it makes need not make sense: an error is an answer that must agree too."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.extra = []
        self.blocks = 0

    def pick(self, *choices):
        return self.r.choice(choices)

    def literal(self):
        return self.pick("1", "0", "-2", "3.5", "10", "1e3", "'a'", "\"it's\"", "'x\\ny'", "''", "true", "false", "none", "'ß'",
                         "[1, 2, 3]", "['b', 'a']", "(1, 'x')", "{'k': 1, 'j': [2]}", "[]", "{}", "()", "'%s-%05d'", "1_000", "(3,)")

    def name(self):
        return self.r.choice(NAMES + self.extra)

    def expr(self, depth=3):
        if depth <= 0:
            return self.name() if self.r.random() < 0.6 else self.literal()
        kind = self.r.randrange(17)
        sub = lambda: self.expr(depth - 1)
        if kind < 3:
            return self.name()
        if kind < 4:
            return self.literal()
        if kind < 6:
            return f"{sub()} {self.pick('+', '-', '*', '/', '//', '%', '~', '~', '**')} {sub()}" if self.r.random() < 0.8 else f"({sub()} {self.pick('+', '*', '-')} {sub()})"
        if kind < 7:
            return f"{sub()} {self.pick('==', '!=', '<', '<=', '>', '>=', 'in', 'not in')} {sub()}"
        if kind < 8:
            return f"({sub()} {self.pick('and', 'or')} {self.pick('', 'not ')}{sub()})"
        if kind < 9:
            return f"({sub()} if {sub()}{self.pick('', ' else ' + sub())})"
        if kind < 11:
            return f"{self.postfix(sub())}"
        if kind < 14:
            return f"({sub()})|{self.filter(depth)}" if self.r.random() < 0.7 else f"{self.name()}|{self.filter(depth)}"
        if kind < 15:
            return f"({sub()} is {self.pick('', 'not ')}{self.test()})"
        if kind < 16:
            return f"{self.pick('not ', '-', '+', '')}{sub()}"
        return self.pick(f"[{sub()}, {sub()}]", f"({sub()}, {sub()})", f"{{'a': {sub()}, {self.pick('1', 'false', 's', chr(39) + 'k' + chr(39), '(1, 2)', 'none', '1.0', 'missing')}: {sub()}}}",
                         f"range({self.pick('3', '1, 4', '5, 0, -2', '0')})", f"dict(a={sub()})", f"[{sub()} ~ 'q', {sub()}]|join('+')")

    def postfix(self, base):
        index = self.pick("0", "-1", "1", "5", "'a'", "'name'", "n", "nil", "'items'", "s")
        part = self.pick("", "1", "-1", "2", "-3", "n")
        slice_ = f"{part}:{self.pick('', '2', '-1', '10')}" + self.pick("", "", ":2", ":-1", ":0")
        words = re.findall(r"(?<![\w.|])[a-z]\w*", re.sub(r"'[^']*'|\"[^\"]*\"| is (not )?\w+", "", base))
        constant = not set(words) & set(NAMES)  # jinja2 slices a constant while compiling, where a wrong type is no error
        return self.pick(f"{self.name()}.{self.pick('a', 'C', 'name', 'items', 'role', 'foo', 'upper')}", f"({base})[{index}]",
                         f"{self.name()}[{index}]", f"({self.name() if constant else base})[{slice_}]", f"{self.name()}[{slice_}]", self.method(base))

    def method(self, base):
        string = self.pick("s", "t", "u", "e", "csv", "digits", f"({base})", f"({base})|string")
        quoted = self.pick("'l'", "' '", "','", "'o'", "'Hello'", "''", "'ab'", "'\\n'")
        text = self.pick(f"strip({self.pick('', quoted)})", f"lstrip({self.pick('', quoted)})", f"rstrip({self.pick('', quoted)})",
                         f"split({self.pick('', quoted, quoted + ', 1', 'none, 1', quoted + ', maxsplit=1')})", f"rsplit({self.pick('', quoted + ', 1')})",
                         f"startswith({self.pick(quoted, '(' + quoted + ', \"x\")')})", f"endswith({quoted})", "upper()", "lower()", "title()",
                         "capitalize()", f"replace({quoted}, '<>')", f"replace({quoted}, 'Q', 1)", f"find({quoted})", f"rfind({quoted})", f"count({quoted})",
                         f"join({self.pick('words', 'csv', '[1]', 'ints')})", f"removeprefix({quoted})", f"removesuffix({quoted})", "splitlines()",
                         f"partition({quoted})", f"rpartition({quoted})", f"index({quoted})", f"zfill({self.pick('5', '0')})", f"center({self.pick('9', '20', '3')}, '*')",
                         f"ljust({self.pick('9', '14')})", "rjust(14, '.')", "isdigit()", "isalpha()", "isspace()", "isupper()", "islower()", "isalnum()", "swapcase()",
                         "format(1, 2)", f"find({quoted}, 2)", f"startswith({quoted}, 1, 4)")
        dict_ = self.pick(f"get({self.pick(quoted, chr(39) + 'a' + chr(39), 'n')})", "get('zz', 9)", "items()|list", "keys()|list", "values()|list", "items()", "keys()",
                          "values()", "copy()", "update({})", "pop('a')")
        list_ = self.pick("append(1)", "index(1)", "count(3)", "copy()", "pop()", "reverse()", "index('zz')")
        if self.r.random() < 0.7:
            return f"{string if '|' not in string else '(' + string + ')'}.{text}"
        return self.pick(f"{self.pick('d', 'nodict')}.{dict_}", f"{self.pick('ints', 'words', 'mixed')}.{list_}", f"({base}).{dict_}")

    def filter(self, depth):
        sub = lambda: self.expr(depth - 2)
        return self.pick(
            "length", "upper", "lower", "trim", "capitalize", "title", "string", "list", "first", "last", "abs", "int", "float", "items|list", "reverse|list",
            "tojson", "tojson(indent=2)", "tojson(ensure_ascii=true)", "tojson(separators=(',', ':'))", "tojson(indent=1, sort_keys=true)", "tojson(indent='-')",
            "join", "join(', ')", "join(attribute='name')", "join('-', 'age')", f"default({sub()})", f"default({sub()}, true)", "d('x')", "sort", "sort(reverse=true)",
            "sort(case_sensitive=true)", "sort(attribute='age')", "sort(attribute='age,name')", "sort(attribute='name', reverse=true)", "unique|list",
            "unique(attribute='age')|list", "min", "max", "min(attribute='age')", "max(attribute='name')", "sum", "sum(attribute='age')", "sum(start=10)", "round", "round(1)",
            "round(1, 'floor')", "round(0, 'ceil')", "round(-1)", "safe", "escape", "e", "indent", "indent(2)", "indent(2, true)", "indent('> ', true, true)", "batch(2)|list",
            "batch(2, 'x')|list", "slice(2)|list", "slice(2, '-')|list", "map('upper')|list", "map(attribute='name')|list", "map(attribute='tags.0')|list", "map(attribute='zz', default='D')|list",
            "map('default', 'q')|join(' ')", "map('length')|list", "select|list", "reject|list", "select('string')|list", "reject('none')|list", "select('gt', 1)|list", "select('odd')|list",
            "selectattr('tags')|list", "selectattr('age', 'equalto', 5)|list", "selectattr('age', 'defined')|map(attribute='name')|join", "rejectattr('age', 'gt', 4)|list",
            "rejectattr('zz')|list", "dictsort", "dictsort(by='value')", "dictsort(true)", "dictsort(reverse=true)", f"replace('l', {sub()})", "replace('o', '0', 1)", "wordcount", "center(20)", "count",
            "truncate(5)", "truncate(8, true)", "truncate(9, end='~', leeway=0)", "groupby('age')|list", "format(1, 2)", "format('a', 3)", "attr('upper') is callable", "forceescape", "int(5)", "float(1.5)",
            "int(base=16)", "first|default('none')", "trim('H')", "nofilter", "sort|join(',')", "map('int')|sum", "map('round', 1)|list", "list|length", "urlencode", "xmlattr", "xmlattr(false)", "filesizeformat", "filesizeformat(true)",
            "striptags", "pprint", "map('urlencode')|list", "tojson|urlencode", "map('tojson')|join(',')", "sum(attribute='age', start=1)", "items|map('first')|list", "replace('l', 'L')|striptags")

    def test(self):
        return self.pick("defined", "undefined", "none", "string", "mapping", "iterable", "sequence", "number", "integer", "float", "boolean", "true", "false", "even", "odd",
                         "divisibleby 2", "divisibleby(3)", "eq 7", "equalto 'a'", "ne 1", "gt 2", "lt(3)", "ge 7", "le 0", "in [1, 7]", "in ints", "lower", "upper", "sameas none",
                         "callable", "escaped", "greaterthan 1", "in s", "notest", "sameas true", "filter", "test")

    def space(self):
        return self.pick("", "", "", " ", "\n", "\n  ", "  \n", "text", " a\n", "\t")

    def tag(self, body):
        return "{%" + self.pick("", "", "-", "+", "-") + " " + body + " " + self.pick("", "", "-", "+", "-") + "%}"

    def output(self, depth=2):
        return "{{" + self.pick("", "", "-", "+") + " " + self.expr(depth) + " " + self.pick("", "", "-") + "}}"

    def body(self, depth, in_loop=False):
        return "".join(self.space() + self.node(depth, in_loop) for _ in range(self.r.randrange(1, 3))) + self.space()

    def node(self, depth, in_loop=False):
        kind = self.r.randrange(16) if depth > 0 else self.r.randrange(6)
        if kind < 4:
            return self.output()
        if kind < 5:
            return self.pick("{# note #}", "{#- note -#}", "{#+ n +#}\n", "plain", "{% raw %}{{ x }}{% endraw %}", "{%- raw -%} {% y %} {%- endraw -%} z", " {% raw +%}\n q\n {% endraw %}\n")
        if kind < 6:
            name = self.pick("v", "w", "s", "ns.k", "n")
            self.extra += [name] if name in ("v", "w") and len(self.extra) < 4 else []
            if name == "ns.k":
                return self.tag("set ns = namespace(k=1)") + self.tag("set ns.k = ns.k ~ " + self.expr(1)) + "{{ ns.k }}"
            return self.tag(f"set {name} = {self.expr(1)}")
        if kind < 9:
            parts = self.tag(f"if {self.expr(1)}") + self.body(depth - 1, in_loop)
            parts += (self.tag(f"elif {self.expr(1)}") + self.body(depth - 1, in_loop)) if self.r.random() < 0.3 else ""
            parts += (self.tag("else") + self.body(depth - 1, in_loop)) if self.r.random() < 0.5 else ""
            return parts + self.tag("endif")
        if kind < 12:
            return self.loop(depth)
        if kind < 13:
            return self.macro(depth)
        if kind < 14:
            return self.tag("set v" + self.pick("", " | trim", " | upper | trim")) + self.body(depth - 1) + self.tag("endset") + "{{ v }}"
        if kind < 15:
            return self.pick(self.tag("filter " + self.pick("upper", "trim", "indent(2)", "replace('a', 'b')")) + self.body(depth - 1) + self.tag("endfilter"),
                             self.tag(f"with v = {self.expr(1)}, w = v") + "{{ v }}{{ w }}" + self.body(depth - 1) + self.tag("endwith"),
                             self.tag("generation") + self.body(depth - 1) + self.tag("endgeneration"),
                             self.block(depth), self.tag("autoescape false") + self.body(depth - 1) + self.tag("endautoescape"),
                             "{% set j = joiner(" + self.pick("", "'; '", "sep=1") + ") %}" + self.tag("for x in ints") + "{{ j() }}{{ x }}" + self.tag("endfor"),
                             "{% set c = cycler('a', 2, none) %}" + self.tag("for x in ints") + "{{ c.next() }}{{ c.current }}" + self.tag("endfor") + "{{ c.reset() }}{{ c.next() }}")
        return self.tag(self.pick("break", "continue")) if in_loop or self.r.random() < 0.1 else self.output()

    def block(self, depth):
        self.blocks += 1
        name = f"b{self.blocks}" if self.r.random() < 0.9 else "b1"
        return self.tag("block " + name + self.pick("", "", " scoped")) + "{{ v }}{{ x }}" + self.body(depth - 1) + self.tag("endblock" + self.pick("", " " + name))

    def loop(self, depth):
        source = self.pick("ints", "words", "rows", "d", "d.items()", "d|items", "range(4)", "s", "messages", "empty", "missing", "rows|selectattr('age', 'gt', 3)", self.expr(2))
        target = self.pick("x", "x", "x", "x, y", "s")
        test = self.pick("", "", "", " if x", " if x != 2", " if loop is defined", " if " + self.expr(1))
        loop = self.pick("loop.index", "loop.index0", "loop.first", "loop.last", "loop.length", "loop.revindex", "loop.previtem", "loop.nextitem|string", "loop.cycle('a', 'b')", "loop.changed(x)", "loop.depth", "loop", "loop.nope", "x")
        self.extra += ["x"] if "x" not in self.extra else []
        inner = "{{ " + loop + " }}" + self.body(depth - 1, True)
        inner += self.tag(f"if {self.pick('loop.index > 2', 'x', self.expr(1))}") + self.tag(self.pick("break", "continue")) + self.tag("endif") if self.r.random() < 0.2 else ""
        other = self.tag("else") + self.body(depth - 1) if self.r.random() < 0.2 else ""
        return self.tag(f"for {target} in {source}{test}") + inner + other + self.tag("endfor")

    def macro(self, depth):
        signature = self.pick("", "a", "a, b", "a, b='B'", "a=1, b=a", "a, b=missing")
        inside = self.pick("{{ a }}{{ b }}", "{{ varargs }}", "{{ kwargs }}", "{{ caller() }}", "{{ caller is defined }}{{ a }}", "{{ a }}")
        use = self.pick("{{ m() }}", "{{ m(1) }}", "{{ m(1, 2) }}", "{{ m(b=2, a=s) }}", "{{ m(1, c=2) }}", "{{ m(*ints) }}", "{{ m(**d) }}", "{{ m }}", "{{ m.name }}{{ m.arguments }}",
                        self.tag("call m(1)") + "C{{ s }}" + self.tag("endcall"), "{{ m(s)|upper }}", "{{ m(1) is string }}")
        return self.tag(f"macro m({signature})") + inside + self.body(depth - 1) + self.tag("endmacro") + use

    def template(self):
        self.extra = []
        self.blocks = 0
        if self.r.random() < 0.35:
            return "{{ " + self.expr(self.r.randrange(1, 4)) + " }}"
        return self.body(3) + self.pick("", "\n", "\n\n")


def generated_cases(seed, count):
    generator = Generator(seed)
    for number in range(count):
        yield f"generated:{seed}:{number}", generator.template(), VARS


def reference(template, variables):
    try:
        return _compile_jinja_template(template).render(**json.loads(json.dumps(variables)))
    except Exception as error:  # any failure is an answer
        return error


SKIP = (" at 0x", "<built-in method", "<bound method", "<function ", "Exceeds the limit")


def comparable(expected):
    """Addresses in the text are jinja2's own; integers beyond 64 bits are ours to refuse."""
    return not (isinstance(expected, str) and any(mark.lower() in expected.lower() for mark in SKIP))


def compare(probe, cases, show):
    cases = list(cases)
    lines = "".join(json.dumps({"template": template, "vars": variables}) + "\n" for _, template, variables in cases)
    run = subprocess.run([probe], input=lines.encode(), stdout=subprocess.PIPE, check=True)
    answers = [json.loads(line) for line in run.stdout.decode().split("\n")[:-1]]
    assert len(answers) == len(cases), f"{len(answers)} answers for {len(cases)} templates"
    texts = errors = skipped = 0
    wrong = []
    for (name, template, variables), answer in zip(cases, answers):
        expected = reference(template, variables)
        folded = isinstance(expected, str) and "cannot be sliced" in answer.get("error", "")
        if not comparable(expected) or answer.get("code") == "UNSUPPORTED" or folded:
            skipped += 1
        elif isinstance(expected, str) and answer["ok"] and answer["text"] == expected:
            texts += 1
        elif not isinstance(expected, str) and not answer["ok"]:
            errors += 1
        else:
            wrong.append((name, template, expected, answer))
    for name, template, expected, answer in wrong[:show]:
        print(f"--- {name}\n{template}\n  jinja2: {expected!r}\n  ours:   {answer.get('text', answer.get('error'))!r}")
    return texts, errors, skipped, len(wrong)


def timing(probe):
    messages = [{"role": ("user", "assistant")[i % 2], "content": f"Message {i}: " + "some words " * 20} for i in range(100)]
    for path in sorted(DATA.glob("*.jinja")):
        case = {"template": path.read_text(), "vars": {"messages": messages, "bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": True}}
        run = subprocess.run([probe, "--time", "50"], input=(json.dumps(case) + "\n").encode(), stdout=subprocess.PIPE, check=True)
        answer = json.loads(run.stdout)
        compiled = _compile_jinja_template(case["template"])
        start = time.perf_counter()
        for _ in range(10):
            compiled.render(**case["vars"])
        print(f"{path.name}: 100 messages in {answer['us']:.0f} us (jinja2 {(time.perf_counter() - start) * 1e5:.0f} us)")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("probe")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--generated", type=int, default=2000)
    parser.add_argument("--show", type=int, default=10)
    parser.add_argument("--time", action="store_true")
    args = parser.parse_args()
    failed = 0
    for title, cases in (("families", family_cases()), ("corpus", corpus_cases()), ("generated", generated_cases(args.seed, args.generated))):
        texts, errors, skipped, wrong = compare(args.probe, cases, args.show)
        print(f"{title}: {texts} texts equal, {errors} errors agree, {skipped} not comparable, {wrong} wrong")
        failed += wrong
    if args.time:
        timing(args.probe)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
