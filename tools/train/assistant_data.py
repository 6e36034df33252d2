"""Makes the synthetic chats that tiny-assistant is trained and evaluated on (assistant_text.py has the tables).

    python3 assistant_data.py [--eval] [--n 20] [--seed 1]      prints some samples

make_sample(rng, held_out) returns a dict: messages (the last is the assistant's, to be learnt), tools or None,
thinking (bool), category, and keys: strings that a right answer must contain. With held_out, the phrasings, names,
cities, nouns and verbs are those that training never sees. Everything follows from the generator's seed.
"""
import argparse
import json
import random

import assistant_text as text


class Turn:
    """One question with its answer. short: for terse personas; style: may a persona change the answer's wording."""

    def __init__(self, category, user, answer, short=None, think=None, keys=None, free=False, style=True):
        self.category, self.user, self.answer, self.free, self.style = category, user, answer, free, style
        self.short = short or answer
        self.think = think
        self.keys = keys if keys is not None else [answer]


class Context:
    def __init__(self, rng, held_out=False):
        self.rng, self.held_out, self.memory = rng, held_out, {}
        self.persona = None

    def choice(self, seq):
        return self.rng.choice(seq)

    def chance(self, p):
        return self.rng.random() < p

    def phrase(self, options):
        """One of the phrasings; the last of four or more is kept for evaluation."""
        if len(options) < 4:
            return self.choice(options)
        return options[-1] if self.held_out else self.choice(options[:-1])

    def pool(self, words, n_held_out):
        return self.choice(words[-n_held_out:] if self.held_out else words[:-n_held_out])

    def noun(self):
        return self.pool(text.NOUNS, 24)

    def verb(self):
        return self.pool(text.VERBS, 10)

    def name(self):
        if self.held_out:
            return self.choice(text.NAMES_EVAL)
        return self.choice(text.NAMES) if self.chance(0.45) else self.made_up().capitalize()

    def city(self):
        if self.held_out:
            return self.choice(text.CITIES_EVAL)
        return self.choice(text.CITIES) if self.chance(0.5) else self.made_up().capitalize()

    def made_up(self):
        """A word that does not exist: what is learnt on these is copying, not the words."""
        onset = "b c d f g h j k l m n p r s t v w y z br cr dr fr gr kl pl pr st tr sh th ch sk sl qu".split()
        vowel = "a e i o u a e i o ee oo ai ia ou y".split()
        coda = ["", "", "", "n", "r", "l", "s", "t", "m", "k", "d", "x", "nd", "rt", "ck"]
        r = self.rng
        return "".join(r.choice(onset) + r.choice(vowel) + (r.choice(coda) if i else r.choice(coda[:6]))
            for i in range(r.choice([1, 2, 2, 2, 3])))

    def word(self):
        k = self.rng.random()
        if k < 0.35:
            return self.made_up()
        return self.noun() if k < 0.75 else self.choice(text.ADJECTIVES + text.COLOURS)

    def number(self):
        return self.choice([self.rng.randint(0, 9), self.rng.randint(0, 20), self.rng.randint(10, 99),
            self.rng.randint(100, 2999)])


# ---- single turns -------------------------------------------------------------------------------------------------

def split(s):
    return s.split("|")


IDENTITY = {0: "who", 1: "name", 3: "model", 4: "maker", 5: "skills"}


def question(c):
    i = c.rng.randrange(len(text.QUESTIONS))
    if c.chance(0.2):
        i = c.rng.randrange(6)
    phrasings, answer, short = text.QUESTIONS[i]
    if c.persona and i in IDENTITY:
        answer, short = c.persona.identity(IDENTITY[i], answer, short)
    user = c.phrase(split(phrasings))
    stories = short is None
    return Turn("story" if stories else "question", user, answer, short, free=True, style=not stories, keys=[answer],
                think="The user wants a text. I write one that I know." if stories
                else f"The user says: {user} I know what to say.")


def how(c):
    phrases, answer, short = c.choice(text.HOW)
    opener = c.choice(text.HOW_OPENERS[:-1])
    if c.held_out and c.chance(0.5):
        user = text.HOW_OPENERS[-1].format(c.choice(split(phrases)[:-1]))
    else:
        user = opener.format(c.phrase(split(phrases)))
    return Turn("usage", user, answer, short, free=True,
        think=f"The user wants to know about a command of aLLM. It is: {short}")


