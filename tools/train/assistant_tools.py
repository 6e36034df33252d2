"""Tool calling samples: schemas of known and of made-up tools, requests, calls, results and final answers.

The made-up tools follow one pattern (a verb and a noun, or words that do not exist) with random parameters, so that
the model has to copy names and values from the schema and the request instead of knowing them.
"""
import json

import assistant_text as text


class Tool:
    def __init__(self, name, description, params, request, required=None):
        """params: name -> (type, description, enum or None); request: the user's words without the values."""
        self.name, self.description, self.params, self.request = name, description, params, request
        self.required = list(params) if required is None else required

    def schema(self, c):
        properties = {}
        for name, (kind, about, enum) in self.params.items():
            properties[name] = {"type": kind}
            if about:
                properties[name]["description"] = about
            if enum:
                properties[name]["enum"] = enum
        parameters = {"type": "object", "properties": properties}
        if self.required or c.chance(0.5):
            parameters["required"] = self.required
        if c.chance(0.1):
            parameters["additionalProperties"] = False
        function = {"name": self.name}
        if self.description:
            function["description"] = self.description
        function["parameters"] = parameters
        if c.chance(0.08):
            function["strict"] = True
        if c.chance(0.08):
            function = {k: function[k] for k in sorted(function)}
        return {"type": "function", "function": function}


# name, description, [(param, type, kind of value, description)], requests with {param}; optional params need not occur
KNOWN = [
    ("get_weather", ["Get the weather in a city", "Get the current weather", "Returns the weather for a location."],
    [("city|location|place", "string", "city", "The city|Name of the city|City name|")],
     ["What is the weather in {}?", "What's the weather like in {}?", "How is the weather in {}?", "Weather in {}?",
     "Is it raining in {}?", "Tell me the weather in {}.", "Is it warm in {} today?", "Do I need an umbrella in {}?",
     "weather {}", "What is the weather in {} now?",
      "How warm is it in {}?", "Could you check the weather in {} for me?"]),
    ("get_time", ["Get the time in a city", "Current time in a place", "Returns the local time."],
    [("city|timezone|place", "string", "city", "The city|")],
     ["What time is it in {}?", "Tell me the time in {}.", "What is the local time in {}?", "Time in {}?",
     "How late is it in {}?", "Could you tell me what time it is in {}?"]),
    ("calculator", ["Evaluate an expression", "Calculate a sum", "Does arithmetic."],
    [("expression", "string", "expression", "The expression|e.g. 2 + 3|")],
     ["What is {}?", "Calculate {}.", "How much is {}?", "Compute {}", "Use the calculator: {}", "Please work out {}.",
     "Could you calculate {} for me?"]),
    ("add", ["Add two numbers", "Adds a and b."], [("a", "integer", "integer", ""), ("b", "integer", "integer", "")],
    ["What is {} plus {}?", "Add {} and {}.", "{} + {}", "Sum of {} and {}?", "Please add {} and {}."]),
    ("search", ["Search the web", "Look something up."], [("query|q", "string", "phrase", "What to search for|")],
    ["Search for {}.", "Search the web for {}.", "Look up {}.", "Find something about {}.", "Please search for {}."]),
    ("send_email", ["Send an email", "Sends a mail to somebody."], [("to|recipient", "string", "name", ""), ("subject",
    "string", "phrase", "")], ["Send an email to {} with the subject {}.", "Write an email to {} about {}.",
    "Mail {} about {}.", "Email {}: {}", "Please send a mail to {} about {}."]),
    ("set_timer", ["Set a timer", "Starts a countdown."], [("minutes", "integer", "small", "How many minutes|")],
    ["Set a timer for {} minutes.", "Timer {} minutes", "Start a timer of {} minutes.", "Wake me in {} minutes.",
    "Please set a timer for {} minutes."]),
    ("convert_currency", ["Convert money", "Converts an amount between currencies."],
    [("amount", "number", "integer", ""), ("from", "string", "currency", ""), ("to", "string", "currency", "")],
     ["Convert {} {} to {}.", "How much is {} {} in {}?", "Change {} {} into {}.", "What are {} {} in {}?",
     "Please convert {} {} into {}."]),
    ("read_file", ["Read a file", "Returns the text of a file."], [("path|file|filename", "string", "file", "")],
    ["Read {}.", "Read the file {}.", "What is in {}?", "Show me {}.", "Open the file {}.",
    "Please read the file {}."]),
    ("get_date", ["Get today's date", "Returns the current date."], [], ["What is the date?", "What day is it today?",
    "Which date is today?", "What's today's date?", "Could you tell me today's date?"]),
    ("translate", ["Translate a text", "Translates text to a language."],
    [("text", "string", "phrase", ""), ("language|target", "string", "language", "")],
    ["Translate {} to {}.", "Translate {} into {}.", "How do you say {} in {}?", "Please translate {} into {}."]),
    ("lookup_user", ["Find a user", "Look up a user by id."], [("id|user_id", "integer", "integer", "")],
    ["Look up user {}.", "Find the user {}.", "Who is user {}?", "Find user {}.", "Please look up user {}."]),
]
CURRENCIES = "euros dollars pounds yen francs".split()
LANGUAGES = "German French Spanish Italian Polish Dutch Greek Turkish".split()
PARAMS = ("name title size color count level amount mode speed number text message topic date room city user id key "
          "value path kind type price weight height width length label target source start end limit "
          "unit format status owner priority volume angle angle_x item_id user_name file_name max_results is_urgent "
          "room_number").split()
