"""Write the two binary example documents: a safety sheet (docx) and an annual report (pdf).

pip install python-docx fpdf2
python examples/make_binary_documents.py
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from docx import Document
from fpdf import FPDF

DOCUMENTS = Path(__file__).resolve().parent / "documents"
WRITTEN = datetime(2025, 2, 20, tzinfo=UTC)

# A line that starts with "# " is a heading.
SAFETY_SHEET = """\
# Corvane sensor head: device safety sheet
# Intended use
The sensor head measures carbon monoxide and carbon dioxide in room air. It is not a medical device and must not \
be used to monitor the breathing of patients.
# Handling
Let the sensor head warm up for half an hour before you rely on its readings. Keep solvents and silicone sprays \
away from the membrane, as they poison the cell without leaving a visible trace.
# Damage
If the housing of the Corvane Hub were cracked, it would no longer be watertight. Take a damaged device out of \
service and mark it, so that nobody puts it back by mistake.
# Warranty
The sensor head is covered by the standard warranty. Keep the delivery note, because the serial number on the label \
fades in sunlight.
# First aid
The electrolyte irritates the skin. Rinse with plenty of water and see a doctor if the redness stays."""

ANNUAL_REPORT = """\
# Halden Instruments: annual report 2024, summary
# The year
It was a busy year. In 2024, Halden shipped 4,187 hubs. Our revenue in 2024 was EUR 36.8 million. Breweries were the \
group of customers that grew most, while orders from universities came in slowly after the summer.
# People and places
Halden employs 312 people in total. The calibration laboratory of Halden Instruments is in Munich. The laboratory has \
taken on its first two apprentices, and both want to stay.
# Outlook
We want to grow with care. The order book is full until the summer, and a second assembly line is being set up. Prices \
of sensor elements remain hard to predict. The management thanks everybody who carried boxes during the move."""


def lines(text: str) -> list[tuple[bool, str]]:
    return [(line.startswith("# "), line.removeprefix("# ")) for line in text.splitlines()]


def write_docx(path: Path) -> None:
    document = Document()
    for heading, line in lines(SAFETY_SHEET):
        if heading:
            document.add_heading(line, level=1)
        else:
            document.add_paragraph(line)
    document.core_properties.author = "Halden Instruments"
    document.core_properties.created = document.core_properties.modified = WRITTEN.replace(tzinfo=None)
    document.save(str(path))


def write_pdf(path: Path) -> None:
    pdf = FPDF()
    pdf.set_creation_date(WRITTEN)
    pdf.add_page()
    for heading, line in lines(ANNUAL_REPORT):
        pdf.set_font("Helvetica", style="B" if heading else "", size=14 if heading else 11)
        pdf.multi_cell(0, 7, line, align="L", new_x="LMARGIN", new_y="NEXT")
        pdf.ln(2)
    pdf.output(str(path))


if __name__ == "__main__":
    write_docx(DOCUMENTS / "device-safety-sheet.docx")
    write_pdf(DOCUMENTS / "annual-report-2024.pdf")
