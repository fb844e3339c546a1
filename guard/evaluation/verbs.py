"""English verbs and their forms: a closed list, regular spelling, irregular forms.

Knows nothing about sentences.
"""

from __future__ import annotations

# Base forms; + doubles the last letter before -ed.
_REGULAR = """abandon abolish accept accompany achieve acquire acquit+ adapt add address admit+ adopt advise affect
agree aim allocate allow annex announce appear apply appoint approve argue arrest arrive ask assassinate assign
assist assume attack attempt attend attract audit award ban+ base beat become begin believe belong besiege betray
block borrow bring build bury buy calculate call capture carry catch cause celebrate chair change charge choose
claim climb close coach collaborate collect colonize combine commission commit compete complete compose comprise
conceal concern conduct configure confirm connect conquer consider consist construct contain continue contribute
control+ convert convict cook cost cover create criticize cross damage deal decide declare decline decrease defeat
defend define deliver demolish demonstrate demote deny depart depend depict deploy derive describe deserve design
destroy determine develop die direct disable disappear discourage discover discuss dismiss display dissolve divide
dominate donate draw drink drive drop+ earn eat edit elect eliminate emerge employ enable encourage encrypt end
endanger enjoy enter escape establish evaluate exceed exclude execute exist expand expect experience explain explore
export express extend face fail fall fear feature feel fight file fill film find finish fit+ flee fly focus follow
forbid force forget form found function fund gain generate get give go govern graduate grant grow handle happen hate
head help hire hold host identify illustrate impact import imprison improve include incorporate increase indemnify
indicate influence inform inherit inspire install introduce invade invent invest investigate invite invoice involve
join keep kill know lack last launch lay lead learn lease leave legalize lend lie limit live lock lose love lower
maintain make manage manufacture mark marry mean measure meet mention mentor merge monitor move murder narrate need
negotiate note notify obtain occupy occur+ offer open operate oppose orbit order organise organize originate outlive
outrank outsell oversee overthrow own paint participate pass pay perform permit+ persuade pioneer place plan+ play
portray possess practice praise precede predate predict prefer+ prepare present preserve prevent process produce
prohibit promote propose protect prove provide publish purchase pursue raise range reach read rebuild receive
recognize recommend record recover reduce refer+ refuse reimburse reject relate release rely remain remember remove
renew renounce rent repel+ replace report represent request require rescue resemble resign resolve respond restart
restore result retain retire return reveal review ride rise rule run save say schedule score see seek seem sell send
separate serve set settle share ship shoot show shrink sign sing sink sit speak specialize spend sponsor spread
stand star+ start state stay steal stop+ store strengthen strike struggle study submit+ succeed sue suffer suggest
supervise supply support surrender survive take teach tell tend terminate testify think threaten train transform
transport travel treat try turn undergo understand undertake underwrite unite unlock update upgrade use value vary
verify violate visit vote walk want warn watch weaken wear weigh win withdraw witness work worsen worship write
yield"""
# Base, past, past participle.
_IRREGULAR = """arise/arose/arisen beat/beat/beaten become/became/become begin/began/begun bring/brought/brought
build/built/built buy/bought/bought catch/caught/caught choose/chose/chosen cost/cost/cost deal/dealt/dealt
draw/drew/drawn drink/drank/drunk drive/drove/driven eat/ate/eaten fall/fell/fallen feel/felt/felt
fight/fought/fought find/found/found flee/fled/fled fly/flew/flown forbid/forbade/forbidden forget/forgot/forgotten
get/got/gotten give/gave/given go/went/gone grow/grew/grown hold/held/held keep/kept/kept know/knew/known
lay/laid/laid lead/led/led learn/learned/learned leave/left/left lend/lent/lent lie/lay/lain lose/lost/lost
make/made/made mean/meant/meant meet/met/met outsell/outsold/outsold oversee/oversaw/overseen
overthrow/overthrew/overthrown pay/paid/paid prove/proved/proven read/read/read rebuild/rebuilt/rebuilt
ride/rode/ridden rise/rose/risen run/ran/run say/said/said see/saw/seen seek/sought/sought sell/sold/sold
send/sent/sent set/set/set shoot/shot/shot show/showed/shown shrink/shrank/shrunk sing/sang/sung sink/sank/sunk
sit/sat/sat speak/spoke/spoken spend/spent/spent spread/spread/spread stand/stood/stood steal/stole/stolen
strike/struck/struck take/took/taken teach/taught/taught tell/told/told think/thought/thought
undergo/underwent/undergone understand/understood/understood undertake/undertook/undertaken
underwrite/underwrote/underwritten wear/wore/worn win/won/won withdraw/withdrew/withdrawn write/wrote/written"""
PARTICIPLES_ONLY = frozenset("born bred been done".split())


def past(base: str, doubled: bool = False) -> str:
    """The regular past.

    >>> past("carry"), past("move"), past("stop", doubled=True)
    ('carried', 'moved', 'stopped')
    """
    if base.endswith("e"):
        return base + "d"
    if base.endswith("y") and base[-2] not in "aeiou":
        return base[:-1] + "ied"
    return base + (base[-1] if doubled else "") + "ed"


def third(base: str) -> str:
    """The third person singular.

    >>> third("carry"), third("reach"), third("go")
    ('carries', 'reaches', 'goes')
    """
    if base.endswith("y") and base[-2] not in "aeiou":
        return base[:-1] + "ies"
    return base + ("es" if base.endswith(("s", "x", "z", "ch", "sh", "o")) else "s")


_DOUBLED = {word.rstrip("+"): word.endswith("+") for word in _REGULAR.split()}
_REGULAR_PAST = {base: past(base, doubled) for base, doubled in _DOUBLED.items()}
_TRIPLES = [triple.split("/") for triple in _IRREGULAR.split()]
PAST = _REGULAR_PAST | {base: form for base, form, _ in _TRIPLES}  # base -> past
PARTICIPLE = _REGULAR_PAST | {base: form for base, _, form in _TRIPLES}  # base -> past participle
THIRD = {base: third(base) for base in PAST}  # base -> third person singular
BASE_OF_PAST = {form: base for base, form in PAST.items()}
BASE_OF_PARTICIPLE = {form: base for base, form in PARTICIPLE.items()}
BASE_OF_THIRD = {form: base for base, form in THIRD.items()}


def is_participle(word: str) -> bool:
    return word in BASE_OF_PARTICIPLE or word in PARTICIPLES_ONLY or (word.endswith("ed") and len(word) > 4)
