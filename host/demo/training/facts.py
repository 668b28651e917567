"""The facts that the demo model learns, read from the data files in `facts/`.

A `Fact` is one thing that can be asked, with every phrasing of the question. A `Record` is one
thing that can be written as a JSON object. How they are put into text is the business of `texts.py`.
"""

import csv
import json
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

FOLDER = Path(__file__).parent / "facts"


@dataclass
class Fact:
    """One answer, and the ways to ask for it."""

    kind: str
    questions: list[str]
    """Full questions; the first one is the plainest."""
    plain: str
    """The answer as it stands in running text."""
    json: str
    """The answer as a JSON text."""
    stems: list[str] = field(default_factory=list)
    """Beginnings of sentences that the plain answer completes."""
    keys: list[str] = field(default_factory=lambda: ["answer"])
    """Names that the answer goes by as a member of a JSON object."""


@dataclass
class Record:
    """One object: its members in their usual order, each with the spellings of its key."""

    kind: str
    titles: list[str]
    members: list[tuple[list[str], str]]
    usual: int
    """How many of the members an unspecified record has."""


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def rows(name: str) -> list[dict[str, str]]:
    with open(FOLDER / name, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def also(row: dict[str, str]) -> list[str]:
    return [name for name in row["also"].split("|") if name]


def an(noun: str) -> str:
    vowel = noun[0] in "aeio" or noun.startswith("hour")
    return f"an {noun}" if vowel else f"a {noun}"


def country_facts() -> tuple[list[Fact], list[Record]]:
    facts, records = [], []
    for row in rows("countries.csv"):
        names = [row["name"], *also(row)]
        name = f"the {row['name']}" if row["the"] == "true" else row["name"]
        names[0] = name
        if row["the"] == "true":
            names += [row["name"]] + [f"the {other}" for other in also(row)]

        def each(*templates: str) -> list[str]:
            # All templates with the proper name first, the other names after.
            return [template.format(n) for n in names for template in templates]

        def add(kind, questions, plain, literal, stems, keys):
            facts.append(Fact(kind, questions, plain, literal, stems, keys))

        capital = row["capital"]
        add("capital",
            each("What is the capital of {}?", "Which city is the capital of {}?", "What's the capital of {}?",
                 "What is the capital city of {}?", "Name the capital of {}.", "Capital of {}?"),
            capital, quoted(capital),
            each("The capital of {} is", "The capital city of {} is"), ["capital", "capital_city", "city"])
        add("currency",
            each("What is the currency of {}?", "Which currency is used in {}?", "What currency does {} use?",
                 "What money is used in {}?", "Currency of {}?"),
            row["currency"], quoted(row["currency"]),
            each("The currency of {} is the"), ["currency", "currency_name", "money"])
        add("currency code",
            each("What is the currency code of {}?", "Which ISO currency code does {} use?"),
            row["currency_code"], quoted(row["currency_code"]),
            each("The currency code of {} is"), ["currency_code"])
        add("continent",
            each("On which continent is {}?", "Which continent is {} in?", "What continent is {} on?",
                 "In which continent does {} lie?", "Continent of {}?"),
            row["continent"], quoted(row["continent"]),
            each("The continent of {} is"), ["continent", "region"])
        add("country code",
            each("What is the country code of {}?", "What is the ISO code of {}?",
                 "What is the two-letter code of {}?"),
            row["code"], quoted(row["code"]),
            each("The ISO code of {} is"), ["code", "country_code", "iso_code"])
        add("calling code",
            each("What is the calling code of {}?", "Which calling code does {} have?",
                 "What is the phone prefix of {}?"),
            row["calling_code"], row["calling_code"],
            each("The calling code of {} is"), ["calling_code", "phone_prefix"])
        landlocked = row["landlocked"] == "true"
        add("landlocked",
            each("Is {} landlocked?", "Is {} a landlocked country?"),
            "Yes" if landlocked else "No", row["landlocked"], [], ["landlocked", "is_landlocked"])
        add("coast",
            each("Does {} have a coast?", "Is {} on the sea?"),
            "No" if landlocked else "Yes", "false" if landlocked else "true", [], ["has_coast", "coastal"])
        add("country of capital",
            [f"Which country has the capital {capital}?", f"{capital} is the capital of which country?",
             f"Which country's capital is {capital}?", f"Of which country is {capital} the capital?"],
            row["name"], quoted(row["name"]), [f"{capital} is the capital of"] if row["the"] == "false" else [],
            ["country", "name"])
        add("country of code",
            [f"Which country has the ISO code {row['code']}?", f"Which country has the country code {row['code']}?"],
            row["name"], quoted(row["name"]), [], ["country", "name"])

        records.append(Record("country", [row["name"], name, *also(row), f"the country with the capital {capital}"], [
            (["country", "name"], quoted(row["name"])),
            (["capital", "capital_city"], quoted(capital)),
            (["currency"], quoted(row["currency"])),
            (["continent", "region"], quoted(row["continent"])),
            (["landlocked", "is_landlocked"], row["landlocked"]),
            (["calling_code", "phone_prefix"], row["calling_code"]),
            (["currency_code"], quoted(row["currency_code"])),
            (["code", "country_code", "iso_code"], quoted(row["code"])),
        ], usual=6))
    return facts, records


def element_facts() -> tuple[list[Fact], list[Record]]:
    facts, records = [], []
    for row in rows("elements.csv"):
        name, symbol, number, weight = row["name"], row["symbol"], row["number"], row["weight"]
        names = [name, *also(row)]

        def each(*templates: str) -> list[str]:
            return [template.format(n) for n in names for template in templates]

        facts.append(Fact(
            "symbol", each("What is the chemical symbol of {}?", "What is the symbol for {}?",
                           "Which symbol does the element {} have?", "Chemical symbol of {}?"),
            symbol, quoted(symbol), each("The chemical symbol of {} is"), ["symbol", "chemical_symbol"]))
        facts.append(Fact(
            "atomic number", each("What is the atomic number of {}?", "Which atomic number does {} have?",
                                  "How many protons does {} have?", "Atomic number of {}?"),
            number, number, each("The atomic number of {} is"), ["number", "atomic_number", "protons"]))
        facts.append(Fact(
            "atomic weight", each("What is the atomic weight of {}?", "What is the standard atomic weight of {}?",
                                  "What is the atomic mass of {}?"),
            weight or "It has no standard atomic weight", weight or "null",
            each("The atomic weight of {} is") if weight else [], ["weight", "atomic_weight", "mass"]))
        facts.append(Fact(
            "element of symbol", [f"Which element has the symbol {symbol}?",
                                  f"Which chemical element has the symbol {symbol}?",
                                  f"What element is {symbol}?"],
            name, quoted(name), [f"{symbol} is the chemical symbol of"], ["element", "name"]))
        facts.append(Fact(
            "element of number", [f"Which element has the atomic number {number}?",
                                  f"Which element has {number} protons?" if number != "1"
                                  else "Which element has 1 proton?",
                                  f"What is element number {number}?"],
            name, quoted(name), [f"The element with the atomic number {number} is"], ["element", "name"]))
        records.append(Record("element", [name, *also(row), f"the element {name}", f"element number {number}",
                                          f"the element with the symbol {symbol}"], [
            (["element", "name"], quoted(name)),
            (["symbol", "chemical_symbol"], quoted(symbol)),
            (["number", "atomic_number"], number),
            (["weight", "atomic_weight"], weight or "null"),
        ], usual=4))
    return facts, records


def truncated(digits: str, count: int) -> str:
    """The first `count` significant digits as they stand (a leading `0.` counts as none)."""
    whole, fraction = digits.split(".")
    kept = count if whole == "0" else count - 1
    return f"{whole}.{fraction[:kept]}" if kept else whole


def rounded(digits: str, places: int) -> str:
    return str(Decimal(digits).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP))


