"""Reading quantities, against values worked out by hand; units against their definitions."""

import pytest

from detectors.quantities import extract
from detectors.quantities.amounts import number
from detectors.quantities.units import FOLDED, NUMBER_WORDS, SYMBOLS, WORDS, spelled_number

DAY, MONTH, YEAR = 86_400, 2_629_800, 31_557_600
READ = [
    # numbers
    ("It costs $1,299.99 today.", "money:usd", 1299.99, 1299.99),
    ("It costs EUR 1.490,00 today.", "money:eur", 1490, 1490),
    ("It costs CHF 1'490 today.", "money:chf", 1490, 1490),
    ("It weighs 3,5 kg now.", "mass", 3.5, 3.5),
    ("It weighs .5 kg now.", "mass", 0.5, 0.5),
    ("It weighs 2½ kg now.", "mass", 2.5, 2.5),
    ("It takes 2 1/2 hours now.", "duration", 9000, 9000),
    ("It takes two and a half hours now.", "duration", 9000, 9000),
    ("It takes half an hour now.", "duration", 1800, 1800),
    ("It takes within a week now.", "duration", 7 * DAY, 7 * DAY),
    ("It has 10^6 cells.", "count", 1e6, 1e6),
    ("It has 3.5 × 10⁹ cells.", "count", 3.5e9, 3.5e9),
    ("It has twenty-five beds.", "count", 25, 25),
    ("It has one hundred and twenty beds.", "count", 120, 120),
    ("It has two dozen beds.", "count", 24, 24),
    # scales and units by case
    ("It cost $5M then.", "money:usd", 5e6, 5e6),
    ("It cost EUR 5m then.", "money:eur", 5e6, 5e6),
    ("It is 5 m long.", "length", 5, 5),
    ("It has 5M users.", "count", 5e6, 5e6),
    ("It has 10k users.", "count", 1e4, 1e4),
    ("It draws 5 mW.", "power", 5e-3, 5e-3),
    ("It draws 5 MW.", "power", 5e6, 5e6),
    ("It sends 8 Mb.", "data", 1e6, 1e6),
    ("It sends 8 MB.", "data", 8e6, 8e6),
    ("It holds 8 GiB.", "data", 8 * 2**30, 8 * 2**30),
    ("It is at 68 °F.", "temperature", 20, 20),
    ("It is at -5 °C.", "temperature", -5, -5),
    ("It is up 72 basis points.", "percent", 0.72, 0.72),
    ("It is up 2 percentage points.", "percentage point", 2, 2),
    # ranges and tolerances
    ("It takes 10-15 days.", "duration", 10 * DAY, 15 * DAY),
    ("It takes between 5 and 10 days.", "duration", 5 * DAY, 10 * DAY),
    ("It holds 10 GB to 20 GB.", "data", 10e9, 20e9),
    ("It costs $5 to $10 million.", "money:usd", 5e6, 10e6),
    ("It is kept at −5 to 5 °C.", "temperature", -5, 5),
    ("It is 10 ± 0.5 mm wide.", "length", 0.0095, 0.0105),
    ("It is 200 mm ± 5% wide.", "length", 0.19, 0.21),
    ("It takes 1 hour 30 minutes.", "duration", 5400, 5400),
    # rates, shares, rhythms
    ("It costs $10 monthly.", "money:usd per month", 10, 10),
    ("It costs $10 a year.", "money:usd per year", 10, 10),
    ("It needs 5 mg/kg/day.", "mass per kg per day", 5e-6, 5e-6),
    ("It serves 60 requests per minute.", "count per minute", 60, 60),
    ("It is taken twice daily.", "interval", DAY / 2, DAY / 2),
    ("It is taken every other day.", "interval", 2 * DAY, 2 * DAY),
    ("It is taken every 12 hours.", "interval", DAY / 2, DAY / 2),
    ("It is printed quarterly.", "interval", 3 * MONTH, 3 * MONTH),
    ("It is for two-thirds of them.", "percent", 200 / 3, 200 / 3),
    ("It is for one in five readers.", "percent", 20, 20),
    # dates (yyyymmdd, 00 for what is not said), times (minutes), weekdays
    ("It was on 3 May 2021.", "date", 20210503, 20210503),
    ("It was on May 3rd, 2021.", "date", 20210503, 20210503),
    ("It was on 2021-05-03.", "date", 20210503, 20210503),
    ("It was on 03.05.2021.", "date", 20210503, 20210503),
    ("It was on 25/12/2021.", "date", 20211225, 20211225),
    ("It was on 03/05/2021.", "date", 20210000, 20210000),
    ("It was in May.", "date", 500, 500),
    ("It was in Q3 2024.", "date", 20240700, 20240900),
    ("It was in the 1890s.", "date", 18900000, 18990000),
    ("It was in FY2023.", "date", 20230000, 20230000),
    ("It is at 9 am.", "time", 540, 540),
    ("It is at 17:30.", "time", 1050, 1050),
    ("It is at half past nine.", "time 12h", 570, 570),
    ("It is at quarter to ten.", "time 12h", 585, 585),
    ("It is at noon.", "time", 720, 720),
    ("It is on Wednesday.", "weekday", 2, 2),
    # versions, scores, ranks
    ("It needs version 2.0.", "version", 2e9, 2e9),
    ("It needs v3.1.", "version", 3.001e9, 3.001e9),
    ("It ended 4–3 after a win.", "score", 3, 4),
    ("It is rated 7.4/10 by them.", "rating of 10", 7.4, 7.4),
    ("It is the 3rd largest lake.", "ordinal", 3, 3),
]
NOTHING = [
    "See section 4.2, pages 12–14 and Fig. 3.",
    "Order ORD-1234, lot 7F-2311, item #77.",
    "The A320, the HX-200 and COVID-19.",
    "Windows 95 and a Boeing 747.",
    "Call +49 30 1234567 or (555) 123-4567.",
    "It runs on 10.0.0.12:8080, port 9187.",
    "The bug is CVE-2023-1234.",
    "The book has ISBN 978-3-16-148410-0.",
    "https://example.org/2023/05/12 has it.",
    "Write to desk42@example.org for help.",
    "Commit 3f2a91c changed src/v2/main.py here.",
    "He lives at 221 Baker Street.",
    "The price is EUR 1.490 there.",
    "Steps 3,5 and the ratio 3:1.",
    "The 2018 report of the 2018–19 season.",
    "Support is there 24/7.",
    "It doubled, and is twice the size.",
    "One of them may march on.",
    "Not 14 days.",
    "",
]
BOUNDS = [
    ("up to 10 days", "max"),
    ("at least 10 days", "min"),
    ("more than 10 days", "over"),
    ("fewer than 10 days", "under"),
    ("10 days or more", "min"),
    ("10 days at most", "max"),
    ("within 10 days", "max"),
    ("10 days", ""),
]


