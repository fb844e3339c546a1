"""The English that edits of sentences need: tokens, verb forms, the main verb, and curated word lists.

Closed lists and shallow patterns, no tagger: `main_verb` answers only where the shape of the clause leaves no
doubt, and says None otherwise.  Knows nothing about edits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from detectors.values import SPELLED

Change = tuple[int, int, str]  # text[start:end] becomes the string
Changes = Sequence[Change]  # made at once; none overlaps another
TOKEN = re.compile(r"[^\W_]+(?:[.'’\-/&]+[^\W_]+)*|\S")
BE = frozenset("is are was were am".split())
HAVE = frozenset("has have had".split())
MODALS = frozenset("will would can must should shall".split())
AUXILIARIES = BE | HAVE | MODALS
UNSURE = frozenset("may might could ought need dare did does do been being be".split())
DETERMINERS = frozenset("the a an this that these those".split())
POSSESSIVES = frozenset("its his her their our my your".split())
PRONOUNS = frozenset("i you he she it we they".split())
OBJECTS = frozenset("him them me us".split())
PREPOSITIONS = frozenset(
    "in on at by for from with within of to into under over during between among against about around across through "
    "throughout as near along above below after before since until upon onto toward towards via per like "
    "without".split()
)
SUBORDINATORS = frozenset(
    "who whom whose which that when if while because although though as since after before where whether what how why "
    "than unless until once to so but or nor and".split()
)
EXISTENTIAL = frozenset("some many several few various certain other another one most numerous".split())
QUANTIFIED = EXISTENTIAL | frozenset(
    "each every all both no none neither either any half only anyone anybody everyone everybody someone somebody "
    "nobody everything anything something nothing".split()
)
FREQUENCY = frozenset(
    "often sometimes occasionally frequently partly partially mostly mainly largely rarely typically usually "
    "generally".split()
)

_VERBS = """abandon abolish accept accompany achieve acquire acquit+ adapt add address admit+ adopt advise affect
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
# Forms that are more often something else: nouns, participles of other verbs, fixed phrases.
_DOUBTFUL = frozenset("lay read set cost spread shot found felt mean like saw left".split())
MOVES = frozenset("increase decrease rise fall grow shrink drop decline climb".split())
PARTICIPLES_ONLY = frozenset("born bred been done shown seen given known taken".split())


def past(base: str, doubled: bool = False) -> str:
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


PAST: dict[str, str] = {}  # base -> past
PARTICIPLE: dict[str, str] = {}  # base -> past participle
for _word in _VERBS.split():
    _base = _word.rstrip("+")
    PAST[_base] = PARTICIPLE[_base] = past(_base, _word.endswith("+"))
for _triple in _IRREGULAR.split():
    _base, PAST[_base], PARTICIPLE[_base] = _triple.split("/")
THIRD = {b: third(b) for b in PAST}
BASE_OF_PAST = {p: b for b, p in PAST.items()}
BASE_OF_THIRD = {t: b for b, t in THIRD.items()}
PARTICIPLES = frozenset(PARTICIPLE.values()) | PARTICIPLES_ONLY


def either(words: str) -> str:
    """A pattern of one of the words.

    >>> either("led won")
    '(?:led|won)'
    """
    return f"(?:{'|'.join(words.split())})"


@dataclass(frozen=True, slots=True)
class Token:
    """A word or a sign.  ``text == sentence[start:end]``; ``low`` is lower-cased."""

    text: str
    low: str
    start: int
    end: int

    @property
    def is_word(self) -> bool:
        return self.text[0].isalnum()

    @property
    def is_capital(self) -> bool:
        return self.text[0].isupper()


@dataclass(frozen=True, slots=True)
class MainVerb:
    """The finite verb of the main clause: ``tokens[at]``, its subject ``tokens[first:at]``. ``form`` is ``aux``
    (be, have, a modal), ``past``, ``third`` or ``base``; ``base`` is the verb's base form."""

    first: int
    at: int
    form: str
    base: str


@lru_cache(maxsize=4096)
def tokens(sentence: str) -> tuple[Token, ...]:
    return tuple(Token(m.group(), m.group().lower(), *m.span()) for m in TOKEN.finditer(sentence))


def is_participle(word: str) -> bool:
    return word in PARTICIPLES or (word.endswith("ed") and len(word) > 4)