USUAL_DIGITS = 15
FAMOUS = ("Pi", "e", "phi", "the square root of 2")
"""The constants that are known to any number of digits that `FAMOUS_COUNTS` has."""
FAMOUS_COUNTS, OTHER_COUNTS = [*range(2, 21), 25, 30], [5, 10, 15]
FAMOUS_PLACES, OTHER_PLACES = range(1, 9), [2, 3, 4]


def mathematical_facts() -> list[Fact]:
    facts = []
    for constant in json.loads((FOLDER / "constants.json").read_text("utf-8"))["mathematical"]:
        names = [constant["name"], *constant["also"]]
        digits, famous = constant["digits"], constant["name"] in FAMOUS

        def each(*templates: str) -> list[str]:
            return [template.format(n) for n in names for template in templates]

        usual = truncated(digits, USUAL_DIGITS)
        facts.append(Fact("constant", each("What is {}?", "What is the value of {}?"), usual, usual,
                          each("The value of {} is"), ["value", "number"]))
        for n in FAMOUS_COUNTS if famous else OTHER_COUNTS:
            value = truncated(digits, n)
            facts.append(Fact(
                "digits", each(f"What is {{}}? Give me the first {n} digits:", f"What are the first {n} digits of {{}}?",
                               f"Give me the first {n} digits of {{}}:", f"What is {{}} to {n} digits?"),
                value, value, each(f"The first {n} digits of {{}} are"), ["value", "digits"]))
        for n in FAMOUS_PLACES if famous else OTHER_PLACES:
            value = rounded(digits, n)
            places = "place" if n == 1 else "places"
            facts.append(Fact(
                "decimals", each(f"What is {{}} to {n} decimal {places}?", f"What is {{}} rounded to {n} decimal {places}?"),
                value, value, each(f"Rounded to {n} decimal {places}, {{}} is"), ["value", "rounded"]))
    return facts