def greeting(c):
    user = c.choice(text.GREETINGS_EVAL if c.held_out else text.GREETINGS)
    name = c.memory.get("name")
    if c.chance(0.25) and not c.persona:
        name = c.memory["name"] = c.name()
        user = user.rstrip("!.") + ", " + c.choice(["I am {}.", "my name is {}.", "I'm {}.",
            "this is {}."]).format(name)
        return Turn("greeting", user, f"Hello {name}! How can I help you?", f"Hello {name}!",
            f"The user is called {name}. I greet back.", keys=[name])
    return Turn("greeting", user, "Hello! How can I help you?", "Hello!", "The user greets me. I greet back.",
        free=True, keys=["Hello"])


def spell(c, n):
    return text.NUMBER_WORDS[n] if c.words and n <= 20 else str(n)


SUM_Q = ["What is {}?", "What's {}?", "{} = ?", "{}", "How much is {}?", "Calculate {}.", "Compute {}", "{}=",
    "Please calculate {}.", "Can you tell me what {} is?", "Tell me {}", "Work out {}.", "what does {} make?",
         "Solve {}.", "Do you know what {} is?"]


def arithmetic(c):
    kind = c.choice("++++----**/")
    a, b = c.rng.randint(0, 20), c.rng.randint(0, 20)
    if kind == "-" and a < b and c.chance(0.9):
        a, b = b, a
    if kind in "*/":
        a, b = c.rng.randint(0, 10), c.rng.randint(0, 10)
        if kind == "/":
            b = max(b, 1)
            a = a * b
    result = {"+": a + b, "-": a - b, "*": a * b, "/": a // b if b else 0}[kind]
    c.words = c.chance(0.2)
    sign = {"+": ["+", "+", "plus"], "-": ["-", "-", "minus"], "*": ["*", "x", "times"], "/": ["/", "divided by"]}[kind]
    sign = sign[-1] if c.words else c.choice(sign)
    space = "" if sign in "+-*/x" and c.chance(0.25) else " "
    fact = f"{a} {kind} {b} = {result}"
    return Turn("arithmetic", c.phrase(SUM_Q).format(f"{spell(c, a)}{space}{sign}{space}{spell(c, b)}"), f"{fact}.",
        str(result), f"The user wants a sum. {fact}.", keys=[fact + "."], free=True)


def story_sum(c):
    n = c.choice(["apples", "books", "coins", "cookies", "stars", "pens"])
    a, b, name = c.rng.randint(1, 12), c.rng.randint(1, 12), c.name()
    if c.chance(0.5):
        return Turn("arithmetic", f"{name} has {a} {n} and gets {b} more. How many {n} does {name} have now?",
            f"{name} has {a + b} {n}.", str(a + b), f"{a} + {b} = {a + b}.")
    a, b = max(a, b), min(a, b)
    return Turn("arithmetic", f"{name} has {a} {n} and gives away {b}. How many {n} are left?",
        f"{a - b} {n} are left.", str(a - b), f"{a} - {b} = {a - b}.")


def numbers(c):
    k = c.rng.randrange(5)
    n, m = c.rng.sample(range(0, 100), 2)
    if k == 0:
        q = c.phrase(["What number comes after {}?", "Which number comes after {}?", "What comes after {}?",
            "What is the next number after {}?", "{} and then?"])
        return Turn("numbers", q.format(n), f"After {n} comes {n + 1}.", str(n + 1), f"{n} + 1 = {n + 1}.", free=True)
    if k == 1:
        q = c.phrase(["Which is bigger, {} or {}?", "Which number is larger, {} or {}?", "What is greater: {} or {}?",
            "Is {} or {} bigger?", "Which one is the bigger number, {} or {}?"])
        return Turn("numbers", q.format(n, m), f"{max(n, m)} is bigger.", str(max(n, m)), f"I compare {n} and {m}.",
            free=True)
    if k == 2:
        q = c.phrase(["Is {} even?", "Is {} odd?", "Is {} even or odd?", "Even or odd: {}?",
            "Tell me if {} is even or odd."])
        word = "even" if n % 2 == 0 else "odd"
        return Turn("numbers", q.format(n), f"{n} is {word}.", word, f"The last digit of {n} is {n % 10}.", free=True)
    start, end = 1, c.choice([3, 5, 5, 8, 10, 10, 10, 12, 15, 20, 20, 30])
    if c.chance(0.3):
        start = c.rng.randint(2, 40)
        end = start + c.rng.randint(2, 9)
    if k == 3 and c.chance(0.5) and end <= 12:
        seq = range(end, start - 1, -1)
        q = c.phrase(["Count down from {1} to {0}.", "Count backwards from {1} to {0}.",
            "Please count down from {1} to {0}.", "Count from {1} down to {0}."])
    else:
        if c.chance(0.012):
            start, end = 1, c.choice([50, 100])
        seq = range(start, end + 1)
        qs = ["Count from {0} to {1}.", "Count from {0} to {1}", "Please count from {0} to {1}.",
            "Can you count from {0} to {1}?", "Write the numbers from {0} to {1}.", "List the numbers from {0} to {1}."]
        q = c.phrase(["Count to {1}.", "Count to {1}"] + qs if start == 1 else qs)
    s = ", ".join(map(str, seq))
    return Turn("counting", q.format(start, end), s, s, f"I count from {seq[0]} to {seq[-1]}.", free=True, style=False)


def calendar(c):
    days = c.chance(0.55)
    names, unit = (text.DAYS, "day") if days else (text.MONTHS, "month")
    i = c.rng.randrange(len(names))
    x, after, before = names[i], names[(i + 1) % len(names)], names[i - 1]
    k = c.rng.randrange(7)
    if k < 2:
        q = c.phrase([f"What {unit} comes after {x}?", f"Which {unit} comes after {x}?", f"What {unit} follows {x}?",
            f"What is the {unit} after {x}?", f"What comes after {x}?", f"Next {unit} after {x}?",
            f"{x} is followed by which {unit}?"])
        return Turn("calendar", q, f"After {x} comes {after}.", after, f"{x}, {after}.", free=True)
    if k < 4:
        q = c.phrase([f"What {unit} comes before {x}?", f"Which {unit} comes before {x}?",
            f"What is the {unit} before {x}?", f"What comes before {x}?", f"Previous {unit} of {x}?",
            f"Which {unit} is right before {x}?"])
        return Turn("calendar", q, f"Before {x} comes {before}.", before, f"{before}, {x}.", free=True)
    if k == 4 and days:
        if c.chance(0.5):
            return Turn("calendar", c.phrase([f"Today is {x}. What day is tomorrow?",
                f"If today is {x}, what day is tomorrow?", f"It is {x} today. What is tomorrow?",
                f"Today is {x}, so tomorrow is?"]), f"Tomorrow is {after}.", after, f"{x}, {after}.", free=True)
        return Turn("calendar", c.phrase([f"Today is {x}. What day was yesterday?",
            f"If today is {x}, what day was yesterday?", f"It is {x} today. What was yesterday?",
            f"Today is {x}, so yesterday was?"]), f"Yesterday was {before}.", before, f"{before}, {x}.", free=True)
    if k == 5:
        if days:
            return Turn("calendar", c.phrase(["How many days are in a week?", "How many days does a week have?",
                "How many days has a week?", "A week has how many days?"]), "A week has seven days.", "Seven.",
                free=True)
        return Turn("calendar", c.phrase(["How many months are in a year?", "How many months does a year have?",
            "How many months has a year?", "A year has how many months?"]), "A year has twelve months.", "Twelve.",
            free=True)
    if k == 6:
        if days:
            weekend = i >= 5
            return Turn("calendar", c.phrase([f"Is {x} a weekday?", f"Is {x} a working day?",
                f"Do people usually work on {x}?", f"Is {x} a day of the week to work?"]),
                f"No, {x} is on the weekend." if weekend else f"Yes, {x} is a weekday.", "No." if weekend else "Yes.",
                free=True)
        return Turn("calendar", c.phrase([f"How many days are in {x}?", f"How many days does {x} have?",
            f"How many days has {x}?", f"How long is {x}?", f"{x} has how many days?"]),
            f"{x} has {text.MONTH_DAYS[i]} days.", str(text.MONTH_DAYS[i]), free=True)
    which = c.rng.randrange(3)
    if which == 0:
        word = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
            "eleventh", "twelfth"][i]
        span = "week" if days else "year"
        return Turn("calendar", c.phrase([f"What is the {word} {unit} of the {span}?",
            f"Which is the {word} {unit} of the {span}?", f"What's the {word} {unit} of the {span}?",
            f"Name the {word} {unit} of the {span}."]), f"The {word} {unit} of the {span} is {x}.", x, free=True)
    s = ", ".join(names)
    return Turn("calendar", c.phrase([f"Name the {unit}s of the {'week' if days else 'year'}.",
        f"List the {unit}s of the {'week' if days else 'year'}.",
        f"What are the {unit}s of the {'week' if days else 'year'}?",
        f"Tell me all the {unit}s of the {'week' if days else 'year'}."]), s, s, free=True, style=False)