def is_adverb(word: str) -> bool:
    return word.endswith("ly") and word not in ("only", "family", "supply", "apply", "early", "italy", "assembly")


@lru_cache(maxsize=4096)
def main_verb(sentence: str) -> MainVerb | None:
    """Return the finite verb of the first main clause, or None when the clause is not plainly shaped.

    >>> found = main_verb("In 2019, the firm moved to Lyon.")
    >>> tokens("In 2019, the firm moved to Lyon.")[found.at].text
    'moved'
    """
    toks = tokens(sentence)
    first = _subject_start(toks)
    if first is None:
        return None
    for at in range(first, min(len(toks) - 1, first + 12)):
        low = toks[at].low
        if at > first and low in AUXILIARIES:
            return MainVerb(first, at, "aux", low) if _plain_subject(toks[first:at]) else None
        if at > first and (low in BASE_OF_PAST or low in BASE_OF_THIRD or low in PAST):
            found = _lexical(toks, first, at)
            if found or not _attributive(toks, at):
                return found
        if low in UNSURE or (low in SUBORDINATORS and low not in ("and", "as")) or not (toks[at].is_word):
            return None
    return None


def _subject_start(toks: tuple[Token, ...]) -> int | None:
    """Skip one fronted phrase: "In 2019, …", "On May 3, 2019, …", "However, …"."""
    if not toks or not toks[0].is_word:
        return None
    if toks[0].low not in PREPOSITIONS | {"however", "today", "additionally", "following", "despite", "also"}:
        return 0
    for at, tok in enumerate(toks[:12]):
        if tok.text == "," and at + 1 < len(toks) and not toks[at + 1].text.isdigit():
            return at + 1
        if at and (
            tok.low in SUBORDINATORS - PREPOSITIONS or tok.low in AUXILIARIES or not (tok.is_word or tok.text == ",")
        ):
            return None
    return None


def _plain_subject(subject: tuple[Token, ...]) -> bool:
    """Whether the words before a verb are one noun phrase: no second clause begins inside."""
    if any(t.low in SUBORDINATORS and t.low != "and" for t in subject):
        return False
    for before, tok in pairwise(subject):
        begins = tok.low in DETERMINERS | POSSESSIVES | PRONOUNS | OBJECTS
        if begins and before.low not in PREPOSITIONS | {"and", "all", "both", "half"}:
            return False
        if before.low in PRONOUNS and tok.low != "and" and not is_adverb(tok.low):
            return False
    return subject[-1].low not in DETERMINERS | POSSESSIVES | PREPOSITIONS | {"and"}


def _attributive(toks: tuple[Token, ...], at: int) -> bool:
    """Whether the verb form may be a noun or participle of the subject: "the method used in Rome is"."""
    return toks[at].low.endswith(("ed", "s")) or toks[at - 1].low in DETERMINERS | POSSESSIVES


def _lexical(toks: tuple[Token, ...], first: int, at: int) -> MainVerb | None:
    """The verb at ``at`` when subject, form and the words after it agree."""
    subject, low = toks[first:at], toks[at].low
    after = toks[at + 1] if at + 1 < len(toks) else None
    if after is None or low in _DOUBTFUL or toks[at].is_capital or not _plain_subject(subject):
        return None
    if (after.low == "to" and low == "used") or after.low in AUXILIARIES | UNSURE or after.text == "-":
        return None
    head = subject[-1].low
    pronoun = subject[0].low if len(subject) == 1 else ""
    if is_adverb(head) or head in ("also", "not", "never", "then", "often", "still", "always"):
        return None
    if pronoun not in PRONOUNS and _aux_follows(toks, at):
        return None
    if low in BASE_OF_PAST:
        by = after.low == "by" and BASE_OF_PAST[low] not in MOVES  # "the method used by X is"
        if pronoun in PRONOUNS or (not by and _complement(after)):
            return MainVerb(first, at, "past", BASE_OF_PAST[low])
        return None
    if low in BASE_OF_THIRD:
        singular = pronoun in ("he", "she", "it") or (not pronoun and not _plural(head)) or subject[-1].is_capital
        return MainVerb(first, at, "third", BASE_OF_THIRD[low]) if singular and _complement(after) else None
    noun = _plural(head) and (len(subject) == 1 or head not in BASE_OF_THIRD)  # not "takes place"
    plural = pronoun in ("they", "we", "i", "you") or (pronoun not in PRONOUNS and noun)
    return MainVerb(first, at, "base", low) if plural and _complement(after) else None


