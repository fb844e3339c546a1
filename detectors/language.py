"""Whether a text is in a language that the bundled model knows (English).  Cheap and conservative.

Short texts, names and code are never refused: only a clear sign of another language counts.
"""

from __future__ import annotations

import re
from collections import Counter

MIN_WORDS = 8
MIN_DISTINCT = 3  # one repeated word says nothing
_ENGLISH = (
    "the of and to in is for that on with as are was by it be from this which not have has at or a "
    "an i no do if so we you they he she his her its our your can may must will would should there "
    "when were been but all any"
)
ENGLISH = frozenset(_ENGLISH.split())
PROFILES = {
    "German": "der die das und ist nicht ein eine zu mit den von auf für im dem des sich auch wird werden",
    "French": "le la les des est une et dans pour que qui sur pas du de avec sont au par ce cette ne il",
    "Spanish": "el la los las es una y en de para que del por con se al son como su más está tienen pueden",
    "Italian": "il la gli che è una e di per non con del della sono nel dei le si più anche hanno alla ha",
    "Portuguese": "o os é uma e de para que da em com não dos se por mais são ao na pelo têm",
    "Dutch": "de het een en van is niet op dat te met voor zijn aan door wordt ook bij hebben",
    "Polish": "w na nie jest że z się od po przez oraz dla są jak o ich mają ma który która może",
    "Swedish": "och att det som en på är av för med den till inte har om ett de",
    "Danish": "og det som en på er af med den til ikke har om et de",
    "Turkish": "ve bir bu için ile olarak da de daha çok olan gibi en ne kadar",
    "Indonesian": "yang dan di untuk dengan ini dari pada adalah tidak dalam akan oleh itu",
}
# English spellings that are as common in the other language: they speak for neither.
SHARED = {
    "German": "in an so was", "French": "a on an", "Spanish": "a no has", "Italian": "a in i",
    "Portuguese": "a as no do", "Dutch": "in is was we of", "Polish": "i do to a", "Swedish": "i var",
    "Danish": "i at for have",
}  # fmt: skip
STOP_WORDS = {language: frozenset(words.split()) - ENGLISH for language, words in PROFILES.items()}


def unsupported_script_or_language(text: str) -> str | None:
    """Return the reason why the text is not checked, or None.

    >>> unsupported_script_or_language("Der Vertrag ist nicht gültig und wird mit dem Ende des Jahres enden.")
    'not English (looks like German)'
    """
    letters = [c for c in text[:20_000] if c.isalpha()]
    if len(letters) >= 10 and sum(c < "\u0250" for c in letters) < 0.5 * len(letters):
        return "not English (another script)"
    words = re.findall(r"[^\W\d_]+", text[:20_000])
    if len(words) < MIN_WORDS:
        return None
    # A capital is often part of a name (Las Palmas), so it speaks only for English.
    english = sum(w.lower() in ENGLISH for w in words)
    capitals_only = not any(w.islower() for w in words)
    counts = Counter(w.lower() for w in words if capitals_only or w.islower())
    hits = {language: sum(counts[w] for w in profile) for language, profile in STOP_WORDS.items()}
    best = max(hits, key=lambda language: hits[language])
    shared = sum(counts[w] for w in SHARED.get(best, "").split() if w in ENGLISH)
    distinct = sum(w in counts for w in STOP_WORDS[best])
    enough = hits[best] >= max(0.12 * len(words), 2 * (english - shared) + 2)
    return f"not English (looks like {best})" if enough and distinct >= MIN_DISTINCT else None