def capital(c):
    if c.chance(0.15):
        country = c.choice(text.OTHER_COUNTRIES) if c.chance(0.4) else c.made_up().capitalize()
        if c.held_out:
            country = c.made_up().capitalize()
        return Turn("unknown", c.phrase(text.CAPITAL_Q).format(country), f"I do not know the capital of {country}.",
            "I do not know.", f"I do not know {country}.")
    country, city = c.choice(list(text.CAPITALS.items()))
    if c.chance(0.2):
        q = c.phrase(text.COUNTRY_Q).format(city)
        return Turn("facts", q, f"{city} is the capital of {country}.", country, f"{city} lies in {country}.",
            free=True)
    return Turn("facts", c.phrase(text.CAPITAL_Q).format(country), f"The capital of {country} is {city}.", city,
        f"The user asks for the capital of {country}. It is {city}.", free=True)


def small_fact(c):
    k = c.rng.randrange(5)
    if k == 0:
        a, b = c.choice(list(text.OPPOSITES.items()))
        a, b = (a, b) if c.chance(0.5) else (b, a)
        return Turn("facts", c.phrase(["What is the opposite of {}?", "Opposite of {}?", "What's the opposite of {}?",
            "Tell me the opposite of {}.", "Which word is the opposite of {}?"]).format(a),
            f"The opposite of {a} is {b}.", b, free=True)
    if k == 1:
        a, b = c.choice(list(text.OBJECT_COLOURS.items()))
        return Turn("facts", c.phrase(["What colour is {}?", "What color is {}?", "Which colour has {}?",
            "Tell me the colour of {}.", "What is the color of {}?", "Of what colour is {}?"]).format(a),
            f"{a[0].upper()}{a[1:]} is {b}.", b, free=True)
    if k == 2:
        a, b = c.choice(list(text.ANIMAL_SOUNDS.items()))
        return Turn("facts", c.phrase(["What does a {} say?", "What sound does a {} make?",
            "Which sound does a {} make?", "How does a {} sound?", "What noise does a {} make?"]).format(a),
            f"A {a} says {b}.".replace("A owl", "An owl"), b, free=True)
    if k == 3:
        (a, b), m = c.choice(list(text.MIXES.items()))
        a, b = (a, b) if c.chance(0.5) else (b, a)
        return Turn("facts", c.phrase(["What do you get when you mix {} and {}?", "Mix {} and {}.",
            "Which colour do {} and {} make?", "What is {} mixed with {}?",
            "What colour comes from {} and {}?"]).format(a, b), f"{a.capitalize()} and {b} make {m}.", m, free=True)
    a, items = c.choice([("animals", "dog, cat and horse"), ("colours", "red, green and blue"),
        ("fruits", "apple, banana and orange"), ("cities", "Paris, London and Rome"),
        ("countries", "France, Italy and Spain"), ("numbers", "one, two and three")])
    return Turn("facts", c.phrase(["Name three {}.", "Tell me three {}.", "List three {}.", "Give me three {}.",
        "Can you name three {}?"]).format(a), f"Three {a}: {items}.", items, free=True)