@pytest.mark.parametrize(("text", "kind", "low", "high"), READ)
def test_the_quantity_is_read(text, kind, low, high):
    (quantity,) = extract(text)
    assert quantity.kind == kind
    assert (quantity.low, quantity.high) == (pytest.approx(low), pytest.approx(high))
    assert text[quantity.start : quantity.end] == quantity.text != ""


@pytest.mark.parametrize("text", NOTHING)
def test_identifiers_and_ambiguous_numbers_are_left_out(text):
    assert extract(text) == ()


@pytest.mark.parametrize(("words", "bound"), BOUNDS)
def test_bounds_stand_before_or_after(words, bound):
    (quantity,) = extract(f"Refunds take {words}.")
    assert (quantity.bound, quantity.low) == (bound, 10 * DAY)


def test_a_bound_in_the_past_describes_and_sets_no_rule():
    assert extract("They had at least 10 days.")[0].bound == "least"
    assert extract("They must have at least 10 days.")[0].bound == "min"


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("The fee rose by 5%.", ["by"]),
        ("The fee rose to 5%.", ["to"]),
        ("The fee rose from 4% to 5%.", ["from", "to"]),
        ("The fee is 5%.", [""]),
        ("Open from 9 am to 5 pm.", ["start", "end"]),
        ("Mayor from 1998 to 2003.", ["start", "end"]),
        ("Open Monday to Friday.", ["start", "end"]),
        ("Mayor since 1998.", ["from"]),
        ("Open until 5 pm.", ["to"]),
    ],
)
def test_the_ends_of_changes_and_spans_are_told_apart(text, roles):
    assert [q.role for q in extract(text)] == roles


