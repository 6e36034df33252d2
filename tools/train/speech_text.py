"""What tiny-whisper has been taught to hear: numbers, about 150 English words, commands made of them, and a little German.

    python3 speech_text.py [--held-out] [--n 20] [--seed 1]      prints some sentences

draw(rng, language, held_out) returns a Sentence. Sentences that have several places to fill are split by a hash of their
text: one of ten is never drawn for training, and only those are drawn with held_out.
"""
import argparse
import dataclasses
import hashlib
import random
import re

ONES = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
        "eighteen nineteen").split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
GERMAN_ONES = "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf".split()

SLOTS = {
    "room": "kitchen bedroom bathroom garden hall office".split(),
    "device": "light lamp fan heater radio television".split(),
    "switch": ["turn on", "turn off", "switch on", "switch off"],
    "name": "anna peter maria john lisa tom".split(),
    "day": "monday tuesday wednesday thursday friday saturday sunday".split(),
    "when": ["today", "tomorrow", "now", "in the morning", "in the evening"],
    "day_part": ["in the morning", "in the evening", "tomorrow", "today"],
    "colour": "red green blue white yellow".split(),
    "thing": "door window curtain garage".split(),
    "food": "milk bread butter coffee tea apples eggs water".split(),
    "order": "next last first second".split(),
    "unit": "seconds minutes hours".split(),
    "direction": "left right forward back".split(),
    "media": "song music radio movie".split(),
}

# Templates: {n}, {m}: a number; {hour}: one to twelve; the rest from SLOTS.
ENGLISH = """
{switch} the {room} {device}|{switch} the {room} {device}|{switch} the {device}|{switch} the {device} in the {room}
turn the {device} on|turn the {device} off|make the {room} light {colour}|make the light {colour}|make the lamp {colour}
set the {room} light to {n} percent|set a timer for {n} {unit}|set a timer for {n} minutes|set a timer for {hour} hours
set an alarm for {hour}|set an alarm for {hour} {day_part}|wake me at {hour} {day_part}|wake me on {day} at {hour}
play the {order} song|play music in the {room}|play the {order} {media}|stop the {media}|pause the {media}
turn the volume up|turn the volume down|set the volume to {n}|set the volume to {n} percent|stop the music in the {room}
call {name}|call {name} {when}|call {name} tomorrow at {hour}|call {name} on {day}|call {name} at {hour} {day_part}
send a message to {name}|send a message to {name} {when}|read the {order} message|read the message from {name}
open the {thing}|close the {thing}|open the {room} {thing}|close the {room} {thing}|open the {room} door
what time is it|what is the weather today|what is the weather tomorrow|what is the weather on {day}|how are you
set the temperature to {n} degrees|set the {room} temperature to {n} degrees|what is the {room} temperature
add {food} to the list|add {n} {food} to the list|add {food} and {food} to the list|read the list
remind me to call {name} at {hour}|remind me to call {name} {when}|remind me to open the {thing} {when}|remind me on {day}
yes|no|please|thank you|hello|good morning|good night|good evening|stop|help|help me|cancel|cancel the timer|repeat
go {direction}|go {direction} {n} meters|go {n} meters {direction}|turn {direction}|start the {device}|stop the {device}
cancel the alarm on {day}|yes please|no thank you|start|wait|wait {n} seconds|wait {hour} {unit}|what is {n} and {n}
hello {name}|good morning {name}|good night {name}|what is {n} times {n}|repeat the {order} message
{switch} the {room} {device} please|please call {name}|please {switch} the {device}|{switch} the {device} and the {device}
"""

# German beside English. What stands in both braces is translated by PAIRS.
PAIRS = {
    "place": [("in der küche", "in the kitchen"), ("im garten", "in the garden"), ("im büro", "in the office"),
        ("im bad", "in the bathroom")],
    "gerät": [("das licht", "the light"), ("die lampe", "the lamp"), ("das radio", "the radio"), ("die heizung", "the heater")],
    "ding": [("die tür", "the door"), ("das fenster", "the window"), ("die garage", "the garage")],
    "name": [(n, n) for n in SLOTS["name"]],
    "wann": [("heute", "today"), ("morgen", "tomorrow"), ("jetzt", "now")],
    "tag": [("montag", "monday"), ("dienstag", "tuesday"), ("mittwoch", "wednesday"), ("donnerstag", "thursday"),
        ("freitag", "friday"), ("samstag", "saturday"), ("sonntag", "sunday")],
    "farbe": [("rot", "red"), ("grün", "green"), ("blau", "blue"), ("weiß", "white"), ("gelb", "yellow")],
    "einheit": [("sekunden", "seconds"), ("minuten", "minutes"), ("stunden", "hours")],
    "ware": [("milch", "milk"), ("brot", "bread"), ("butter", "butter"), ("kaffee", "coffee"), ("tee", "tea"),
        ("wasser", "water")],
    "zahl": list(zip(GERMAN_ONES, ONES))[2:],
    "uhr": list(zip(GERMAN_ONES, ONES))[2:],
}
GERMAN = """
schalte {gerät} ein=turn on {gerät}|schalte {gerät} aus=turn off {gerät}|schalte {gerät} {place} ein=turn on {gerät} {place}
schalte {gerät} {place} aus=turn off {gerät} {place}|mache das licht {farbe}=make the light {farbe}
stelle einen timer auf {zahl} {einheit}=set a timer for {zahl} {einheit}|stelle einen wecker auf {uhr}=set an alarm for {uhr}
spiele musik=play music|spiele musik {place}=play music {place}|spiele das nächste lied=play the next song
rufe {name} an=call {name}|rufe {name} {wann} an=call {name} {wann}|rufe {name} morgen um {uhr} an=call {name} tomorrow at {uhr}
rufe {name} am {tag} an=call {name} on {tag}|wecke mich am {tag} um {uhr}=wake me on {tag} at {uhr}
öffne {ding}=open {ding}|schließe {ding}=close {ding}|wie spät ist es=what time is it|wie ist das wetter {wann}=what is the weather {wann}
ja=yes|nein=no|danke=thank you|bitte=please|hallo=hello|hallo {name}=hello {name}|guten morgen=good morning|gute nacht=good night
guten morgen {name}=good morning {name}|stopp=stop|hilfe=help|warte {zahl} {einheit}=wait {zahl} {einheit}
kaufe {ware}=buy {ware}|kaufe {ware} und {ware}=buy {ware} and {ware}|wecke mich um {uhr}=wake me at {uhr}
"""
ENGLISH_EXTRA = ["buy"]