# what can be remembered: key -> (tell, acknowledge, ask, answer)
MEMORY = {
    "name": (["My name is {}.", "I am {}.", "I'm {}.", "Call me {}.", "You can call me {}.", "My name's {}."],
    "Nice to meet you, {}!",
             ["What is my name?", "What's my name?", "Who am I?", "Do you remember my name?", "Do you know my name?",
             "Tell me my name.", "what was my name", "How am I called?", "Can you tell me what I am called?"],
             "Your name is {}."),
    "colour": (["My favourite colour is {}.", "My favorite color is {}.", "I like the colour {} best."],
    "I will remember that your favourite colour is {}.",
               ["What is my favourite colour?", "What's my favorite color?", "Which colour do I like best?",
               "Do you know my favourite colour?"], "Your favourite colour is {}."),
    "city": (["I live in {}.", "I am from {}.", "My home is in {}.", "My city is {}."],
    "I will remember that you live in {}.",
             ["Where do I live?", "Which city do I live in?", "Where am I from?", "In which city do I live?"],
             "You live in {}."),
    "job": (["I am a {}.", "I work as a {}.", "My job is {}."], "I will remember that you are a {}.",
    ["What is my job?", "What do I do for a living?", "What's my job?", "Do you know my job?"], "You are a {}."),
    "age": (["I am {} years old.", "I'm {} years old.", "My age is {}."], "I will remember that you are {} years old.",
    ["How old am I?", "What is my age?", "Do you know how old I am?", "Can you tell me how old I am?"],
    "You are {} years old."),
    "pet": (["My {} is called {}.", "I have a {} called {}.", "The name of my {} is {}."],
    "I will remember that your {} is called {}.",
            ["What is my {}'s name?", "What is the name of my {}?", "How is my {} called?",
            "Do you know my {}'s name?"], "Your {} is called {}."),
    "food": (["My favourite food is {}.", "I like to eat {}.", "I love {}."], "I will remember that you like {}.",
    ["What do I like to eat?", "What is my favourite food?", "Which food do I like?", "What food do I love?"],
    "You like {}."),
    "code": (["The code word is {}.", "Remember the word {}.", "The secret word is {}.",
    "Please remember this word: {}."], "I will remember the word {}.",
             ["What is the code word?", "What was the word?", "What is the secret word?", "Which word did I tell you?",
             "What word should you remember?"], "The word is {}."),
    "number": (["My lucky number is {}.", "Remember the number {}.", "The number is {}."],
    "I will remember the number {}.", ["What is my lucky number?", "What was the number?",
    "Which number did I tell you?", "What number should you remember?"], "The number is {}."),
}