PARAMS_EVAL = "theme depth temperature shelf_id nickname radius category budget start_date".split()
PREPOSITION = {"city": "in {}", "name": "called {}", "date": "on {}", "room": "in {}", "user": "for {}",
    "target": "to {}", "source": "from {}", "color": "in {}", "topic": "about {}", "path": "at {}"}


def value(c, kind):
    r = c.rng
    if kind == "string":
        kind = r.choice(["word", "word", "word", "name", "city", "phrase", "file", "date", "mail"])
    return {
        "city": c.city, "name": c.name, "word": c.word, "integer": c.number, "small": lambda: r.randint(1, 60),
        "number": lambda: r.choice([c.number(), round(r.uniform(0, 100), 1)]), "boolean": lambda: r.random() < 0.5,
        "phrase": lambda: " ".join([r.choice(text.ADJECTIVES), c.noun()] if r.random() < 0.5
        else [c.word() for _ in range(r.randint(1, 3))]),
        "expression": lambda: f"{c.number()} {r.choice('+-*/')} {c.number()}", "currency": lambda: r.choice(CURRENCIES),
        "language": lambda: r.choice(LANGUAGES),
        "file": lambda: f"{c.word()}.{r.choice(['txt', 'md', 'csv', 'json', 'png'])}",
        "date": lambda: f"20{r.randint(20, 39)}-{r.randint(1, 12):02}-{r.randint(1, 28):02}",
        "mail": lambda: f"{c.word()}@{r.choice(['example.com', 'mail.org'])}",
    }[kind]()


def known_call(c):
    """-> Tool, user's words, arguments"""
    name, about, params, requests = c.choice(KNOWN)
    spec, values = {}, []
    for names, kind, source, about_param in params:
        spec[c.choice(names.split("|"))] = (kind, c.choice(about_param.split("|")), None)
        values.append(value(c, source))
    tool = Tool(name, c.choice(about), spec, requests[0])
    shown = [f'"{v}"' if isinstance(v, str) and " " in v and c.chance(0.3) and "expression" not in spec else v
        for v in values]
    return tool, c.phrase(requests).format(*shown), dict(zip(spec, values))


def varied(c, p):
    """The parameter's name, or as often another one: names are to be copied, not known."""
    k = c.rng.random()
    if k < 0.45:
        return p
    if k < 0.6:
        return c.noun()
    if k < 0.7:
        return c.made_up()
    return c.choice([f"{p}_{c.noun()}", f"{c.noun()}_{p}", f"{c.noun()}_{c.noun()}", f"{c.made_up()}_{p}", f"{c.noun()}_id"])


def made_up_tool(c):
    verb, noun = c.verb(), c.noun()
    if c.chance(0.35):
        noun = c.made_up() if c.chance(0.6) else c.noun() + "_" + c.noun()
    if c.chance(0.15):
        verb = c.made_up()
    k = c.rng.random()
    shapes = [(0.7, f"{verb}_{noun}"), (0.82, f"{verb}{noun.capitalize()}"), (0.9, f"{noun}_{verb}"),
              (0.93, f"{noun}.{verb}"), (0.96, f"{verb}-{noun}"), (1.0, verb)]
    name = next(shape for limit, shape in shapes if k < limit)
    doing = verb.capitalize()
    about = c.choice([f"{doing} the {noun}", f"{doing} a {noun}", f"{doing} {noun}", f"{doing} the {noun}.",
                      f"Can {verb} the {noun}", "" if k < 0.9 else f"{doing} the {noun}"])
    params, names = {}, (PARAMS_EVAL if c.held_out else PARAMS)
    for p in c.rng.sample(names, c.choice([0, 1, 1, 1, 2, 2, 2, 3])):
        if not c.held_out:
            p = varied(c, p)
        kind = "boolean" if p.startswith("is_") else c.choice(["string", "string", "string", "string", "integer",
            "integer", "number", "boolean"])
        enum = [c.word() for _ in range(c.rng.randint(2, 3))] if kind == "string" and c.chance(0.12) else None
        params[p] = (kind, c.choice(["", "", "", f"The {p.replace('_', ' ')}",
            f"{p.replace('_', ' ').capitalize()} of the {noun}"]), enum)
    return Tool(name, about, params, f"{verb} the {noun}", [p for p in params if c.chance(0.85)])


