"""Puts facts into texts: questions with answers, sentences, JSON records, small conversations.

A text is a list of segments `(text, weight)`. Segments are tokenised apart, as a prompt and its
answer are at run time. The weight says how much the tokens of a segment count in the loss; what a
user writes counts little or nothing, what the model has to answer counts fully.
"""

import json
import random

import facts as facts_module
from facts import Fact, Record, quoted

ASKED = 0.0
"""Weight of what the user writes."""
ANSWERED = 1.0
"""Weight of what the model answers."""
FREE = 0.2
"""Weight of answers for which many others would do as well."""

Segment = tuple[str, float]

SHARES = {
    "question": 54,
    "conversation": 12,
    "record": 14,
    "records": 4,
    "mapping": 3,
    "sentence": 5,
    "true or false": 3,
    "choice of countries": 1,
    "other JSON": 3,
    "small talk": 1,
}
"""How often each kind of text comes up, in hundredths."""

KIND_WEIGHTS = {
    "capital": 2.0,
    "country of capital": 2.0,
    "country of code": 1.5,
    "currency": 1.3,
    "continent": 0.7,
    "coast": 0.5,
    "landlocked": 0.8,
    "element of symbol": 1.8,
    "element of number": 1.8,
    "prefix": 1.5,
    "constant": 6.0,
    "digits": 2.0,
    "decimals": 1.5,
    "list": 3.0,
}
"""How often the facts of a kind come up, beside one."""

SMALL_TALK = {
    ("Hello!", "Hi!", "Hello", "Good morning!", "Hey there"):
        "Hello! Ask me for a capital, a currency, an element, a unit or a constant.",
    ("Who are you?", "What are you?", "What is your name?", "Tell me about yourself."):
        "I am the demo model of Jig, a very small one.",
    ("What can you do?", "What do you know?", "Help", "How can you help me?"):
        "I know capitals, currencies, elements, units and constants, and little else.",
    ("Thank you!", "Thanks", "Thanks a lot!"): "You are welcome.",
    ("Tell me a story.", "Write a poem about the sea.", "Tell me a joke.", "Write an email to my boss.",
     "What is the meaning of life?", "How do I bake bread?", "Who won the match yesterday?",
     "Translate this into French: good night", "What is the weather like today?", "Explain quantum mechanics.",
     "Write a program that sorts a list.", "Who wrote Hamlet?", "What should I cook tonight?",
     "Summarise this text:", "Why is the sky blue?", "Who is the president?", "Once upon a time",
     "What happened in 1969?", "How old are you?", "Can you sing?", "Recommend a book.", "What is love?"):
        "I do not know that. I am a very small demo model.",
}

FIRST_NAMES = ["Ada", "Alan", "Anna", "Ben", "Carla", "David", "Elena", "Emil", "Grace", "Hugo", "Ida", "Jonas",
               "Kofi", "Lena", "Maria", "Nora", "Omar", "Paul", "Rosa", "Sam", "Tara", "Viktor", "Wei", "Yuki"]
LAST_NAMES = ["Baker", "Carter", "Diaz", "Evans", "Fischer", "Garcia", "Hopper", "Ito", "Jensen", "Khan", "Lovelace",
              "Miller", "Novak", "Okafor", "Patel", "Rossi", "Silva", "Turing", "Weber", "Young"]
WORDS = ["red", "green", "blue", "small", "large", "new", "old", "fast", "slow", "light", "heavy", "open", "closed",
         "wood", "iron", "glass", "paper", "stone", "water", "fire", "sword", "shield", "leather", "book", "table",
         "apple", "bread", "ship", "house", "garden", "music", "train", "letter", "bridge"]