def memory_value(c, key):
    if key == "pet":
        return [c.choice(text.ANIMALS[:8]), c.name()]
    return [{"name": c.name, "colour": lambda: c.choice(text.COLOURS), "city": c.city,
        "job": lambda: c.choice(text.JOBS), "age": lambda: str(c.rng.randint(5, 99)),
             "food": lambda: c.choice(text.FOODS), "code": c.word, "number": lambda: str(c.number())}[key]()]


def tell(c, key=None):
    key = key or c.choice(["name"] * 5 + list(MEMORY))
    value = c.memory[key] = memory_value(c, key)
    if key == "name":
        c.memory["name"] = value[0]
    says, reply, _, _ = MEMORY[key]
    user = c.choice(says).format(*value)
    if key == "name" and c.chance(0.3):
        user = c.choice(["Hello, ", "Hi! ", "Hello! ", "Hey, "]) + user
    return Turn("tell", user, reply.format(*value), think=f"The user tells me: {user} I remember it.", keys=[value[-1]])


def ask(c, key=None):
    key = key or (c.choice(sorted(c.memory)) if c.memory and c.chance(0.85)
        else c.choice(["name", "name", "colour", "city", "age", "job"]))
    _, _, asks, answer = MEMORY[key]
    value = c.memory.get(key)
    if value is None:
        thing = {"name": "your name", "colour": "your favourite colour", "city": "where you live", "age": "your age",
            "job": "your job", "code": "a word", "number": "a number", "food": "what you like", "pet": "that"}[key]
        pet = c.choice(text.ANIMALS[:8])
        return Turn("memory", c.phrase(asks).format(pet), f"You have not told me {thing} yet.", "I do not know.",
            "I look for it in our chat, but it is not there.", keys=["have not told me"])
    value = [value] if isinstance(value, str) else value
    return Turn("memory", c.phrase(asks).format(value[0]), answer.format(*value), value[-1],
        f"The user told me before: {value[-1]}.", keys=[value[-1]])


REPEAT_Q = ["Say {}", "Say: {}", "Repeat after me: {}", "Repeat: {}", "Echo: {}", "Please say {}", "Please repeat: {}",
    "Write {}", "Copy this: {}", "Say exactly this: {}", "Can you say {}", "Answer with {}", "Just reply with: {}",
            "Write down the following: {}"]


def repeat(c):
    words = [c.choice([c.word, c.word, c.name, lambda: str(c.number())])()
        for _ in range(c.choice([1, 1, 2, 2, 3, 3, 4, 5, 7]))]
    s = " ".join(words)
    if c.chance(0.2):
        s = c.choice(["hello", "hi", "yes", "no", "hello world", "good morning", "I am here", "ok", "banana",
            "the sky is blue", "one two three", "test", "ping", "pong"])
    if c.chance(0.3):
        s = s[0].upper() + s[1:] + c.choice([".", "!", ""])
    q = c.phrase(REPEAT_Q).format(f'"{s}"' if c.chance(0.25) else s)
    return Turn("repeat", q, s, s, f"I repeat the text.", style=False)


def unknown(c):
    r = c.rng
    q = (c.choice(text.UNKNOWN[-2:]) if c.held_out else c.choice(text.UNKNOWN[:-2])).format(n=c.noun(), m=c.noun(),
        v=c.verb(), a=c.choice(text.ADJECTIVES), w=c.made_up().capitalize(), d=r.randint(0, 9), e=r.randint(0, 9))
    return Turn("unknown", q, *text.UNKNOWN_A, think="I do not know this.", keys=["I do not know"])


def reading(c):
    """A fact in the question, as a text that is given to the model would be."""
    k = c.rng.randrange(5)
    n, m, a, b, d = c.noun(), c.noun(), c.name(), c.name(), c.rng.randint(1, 12)
    if k == 0:
        x, y = c.rng.sample(text.COLOURS, 2)
        q = f"The {n} is {x} and the {m} is {y}."
        w = c.choice([(n, x), (m, y)])
        return q, f"What colour is the {w[0]}?", f"The {w[0]} is {w[1]}.", w[1]
    if k == 1:
        who = c.choice([(a, n), (b, m)])
        return f"{a} has a {n}. {b} has a {m}.", f"Who has the {who[1]}?", f"{who[0]} has the {who[1]}.", who[0]
    if k == 2:
        fact = f"The {n} opens at {d} o'clock."
        return fact, f"When does the {n} open?", fact, f"{d} o'clock"
    if k == 3:
        return f"The {n} costs {d} euros.", f"How much is the {n}?", f"The {n} costs {d} euros.", f"{d} euros"
    w = c.choice([a, c.made_up()])
    thing = c.choice(["password", "name of the " + n, "code of the " + n, "owner of the " + n])
    return f"The {thing} is {w}.", f"What is the {thing}?", f"The {thing} is {w}.", w