def _aux_follows(toks: tuple[Token, ...], at: int) -> bool:
    for tok in toks[at + 1 : at + 12]:
        if tok.low in AUXILIARIES | UNSURE and not tok.is_capital:  # the month of May
            return True
        if not tok.is_word or tok.low in ("and", "but", "that", "which", "who", "because", "when", "while", "where"):
            return False
    return False


COMPLEMENT = frozenset("that all over north south east west northeast northwest southeast southwest".split())


def _complement(after: Token) -> bool:
    """Whether a word can follow a verb, and hardly the noun that the verb form might be."""
    known = DETERMINERS | POSSESSIVES | PREPOSITIONS | OBJECTS | PRONOUNS | SPELLED.keys() | COMPLEMENT
    return after.low in known or after.text[0].isdigit() or after.is_capital or is_adverb(after.low)


def _plural(word: str) -> bool:
    return word in ("people", "women", "men", "children", "staff", "police") or (
        len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is"))
    )


def is_plural(word: str) -> bool:
    """Whether a noun looks plural."""
    return _plural(word.lower())


def capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def article_for(word: str) -> str:
    """The indefinite article before a word of the lists below."""
    return (
        "an"
        if word[:1].lower() in "aeiou"
        and not word.startswith(("univers", "unique", "unit", "unif", "use", "one", "eu"))
        else "a"
    )


# Antonyms of "is X" and "is a(n) X"; contraries and complements of one scale.
PREDICATE_ANTONYMS = """mandatory/optional required/optional compulsory/voluntary enabled/disabled active/inactive
legal/illegal lawful/unlawful valid/invalid available/unavailable possible/impossible complete/incomplete
correct/incorrect true/false safe/unsafe dangerous/harmless stable/unstable reliable/unreliable
successful/unsuccessful accurate/inaccurate visible/invisible reversible/irreversible refundable/non-refundable
taxable/tax-exempt renewable/non-renewable transferable/non-transferable encrypted/unencrypted permanent/temporary
public/private internal/external domestic/foreign open/closed empty/full wet/dry hot/cold warm/cool rich/poor
wealthy/poor young/old tall/short narrow/wide shallow/deep thick/thin heavy/light large/small huge/tiny big/small
fast/slow quick/slow high/low strong/weak loud/quiet easy/difficult simple/complex cheap/expensive
inexpensive/costly rare/common popular/unpopular famous/unknown important/unimportant necessary/unnecessary
essential/unnecessary relevant/irrelevant significant/insignificant useful/useless effective/ineffective
efficient/inefficient similar/dissimilar identical/different alive/dead healthy/unhealthy guilty/innocent
friendly/hostile positive/negative male/female vertical/horizontal northern/southern eastern/western urban/rural
natural/artificial solid/liquid fertile/infertile aware/unaware able/unable willing/unwilling eligible/ineligible
clear/unclear present/absent allowed/forbidden permitted/prohibited included/excluded approved/rejected
accepted/rejected supported/unsupported restricted/unrestricted unlimited/limited armed/unarmed
inhabited/uninhabited insured/uninsured salaried/unpaid synchronous/asynchronous manual/automatic
read-only/writable online/offline poisonous/edible carnivorous/herbivorous nocturnal/diurnal
democratic/undemocratic fictional/real literate/illiterate mortal/immortal sufficient/insufficient
adequate/inadequate acceptable/unacceptable appropriate/inappropriate suitable/unsuitable compatible/incompatible
profitable/unprofitable accessible/inaccessible flammable/non-flammable toxic/non-toxic linear/nonlinear
finite/infinite happy/unhappy religious/secular conservative/liberal optimistic/pessimistic"""
# Verbs, by their base forms; `VERB_NEEDS` says what must follow where the verb has other senses.
VERB_ANTONYMS = """accept/reject approve/reject allow/forbid permit/prohibit include/exclude increase/decrease
gain/lose win/lose encourage/discourage strengthen/weaken improve/worsen import/export enable/disable buy/sell
purchase/sell love/hate remember/forget expand/shrink raise/lower confirm/deny admit/deny attack/defend
praise/criticize legalize/ban hire/dismiss lock/unlock attract/repel lend/borrow rise/fall
grow/shrink promote/demote acquit/convict unite/divide protect/endanger reveal/conceal"""
SUPERLATIVES = """largest/smallest biggest/smallest highest/lowest tallest/shortest longest/shortest
oldest/youngest oldest/newest best/worst strongest/weakest fastest/slowest richest/poorest deepest/shallowest
heaviest/lightest most/least earliest/latest first/last northernmost/southernmost easternmost/westernmost
hottest/coldest wettest/driest widest/narrowest busiest/quietest brightest/faintest"""
COMPARATIVES = """larger/smaller bigger/smaller higher/lower taller/shorter longer/shorter older/younger
better/worse stronger/weaker faster/slower richer/poorer deeper/shallower heavier/lighter more/less
greater/smaller earlier/later warmer/colder hotter/colder wider/narrower brighter/fainter"""
PHRASE_ANTONYMS = """north of/south of|east of/west of|northeast of/southwest of|northwest of/southeast of|
northern part/southern part|eastern part/western part|north side/south side|east side/west side|
north bank/south bank|west coast/east coast|left side/right side|left bank/right bank|
northern hemisphere/southern hemisphere|at the beginning of/at the end of|at the start of/at the end of|
shortly before/shortly after|immediately before/immediately after|upstream of/downstream of|
an increase in/a decrease in|a rise in/a fall in|in favor of/in opposition to|in favour of/in opposition to|
in support of/in opposition to|with the help of/without the help of|with the consent of/without the consent of|
with the approval of/without the approval of|with the permission of/without the permission of|
free of charge/for a fee|in person/remotely|on foot/by car|by hand/by machine|upper half/lower half|
in the morning/in the evening|the majority of/a minority of|the top of/the bottom of|included in/excluded from"""
# "X is legal" = "X is not illegal": nothing lies between the two.
COMPLEMENTS = """legal/illegal lawful/unlawful valid/invalid possible/impossible complete/incomplete
correct/incorrect available/unavailable active/inactive visible/invisible reversible/irreversible
necessary/unnecessary eligible/ineligible compatible/incompatible accurate/inaccurate sufficient/insufficient
aware/unaware able/unable constitutional/unconstitutional finite/infinite accessible/inaccessible
married/unmarried relevant/irrelevant mortal/immortal"""


