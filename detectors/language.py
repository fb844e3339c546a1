"""Whether a text is in a language that the bundled model knows (English).  Cheap and conservative.

Short texts, names and code are never refused: only a clear sign of another language counts.
"""

from __future__ import annotations

import re
from collections import Counter

MIN_WORDS = 8
PROFILES = {
    "English": "the of and to in is for that on with as are was by it be from this which not have has at or",
    "German": "der die das und ist nicht ein eine zu mit den von auf für im dem des sich auch wird werden sind",
    "French": "le la les des est une et dans pour que qui sur pas du avec sont au par ce cette ne il",
    "Spanish": "el la los las es una y en para que del por con no se al son como su más está",
    "Italian": "il la gli che è una e di per non con del della sono nel dei le si più anche",
    "Portuguese": "o a os as é uma e para que do da em com não dos se por mais são ao",
    "Dutch": "de het een en van is niet op dat te met voor zijn in aan door wordt ook bij",
    "Polish": "i w na nie jest że z do się to od po przez oraz dla są jak o",
    "Swedish": "och att det som en på är av för med den till inte har om ett är de",
    "Danish": "og at det som en på er af for med den til ikke har om et de",
    "Turkish": "ve bir bu için ile olarak da de daha çok olan gibi en ne kadar",
    "Indonesian": "yang dan di untuk dengan ini dari pada adalah tidak dalam akan oleh itu",
}
STOP_WORDS = {language: frozenset(words.split()) for language, words in PROFILES.items()}


def unsupported_script_or_language(text: str) -> str | None:
    """Return the reason why the text is not checked, or None.

    >>> unsupported_script_or_language("Der Vertrag ist nicht gültig und wird mit dem Ende des Jahres aufgelöst.")
    'not English (looks like German)'
    """
    letters = [c for c in text[:20_000] if c.isalpha()]
    if len(letters) >= 10 and sum(c < "\u0250" for c in letters) < 0.5 * len(letters):
        return "not English (another script)"
    words = re.findall(r"[^\W\d_]+", text[:20_000].lower())
    if len(words) < MIN_WORDS:
        return None
    counts = Counter(words)
    hits = {language: sum(counts[w] for w in profile) for language, profile in STOP_WORDS.items()}
    best = max(hits, key=lambda language: hits[language])
    clear = hits[best] >= max(3, 0.15 * len(words)) and hits[best] >= 2 * hits["English"] + 2
    return f"not English (looks like {best})" if clear else None