def read_turn(c):
    fact, q, answer, short = reading(c)
    return Turn("reading", f"{fact} {q}", answer, short, f"The text says: {fact}", keys=[short])


# ---- JSON -----------------------------------------------------------------------------------------------------------

JSON_ASK = ["Answer as JSON with {}.", "Reply as JSON with {}.", "Give me JSON with {}.",
    "Return a JSON object with {}.", "Use JSON with {}.", "As JSON with {}, please.", "Output JSON with {}.",
            "Write this as JSON with {}."]
DEFAULTS = {"name": "Anna", "age": 30, "city": "Paris", "country": "France", "color": "blue", "colour": "blue",
    "job": "teacher", "animal": "dog", "food": "bread", "title": "A day", "number": 7, "answer": "yes",
    "email": "anna@example.com", "street": "Main Street", "price": 10, "count": 3, "year": 2020, "language": "English",
    "ok": True, "active": True}


def key_list(c, keys):
    quoted = [f'"{k}"' if c.quoted else k for k in keys]
    joined = quoted[0] if len(keys) == 1 else ", ".join(quoted[:-1]) + " and " + quoted[-1]
    return ("the key " if len(keys) == 1 else c.choice(["keys ", "the keys ", "the fields "])) + joined


def schema_of(value):
    kind = {str: "string", int: "integer", float: "number", bool: "boolean"}
    return {"type": "object", "properties": {k: {"type": kind[type(v)]} for k, v in value.items()},
        "required": list(value)}


def json_turn(c):
    c.quoted = c.chance(0.3)
    k = c.rng.randrange(9)
    if k == 0:
        name, age = c.name(), c.rng.randint(5, 99)
        intro, value = c.choice([f"My name is {name} and I am {age} years old.", f"{name} is {age} years old.",
            f"I am {name}, {age}.", f"Name: {name}, age: {age}."]), {"name": name, "age": age}
    elif k == 1:
        country, city = c.choice(list(text.CAPITALS.items()))
        intro, value = c.phrase(text.CAPITAL_Q).format(country), c.choice([{"capital": city},
            {"country": country, "capital": city}, {"city": city}, {"capital": city, "country": country}])
    elif k == 2:
        thing, colour = c.choice(list(text.OBJECT_COLOURS.items()))
        intro, value = f"What colour is {thing}?", {c.choice(["color", "colour", "answer"]): colour}
    elif k == 3:
        a, b = c.rng.randint(0, 20), c.rng.randint(0, 20)
        intro, value = f"What is {a} + {b}?", {c.choice(["result", "sum", "answer", "value"]): a + b}
    elif k in (4, 5):
        name, job, city = c.name(), c.choice(text.JOBS), c.city()
        age = c.rng.randint(5, 99)
        full = {"name": name, "job": job, "city": city, "age": age}
        keys = c.rng.sample(list(full), c.rng.randint(1, 4))
        intro, value = c.choice([f"{name} is a {job} from {city} and {age} years old.",
            f"{name} ({age}) works as a {job} in {city}.", f"The {job} {name}, {age}, lives in {city}."]), {k: full[k]
            for k in keys}
    elif k in (6, 7):
        keys = c.rng.sample([c.word() for _ in range(4)] + [c.noun() for _ in range(4)], c.rng.randint(1, 3))
        value = {k: c.choice([c.word, c.name, c.number])() for k in keys}
        style = c.choice(["{}: {}", "{} = {}", "{} is {}", "the {} is {}"])
        intro = ", ".join(style.format(k, v) for k, v in value.items()) + "."
    else:
        keys = c.rng.sample(sorted(DEFAULTS), c.rng.randint(1, 4))
        intro, value = c.choice(["Make up an example.", "Give me an example.", "Invent something.",
            "Describe a person.", "Give me a random record.", "Tell me something."]), {k: DEFAULTS[k] for k in keys}
    if c.chance(0.2):
        ask_for = c.choice(["Answer as JSON that matches this schema: ", "Reply with JSON for this schema: ",
            "JSON schema: "]) + json.dumps(schema_of(value))
    else:
        ask_for = c.phrase(JSON_ASK).format(key_list(c, list(value)))
    user = f"{intro} {ask_for}" if c.chance(0.8) else f"{ask_for} {intro}"
    answer = json.dumps(value, ensure_ascii=False)
    return Turn("json", user, answer, answer, "The user wants JSON with " + " and ".join(value) + ".", style=False)