# Same sense and same grammar; an entry of `BEFORE_NUMBERS` only where a number follows.
_SYNONYMS = """in order to/to|due to/because of|prior to/before|located in/situated in|situated in/located in|
also known as/also called|began to/started to|started to/began to|begins with/starts with|began in/started in|
purchased/bought|numerous/many|a number of/several|took place/happened|takes place/happens|occurred/happened|
attempted to/tried to|attempts to/tries to|attempt to/try to|assisted/helped|assists/helps|utilize/use|
utilizes/uses|utilized/used|utilizing/using|therefore/thus|thus/therefore|as a result of/because of|
despite/in spite of|in spite of/despite|is able to/can|are able to/can|roughly/about|approximately/about|
around/about|about/approximately|nearly/almost|almost/nearly|often/frequently|frequently/often|rarely/seldom|
usually/normally|primarily/mainly|mainly/primarily|initially/at first|subsequently/later|currently/at present|
entire/whole|renowned for/famous for|well known for/famous for|famous for/well known for|annually/every year|
each year/every year|every year/each year|permitted to/allowed to|mandatory/compulsory|compulsory/mandatory|
automobile/car|automobiles/cars|physician/doctor|physicians/doctors|attorney/lawyer|attorneys/lawyers|movie/film|
movies/films|film/movie|films/movies|although/though|assistance/help|in the vicinity of/near|passed away/died|
consists of/is made up of|consist of/are made up of|composed of/made up of|constructed/built|wealthy/rich|
entirely/completely|completely/entirely|regarding/about|via/through|worldwide/around the world|
for instance/for example|is referred to as/is called|are referred to as/are called|the majority of/most of|
nowadays/today|additional/further|in the United States/in the US|throughout the world/around the world|
wholly/entirely|especially/particularly|particularly/especially|immediately/at once|
afterwards/later|toward/towards|towards/toward|refuses to/declines to|refused to/declined to|resides in/lives in|
resided in/lived in|employees/staff members|at the same time/simultaneously|amongst/among|whilst/while|
demonstrates/shows|commences/begins|terminates/ends|terminated/ended|obtains/gets|possesses/has|possess/have|
begins/starts|error/mistake|errors/mistakes|sufficient/enough|vast/huge|enormous/huge|ill/sick|difficult/hard|
rapidly/quickly|quickly/rapidly|swiftly/quickly|largest/biggest|biggest/largest|in the course of/during|
on account of/because of|in addition to/besides|with the exception of/except for"""
SYNONYMS = {one.strip(): two for one, _, two in (pair.partition("/") for pair in _SYNONYMS.split("|"))}
BEFORE_NUMBERS = frozenset("about around roughly approximately nearly almost".split())