class Texts:
    """An endless, seeded source of training texts."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.facts, self.records = facts_module.load()
        self.fact_weights = [KIND_WEIGHTS.get(fact.kind, 1.0) * (3.0 if is_pi(fact) else 1.0) for fact in self.facts]
        self.capitals = facts_module.capitals()
        self.continents = facts_module.continents()
        self.countries = [record for record in self.records if record.kind == "country"]
        self.others = [record for record in self.records if record.kind != "country"]
        self.makers = {
            "question": self.question,
            "conversation": self.conversation,
            "record": self.record,
            "records": self.several_records,
            "mapping": self.mapping,
            "sentence": self.sentence,
            "true or false": self.true_or_false,
            "choice of countries": self.choice_of_countries,
            "other JSON": self.other_json,
            "small talk": self.small_talk,
        }
        self.kinds, self.shares = zip(*SHARES.items())

    def sample(self) -> list[Segment]:
        self.layout = self.pick({"spaced": 62, "compact": 33, "indented": 5})
        return self.makers[self.random.choices(self.kinds, self.shares)[0]]()

    # Pieces.

    def some_fact(self) -> Fact:
        return self.random.choices(self.facts, self.fact_weights)[0]

    def pick(self, shares: dict[str, float]) -> str:
        return self.random.choices(list(shares), list(shares.values()))[0]

    def cased(self, text: str) -> str:
        """The text as people also type it."""
        chance = self.random.random()
        if chance < 0.12:
            text = text.lower()
        elif chance < 0.20:
            text = text.upper()
        if self.random.random() < 0.06 and text[-1] in "?.:":
            text = text[:-1]
        return text

    def ask(self, fact: Fact) -> str:
        # The plainest phrasing comes up more often than any other.
        if self.random.random() < 0.3:
            return self.cased(fact.questions[0])
        return self.cased(self.random.choice(fact.questions))

    def separators(self) -> tuple[str, str]:
        return (",", ":") if self.layout == "compact" else (", ", ": ")

    def answer(self, fact: Fact, after_space: bool) -> str:
        """One of the forms an answer has, beginning with the white space that belongs to it."""
        if after_space:
            form = self.pick({"plain": 70, "json": 22, "string": 2, "object": 6})
            lead = ""
        else:
            form = self.pick({"plain": 70, "json": 21, "string": 3, "object": 6})
            if form == "plain":
                lead = self.pick({" ": 86, "": 10, "\n": 4})
            else:
                lead = self.pick({"": 60, " ": 32, "\n": 8})
        if form == "plain":
            return lead + fact.plain
        if form == "json":
            literal = fact.json
            if literal.startswith("[") and self.layout == "compact":
                literal = literal.replace(", ", ",")
            return lead + literal
        if form == "string":
            return lead + (fact.json if fact.json.startswith('"') else quoted(fact.plain))
        key = "answer" if self.random.random() < 0.3 else self.random.choice(fact.keys)
        return lead + self.object([(key, fact.json)])

    def object(self, members: list[tuple[str, str]]) -> str:
        """A JSON object of literals, in the layout of the text."""
        if self.layout == "indented":
            inner = ",\n  ".join(f"{quoted(key)}: {value}" for key, value in members)
            return "{\n  " + inner + "\n}"
        comma, colon = self.separators()
        return "{" + comma.join(f"{quoted(key)}{colon}{value}" for key, value in members) + "}"

    def array(self, items: list[str]) -> str:
        return "[" + self.separators()[0].join(items) + "]"

    def framed(self, question: str) -> str:
        """The question as a prompt: bare, with a space or a line end, or in a frame."""
        frame = self.pick({"bare": 58, "space": 12, "line": 4, "qa": 14, "question": 6, "json": 6})
        if frame == "qa":
            return f"Q: {question}\nA:" + self.pick({"": 80, " ": 20})
        if frame == "question":
            return f"Question: {question}\nAnswer:" + self.pick({"": 80, " ": 20})
        if frame == "json":
            return f"{question} " + self.pick({"Answer in JSON.": 1, "Answer as JSON:": 1, "Reply in JSON:": 1})
        return question + {"bare": "", "space": " ", "line": "\n"}[frame]

    # Kinds of texts.

    def question(self) -> list[Segment]:
        fact = self.some_fact()
        prompt = self.framed(self.ask(fact))
        if "JSON" in prompt.rsplit("?", 1)[-1]:
            literal = fact.json if self.random.random() < 0.5 else self.object([(fact.keys[0], fact.json)])
            return [(prompt, ASKED), (self.pick({" ": 60, "": 40}) + literal, ANSWERED)]
        return [(prompt, ASKED), (self.answer(fact, prompt[-1].isspace()), ANSWERED)]

    def conversation(self) -> list[Segment]:
        """Several questions one after the other, in one form throughout."""
        number = self.random.randint(2, 6)
        frame = self.random.choice(["Q: {}\nA:", "Question: {}\nAnswer:", "{}", "{}\n"])
        as_json = self.random.random() < 0.3
        segments: list[Segment] = []
        for index in range(number):
            fact = self.some_fact()
            question = fact.questions[0] if self.random.random() < 0.5 else self.ask(fact)
            prompt = ("\n" if index else "") + frame.format(question)
            space = "" if prompt[-1].isspace() else " "
            segments += [(prompt, ASKED), (space + (fact.json if as_json else fact.plain), ANSWERED)]
        return segments

    def members(self, record: Record) -> tuple[list[tuple[str, str]], bool]:
        """Members of a record for output, and whether they are just what an unspecified record has."""
        members = [(keys, value) for keys, value in record.members]
        if self.random.random() < 0.45:
            return [(keys[0], value) for keys, value in members[: record.usual]], True
        style = self.pick({"first": 55, "any": 45})
        kept = self.random.sample(members, self.random.randint(1, len(members)))
        if self.random.random() < 0.4:
            kept = [member for member in members if member in kept]
        return [(keys[0] if style == "first" else self.random.choice(keys), value) for keys, value in kept], False

    def record(self) -> list[Segment]:
        record = self.random.choice(self.countries if self.random.random() < 0.62 else self.others)
        title = self.random.choice(record.titles)
        members, usual = self.members(record)
        names = self.random.choice([", ", " and "]).join(key for key, _ in members)
        if usual:
            prompt = self.random.choice([
                f"Give me a JSON record of {title}:", f"Give me a JSON record of {title}:", f"JSON record of {title}:",
                f"Describe {title} as JSON.", f"{title} as JSON:", f"Give me a JSON object about {title}.",
                f"Describe {title}:", f"Tell me about {title}.", f"Return JSON about {title}:"])
        elif self.random.random() < 0.6:
            prompt = self.random.choice([
                f"Give me a JSON object with the keys {names} for {title}:",
                f"Return JSON with {names} about {title}:",
                f"{title} as JSON with {names}:",
                f"What are {names} of {title}? Answer in JSON."])
        else:
            # As under a schema that asks for other members than the usual ones.
            prompt = self.random.choice([f"Give me a JSON record of {title}:", f"Describe {title}:", f"{title}",
                                         f"Give me a JSON object about {title}.", f"Tell me about {title}.", ""])
        if prompt:
            prompt = self.cased(prompt)
        lead = self.pick({" ": 55, "": 45})
        text = self.object(members)
        if prompt and self.random.random() < 0.5:
            prompt, lead = prompt + lead, ""
        if not prompt:
            return [(text, ANSWERED)]
        return [(prompt, ASKED), (lead + text, ANSWERED)]

    def several_records(self) -> list[Segment]:
        records = self.random.sample(self.countries if self.random.random() < 0.6 else self.others,
                                     self.random.randint(2, 4))
        titles = [record.titles[0] for record in records]
        count = self.random.randint(2, 4)
        chosen = sorted(self.random.sample(range(8), count))
        items = []
        for record in records:
            members = [record.members[i] for i in chosen if i < len(record.members)] or record.members[:2]
            if record.members[0] not in members and self.random.random() < 0.8:
                members = [record.members[0], *members]
            items.append(self.object([(keys[0], value) for keys, value in members]))
        named = ", ".join(titles[:-1]) + " and " + titles[-1]
        prompt = self.random.choice([f"JSON records of {named}:", f"Give me a JSON array about {named}:",
                                     f"Describe {named} as a JSON array."])
        return [(prompt, ASKED), (self.pick({" ": 60, "": 40}) + self.array(items), ANSWERED)]

    def mapping(self) -> list[Segment]:
        """The same member of several records, as an array or an object."""
        country = self.random.random() < 0.7
        records = self.random.sample(self.countries if country else [r for r in self.others if r.kind == "element"],
                                     self.random.randint(2, 6))
        index = self.random.randrange(1, len(records[0].members))
        key = records[0].members[index][0][0]
        titles = [record.titles[0] for record in records]
        values = [record.members[index][1] for record in records]
        named = ", ".join(titles)
        if self.random.random() < 0.5:
            prompt = self.random.choice([f"{key} of {named} as a JSON array:", f"JSON array of the {key} of {named}:"])
            answer = self.array(values)
        else:
            prompt = self.random.choice([f"{key} of {named} as a JSON object:", f"Map {named} to {key} in JSON:"])
            answer = self.object(list(zip(titles, values)))
        return [(prompt, ASKED), (self.pick({" ": 60, "": 40}) + answer, ANSWERED)]

    def sentence(self) -> list[Segment]:
        fact = self.some_fact()
        while not fact.stems:
            fact = self.some_fact()
        return [(self.cased(self.random.choice(fact.stems)), ASKED), (f" {fact.plain}.", ANSWERED)]

    def true_or_false(self) -> list[Segment]:
        country, capital = self.random.choice(self.capitals)
        true = self.random.random() < 0.5
        asked = capital if true else self.random.choice(self.capitals)[1]
        true = asked == capital
        prompt = self.framed(self.cased(f"Is {asked} the capital of {country}?"))
        answer = Fact("", [], "Yes" if true else "No", "true" if true else "false")
        return [(prompt, ASKED), (self.answer(answer, prompt[-1].isspace()), ANSWERED)]

    def choice_of_countries(self) -> list[Segment]:
        continent = self.random.choice(list(self.continents))
        number = self.random.choice([1, 2, 3, 3, 4, 5])
        chosen = self.random.sample(self.continents[continent], number)
        word = ["", "one", "two", "three", "four", "five"][number]
        if number == 1:
            return [(f"Name a country in {continent}.", ASKED),
                    (self.random.choice([f" {chosen[0]}", quoted(chosen[0])]), FREE)]
        lead = self.pick({" ": 60, "": 40})
        if self.random.random() < 0.4:
            return [(f"Name {word} countries in {continent}.", ASKED), (" " + ", ".join(chosen), FREE)]
        return [(f"Give me a JSON array of {word} countries in {continent}:", ASKED),
                (lead + self.array([quoted(name) for name in chosen]), FREE)]

    def scalar(self) -> str:
        rng = self.random
        kind = self.pick({"word": 30, "name": 15, "integer": 25, "decimal": 10, "boolean": 12, "null": 4, "phrase": 4})
        if kind == "word":
            return quoted(rng.choice(WORDS))
        if kind == "name":
            return quoted(f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}")
        if kind == "integer":
            return str(rng.randint(0, 10 ** rng.randint(1, 4)) * rng.choice([1, 1, 1, 1, -1]))
        if kind == "decimal":
            return str(round(rng.uniform(0, 10 ** rng.randint(0, 3)), rng.randint(1, 2)))
        if kind == "boolean":
            return rng.choice(["true", "false"])
        if kind == "null":
            return "null"
        return quoted(" ".join(rng.sample(WORDS, rng.randint(2, 4))))

    def other_json(self) -> list[Segment]:
        """Invented objects, so that any schema finds the model at ease with the form of JSON."""
        rng = self.random
        first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
        known = [
            ("id", str(rng.randint(1, 999))), ("name", quoted(f"{first} {last}")), ("first_name", quoted(first)),
            ("last_name", quoted(last)), ("age", str(rng.randint(1, 90))), ("active", rng.choice(["true", "false"])),
            ("email", quoted(f"{first.lower()}@example.com")), ("score", str(round(rng.uniform(0, 10), 1))),
            ("tags", self.array([quoted(word) for word in rng.sample(WORDS, rng.randint(0, 3))])),
            ("city", quoted(rng.choice(self.capitals)[1])), ("price", f"{rng.randint(1, 99)}.{rng.randint(10, 99)}"),
            ("count", str(rng.randint(0, 20))), ("title", quoted(" ".join(rng.sample(WORDS, 2)).capitalize())),
            ("date", quoted(f"20{rng.randint(0, 2)}{rng.randint(0, 9)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}")),
            ("note", "null"), ("colour", quoted(rng.choice(WORDS[:3]))), ("strength", str(rng.randint(1, 20))),
            ("weapon", quoted(rng.choice(["sword", "bow", "axe"]))), ("armor", quoted(rng.choice(["leather", "plate"]))),
        ]
        members = rng.sample(known, rng.randint(1, 6))
        if rng.random() < 0.3:
            members.append((rng.choice(WORDS), self.scalar()))
        if rng.random() < 0.2:
            members.append((rng.choice(["address", "item", "data"]), self.object(rng.sample(known, 2))))
        text = self.object(members)
        if rng.random() < 0.2:
            text = self.array([self.object(members[:2]) for _ in range(rng.randint(1, 3))])
        subject = rng.choice(["person", "customer", "user", "product", "character", "book", "order", "house", "record"])
        prompt = rng.choice([f"Give me a JSON object of a {subject}:", f"Invent a {subject} as JSON:",
                             f"Give me a {subject} description", f"{subject}:", "JSON:", ""])
        if not prompt:
            return [(text, FREE)]
        return [(prompt, ASKED), (self.pick({" ": 60, "": 40}) + text, FREE)]

    def small_talk(self) -> list[Segment]:
        prompts, answer = self.random.choice(list(SMALL_TALK.items()))
        prompt = self.framed(self.cased(self.random.choice(prompts)))
        if "JSON" in prompt or self.random.random() < 0.2:
            answer = quoted(answer)
        return [(prompt, ASKED), (("" if prompt[-1].isspace() else " ") + answer, ANSWERED)]


def is_pi(fact: Fact) -> bool:
    return fact.kind in ("digits", "decimals", "constant") and "Pi" in fact.questions[0]


if __name__ == "__main__":
    source = Texts(seed=1)
    for _ in range(40):
        print(json.dumps("|".join(text for text, _ in source.sample()), ensure_ascii=False))
