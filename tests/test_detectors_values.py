"""The value detector against a hand-made table of pairs, in both orders, and its properties."""

from decimal import ROUND_HALF_EVEN, Context
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from detectors import values
from detectors.evidence import ConflictType

DISAGREE = [
    # plain
    ("The trial lasts 14 days.", "The trial lasts 30 days."),
    ("The budget is $5 million.", "The budget is $6 million."),
    ("The discount is 10%.", "The discount is 15 percent."),
    ("Refunds take up to 10 days.", "Refunds take 12 days."),
    ("The film lasts 90 minutes.", "The film lasts 2 hours."),
    # policy
    ("Employees receive 25 days of annual leave.", "Employees are entitled to 28 days of annual leave."),
    ("Notice is ninety (90) days.", "Notice is two months."),
    ("Probation lasts half a year.", "Probation lasts 3 months."),
    ("Passwords must have at least 8 characters.", "Passwords must have at least 12 characters."),
    ("Expense claims must be filed within 30 days.", "Expense claims must be filed within 60 days."),
    ("Visitors may stay up to 4 hours.", "Visitors may stay up to 8 hours."),
    ("Access reviews take place every quarter.", "Access reviews take place every six months."),
    ("Backups are made daily.", "Backups are made every week."),
    ("The boiler is checked every year.", "The boiler is checked only every three years."),
    ("The reimbursement limit is EUR 1.490,00 per trip.", "The reimbursement limit is EUR 1,690 per trip."),
    ("Core hours start at 9:00.", "Core hours start at half past nine."),
    ("The canteen closes at 2 pm.", "The canteen closes at 15:00."),
    ("The team meeting is on Monday.", "The team meeting is on Thursday."),
    ("The shop is open from 9 am to 5 pm.", "The shop is open from 9 am to 7 pm."),
    ("Forklifts may go up to 10 km/h in Hall 4.", "In Hall 4 forklifts must stay below 6 km/h."),
    # medicine
    ("Adults take 500 mg twice daily.", "Adults take 500 mg three times a day."),
    ("Give 5 mg/kg every 8 hours.", "Give 15 mg/kg every 8 hours."),
    ("The maximum daily dose is 4 g.", "The maximum daily dose is 3,000 mg."),
    ("Store the vaccine at -20 °C.", "Store the vaccine at 5 °C."),
    ("Store the serum between 2 and 8 °C.", "Store the serum between 15 and 25 °C."),
    ("Dissolve the powder in 250 ml of water.", "Dissolve the powder in half a litre of water."),
    ("The trial enrolled 312 patients.", "The trial enrolled 284 patients."),
    ("Symptoms resolved in two-thirds of the patients.", "Symptoms resolved in 40% of the patients."),
    ("The infusion runs for 90 minutes.", "The infusion runs for 2 hours."),
    ("The incubation period is 2 to 14 days.", "The incubation period is 2 to 21 days."),
    # finance
    ("The fund charges 72 basis points a year.", "The fund charges 0.45% a year."),
    ("Revenue rose by 5% in 2023.", "Revenue rose by 8% in 2023."),
    ("The central bank cut its rate from 4% to 3.5%.", "The central bank cut its rate from 4% to 3.25%."),
    ("The deal is worth $5M.", "The deal is worth 6 million dollars."),
    ("The budget is EUR 5m.", "The budget is 4.2 million euros."),
    ("The licence costs $10 monthly.", "The licence costs $15 per month."),
    ("A pass costs €38 per day.", "A pass costs €24."),
    ("Quarterly profit was $1.2 billion.", "Quarterly profit was $900 million."),
    ("The offer closes in Q3 2024.", "The offer closes in November 2024."),
    ("The bond matures in 2031.", "The bond matures in 2034."),
    ("The fee rose by 2 percentage points.", "The fee rose by 5 percentage points."),
    ("The sofa costs $10 and ships in 3 days for $5.", "The sofa costs $10 and ships in 3 days for $10."),
    ("The plan costs $10 and ships in 3 days.", "The plan costs $12 and ships in 3 days."),
    # product documentation
    ("The log holds 64 MB of data.", "The log holds 0.5 GB of data."),
    ("The link runs at 100 Mb/s.", "The link runs at 100 MB/s."),
    ("The laser emits 5 mW.", "The laser emits 5 MW."),
    ("The cache keeps 10 GB to 20 GB.", "The cache keeps 30 GB."),
    ("The pump needs 230 V.", "The pump needs 110 V."),
    ("The shaft measures 10 ± 0.5 mm.", "The shaft measures 12 mm."),
    ("The unit weighs 3,5 kg.", "The unit weighs 5 kg."),
    ("The battery lasts 10 hours.", "The battery lasts 7 hours."),
    ("The display is 30 cm wide and 20 cm high.", "The display is 30 cm wide and 25 cm high."),
    ("Needs version 3.1.2 of the driver.", "Needs version 3.2.0 of the driver."),
    ("The agent requires Python 3.9 or later.", "The agent requires Python 3.11 or later."),
    ("The timeout defaults to 30s.", "The timeout defaults to 60 seconds."),
    ("The API allows 60 requests per minute.", "The API allows 100 requests per minute."),
    ("Retries: 3", "Retries: 5"),
    ("- Retention: 30 days", "- Retention: 90 days"),
    ("| Warranty | 24 months |", "| Warranty | 3 years |"),
    ("The tank holds two litres of oil.", "The tank holds 3 l of oil."),
    ("The new chip is 3x faster than the old one.", "The new chip is five times faster than the old one."),
    # legal
    ("The agreement takes effect on 1 April 2025.", "The agreement takes effect on 1 July 2025."),
    ("Objections can be lodged until 28 April.", "Objections can be lodged until 12 May."),
    ("The law applies from 1 May 2021.", "The law applies since 3 June 2021."),
    ("The tenant pays a deposit of three months' rent.", "The tenant pays a deposit of two months' rent."),
    ("Either party may terminate on 30 days' notice.", "Either party may terminate on sixty days' notice."),
    ("The fine may not exceed 50,000 euros.", "The fine may not exceed 20,000 euros."),
    ("The minimum age for a permit is 16 years.", "The minimum age for a permit is 18 years."),
    ("A quorum is 51% of the shares.", "A quorum is 67% of the shares."),
    # news and reference
    ("The hall opened on 3 May 2021.", "The hall opened on May 5, 2021."),
    ("The hall opened on 03.05.2021.", "The hall opened on 5 June 2021."),
    ("The band split before 1970.", "The band split on 2 November 1983."),
    ("The museum was founded in 1895.", "The museum was founded in 1912."),
    ("She served as mayor from 1998 to 2003.", "She served as mayor from 1998 to 2006."),
    ("The storm killed twenty-five people.", "The storm killed 41 people."),
    ("The village has one hundred and twenty houses.", "The village has 150 houses."),
    ("The club won 3–1.", "The club won 4–1."),
    ("The film has a rating of 7.4/10.", "The film has a rating of 6.1/10."),
    ("It is the 3rd largest lake in the country.", "It is the 5th largest lake in the country."),
    ("More than 65% of voters took part.", "Fewer than 60% of voters took part."),
    ("The strike lasted two and a half days.", "The strike lasted a week."),
    ("The bridge is 1.2 km long.", "The bridge is 900 m long."),
    ("He sold a dozen paintings.", "He sold 20 paintings."),
    ("Twenty-five people attended the course.", "Thirty people attended the course."),
]
AGREE = [
    # units, rounding, writing
    ("The route is 5 km long.", "The route is 3.1 mi long."),
    ("The session lasts 1.5 h.", "The session lasts 90 minutes."),
    ("The session lasts 1 hour 30 minutes.", "The session lasts 90 minutes."),
    ("The film lasts about 2 hours.", "The film lasts 90 minutes."),
    ("The film lasts about 2 hours.", "The film lasts 118 minutes."),
    ("The fee is $1.2 million.", "The fee is $1,200,000."),
    ("The fee is $1.2 million.", "The fee is $1,234,000."),
    ("The deal is worth $5M.", "The deal is worth 5 million dollars."),
    ("The deal is worth USD 5 million.", "The deal is worth $5m."),
    ("The price is EUR 1.490,00.", "The price is EUR 1,490."),
    ("The price is EUR 1.490.", "The price is EUR 1,490."),
    ("The unit weighs 3,5 kg.", "The unit weighs 3.5 kg."),
    ("The unit weighs 3.5 KG.", "The unit weighs 3500 g."),
    ("Water the plant with half a litre.", "Water the plant with 500 ml."),
    ("Probation lasts half a year.", "Probation lasts 6 months."),
    ("Twenty-five people attended the course.", "25 people attended the course."),
    ("The store holds one hundred and twenty boxes.", "The store holds 120 boxes."),
    ("A box holds a dozen eggs.", "A box holds 12 eggs."),
    ("Notice is ninety (90) days.", "Notice is 90 days."),
    ("The fund charges 72 basis points.", "The fund charges 0.72%."),
    ("The disk has 1 TB.", "The disk has 1024 GB."),
    ("The room is kept at 68 °F.", "The room is kept at 20 °C."),
    ("About 4,200 people work here.", "4,187 people work here."),
    ("Two-thirds of the members voted.", "67% of the members voted."),
    ("Half of the staff commute.", "50% of the staff commute."),
    ("One in five customers returns.", "20% of customers return."),
    ("The boiler is checked annually.", "The boiler is checked every 12 months, as a rule."),
    ("Take one tablet every 12 hours.", "Take one tablet twice a day."),
    ("The driver needs v2 of the kit.", "The driver needs version 2.0 of the kit."),
    ("The office opens at 9:00.", "The office opens at 9 am."),
    ("The office opens at 17:00.", "The office opens at 5 p.m."),
    ("The office opens at half past nine.", "The office opens at 9:30."),
    ("The hall opened in May 2021.", "The hall opened on 3 May 2021."),
    ("The hall opened on 03.05.2021.", "The hall opened on 3 May 2021."),
    ("The hall opened on 03/05/2021.", "The hall opened on 3 May 2021."),
    ("The hall opened on 2021-05-03.", "The hall opened on May 3rd, 2021."),
    ("The offer closes in Q3 2024.", "The offer closes in August 2024."),
    ("The club was founded in the 1890s.", "The club was founded in 1895."),
    # ranges and bounds
    ("Refunds take up to 10 days.", "Refunds take 7 days."),
    ("At least 5 engineers attend.", "7 engineers attend."),
    ("Delivery takes 10-15 days.", "Delivery takes 12 days."),
    ("Delivery takes 10 to 15 days.", "Delivery takes between 10 and 15 days."),
    ("The cache keeps 10 GB to 20 GB.", "The cache keeps 15 GB."),
    ("The shaft measures 10 ± 0.5 mm.", "The shaft measures 10.3 mm."),
    ("The band split before 1970.", "The band split on 2 November 1953."),
    ("More than 300 people came.", "312 people came."),
    ("The album has sold over 2 million copies.", "The album has sold more than 2.1 million copies."),
    ("You must be 18 or older to join.", "You must be 21 years old to join, or at least 18."),
    # identifiers and names
    ("See section 4.2 for the wiring.", "See section 5.1 for the wiring."),
    ("Order ORD-1234 was shipped.", "Order ORD-9876 was shipped."),
    ("The tool runs on Windows 95.", "The tool runs on Windows 98."),
    ("The fleet flies the Boeing 747.", "The fleet flies the Boeing 777."),
    ("Call +1 555 123 4567 for help.", "Call +1 555 987 6543 for help."),
    ("The server is at 10.0.0.12 for now.", "The server is at 10.0.0.57 for now."),
    ("The metrics are on port 9187 of the host.", "The metrics are on port 8443 of the host."),
    ("The patch fixes CVE-2023-1234 in the parser.", "The patch fixes CVE-2024-5678 in the parser."),
    ("The book has ISBN 978-3-16-148410-0.", "The book has ISBN 978-0-306-40615-7."),
    ("Lot 7F-2311 of the serum expires.", "Lot 7F-2209 of the serum expires."),
    ("Docs: https://example.org/v1/page/12", "Docs: https://example.org/v1/page/15"),
    ("Commit 3f2a91c fixed the leak.", "Commit 88be01d fixed the leak."),
    ("Article 17(2) applies to exports.", "Article 34(1) applies to exports."),
    # other attributes
    ("The plan costs $10 monthly.", "The plan costs $100 annually."),
    ("Interest is 8% a year.", "Interest is 1.5% per month."),
    ("The sofa costs $10.", "The sofa costs $10 and ships for $5."),
    ("The display is 30 cm wide.", "The display is 20 cm high."),
    ("The fee rose by 5%.", "The fee rose to 12%."),
    ("The rate rose by 2 percentage points.", "The rate rose by 15 percent."),
    ("The ticket costs 40 euros.", "The ticket costs 45 Swiss francs."),
    ("The minimum length is 8 characters.", "The maximum length is 64 characters."),
    ("The team has 12 engineers.", "The team has 5 designers."),
    ("The pump moves 5 m of cable.", "The pump costs EUR 5m."),
    ("She was mayor from 1998 to 2003.", "She was mayor in 2001."),
    ("The shop is open from 9 am to 5 pm.", "The shop is open on Monday."),
    ("The team went 19-0 in the year.", "The team went 19-0 in the year 2007."),
    ("Output doubled to 20 tonnes.", "Output was 20 tonnes, twice that of 2019."),
    # other scope
    ("Revenue in 2023 was $5 million.", "Revenue in 2024 was $6 million."),
    ("Fiscal 2023 revenue was $5M.", "Fiscal 2024 revenue was $6M."),
    ("The 2018 report lists 40 sites.", "The 2019 report lists 52 sites."),
    ("As of 12 March there are 88 cases.", "As of 20 March there are 88 cases."),
    ("As of 12 March there are 88 cases.", "As of 20 March there are 120 cases."),
    ("On Monday 20 guests came.", "On Tuesday 35 guests came."),
    ("VAT is 19% in Germany today.", "VAT is 20% in France today."),
    ("The firm employs 312 people in total.", "The firm employs 84 people in Krakow."),
    ("The basic plan includes 10 GB of storage.", "The premium plan includes 50 GB of storage."),
    ("Adults take 500 mg a day.", "Children take 250 mg a day."),
    ("Full-time staff get 25 days of leave.", "Part-time staff get 15 days of leave."),
    ("The first phase lasts 3 weeks.", "The second phase lasts 5 weeks."),
    ("The north gate opens at 8:00.", "The south gate opens at 9:00."),
    ("Domestic delivery costs $5.", "International delivery costs $20."),
    ("The Oslo office has 40 desks.", "The Bergen office has 25 desks."),
    ("Staff with 5 years of service get 30 days of leave.", "Staff with 2 years of service get 25 days of leave."),
    ("| Basic | 10 GB | $5 |", "| Pro | 50 GB | $20 |"),
    # no shared statement
    ("The kitchen has 3 ovens.", "Granite contains 20% quartz."),
    ("He was born on 3 May 1950.", "He died on 7 June 2001."),
    ("Not 14 days but 30 days are granted.", "30 days are granted."),
    ("One of the two doors is locked.", "Three of the doors were painted in May."),
]