# ---- personas -------------------------------------------------------------------------------------------------------

ROLES = "guide teacher coach helper librarian gardener doctor robot wizard knight chef captain detective farmer poet pilot cashier translator tutor receptionist scientist clown nurse".split()
TRAITS = "friendly cheerful patient wise calm funny old young brave polite clever kind helpful grumpy shy proud".split()


class Persona:
    """A system prompt and what it does to an answer. who: how it introduces itself, if the prompt says so."""

    def __init__(self, prompt, before="", after="", terse=False, name=None, who=None, wrap=None):
        self.prompt, self.before, self.after, self.terse = prompt, before, after, terse
        self.name, self.who, self.wrap = name, who, wrap

    def identity(self, what, answer, short):
        if what in ("who", "model") and (self.who or self.name):
            said = f"I am {self.name}, {self.who}." if self.name and self.who else f"I am {self.name or self.who}."
            return said, said
        if what == "name" and self.name:
            return f"My name is {self.name}.", f"{self.name}."
        return answer, short

    def apply(self, turn):
        if self.wrap:
            return json.dumps({self.wrap: turn.short.rstrip(".")}, ensure_ascii=False)
        if not turn.style:
            return turn.answer
        return self.before + (turn.short if self.terse else turn.answer) + self.after


def persona(c):
    k = c.rng.randrange(11)
    name = c.name()
    if k in (0, 1, 2):
        who = f"a {c.choice(TRAITS)} {c.choice(ROLES)}" if c.chance(0.7) else f"a {c.choice(ROLES)}"
        if c.chance(0.4):
            who += c.choice([" in " + c.city(), " of the " + c.noun(), " who likes " + c.choice(text.FOODS), " for "
                + c.choice(["children", "students", "everyone"])])
        if k == 2 and c.chance(0.5):
            who = None
        p = c.choice(["You are {}, {}.", "Your name is {}. You are {}.",
            "You are {}, {}. Stay in character."]) if who else c.choice(["You are {}.", "Your name is {}.",
            "Your name is {}. Be helpful."])
        return Persona(p.format(name, who), name=name, who=who)
    if k == 3:
        return Persona(c.phrase(["You are a pirate.", "Talk like a pirate.", "You are a pirate. Answer like one.",
            "Speak like a pirate.", "You are an old pirate captain."]), "Arr! ", " Aye, matey!", who="a pirate")
    if k == 4:
        name = name if c.chance(0.4) else None
        return Persona(f"You are {name}, a polite butler." if name else c.phrase(["You are a polite butler.",
            "You are a butler.", "Answer like a polite butler.", "Act as a butler."]), "Certainly, sir. ", "",
            name=name, who="your butler" if not name else "a polite butler")
    if k in (5, 6):
        return Persona(c.phrase(["Answer briefly.", "Answer in as few words as possible.", "Keep your answers short.",
            "Be brief.", "Give short answers.", "You give very short answers.", "Answer with one word if you can.",
            "Be concise.", "Use as few words as you can."]), terse=True)
    if k == 7:
        return Persona(c.phrase(["You are a robot. Speak like a robot.", "Talk like a robot.", "You are a robot.",
            "Speak like an old robot."]), "Beep. ", " Boop.", who="a robot")
    word = c.choice([c.word().capitalize(), c.name(), c.made_up().capitalize(), "Over", "Thank you", "Meow", "Amen",
        "Okay", "Well"]) + c.choice([".", "!", "!"])
    if k == 8:
        return Persona(c.phrase(["End every answer with {}", "Always end with {}", "Finish each answer with {}",
            "The last word of every answer is {}"]).format(f'"{word}"' if c.chance(0.7) else word), "", " " + word)
    if k == 9:
        return Persona(c.phrase(["Begin every answer with {}", "Always start with {}", "Start each answer with {}",
            "The first word of every answer is {}"]).format(f'"{word}"' if c.chance(0.7) else word), word + " ", "")
    key = c.choice(["answer", "answer", "result", "text", "reply", c.noun()])
    return Persona(c.phrase(["Answer only in JSON with the key {}.", "Always answer as JSON with the key {}.",
        "You answer as JSON with the key {}.", "Reply in JSON with one key, {}."]).format(f'"{key}"' if c.chance(0.3)
        else key), wrap=key)


GENERIC_SYSTEM = ["You are a helpful assistant.", "You are a helpful assistant.", "You are an assistant.",
    "Be helpful.", "You are a friendly assistant.", "Answer the user's questions.", "You are a helpful AI assistant.",
                  "You are tiny-assistant, a small model that is part of aLLM."]