def _table(text: str) -> dict[str, str]:
    """Read lines of "word: pattern"."""
    return dict(line.split(": ", 1) for line in text.strip().splitlines())


# What may not follow an adjective for it to have the sense of its antonym: fixed phrases, other senses.
BLOCKED_AFTER = _table(r"""
able: to be
accepted: by|as|into|to|in|that|for
active: in|at|until|from|as|during
allowed: for|by
approved: by|in|for|on|as
armed: forces|with|conflict
big: brother|data|bang|band|enough|break
clear: of|cut|that
closed: by|in|down|off|under|after|for|with|circuit
cold: war|blooded
common: to|law|name|ancestor|knowledge|practice|sense
complete: with|list|works
conservative: party|estimate
dead: sea
deep: sea|south|enough
different: from|types|ways
effective: from|on|as|in (?:19|20)|january|february|march|april|may|june|july|august|september|october|november|december
essential: oil|oils|amino
excluded: from|by
expensive: to
famous: for|as
fast: food
female: and
foreign: policy|minister|affairs
heavy: metal|rail|with|duty
high: school|court|commissioner|priest|profile|quality
hot: dog|spring|springs
identical: twin|twins
important: to note
included: in|as|by|on|with|among
internal: combustion
large: and small|enough|intestine
liberal: party|arts|democrat|democrats
light: \w+ (?:brown|blue|green)|brown|blue|green|gr[ae]y|on|rail|novel|years?|bulb
limited: to|by|edition|company|liability|series
low: german|key|pressure
male: and
natural: number|numbers|gas|history|resource|selection|law|science
negative: number|integer|for
old: english|age|testament|school|man|woman|town|world|enough
open: source|access|to (?:interpretation|debate|question)|market|cluster|air|book|ended
permitted: to
poor: in|quality|law
popular: among|culture|with|music|vote
positive: number|integer|for
present: day|at|when|during
prohibited: from
public: domain|school|relations
real: estate|time|number
rejected: by|as|in|for
religious: studies|order
required: to|by|for|in
restricted: to|by
rich: in|source
short: for|story|stories|film|of|time|lived
simple: to|past|majority
small: intestine|business|enough|number|claims
solid: state
strong: enough|force|interaction
supported: by
tall: tale|and
true: to|that|north|name|story|love|of
warm: and
wet: and
wide: range|variety
young: adult|people|man|woman|enough|offender
""")
_PRIZES = either(
    "game match war battle election title championship cup final race trophy award prize case bid vote series "
    "tournament"
)
WON = rf"(?:the|his|her|their|its|an?) (?:[\w'’\-]+ ){{0,4}}?{_PRIZES}s?"
# What must follow a verb for it to have the sense of its antonym.
VERB_NEEDS = _table(
    r"""
admit: that|to
allow: the|an?|him|us|them|users|members|employees|customers|all|any
attack: the|[A-Z]
attract: the|many
borrow: \$?\d|money
buy: the|its|his|a|\d
confirm: that|the
decrease: the|its|by|from|to|in|with|as
defend: the|[A-Z]
deny: that
divide: the (?:country|nation|party|people|continent)
enable: the|by
encourage: the|its|their|it
exclude: the|all|both
expand: the|its|by|from|to \d|rapidly
fall: by|to \$?\d|from \$?\d|sharply|rapidly
forbid: the|an?|him|us|them|users|members|employees|customers|all|any
gain: the|its|his|control|support|\d
grow: by|rapidly|steadily|from \d|to \$?\d
hire: the|[A-Z]|by
improve: the|its|their|his|in|by|after
include: the|all|both
increase: the|its|by|from|to|in|with|rapidly|as
lend: \$?\d|money
lose: WON
lower: the
promote: to|him|her
protect: the
purchase: the|its|his|a
raise: the|its
rise: by|to|from|in \d|sharply|rapidly
sell: the|its|his|a
shrink: the|by|from|to
strengthen: the|its|their|his
unite: the
win: WON
""".replace("WON", WON)
)
# Verbs of which "A verb B" denies "B verb A", and the nouns that act in contracts and stories.
ASYMMETRIC = """acquire annex arrest assassinate audit beat besiege betray buy capture coach colonize conquer
defeat employ execute found fund hire imprison indemnify invade invoice kill manage mentor murder notify occupy
outlive outrank outsell overthrow own pay precede predate reimburse replace rescue sponsor succeed sue supervise
supply teach train underwrite""".split()
RELATIONS = """father mother son daughter grandson granddaughter grandfather grandmother uncle nephew niece
subsidiary division branch capital suburb predecessor successor student pupil teacher part province tributary moon
member district ancestor descendant founder owner vassal colony""".split()
ROLES = """company firm buyer seller tenant landlord supplier customer employer employee manager contractor client
server licensor licensee lender borrower insurer council committee board government army bank club team court
parliament senate navy king queen emperor president minister teacher student parent subsidiary department agency
university union carrier vendor distributor retailer provider operator controller processor publisher author owner
agent""".split()


