"""Digits that are no quantity: links, addresses, telephone and part numbers, the numbers of sections and orders."""

from __future__ import annotations

import re

LINK = re.compile(r"\b(?:https?|ftp)://\S+|\bwww\.\S+|\b[\w.+\-]+@\S+\.\w+|(?<![\w./\-])[\w.\-]*/[\w.\-/]*\.\w{1,5}\b")
ADDRESS = re.compile(
    r"\b\d{1,3}(?:\.\d{1,3}){3}(?:[/:]\d+)?\b"  # 10.0.0.1:8080
    r"|\bCVE-\d{4}-\d+\b|\bISBN(?:-1[03])?:?\s?[\d\-Xx ]{9,17}|\bISSN:?\s?\d{4}-\d{3}[\dXx]"
    r"|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{7,40}\b"
    r"|(?<![\w.])\+\d[\d\s()\-/]{5,}\d|\(\d{2,4}\)\s?\d{3}[\d\s\-]{3,}|\b\d{3}[-.]\d{3}[-.]\d{4}\b"  # telephone
    r"|\b24/7\b|\b\d+:\d(?!\d)|\b1:\d+(?=\s(?:scale|ratio))"
    r"|\b\d{1,4}\s[A-Z]\w+\s(?:Street|St|Avenue|Ave|Road|Rd|Lane|Drive|Boulevard|Square)\b|\b\d{5}\s(?=[A-Z][a-z])"
    r"|\b\d{7,}\b(?!\s?[a-z%€$£])"
)
LABELS = """section sections sec chapter chapters article articles art page pages pp figure fig table step steps rule
    rules clause clauses appendix annex exhibit schedule rfc iso iec din no nos nr number level tier paragraph para § §§
    room suite building gate platform route highway interstate flight line lines phase type grade class floor stage item
    id ticket order form lot batch serial patch build issue request pr question part title volume vol episode season
    group cohort arm category port ports law act resolution regulation directive case docket bill amendment protocol
    model mark unit zone district ward box locker rack slot bay channel option scenario experiment sample note footnote
    exercise lesson module account invoice reference ref code error status http""".split()
_LABELLED = (
    rf"(?<!\w)(?i:{'|'.join(LABELS)})\.?:?\s?(?:(?i:no\.?|number)\s|#\s?)?"
    r"\d[\w.\-/()]*(?:(?:,\s|\s?[-–]\s?|\s(?:and|or|to)\s)\d[\w.\-/]*)*"
    r"(?!\s?(?:%|percent|days?\b|hours?\b|minutes?\b|weeks?\b|months?\b|years?\b|euros?\b|dollars?\b))"
)
_PART_NUMBER = (
    r"#\d+|\b[A-Z][A-Za-z]*-\d[\w\-]*|\b\d+-[A-Z]+\d[\w\-]*|\b[A-Za-z]+\d+[\w\-]*|\b\d+[A-Z]-?\d\w*"
    r"|\b\d+[A-Z]{2,}\d+\b|\b[2-6]G\b|\b(?<![.,])\d+(?:-\d+){2,}\b|\b\d{3}-\d{3}\b|(?<![\w.,])0\d{2,}\b"
    r"|^\s*\d+[.)]\s"  # the number of a list item
    r"|\b\d+(?:\.\d+)?\s?[x×]\s?(?!10[\^⁰¹²³⁴⁵⁶⁷⁸⁹⁻])\d[\d.x× ]*(?:\s?[a-z]{1,2}\b)?"  # 10 x 20 cm
    r"|\b(?:1[0-9]|20)\d\d\s?[-–/]\s?\d{2,4}\b|\b\d+(?:\s?[-–]\s?\d+)?\s?B\.?C\.?(?:E\b)?"  # 2018–19, 300 BC
)
LABELLED, PART_NUMBER = re.compile(_LABELLED), re.compile(_PART_NUMBER)
IDENTIFIER = re.compile(f"{LINK.pattern}|{ADDRESS.pattern}|{_LABELLED}|{_PART_NUMBER}")