# ---- whole samples --------------------------------------------------------------------------------------------------

ITEMS = [(question, 20), (how, 14), (greeting, 3), (arithmetic, 17), (story_sum, 2), (numbers, 5), (calendar, 6),
    (capital, 9), (small_fact, 7), (tell, 6), (ask, 7), (repeat, 6), (json_turn, 10), (unknown, 6), (read_turn, 6)]
FUNCTIONS, WEIGHTS = zip(*ITEMS)


def noise(c, turn):
    """Lower case, dropped marks, a typo: only where nothing in the question has to be copied."""
    user = turn.user
    if c.held_out:
        return user
    if turn.free and c.chance(0.15):
        user = user.lower()
    if turn.free and c.chance(0.12):
        user = user.rstrip("?.!")
    elif c.chance(0.02) and user[-1] in "?!":
        user += user[-1]
    if turn.free and c.chance(0.06) and len(user) > 8:
        i = c.rng.randrange(1, len(user) - 2)
        if user[i].isalpha() and user[i + 1].isalpha():
            user = user[:i] + c.choice([user[i + 1] + user[i] + user[i + 2:], user[i + 1:], user[i] + user[i:]])
    if turn.free and c.chance(0.05):
        user = c.choice(["Please: ", "Hey, ", "Ok, ", "So, ", "And ", "Tell me: "]) + user
    return user


def think_text(turn):
    if turn.think:
        return turn.think
    return f"The user says: {turn.user} I know the answer."


def chat_sample(c, first=None):
    """first: the function of the turn that is to be learnt (the last one), for evaluation by category."""
    messages = []
    r = c.rng.random()
    if r < 0.30:
        c.persona = persona(c)
        messages.append({"role": "system", "content": c.persona.prompt})
    elif r < 0.45:
        messages.append({"role": "system", "content": c.choice(GENERIC_SYSTEM)})
    elif r < 0.50 and not c.held_out:
        facts = [reading(c) for _ in range(c.rng.randint(1, 3))]
        messages.append({"role": "system", "content": " ".join(f[0] for f in facts)})
        _, q, answer, short = c.choice(facts)
        facts_turn = Turn("reading", q, answer, short, "The system prompt says it.", keys=[short])
    n_turns = c.choice([1, 1, 1, 2, 2, 3, 3, 4, 5, 6])
    turns = []
    remember = c.chance(0.3) and n_turns > 1
    for i in range(n_turns):
        last = i == n_turns - 1
        if r >= 0.45 and r < 0.50 and not c.held_out and (last or c.chance(0.3)):
            turn = facts_turn
        elif remember and i == 0:
            turn = tell(c)
        elif last and first:
            turn = first(c)
        elif remember and last:
            turn = ask(c)
        else:
            turn = c.rng.choices(FUNCTIONS, WEIGHTS)[0](c)
        turns.append(turn)
    thinking = c.chance(0.12)
    for turn in turns:
        answer = c.persona.apply(turn) if c.persona else turn.answer
        messages += [{"role": "user", "content": noise(c, turn)}, {"role": "assistant", "content": answer}]
    if thinking:
        messages[-1]["reasoning_content"] = think_text(turns[-1])
    keys = turns[-1].keys if not c.persona else [messages[-1]["content"]]
    category = "persona" if c.persona else turns[-1].category
    return {"messages": messages, "tools": None, "thinking": thinking, "category": category, "keys": keys}


def copy_sample(c):
    """Short chats that are nothing but copying; training begins with these, so that the model learns to copy early."""
    messages, thinking = [], c.chance(0.05)
    for i in range(c.choice([1, 2, 2, 3])):
        f = c.rng.choices([repeat, tell, ask, json_turn, read_turn], [5, 2, 3 if c.memory else 0, 2, 1])[0]
        turn = f(c)
        messages += [{"role": "user", "content": turn.user}, {"role": "assistant", "content": turn.answer}]
    if thinking:
        messages[-1]["reasoning_content"] = think_text(turn)
    return {"messages": messages, "tools": None, "thinking": thinking, "category": turn.category, "keys": turn.keys}


def make_sample(rng, held_out=False, copying=0.0):
    """copying: the share of copy_sample()s."""
    import assistant_tools
    c = Context(rng, held_out)
    if copying and c.chance(copying):
        return copy_sample(c)
    return assistant_tools.tool_sample(c) if c.chance(0.33) else chat_sample(c)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--eval", action="store_true")
    parser.add_argument("--n", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    generator = random.Random(args.seed)
    for _ in range(args.n):
        print(json.dumps(make_sample(generator, args.eval), indent=1))
