"""Reports with everything in them: every state, a finding in many places, and passages that attack the format."""

from dataclasses import replace

from detectors.evidence import ConflictType, Unverified, WhyNot
from guard.audit.findings import Finding, LookAlike, Pair, Preference, Quote, Severity, State, fingerprint
from guard.audit.report import Report, Source

CANARY = '</script></style><script>document.title="PWNED"</script><img src=x onerror="document.title=\'PWNED\'">'
HOSTILE = f"{CANARY} --> ]]> ::error::owned [x](1) {{0}} @octocat \x1b[31m\x00 **bold** | a\n# `head` 100% \u202e"


def quote(path, text, line=None, page=None, heading=None):
    return Quote(f"{path}#1", 0, len(text), text, path, line, line, page, heading)


def finding(a, b, type=ConflictType.VALUE, severity=Severity.ERROR, score=0.95, **other):
    id = fingerprint(a.text, b.text)
    settings = {"explanation": '"14" against "30"', "given": None, "preferred": None, "action": "Correct it."}
    return Finding(id, type, severity, score, detectors=("nli",), a=a, b=b, **{**settings, **other})


A, B = quote("docs/a.md", "It lasts 14 days.", 6, heading="Trial"), quote("docs/b c.pdf", "It lasts 30 days.", page=2)
PLAIN = finding(A, B, preferred=Preference("a", "date", "it has the later date: 2024-05-01 against 2023-01-01"))
ACCEPTED = finding(A, A, severity=Severity.NOTE, state=State.ACCEPTED, state_reason="known since May")
SUPPRESSED = finding(B, B, state=State.SUPPRESSED, state_reason="kept for the record (docs/a.md:4)")
NASTY = finding(
    quote(f"docs/{CANARY}.md", HOSTILE, 3, heading=HOSTILE), quote("docs/n,o:t.md", f"not {HOSTILE}", 9),
    ConflictType.CONDITIONAL, Severity.WARNING, given=A, explanation=HOSTILE, action=HOSTILE,
    preferred=Preference("b", "authority", HOSTILE),
)  # fmt: skip
FAR = [quote(f"docs/far-{n}.md", f"It lasts {30 + n} weeks.", n) for n in range(1, 7)]
MANY = replace(
    finding(A, FAR[0], explanation='"14 days" against "31 weeks"'),
    more=(Pair("0" * 16, 0.9, quote("docs/calm.md", A.text, 7), FAR[0]),
          *(Pair(fingerprint(A.text, q.text), 0.8, A, q) for q in FAR[1:])),
)  # fmt: skip
SOURCES = [Source(path, 2) for path in ("docs/a.md", "docs/b c.pdf", NASTY.a.path, NASTY.b.path, "docs/calm.md")]
WIDE = [*SOURCES, *(Source(q.path, 1) for q in FAR)]
EMPTY = Report(SOURCES, ())
FULL = Report(
    SOURCES, (PLAIN, NASTY, ACCEPTED, SUPPRESSED, PLAIN), (LookAlike(WhyNot.SCOPE, 0.3, A, NASTY.a),),
    (Unverified("docs/de.md#1", f"not English {HOSTILE}"),), (f"docs/a.md:3: {HOSTILE}",),
    (f"docs/d.txt: a binary file {HOSTILE}",), stale=1,
)  # fmt: skip
