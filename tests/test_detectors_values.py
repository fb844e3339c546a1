"""The value detector against a hand-made table of pairs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import values
from detectors.evidence import ConflictType

DISAGREE = [
    ("The trial lasts 14 days.", "The trial lasts 30 days."),
    ("The log holds 64 MB of data.", "The log holds 0.5 GB of data."),
    ("The budget is $5 million.", "The budget is $6 million."),
    ("The discount is 10%.", "The discount is 15 percent."),
    ("The hall opened on 3 May 2021.", "The hall opened on May 5, 2021."),
    ("Refunds take up to 10 days.", "Refunds take 12 days."),
    ("The tank holds two litres of oil.", "The tank holds 3 l of oil."),
    ("The film lasts 90 minutes.", "The film lasts 2 hours."),
    ("Forklifts may go up to 10 km/h in Hall 4.", "In Hall 4 forklifts must stay below 6 km/h."),
    ("The fund charges 72 basis points a year.", "The fund charges 0.45% a year."),
    ("Twenty-five people attended the course.", "Thirty people attended the course."),
    ("A pass costs €38 per day.", "A pass costs €24."),
    ("The band split before 1970.", "The band split on 2 November 1983."),
    ("The law applies from 1 May 2021.", "The law applies since 3 June 2021."),
    ("Objections can be lodged until 28 April.", "Objections can be lodged until 12 May."),
    ("The boiler is checked every year.", "The boiler is checked only every three years."),
    ("Backups are made daily.", "Backups are made every week."),
    ("Notice is ninety (90) days.", "Notice is two months."),
    ("Probation lasts half a year.", "Probation lasts 3 months."),
    ("The store holds one hundred and twenty boxes.", "The store holds 150 boxes."),
    ("Needs version 3.1.2 of the driver.", "Needs version 3.2.0 of the driver."),
]
AGREE = [
    ("The route is 5 km long.", "The route is 3.1 mi long."),
    ("The fee is $1.2 million.", "The fee is $1,200,000."),
    ("The session lasts 1.5 h.", "The session lasts 90 minutes."),
    ("About 4,200 people work here.", "4,187 people work here."),
    ("Refunds take up to 10 days.", "Refunds take 7 days."),
    ("At least 5 engineers attend.", "7 engineers attend."),
    ("Delivery takes 10-15 days.", "Delivery takes 12 days."),
    ("The band split before 1970.", "The band split on 2 November 1953."),
    ("As of 12 March there are 88 cases.", "As of 20 March there are 88 cases."),
    ("The boiler is checked annually.", "The boiler is checked every 12 months, as a rule."),
    ("The team went 19-0 in the year.", "The team went 19-0 in the year 2007."),
    ("The plan costs $10 monthly.", "The plan costs $100 annually."),
    ("The film lasts about 2 hours.", "The film lasts 118 minutes."),
    ("Interest is 8% a year.", "Interest is 1.5% per month."),
    ("Twenty-five people attended the course.", "25 people attended the course."),
    ("Notice is ninety (90) days.", "Notice is 90 days."),
    ("Probation lasts half a year.", "Probation lasts 6 months."),
    ("The fund charges 72 basis points.", "The fund charges 0.72%."),
    ("The metrics are on port 9187 of the host.", "The metrics are on port 8443 of the host."),
    ("Lot 7F-2311 of the serum expires.", "Lot 7F-2209 of the serum expires."),
    ("See section 4.2 for the wiring.", "See section 5.1 for the wiring."),
    ("Order ORD-1234 was shipped.", "Order ORD-9876 was shipped."),
    ("Revenue in 2023 was $5 million.", "Revenue in 2024 was $6 million."),
    ("VAT is 19% in Germany today.", "VAT is 20% in France today."),
    ("The tool runs on Windows 95.", "The tool runs on Windows 98."),
    ("The fleet flies the Boeing 747.", "The fleet flies the Boeing 777."),
    ("Fiscal 2023 revenue was $5M.", "Fiscal 2024 revenue was $6M."),
    ("The hall opened in May 2021.", "The hall opened on 3 May 2021."),
]


@pytest.mark.parametrize(("a", "b"), DISAGREE)
def test_exclusive_values_are_found_in_both_orders(a, b):
    found, mirrored = values.disagreement(a, b), values.disagreement(b, a)
    assert found is not None and mirrored is not None
    assert found.type == mirrored.type and found.strength == mirrored.strength


@pytest.mark.parametrize(("a", "b"), AGREE)
def test_compatible_values_are_not_found(a, b):
    assert values.disagreement(a, b) is None


def test_a_differing_date_is_typed_as_date():
    assert values.disagreement(*DISAGREE[4]).type is ConflictType.DATE


@given(st.text(alphabet="0123456789 .,-%$€abkmdhysMay", max_size=60))
def test_quantities_slice_back(text):
    for quantity in values.extract(text):
        assert text[quantity.start : quantity.end] == quantity.text