@pytest.mark.parametrize(("a", "b"), DISAGREE)
def test_exclusive_values_are_found_in_both_orders(a, b):
    found, mirrored = values.disagreement(a, b), values.disagreement(b, a)
    assert found is not None and mirrored is not None
    assert (found.type, found.strength) == (mirrored.type, mirrored.strength)
    assert values.MIN_STRENGTH <= found.strength <= 1
    left, right = found.explanation.split(" against ")
    assert left.strip('"') in a and right.strip('"') in b
    assert mirrored.explanation == f"{right} against {left}"


@pytest.mark.parametrize(("a", "b"), AGREE)
def test_compatible_values_are_not_found_in_either_order(a, b):
    assert values.disagreement(a, b) is None and values.disagreement(b, a) is None


@pytest.mark.parametrize("text", sorted({text for pair in DISAGREE + AGREE for text in pair}))
def test_no_sentence_disagrees_with_itself(text):
    assert values.disagreement(text, text) is None


@pytest.mark.parametrize(
    ("a", "b", "clash"),
    [
        ("The sofa costs $10 and ships for $5.", "The sofa costs $10 and ships for $8.", '"$5" against "$8"'),
        ("The sofa costs $10 and ships for $5.", "The sofa costs $12 and ships for $5.", '"$10" against "$12"'),
        ("It is 30 cm wide and 20 cm high.", "It is 30 cm wide and 25 cm high.", '"20 cm" against "25 cm"'),
        ("Open from 9 am to 5 pm daily.", "Open from 9 am to 7 pm daily.", '"5 pm" against "7 pm"'),
        ("The dose is 5 mg on day 1 of 3 cycles.", "The dose is 5 mg on day 1 of 6 cycles.", '"3" against "6"'),
    ],
)
def test_of_several_quantities_the_ones_that_clash_are_named(a, b, clash):
    assert values.disagreement(a, b).explanation == clash