def made_up_call(c):
    tool = made_up_tool(c)
    args, said = {}, []
    for p, (kind, _, enum) in tool.params.items():
        if p not in tool.required and c.chance(0.5):
            continue
        v = c.choice(enum) if enum else value(c, kind)
        args[p] = v
        shown = str(v).lower() if isinstance(v, bool) else v
        if isinstance(v, str) and c.chance(0.12):
            shown = f'"{v}"'
        words = p.replace("_", " ")
        if p in PREPOSITION and kind == "string" and not said and c.chance(0.35):
            said.append(PREPOSITION[p].format(shown))
        else:
            joint = "with " if not said else "and "
            said.append(c.choice(["{j}{p} {v}", "{j}{p} {v}", "{j}the {p} {v}", "{j}{p} = {v}",
                "{j}{p}: {v}"]).format(j=joint, p=words, v=shown))
    request = tool.request
    if c.chance(0.15):
        request = c.choice(["use {}", "call {}", "run {}"]).format(tool.name)
    elif c.chance(0.3):
        request = request.replace(" the ", c.choice([" a ", " my ", " "]))
    opener = c.phrase(["{}.", "{}.", "{}", "Please {}.", "Can you {}?", "Could you {}?", "I want you to {}.",
        "I need to {}.", "{}, please.", "{}!", "Would you {}, please?"])
    s = opener.format(" ".join([request] + said))
    return tool, s[0].upper() + s[1:], args


def result(c, tool):
    """-> what the tool says, what the assistant makes of it"""
    k = c.rng.random()
    if k < 0.15:
        return c.choice(['{"status": "ok"}', '{"success": true}', "ok", "done", '{"ok": true}']), "Done."
    if k < 0.22:
        why = c.choice(["not found", "no access", "timeout", "unknown " + c.noun(), "the " + c.noun() + " is "
            + c.choice(text.ADJECTIVES)])
        return c.choice([json.dumps({"error": why}), f"error: {why}",
            f"Error: {why}"]), f"The tool reported an error: {why}."
    if k < 0.4:
        v = c.choice([c.number, c.word, c.name, lambda: value(c, "phrase")])()
        return str(v), f"The result is {v}."
    if k < 0.5:
        s = c.choice([f"The {c.noun()} is {c.choice(text.ADJECTIVES)}.", f"{c.name()} has the {c.noun()}.",
            f"It is {c.choice(text.ADJECTIVES)} in {c.city()}.", f"There are {c.number()} {c.noun()}s."])
        return s, s
    pairs = {}
    if tool.name in ("get_weather", "get_time") and c.chance(0.75):
        if tool.name == "get_time":
            pairs = {"time": f"{c.rng.randint(0, 23):02}:{c.rng.randint(0, 59):02}"}
        else:
            pairs = {c.choice(["temperature", "temp", "temperature_c"]): c.rng.randint(-10, 38),
                c.choice(["condition", "weather",
                "sky"]): c.choice("sunny cloudy rainy windy foggy snowy clear stormy".split())}
            if c.chance(0.3):
                pairs.popitem()
    else:
        names = PARAMS_EVAL if c.held_out else PARAMS + ["result", "result", "answer", "total"]
        for p in c.rng.sample(names, c.choice([1, 1, 2, 2, 3])):
            pairs[varied(c, p)] = value(c, c.choice(["string", "integer", "number"]))
    said = [f"the {k.replace('_', ' ')} is {v}" for k, v in pairs.items()]
    s = ", ".join(said[:-1]) + (" and " if len(said) > 1 else "") + said[-1]
    return json.dumps(pairs), s[0].upper() + s[1:] + "."


