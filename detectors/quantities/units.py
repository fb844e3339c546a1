"""Units, currencies, number words and months: the closed tables that quantities are read with.

Factors convert to the canonical unit of a kind (metre, kilogram, second, byte, …); they are the exact definitions of
the SI brochure and of NIST SP 811, a month being a twelfth of the Julian year.  Symbols are case-sensitive, because
mW and MW differ by nine orders of magnitude.  Knows nothing about sentences.
"""

from __future__ import annotations

import re

DAY_S = 86_400.0
YEAR_S = 365.25 * DAY_S

# kind -> {words, singular and lower case: factor}
_WORDS: dict[str, dict[str, float]] = {
    "length": {"nanometre": 1e-9, "micrometre": 1e-6, "micron": 1e-6, "millimetre": 1e-3, "centimetre": 1e-2,
               "metre": 1, "kilometre": 1e3, "inch": 0.0254, "foot": 0.3048, "feet": 0.3048, "yard": 0.9144,
               "mile": 1609.344, "nautical mile": 1852},
    "area": {"square metre": 1, "square kilometre": 1e6, "square foot": 0.09290304, "square feet": 0.09290304,
             "sq ft": 0.09290304, "sq m": 1, "sq km": 1e6, "sq mi": 2589988.110336, "square mile": 2589988.110336,
             "hectare": 1e4, "acre": 4046.8564224},
    "volume": {"cubic metre": 1e3, "cubic centimetre": 1e-3, "millilitre": 1e-3, "centilitre": 1e-2, "litre": 1,
               "hectolitre": 1e2, "gallon": 3.785411784, "pint": 0.473176473, "quart": 0.946352946,
               "fluid ounce": 0.0295735295625, "fl oz": 0.0295735295625},
    "mass": {"microgram": 1e-9, "mcg": 1e-9, "milligram": 1e-6, "gram": 1e-3, "gramme": 1e-3, "kilogram": 1,
             "kilo": 1, "tonne": 1e3, "metric ton": 1e3, "ton": 1e3, "pound": 0.45359237, "lb": 0.45359237,
             "lbs": 0.45359237, "ounce": 0.028349523125, "oz": 0.028349523125, "stone": 6.35029318},
    "duration": {"nanosecond": 1e-9, "microsecond": 1e-6, "millisecond": 1e-3, "msec": 1e-3, "second": 1, "sec": 1,
                 "minute": 60, "min": 60, "hour": 3600, "hr": 3600, "day": DAY_S, "night": DAY_S, "week": 7 * DAY_S,
                 "fortnight": 14 * DAY_S, "month": YEAR_S / 12, "year": YEAR_S, "yr": YEAR_S, "decade": 10 * YEAR_S,
                 "calendar day": DAY_S},
    "business days": {"business day": 1, "working day": 1, "workday": 1},
    "data": {"byte": 1, "kilobyte": 1e3, "megabyte": 1e6, "gigabyte": 1e9, "terabyte": 1e12, "petabyte": 1e15,
             "kibibyte": 2**10, "mebibyte": 2**20, "gibibyte": 2**30, "tebibyte": 2**40, "bit": 1 / 8,
             "kilobit": 125, "megabit": 125e3, "gigabit": 125e6},
    "data rate": {"kbps": 125, "mbps": 125e3, "gbps": 125e6},
    "speed": {"kph": 1 / 3.6, "kmh": 1 / 3.6, "mph": 0.44704, "knot": 1852 / 3600, "kilometres per hour": 1 / 3.6,
              "kilometers per hour": 1 / 3.6, "miles per hour": 0.44704, "metres per second": 1},
    "power": {"milliwatt": 1e-3, "watt": 1, "kilowatt": 1e3, "megawatt": 1e6, "gigawatt": 1e9, "horsepower": 745.7},
    "energy": {"joule": 1, "kilojoule": 1e3, "megajoule": 1e6, "calorie": 4.184, "kilocalorie": 4184, "kcal": 4184,
               "watt hour": 3600, "kilowatt hour": 3.6e6, "megawatt hour": 3.6e9},
    "voltage": {"millivolt": 1e-3, "volt": 1, "kilovolt": 1e3},
    "current": {"milliamp": 1e-3, "amp": 1, "ampere": 1},
    "frequency": {"hertz": 1, "kilohertz": 1e3, "megahertz": 1e6, "gigahertz": 1e9, "rpm": 1 / 60},
    "pressure": {"pascal": 1, "kilopascal": 1e3, "bar": 1e5, "millibar": 100, "psi": 6894.757293168},
    "temperature": {"degree celsius": 1, "degree centigrade": 1, "celsius": 1},
    "fahrenheit": {"degree fahrenheit": 1, "fahrenheit": 1},
    "noise": {"decibel": 1},
    "percent": {"percent": 1, "per cent": 1, "pct": 1, "basis point": 0.01, "bps": 0.01},
    "percentage point": {"percentage point": 1, "percent point": 1},
    "factor": {"time": 1, "fold": 1},
}  # fmt: skip