@pytest.mark.parametrize(
    ("a", "b", "kind"),
    [
        ("The hall opened on 3 May 2021.", "The hall opened on May 5, 2021.", ConflictType.DATE),
        ("The team meeting is on Monday.", "The team meeting is on Thursday.", ConflictType.DATE),
        ("The hall opened in May 2021.", "The hall opened in June 2021.", ConflictType.DATE),
        ("The meeting starts at 9:00.", "The meeting starts at 10:00.", ConflictType.VALUE),
        ("The trial lasts 14 days.", "The trial lasts 30 days.", ConflictType.VALUE),
    ],
)
def test_only_dates_and_weekdays_are_typed_as_date(a, b, kind):
    assert values.disagreement(a, b).type is kind


def test_less_common_ground_means_less_strength():
    short = values.disagreement("The trial lasts 14 days.", "The trial lasts 30 days.")
    long = values.disagreement("The trial lasts 14 days.", "For new users in the cloud, the trial now lasts 30 days.")
    assert long.strength < short.strength


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("It takes 90 minutes.", "It takes 1.5 hours and costs $5.", True),
        ("It takes 90 minutes.", "It takes 2 hours and costs $5.", False),
        ("It takes a while.", "It takes 2 hours.", False),
    ],
)
def test_same_values_asks_for_a_partner_of_every_quantity_of_the_shorter_side(a, b, same):
    assert values.same_values(a, b) is same and values.same_values(b, a) is same