def test_every_quantity_of_a_sentence_is_read_once():
    text = "On 3 May 2021 the X-200 sold for $1.2 million, 15% up, in 3 towns."
    assert [q.text for q in extract(text)] == ["3 May 2021", "$1.2 million", "15%", "3"]


def test_counted_things_keep_their_nouns():
    assert extract("There are 273 confirmed cases.")[0].noun == "confirm case"
    assert extract("There is an average rating of 6.")[0].noun == "average rating"


@pytest.mark.parametrize("text", ["About 4,200 people", "4,200 or so people", "Some 4,200 people", "~4,200 people"])
def test_hedges_widen_a_value(text):
    (quantity,) = extract(text)
    assert quantity.approximate and quantity.half_step >= 50
    assert extract("4,200 people")[0].half_step == 0


@pytest.mark.parametrize(
    ("written", "value"),
    [("1,490.50", 1490.5), ("1.490,00", 1490), ("3,5", 3.5), ("1.490.000", 1_490_000), ("1'490", 1490), ("007", 7)],
)
def test_digits_are_read_as_they_are_grouped(written, value):
    assert number(written) == value


@pytest.mark.parametrize("written", ["1,2,3", "10.0.0.1", "1.2.3", "1,23,4"])
def test_digits_that_can_be_read_in_several_ways_have_no_value(written):
    assert number(written) is None


ONES = "one two three four five six seven eight nine".split()
TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()


def in_words(n):
    """Write a number below a million, as an oracle."""
    if n >= 1000:
        rest = n % 1000
        return f"{in_words(n // 1000)} thousand" + (f"{' and' * (rest < 100)} {in_words(rest)}" if rest else "")
    if n >= 100:
        return f"{ONES[n // 100 - 1]} hundred" + (f" and {in_words(n % 100)}" if n % 100 else "")
    if n >= 20:
        return TENS[n // 10 - 2] + (f"-{ONES[n % 10 - 1]}" if n % 10 else "")
    return (ONES + TEENS)[n - 1]


@pytest.mark.parametrize("n", [*range(1, 1000, 7), *range(1000, 1_000_000, 34_567)])
def test_numbers_in_words_are_read(n):
    assert spelled_number(in_words(n)) == n
    if n > 1:
        assert [q.low for q in extract(f"There are {in_words(n)} beds.")] == [n]


def test_units_have_their_defined_size():
    assert WORDS["mile"] == ("length", 1609.344) and WORDS["pound"] == ("mass", 0.45359237)
    assert WORDS["years"][1] == pytest.approx(365.25 * DAY) and WORDS["month"][1] * 12 == pytest.approx(YEAR)
    assert WORDS["metres"] == WORDS["meters"] == SYMBOLS["m"]
    assert SYMBOLS["MB"][1] == 8 * SYMBOLS["Mb"][1] and SYMBOLS["MW"][1] == pytest.approx(1e9 * SYMBOLS["mW"][1])


def test_only_symbols_of_one_meaning_are_read_in_any_case():
    assert FOLDED["kg"] == SYMBOLS["kg"] and "mw" not in FOLDED and "mb" not in FOLDED
    assert NUMBER_WORDS.endswith(r"\b")