def opposites(pairs: str, separator: str | None = None) -> dict[str, tuple[str, ...]]:
    """Read "a/b c/d" both ways.

    >>> opposites("rich/poor wealthy/poor")["poor"]
    ('rich', 'wealthy')
    """
    found: dict[str, tuple[str, ...]] = {}
    for pair in pairs.split(separator):
        one, two = pair.strip().split("/")
        found[one] = (*found.get(one, ()), two)
        found[two] = (*found.get(two, ()), one)
    return found


# --- names -------------------------------------------------------------------------------------------------------

COUNTRIES = frozenset(
    """Afghanistan Albania Algeria Argentina Armenia Australia Austria Azerbaijan Bangladesh Belarus Belgium
Bolivia Bosnia Brazil Bulgaria Cambodia Cameroon Canada Chile China Colombia Croatia Cuba Cyprus Denmark Ecuador
Egypt England Estonia Ethiopia Finland France Germany Ghana Greece Guatemala Honduras Hungary Iceland India
Indonesia Iran Iraq Ireland Israel Italy Jamaica Japan Jordan Kazakhstan Kenya Korea Kuwait Latvia Lebanon Libya
Lithuania Luxembourg Malaysia Mali Malta Mexico Moldova Mongolia Morocco Mozambique Myanmar Nepal Nicaragua
Nigeria Norway Oman Pakistan Panama Paraguay Peru Poland Portugal Qatar Romania Russia Rwanda Scotland Senegal
Serbia Singapore Slovakia Slovenia Somalia Spain Sudan Sweden Switzerland Syria Taiwan Tanzania Thailand Tunisia
Turkey Uganda Ukraine Uruguay Venezuela Vietnam Wales Yemen Zambia Zimbabwe""".split()
)
STATES = frozenset(
    """Alabama Alaska Arizona Arkansas California Colorado Connecticut Delaware Florida Hawaii Idaho Illinois
Indiana Iowa Kansas Kentucky Louisiana Maine Maryland Massachusetts Michigan Minnesota Mississippi Missouri
Montana Nebraska Nevada Ohio Oklahoma Oregon Pennsylvania Tennessee Texas Utah Vermont Virginia
Wisconsin Wyoming""".split()
)
_FIRST = """Adam Alan Albert Alexander Alfred Alice Amy Andrew Angela Anna Anne Anthony Arthur Barbara Ben
Benjamin Bill Brian Carl Carol Catherine Charles Charlie Chris Christian Christina Christopher Claire Clara Daniel
David Deborah Dennis Diana Donald Dorothy Douglas Edgar Edward Elena Elizabeth Ellen Emily Emma Eric Ernest Eva
Eugene Frances Frank Franz Frederick Friedrich Gary George Gerald Grace Gordon Graham Greg Hannah Harold Harry
Helen Henry Howard Hugh Ian Irene Isaac Jack Jackie Jacob James Jane Janet Jason Jean Jeff Jennifer Jessica Jim
Joan Joe Johann John Johnny Jonathan Joseph Joshua Juan Judy Julia Julian Karen Karl Kate Katherine Keith Kelly
Kenneth Kevin Kim Larry Laura Lawrence Leo Leonard Lewis Linda Lisa Louis Louise Lucy Luke Margaret Maria Marie
Mark Martha Martin Mary Matthew Max Michael Michelle Mike Miles Nancy Nathan Neil Nicholas Nick Nicole Nina Norman
Oliver Oscar Patricia Patrick Paul Peter Philip Phil Rachel Ralph Raymond Rebecca Richard Robert Robin Roger
Ronald Rosa Rose Roy Russell Ruth Ryan Sally Samuel Sandra Sarah Scott Sean Sharon Simon Sophie Stanley Stephen
Steve Steven Stuart Susan Sylvia Ted Teresa Theodore Thomas Tim Timothy Tom Tony Victor Victoria Vincent Walter
Wayne Wilhelm William Zoe"""
FIRST_NAMES = frozenset(_FIRST.split())
_CAPS = r"[A-Z][a-z][\w\-]*(?:['’][A-Z]\w+)?"
_SUFFIX = either(
    "University College Institute Company Corporation Corp Inc Ltd GmbH AG LLC Bank Records Studios Pictures Press "
    "Motors Airlines Industries Systems Group"
)
PERSON = re.compile(rf"\b({'|'.join(sorted(FIRST_NAMES))})((?:\s[A-Z]\.)?\s{_CAPS})\b(?!\s[A-Z])")
ORGANISATION = re.compile(rf"\b({_CAPS}(?:\s{_CAPS}){{0,2}}\s{_SUFFIX})\b(?!\s(?:of|[A-Z]))")
PLACE = re.compile(
    rf"\b(?:born|died|city|town|village|located|situated|headquartered|based|buried|capital)\s(?:in|of|near)\s"
    rf"({_CAPS}(?:\s{_CAPS})?)(?=[.,;)]|\s(?:in|on|and|to|is|was)\b)"
)
NOT_PERSONS = frozenset(
    """Street Avenue Road Park University College Hospital Island Islands Airport School Church County City River Lake
    Bay Prize Award Awards Cup Stadium Bridge Castle Palace Museum Theatre Theater Station Square Hall House Company
    Records Day Dynasty Texas York Act Party""".split()
)