def test_text_without_quantities_keeps_its_words():
    assert values.without_quantities("Take 5 mg for 3 days now.").split() == ["Take", "for", "now."]


# ---------------------------------------------------------------- properties

ALPHABET = "0123456789 .,:;-–/%$€£±½⁶°Cabkmdhysxeo'()MayQvVtw@#\n"
TEMPLATES = st.sampled_from(
    ["The trial lasts {} days.", "The tank holds {} litres.", "The pass costs ${}.", "The pump weighs {} kg.",
     "The club has {} members.", "The share is {}% of the vote.", "- Retention: {} hours", "The file has {} MB."]
)  # fmt: skip
# two units of one kind, with how many of the second make one of the first, from the definitions of the units
CONVERSIONS = st.sampled_from(
    [("km", "miles", 1 / 1.609344), ("kg", "lb", 1 / 0.45359237), ("hours", "minutes", 60), ("m", "feet", 1 / 0.3048),
     ("litres", "ml", 1000), ("inches", "cm", 2.54), ("weeks", "days", 7), ("kW", "W", 1000), ("bar", "kPa", 100)]
)  # fmt: skip


def rounded(value, digits):
    """Round to significant digits, written without an exponent."""
    number = Context(prec=digits, rounding=ROUND_HALF_EVEN).create_decimal_from_float(float(value))
    return f"{number:f}"