def physical_facts() -> tuple[list[Fact], list[Record]]:
    facts, records = [], []
    for constant in json.loads((FOLDER / "constants.json").read_text("utf-8"))["physical"]:
        value, unit, symbol = constant["value"], constant["unit"], constant["symbol"]
        names = [f"the {name}" for name in [constant["name"], *constant["also"]]]
        for own in ("absolute zero", "Avogadro's number", "Planck's constant", "Boltzmann's constant", "Earth's mass"):
            names = [own if name == f"the {own}" else name for name in names]

        def each(*templates: str) -> list[str]:
            return [template.format(n) for n in names for template in templates]

        plain = f"{value} {unit}" if unit else value
        facts.append(Fact("physical constant", each("What is {}?", "What is the value of {}?"), plain, value,
                          each("The value of {} is"), ["value", "number"]))
        if unit:
            facts.append(Fact("physical constant", each(f"What is {{}} in {unit}?"), value, value, [], ["value"]))
            facts.append(Fact("unit of constant", each("In which unit is {} given?"), unit, quoted(unit), [], ["unit"]))
        if symbol:
            facts.append(Fact("symbol of constant", each("What is the symbol of {}?"), symbol, quoted(symbol),
                              [], ["symbol"]))
        records.append(Record("constant", [names[0], constant["name"]], [
            (["name", "constant"], quoted(constant["name"])),
            (["value"], value),
            (["unit"], quoted(unit) if unit else "null"),
            (["symbol"], quoted(symbol) if symbol else "null"),
        ], usual=4))
    return facts, records