def round_trip(c, user, calls):
    """-> user, assistant with calls, one tool message for each, assistant"""
    replies = [result(c, tool) for tool, _ in calls]
    called = [{"type": "function", "function": {"name": tool.name, "arguments": args}} for tool, args in calls]
    return ([{"role": "user", "content": user}, {"role": "assistant", "content": "", "tool_calls": called}]
            + [{"role": "tool", "content": content} for content, _ in replies]
            + [{"role": "assistant", "content": " ".join(meaning for _, meaning in replies)}])


def tool_sample(c):
    import assistant_data as chats
    known = c.chance(0.35)
    tool, user, args = known_call(c) if known else made_up_call(c)
    tools, calls = [tool], [(tool, args)]
    earlier = []
    for _ in range(c.choice([0, 0, 1, 1, 2])):  # whole rounds before the one that counts
        request = known_call(c) if c.chance(0.35) else made_up_call(c)
        if request[0].name not in [t.name for t in tools]:
            tools.append(request[0])
            earlier += round_trip(c, request[1], [(request[0], request[2])])
    for _ in range(c.choice([0, 0, 1, 1, 2])):
        other = known_call(c)[0] if c.chance(0.35) else made_up_tool(c)
        if other.name not in [t.name for t in tools]:
            tools.append(other)
    messages, category = [], "tool known" if known else "tool unseen"
    if c.chance(0.25):
        messages.append({"role": "system", "content": c.choice(chats.GENERIC_SYSTEM)})
    if c.chance(0.15):
        turn = c.choice([chats.greeting, chats.tell])(c)
        messages += [{"role": "user", "content": turn.user}, {"role": "assistant", "content": turn.answer}]
    messages += earlier
    kind = c.rng.random()
    think = f"The tool {tool.name} can do this."
    if kind < 0.16:  # no tool is needed, or none fits
        if c.chance(0.35) or any(t.name in ("calculator", "add", "get_date", "search", "translate") for t in tools):
            _, user, _ = made_up_call(c)
            turn = chats.Turn("no tool", user, "I have no tool for that.", keys=["no tool"],
                think="None of the tools can do this.")
        else:
            turn = c.choice([chats.greeting, chats.question, chats.how, chats.arithmetic, chats.capital, chats.tell,
                chats.repeat])(c)
            turn.think = "I need no tool for this. " + (turn.think or "")
        return finish(c, messages, tools, [{"role": "user", "content": turn.user}, {"role": "assistant",
            "content": turn.answer}], "no tool", turn.keys, turn.think)
    if kind < 0.29 and args:  # two calls at once
        other = made_up_call(c)
        if len(args) == 1 and c.chance(0.5):
            (key, v), = args.items()
            source = {"city": "city", "location": "city", "place": "city", "timezone": "city"}.get(key)
            v2 = value(c, source) if source else (c.word() if isinstance(v, str) else c.number())
            if not isinstance(v, bool) and "expression" not in args and tool.params[key][2] is None and str(v) in user:
                user = user.replace(str(v), f"{v} and {v2}", 1)
                calls.append((tool, {key: v2}))
        elif other[0].name not in [t.name for t in tools]:
            tools.append(other[0])
            user = user.rstrip(".!?") + " and " + other[1][0].lower() + other[1][1:]
            calls.append((other[0], other[2]))
        category = "tool parallel" if len(calls) > 1 else category
    tail = round_trip(c, user, calls)
    if c.chance(0.58):
        return finish(c, messages, tools, tail[:2], category, None, think)
    keys, category, think = [tail[-1]["content"]], "tool result", "The tool has answered. I tell the user."
    if c.chance(0.25):  # one more turn after the tool's answer
        turn = c.rng.choices(chats.FUNCTIONS, chats.WEIGHTS)[0](c)
        if turn.category in ("question", "greeting", "tell", "usage"):
            tail += [{"role": "user", "content": turn.user}, {"role": "assistant", "content": turn.answer}]
            keys, category, think = turn.keys, turn.category, turn.think
    return finish(c, messages, tools, tail, category, keys, think)


def finish(c, messages, tools, tail, category, keys, think):
    """Puts the pieces together; the tools are shuffled, and with thinking the last message gets its reasoning."""
    c.rng.shuffle(tools)
    messages = messages + tail
    thinking = c.chance(0.12)
    if thinking:
        messages[-1]["reasoning_content"] = think or "I know what to say."
    return {"messages": messages, "tools": [t.schema(c) for t in tools], "thinking": thinking, "category": category,
        "keys": keys}