@given(st.text(alphabet=ALPHABET, max_size=60))
def test_quantities_slice_back_in_order_without_overlap(text):
    found = values.extract(text)
    assert all(text[q.start : q.end] == q.text and q.low <= q.high and q.half_step >= 0 for q in found)
    assert all(a.end <= b.start for a, b in pairwise(found))


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_text_breaks_the_detector(a, b):
    values.disagreement(a, b)
    values.same_values(a, b)


WORDS = st.sampled_from(
    "the plan costs lasts 5 12 days hours $10 $12 3% 40% in 2019 2024 May Monday from to about over and for Oslo "
    "users, or not (9:00) total per month 10-15 km 3.5".split()
)


@given(st.lists(WORDS, max_size=12).map(" ".join), st.lists(WORDS, max_size=12).map(" ".join))
def test_disagreement_is_symmetric(a, b):
    found, mirrored = values.disagreement(a, b), values.disagreement(b, a)
    assert (found is None) == (mirrored is None)
    if found:
        assert (found.type, found.strength) == (mirrored.type, mirrored.strength)


@given(CONVERSIONS, st.integers(1, 400), st.integers(3, 5))
def test_a_converted_value_agrees_and_twice_of_it_does_not(units, value, digits):
    unit, other, factor = units
    original = f"The gauge of the pump reads {value} {unit}."
    assert (
        values.disagreement(original, f"The gauge of the pump reads {rounded(value * factor, digits)} {other}.") is None
    )
    assert values.disagreement(original, f"The gauge of the pump reads {rounded(value * factor * 2, digits)} {other}.")


@given(TEMPLATES, st.integers(13, 99_999), st.integers(2, 3))
def test_a_rounded_value_with_about_agrees(template, value, digits):
    hedged = template.format("about " + rounded(value, digits)).replace("$about ", "about $")
    assert values.disagreement(template.format(value), hedged) is None


@given(TEMPLATES, st.integers(2, 40_000))
def test_a_doubled_value_disagrees(template, value):
    assume(not 1_000 <= value <= 2_099 and not 1_000 <= 2 * value <= 2_099)  # a bare number like that may be a year
    found = values.disagreement(template.format(value), template.format(2 * value))
    assert found is not None and found.strength > 0.9


@given(TEMPLATES, st.integers(2, 40_000))
def test_the_same_value_with_a_thousands_comma_agrees(template, value):
    assert values.disagreement(template.format(value), template.format(f"{value:,}")) is None