# kind -> {symbols in the case that standards give them: factor}
_SYMBOLS: dict[str, dict[str, float]] = {
    "length": {"nm": 1e-9, "µm": 1e-6, "μm": 1e-6, "mm": 1e-3, "cm": 1e-2, "m": 1, "km": 1e3, "mi": 1609.344,
               "ft": 0.3048, "yd": 0.9144},
    "area": {"mm²": 1e-6, "cm²": 1e-4, "cm2": 1e-4, "m²": 1, "m2": 1, "km²": 1e6, "km2": 1e6, "ha": 1e4,
             "ft²": 0.09290304, "mi²": 2589988.110336},
    "volume": {"µl": 1e-6, "µL": 1e-6, "ml": 1e-3, "mL": 1e-3, "cl": 1e-2, "dl": 0.1, "dL": 0.1, "l": 1, "L": 1,
               "hl": 1e2, "m³": 1e3, "m3": 1e3, "cm³": 1e-3, "cm3": 1e-3, "cc": 1e-3},
    "mass": {"ng": 1e-12, "µg": 1e-9, "μg": 1e-9, "mg": 1e-6, "g": 1e-3, "kg": 1, "t": 1e3},
    "duration": {"ns": 1e-9, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1, "h": 3600, "hrs": 3600, "mins": 60,
                 "secs": 1},
    "data": {"B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "PB": 1e15, "KiB": 2**10, "MiB": 2**20,
             "GiB": 2**30, "TiB": 2**40, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "Kb": 125, "Mb": 125e3,
             "Gb": 125e6, "kbit": 125, "Mbit": 125e3, "Gbit": 125e6},
    "data rate": {"kbit/s": 125, "Mbit/s": 125e3, "Gbit/s": 125e6, "kb/s": 125, "Mb/s": 125e3, "Gb/s": 125e6,
                  "kB/s": 1e3, "KB/s": 1e3, "MB/s": 1e6, "GB/s": 1e9, "Mbps": 125e3, "Gbps": 125e6, "MBps": 1e6},
    "speed": {"km/h": 1 / 3.6, "m/s": 1, "km/s": 1e3, "mi/h": 0.44704, "kn": 1852 / 3600, "kt": 1852 / 3600},
    "power": {"µW": 1e-6, "mW": 1e-3, "W": 1, "kW": 1e3, "MW": 1e6, "GW": 1e9, "hp": 745.7},
    "energy": {"J": 1, "kJ": 1e3, "MJ": 1e6, "GJ": 1e9, "Wh": 3600, "kWh": 3.6e6, "MWh": 3.6e9, "GWh": 3.6e12},
    "charge": {"mAh": 3.6, "Ah": 3600},
    "voltage": {"mV": 1e-3, "V": 1, "kV": 1e3},
    "current": {"mA": 1e-3, "A": 1, "kA": 1e3},
    "frequency": {"Hz": 1, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9},
    "pressure": {"Pa": 1, "hPa": 100, "kPa": 1e3, "MPa": 1e6, "GPa": 1e9, "mbar": 100},
    "temperature": {"°C": 1, "° C": 1, "ºC": 1, "℃": 1},
    "fahrenheit": {"°F": 1, "° F": 1, "ºF": 1},
    "noise": {"dB": 1, "dBA": 1},
    "percent": {"%": 1, "bp": 0.01},
    "percentage point": {"pp": 1, "p.p.": 1, "%pt": 1},
    "factor": {"x": 1, "×": 1},
}  # fmt: skip


def _spellings(word: str) -> set[str]:
    """Return singular, plural and American spellings: "metre" -> metre, metres, meter, meters.

    >>> sorted(_spellings("litre"))
    ['liter', 'liters', 'litre', 'litres']
    """
    both = {word, word.replace("metre", "meter").replace("litre", "liter").replace("gramme", "gram")}
    plural = {w + ("es" if w.endswith("inch") else "s") for w in both if not w.endswith("s")}
    inner = {w.replace("degree ", "degrees ") for w in both}
    return both | plural | inner


