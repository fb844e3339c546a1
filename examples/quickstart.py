"""Check three retrieved passages for contradictions.  Runs offline."""

from guard import Guard, Passage

passages = [
    Passage("handbook", "Full-time employees receive 25 days of paid annual leave per year.", {"date": "2024-01-15"}),
    Passage("amendment", "Full-time employees receive 28 days of paid annual leave per year.", {"date": "2025-04-01"}),
    Passage("portal", "Leave is booked in the staff portal.", {"date": "2024-06-01"}),
]
verdict = Guard().check(passages)
print(verdict.status)
for conflict in verdict.conflicts:
    print(f"{conflict.type} ({conflict.score:.2f}): {conflict.a.text!r} / {conflict.b.text!r}")
    print(f"  {conflict.explanation}")
print(verdict.notice)