def unit_facts() -> tuple[list[Fact], list[Record]]:
    facts, records = [], []
    for row in rows("units.csv"):
        many, of, value = row["many"], row["of"], row["value"]
        pairs = [(many, of)]
        american = tuple(name.replace("metre", "meter").replace("litre", "liter") for name in pairs[0])
        if american != pairs[0]:
            pairs.append(american)
        questions = [
            template.format(m=m, o=o, a=an(o))
            for m, o in pairs
            for template in ("How many {m} are in {a}?", "How many {m} are there in one {o}?",
                             "How many {m} is one {o}?", "How many {m} make {a}?")
        ]
        facts.append(Fact("conversion", questions, value, value,
                          [f"The number of {m} in {an(o)} is" for m, o in pairs], ["value", many.replace(" ", "_")]))
        records.append(Record("conversion", [f"one {of} in {many}", f"{an(of)} in {many}"], [
            (["from"], quoted(of)), (["to"], quoted(many)), (["factor", "value"], value)], usual=3))
    for row in rows("quantities.csv"):
        quantity, unit, symbol = row["quantity"], row["unit"], row["symbol"]
        facts.append(Fact("unit", [f"What is the SI unit of {quantity}?", f"In which unit is {quantity} measured?",
                                   f"Which unit measures {quantity}?"],
                          unit, quoted(unit), [f"The SI unit of {quantity} is the"], ["unit"]))
        facts.append(Fact("symbol of unit", [f"What is the symbol of the {unit}?", f"What is the unit symbol for {unit}?"],
                          symbol, quoted(symbol), [f"The symbol of the {unit} is"], ["symbol"]))
        facts.append(Fact("quantity", [f"What does the {unit} measure?", f"Which quantity is measured in the unit {unit}?"],
                          quantity, quoted(quantity), [f"The {unit} is the SI unit of"], ["quantity"]))
        records.append(Record("unit", [f"the unit {unit}", unit], [
            (["unit", "name"], quoted(unit)), (["symbol"], quoted(symbol)), (["quantity", "measures"], quoted(quantity)),
        ], usual=3))
    for row in rows("prefixes.csv"):
        prefix, symbol, power = row["prefix"], row["symbol"], row["exponent"]
        facts.append(Fact("prefix", [f"What does the SI prefix {prefix} mean?",
                                     f"Which power of ten does the prefix {prefix} stand for?"],
                          f"10^{power}", quoted(f"10^{power}"), [f"The SI prefix {prefix} means"], ["factor", "meaning"]))
        facts.append(Fact("prefix", [f"What is the exponent of the SI prefix {prefix}?"], power, power, [], ["exponent"]))
        facts.append(Fact("prefix", [f"What is the symbol of the SI prefix {prefix}?"], symbol, quoted(symbol),
                          [f"The symbol of the SI prefix {prefix} is"], ["symbol"]))
        facts.append(Fact("prefix", [f"Which SI prefix means 10^{power}?", f"Which SI prefix stands for 10^{power}?"],
                          prefix, quoted(prefix), [], ["prefix"]))
        records.append(Record("prefix", [f"the SI prefix {prefix}"], [
            (["prefix", "name"], quoted(prefix)), (["symbol"], quoted(symbol)), (["exponent", "power"], power)], usual=3))
    return facts, records


def list_facts() -> list[Fact]:
    facts = []
    for entry in json.loads((FOLDER / "lists.json").read_text("utf-8")):
        items = entry["items"]
        names = [entry["full"], entry["name"]]
        plain = ", ".join(str(item) for item in items)
        literal = json.dumps(items, ensure_ascii=False)
        facts.append(Fact("list", [t.format(n) for n in names for t in (
            "Name the {}.", "What are the {}?", "List the {}:", "Give me the {} as a JSON array:")],
            plain, literal, [f"The {n} are" for n in names], [entry["name"].split(" ")[0].lower(), "items"]))
        if not entry["full"].startswith("first"):
            facts.append(Fact("count", [f"How many {n} are there?" for n in names], str(len(items)), str(len(items)),
                              [], ["count"]))
    return facts


def load() -> tuple[list[Fact], list[Record]]:
    """All facts and all records."""
    facts, records = [], []
    for part in (country_facts, element_facts, physical_facts, unit_facts):
        some_facts, some_records = part()
        facts += some_facts
        records += some_records
    return facts + mathematical_facts() + list_facts(), records


def capitals() -> list[tuple[str, str]]:
    """Pairs of country and capital, for questions of the kind `Is A the capital of B?`."""
    return [(f"the {row['name']}" if row["the"] == "true" else row["name"], row["capital"])
            for row in rows("countries.csv")]


def continents() -> dict[str, list[str]]:
    """The countries of each continent."""
    found: dict[str, list[str]] = {}
    for row in rows("countries.csv"):
        found.setdefault(row["continent"], []).append(row["name"])
    return found