WORDS = {
    spelling: (kind, factor)
    for kind, units in _WORDS.items()
    for word, factor in units.items()
    for spelling in _spellings(word)
}
SYMBOLS = {symbol: (kind, factor) for kind, units in _SYMBOLS.items() for symbol, factor in units.items()}
# symbols that people write in any case, and that mean one thing in each: "KG", "Km/h", but not "mw" or "Mb"
_FOLDED: dict[str, set[tuple[str, float]]] = {}
for _symbol, _unit in SYMBOLS.items():
    if len(_symbol) > 1:
        _FOLDED.setdefault(_symbol.lower(), set()).add(_unit)
FOLDED = {symbol: next(iter(units)) for symbol, units in _FOLDED.items() if len(units) == 1}

CURRENCIES = {
    "$": "usd", "US$": "usd", "USD": "usd", "dollar": "usd", "US dollar": "usd", "U.S. dollar": "usd",
    "€": "eur", "EUR": "eur", "euro": "eur", "£": "gbp", "GBP": "gbp", "pound sterling": "gbp",
    "CHF": "chf", "Swiss franc": "chf", "franc": "chf", "¥": "jpy", "JPY": "jpy", "yen": "jpy", "CNY": "cny",
    "RMB": "cny", "yuan": "cny", "₹": "inr", "INR": "inr", "rupee": "inr", "A$": "aud", "AUD": "aud", "C$": "cad",
    "CAD": "cad", "SEK": "sek", "NOK": "nok", "DKK": "dkk", "krona": "sek", "PLN": "pln", "BRL": "brl",
    "KRW": "krw", "HK$": "hkd", "HKD": "hkd", "SGD": "sgd", "NZD": "nzd", "₽": "rub", "RUB": "rub",
}  # fmt: skip
SCALES = {"hundred": 1e2, "thousand": 1e3, "k": 1e3, "million": 1e6, "mio": 1e6, "mln": 1e6, "mn": 1e6, "m": 1e6,
          "billion": 1e9, "bn": 1e9, "b": 1e9, "trillion": 1e12, "tn": 1e12, "dozen": 12}  # fmt: skip

MONTHS = {m: i for i, m in enumerate(
    "january february march april may june july august september october november december".split(), 1)}  # fmt: skip
MONTHS |= {m[:3]: i for m, i in MONTHS.items()} | {"sept": 9}
WEEKDAYS = {d: i for i, d in enumerate("monday tuesday wednesday thursday friday saturday sunday".split())}

SPELLED: dict[str, float] = {w: i for i, w in enumerate(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty".split())} | {
    "half": 0.5, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
    "ninety": 90}  # fmt: skip
ORDINALS = {w: i for i, w in enumerate(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split(), 1)}  # fmt: skip
FRACTIONS = {"half": 2, "third": 3, "quarter": 4, "fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10}
GLYPHS = {"½": 0.5, "¼": 0.25, "¾": 0.75, "⅓": 1 / 3, "⅔": 2 / 3}

_LOW = "|".join(w for w in sorted(SPELLED, key=len, reverse=True) if w != "half")
_BELOW_100 = rf"(?:{_LOW})(?:(?:\s?-\s?|\s)(?:one|two|three|four|five|six|seven|eight|nine)\b)?"
_BELOW_1000 = rf"(?:(?:(?:{_LOW}|an?)\s)?hundred(?:\s(?:and\s)?{_BELOW_100})?|{_BELOW_100})"
NUMBER_WORDS = (
    rf"(?:half\sa\s(?:dozen|million|billion)|an?\s(?:dozen|thousand|million|billion)"
    rf"|{_BELOW_1000}(?:\s(?:thousand|million|billion|dozen)(?:\s(?:and\s)?{_BELOW_1000})?){{0,3}})\b"
)
_TOKEN = re.compile(r"[a-z]+")


def spelled_number(words: str) -> float:
    """Return the value of a number written in words.

    >>> [spelled_number(w) for w in ("twenty-five", "one hundred and twenty", "two thousand", "half a dozen")]
    [25.0, 120.0, 2000.0, 6.0]
    """
    total, group = 0.0, 0.0
    for word in _TOKEN.findall(words.lower()):
        if word == "hundred":
            group = (group or 1.0) * 100
        elif word in SCALES:
            total, group = total + (group or 1.0) * SCALES[word], 0.0
        elif word in SPELLED:
            group += SPELLED[word]
    return total + group