@dataclasses.dataclass
class Sentence:
    language: str
    text: str                # words with one space between them, lower case, no point
    english: str             # the same in English
    kind: str                # command, numbers or words (loose ones)


def templates(text):
    return [t.strip() for line in text.strip().splitlines() for t in line.split("|")]


ENGLISH_TEMPLATES, GERMAN_TEMPLATES = templates(ENGLISH), [t.split("=") for t in templates(GERMAN)]


def number(n):
    if n < 20:
        return ONES[n]
    if n == 100:
        return "one hundred"
    return TENS[n // 10 - 2] + (" " + ONES[n % 10] if n % 10 else "")


def is_held_out(text):
    return hashlib.md5(text.encode()).digest()[0] % 10 == 0


def fill(rng, template):
    def one(match):
        slot = match[1]
        if slot in "nm":
            return number(rng.choice([rng.randint(0, 100), rng.randint(2, 20), rng.choice(range(10, 101, 10))]))
        return ONES[rng.randint(1, 12)] if slot == "hour" else rng.choice(SLOTS[slot])
    return re.sub(r"\{(\w+)\}", one, template)


def fill_pair(rng, pair):
    chosen = [rng.choice(PAIRS[slot]) for slot in re.findall(r"\{(\w+)\}", pair[0])]
    texts = []
    for side in (0, 1):
        left = list(chosen)
        texts.append(re.sub(r"\{(\w+)\}", lambda m: left.pop(0)[side], pair[side]))
    return texts


CONTENT = sorted({w for key in SLOTS if key not in ("when", "day_part") for v in SLOTS[key] for w in v.split()} | set(ONES) | set(TENS)
    | set("hundred volume timer alarm minutes percent degrees temperature weather message list meters please thank yes no hello "
        "good night morning evening stop start wait help cancel repeat today tomorrow now play pause call open close".split()))
GERMAN_CONTENT = sorted({w for v in PAIRS.values() for p in v for w in p[0].split()} - set("in der im das die".split()))


def draw_english(rng):
    """The text, whether it may be held out, and its kind."""
    kind = rng.random()
    if kind < 0.62:
        template = rng.choice(ENGLISH_TEMPLATES)
        return fill(rng, template), template.count("{") >= 2 or "{n}" in template, "command"
    if kind < 0.74:
        return " ".join(rng.choice(ONES[:10]) for _ in range(rng.randint(1, 7))), True, "numbers"
    if kind < 0.84:
        return " ".join(number(rng.randint(0, 100)) for _ in range(rng.randint(1, 3))), True, "numbers"
    return " ".join(rng.choice(CONTENT) for _ in range(rng.randint(1, 6))), True, "words"


def draw_german(rng):
    kind = rng.random()
    if kind < 0.75:
        pair = rng.choice(GERMAN_TEMPLATES)
        return *fill_pair(rng, pair), pair[0].count("{") >= 2, "command"
    if kind < 0.9:
        digits = [rng.randrange(13) for _ in range(rng.randint(1, 6))]
        return " ".join(GERMAN_ONES[d] for d in digits), " ".join(ONES[d] for d in digits), True, "numbers"
    return " ".join(rng.choice(GERMAN_CONTENT) for _ in range(rng.randint(1, 4))), None, True, "words"


def draw(rng, language="en", held_out=False):
    """A sentence; with held_out one that training never sees. english is None for loose German words."""
    while True:
        if language == "en":
            text, splits, kind = draw_english(rng)
            english = text
        else:
            text, english, splits, kind = draw_german(rng)
        splits = splits and len(text.split()) >= 3
        if held_out == (splits and is_held_out(text)):
            return Sentence(language, text, english, kind)


def words():
    """All words of the domain, English first."""
    found = set(ENGLISH_EXTRA) | set(CONTENT)
    for t in ENGLISH_TEMPLATES:
        found |= set(re.sub(r"\{\w+\}", " ", t).split())
    for v in SLOTS.values():
        found |= {w for s in v for w in s.split()}
    english = sorted(found)
    german = set(GERMAN_ONES)
    for t in GERMAN_TEMPLATES:
        german |= set(re.sub(r"\{\w+\}", " ", t[0]).split())
    german |= {w for v in PAIRS.values() for p in v for w in p[0].split()}
    return english, sorted(german - found)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--n", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    for i in range(args.n):
        s = draw(rng, "de" if i % 4 == 3 else "en", args.held_out)
        print(s.language, "|", s.text, "|", s.english if s.language == "de" else "")
    english, german = words()
    print(len(english), "English words:", " ".join(english))
    print(len(german), "German words:", " ".join(german))


if __name__ == "__main__":
    main()
