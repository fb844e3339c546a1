"""Word lists of the edits: opposites, synonyms, what blocks or licenses them, actors, names of places and people.

Knows nothing about sentences.
"""

from __future__ import annotations

from .english import either


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


def _table(text: str) -> dict[str, str]:
    """Read lines of "word: pattern"."""
    return dict(line.split(": ", 1) for line in text.strip().splitlines())


# Antonyms of "is X" and "is a(n) X"; contraries and complements of one scale.
PREDICATE_ANTONYMS = opposites(
    """mandatory/optional required/optional compulsory/voluntary enabled/disabled active/inactive
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
)
# Verbs, by their base forms; `VERB_NEEDS` says what must follow where the verb has other senses.
VERB_ANTONYMS = opposites(
    """accept/reject approve/reject allow/forbid permit/prohibit include/exclude increase/decrease
gain/lose win/lose encourage/discourage strengthen/weaken improve/worsen import/export enable/disable buy/sell
purchase/sell love/hate remember/forget expand/shrink raise/lower confirm/deny admit/deny attack/defend
praise/criticize legalize/ban hire/dismiss lock/unlock attract/repel lend/borrow rise/fall
grow/shrink promote/demote acquit/convict unite/divide protect/endanger reveal/conceal"""
)
SUPERLATIVES = opposites(
    """largest/smallest biggest/smallest highest/lowest tallest/shortest longest/shortest
oldest/youngest oldest/newest best/worst strongest/weakest fastest/slowest richest/poorest deepest/shallowest
heaviest/lightest most/least earliest/latest first/last northernmost/southernmost easternmost/westernmost
hottest/coldest wettest/driest widest/narrowest busiest/quietest brightest/faintest"""
)
COMPARATIVES = opposites(
    """larger/smaller bigger/smaller higher/lower taller/shorter longer/shorter older/younger
better/worse stronger/weaker faster/slower richer/poorer deeper/shallower heavier/lighter more/less
greater/smaller earlier/later warmer/colder hotter/colder wider/narrower brighter/fainter"""
)
PHRASE_ANTONYMS = opposites(
    """north of/south of|east of/west of|northeast of/southwest of|northwest of/southeast of|
northern part/southern part|eastern part/western part|north side/south side|east side/west side|
north bank/south bank|west coast/east coast|left side/right side|left bank/right bank|
northern hemisphere/southern hemisphere|at the beginning of/at the end of|at the start of/at the end of|
shortly before/shortly after|immediately before/immediately after|upstream of/downstream of|
an increase in/a decrease in|a rise in/a fall in|in favor of/in opposition to|in favour of/in opposition to|
in support of/in opposition to|with the help of/without the help of|with the consent of/without the consent of|
with the approval of/without the approval of|with the permission of/without the permission of|
free of charge/for a fee|in person/remotely|on foot/by car|by hand/by machine|upper half/lower half|
in the morning/in the evening|the majority of/a minority of|the top of/the bottom of|included in/excluded from""",
    "|",
)
# "X is legal" = "X is not illegal": nothing lies between the two.
COMPLEMENTS = opposites(
    """legal/illegal lawful/unlawful valid/invalid possible/impossible complete/incomplete
correct/incorrect available/unavailable active/inactive visible/invisible reversible/irreversible
necessary/unnecessary eligible/ineligible compatible/incompatible accurate/inaccurate sufficient/insufficient
aware/unaware able/unable constitutional/unconstitutional finite/infinite accessible/inaccessible
married/unmarried relevant/irrelevant mortal/immortal"""
)
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
_WON = rf"(?:the|his|her|their|its|an?) (?:[\w'’\-]+ ){{0,4}}?{_PRIZES}s?"
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
""".replace("WON", _WON)
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
CONTINENTS = frozenset(
    ("Africa", "Asia", "Europe", "America", "Antarctica", "Oceania", "Australasia", "North America", "South America",
     "Central America", "South Asia", "East Asia", "Southeast Asia", "Central Europe", "Eastern Europe",
     "Western Europe", "Northern Europe")
)  # fmt: skip
FIRST_NAMES = frozenset(
    """Adam Alan Albert Alexander Alfred Alice Amy Andrew Angela Anna Anne Anthony Arthur Barbara Ben
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
Wayne Wilhelm William Zoe""".split()
)