@dataclass(frozen=True, slots=True)
class Names:
    """Names of a corpus, guessed by shape and context; each tuple is sorted."""

    persons: tuple[str, ...] = ()
    organisations: tuple[str, ...] = ()
    places: tuple[str, ...] = ()

    @classmethod
    def of(cls, texts: Iterable[str]) -> Names:
        """Collect from texts.

        >>> Names.of(["Alice Brown was born in Leeds."])
        Names(persons=('Alice Brown',), organisations=(), places=('Leeds',))
        """
        persons: set[str] = set()
        organisations: set[str] = set()
        places: set[str] = set()
        for text in texts:
            persons |= {m.group() for m in PERSON.finditer(text) if m[2].split()[-1] not in NOT_PERSONS}
            organisations |= {m[1] for m in ORGANISATION.finditer(text)}
            places |= {m[1] for m in PLACE.finditer(text)}
            places |= {w for w in re.findall(_CAPS, text) if w in COUNTRIES or w in STATES or w in CONTINENTS}
        places = {
            p for p in places - persons - organisations if not FIRST_NAMES & set(p.split()) and p not in _NOT_PLACES
        }
        return cls(*(tuple(sorted(found)) for found in (persons, organisations, places)))

    def like(self, name: str, guess: str = "") -> tuple[str, ...]:
        """Names of the same kind: a country for a country, a state for a state, a person for a person. A name
        that was not collected is what ``guess`` says ("person", "place"), if anything."""
        if name in self.places or (guess == "place" and name not in _NOT_PLACES):
            closed = next((names for names in (COUNTRIES, STATES, CONTINENTS) if name in names), None)
            if closed is not None:
                return tuple(n for n in self.places if n in closed)
            return tuple(n for n in self.places if n not in COUNTRIES | STATES | CONTINENTS)
        if name in self.persons or (guess == "person" and " " in name and name not in self.organisations):
            return self.persons
        return self.organisations if name in self.organisations else ()


CONTINENTS = frozenset(
    ("Africa", "Asia", "Europe", "America", "Antarctica", "Oceania", "Australasia", "North America", "South America",
     "Central America", "South Asia", "East Asia", "Southeast Asia", "Central Europe", "Eastern Europe",
     "Western Europe", "Northern Europe")
)  # fmt: skip
_NOT_PLACES = frozenset(
    "January February March April May June July August September October November December I God The".split()
)
