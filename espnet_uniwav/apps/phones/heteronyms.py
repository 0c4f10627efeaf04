"""Words of two pronunciations, chosen by the words beside them.

There is no parser: a few words in front of a verb, and a few in front of a noun or an
adjective, decide. Where none of them stands, the word has its more frequent reading.
"""

from __future__ import annotations

from collections.abc import Sequence

# Word: as a verb | as a noun or adjective (a participle of read); * where none decides.
TABLE = """
abuse: AH B Y UW Z | *AH B Y UW S
advocate: AE D V AH K EY T | *AE D V AH K AH T
alternate: AO L T ER N EY T | *AO L T ER N AH T
appropriate: AH P R OW P R IY EY T | *AH P R OW P R IY AH T
approximate: AH P R AA K S AH M EY T | *AH P R AA K S AH M AH T
associate: AH S OW S IY EY T | *AH S OW S IY AH T
attribute: AH T R IH B Y UW T | *AE T R AH B Y UW T
close: K L OW Z | *K L OW S
combine: *K AH M B AY N | K AA M B AY N
conduct: *K AH N D AH K T | K AA N D AH K T
conflict: K AH N F L IH K T | *K AA N F L IH K T
contest: K AH N T EH S T | *K AA N T EH S T
contract: K AH N T R AE K T | *K AA N T R AE K T
convert: *K AH N V ER T | K AA N V ER T
coordinate: *K OW AO R D AH N EY T | K OW AO R D AH N AH T
defect: D IH F EH K T | *D IY F EH K T
deliberate: D IH L IH B ER EY T | *D IH L IH B ER AH T
desert: D IH Z ER T | *D EH Z ER T
duplicate: D UW P L AH K EY T | *D UW P L AH K AH T
elaborate: IH L AE B ER EY T | *IH L AE B R AH T
estimate: EH S T AH M EY T | *EH S T AH M AH T
estimates: EH S T AH M EY T S | *EH S T AH M AH T S
excuse: *IH K S K Y UW Z | IH K S K Y UW S
extract: *IH K S T R AE K T | EH K S T R AE K T
graduate: G R AE JH AH W EY T | *G R AE JH AH W AH T
invalid: IH N V AE L AH D | *IH N V AE L AH D
lead: L IY D | *L IY D
live: *L IH V | L AY V
lives: *L IH V Z | L AY V Z
moderate: M AA D ER EY T | *M AA D ER AH T
object: AH B JH EH K T | *AA B JH EH K T
objects: AH B JH EH K T S | *AA B JH EH K T S
perfect: P ER F EH K T | *P ER F IH K T
present: P R IY Z EH N T | *P R EH Z AH N T
presents: P R IY Z EH N T S | *P R EH Z AH N T S
produce: *P R AH D UW S | P R OW D UW S
progress: P R AH G R EH S | *P R AA G R EH S
project: P R AH JH EH K T | *P R AA JH EH K T
projects: P R AH JH EH K T S | *P R AA JH EH K T S
protest: P R AH T EH S T | *P R OW T EH S T
read: R IY D | *R EH D
rebel: R IH B EH L | *R EH B AH L
record: R AH K AO R D | *R EH K ER D
records: R AH K AO R D Z | *R EH K ER D Z
refund: R IH F AH N D | *R IY F AH N D
refuse: *R AH F Y UW Z | R EH F Y UW S
reject: *R IH JH EH K T | R IY JH EH K T
resume: *R IH Z UW M | R EH Z AH M EY
separate: S EH P ER EY T | *S EH P R AH T
tear: T EH R | *T IH R
use: *Y UW Z | Y UW S
uses: *Y UW Z IH Z | Y UW S IH Z
wind: W AY N D | *W IH N D
winds: W AY N D Z | *W IH N D Z
"""
AUXILIARIES = set(
    "to will would shall should can cannot could may might must do does did let let's "
    "please don't doesn't didn't won't wouldn't shouldn't can't couldn't mustn't i'll "
    "you'll he'll she'll it'll we'll they'll i'd you'd he'd she'd we'd they'd".split()
)
SUBJECTS = set("i you we they".split())
THIRD_PERSON = set("he she it who which".split())
PERSONS = SUBJECTS | THIRD_PERSON
OBJECTS = set("the a an my your his her its our their it them him me us".split())
# Determiners, prepositions, and forms of be and have; then adverbs of degree.
OTHERS = set(
    "a an the this these those my your his her its our their no any each every some "
    "another of in on at by for with from into without is are was were be been being "
    "am isn't aren't wasn't weren't it's that's he's she's i'm you're we're they're "
    "have has had having i've you've we've they've hasn't haven't hadn't "
    "very so too as more most less quite rather".split()
)


def _read_table() -> dict[str, tuple[list[str], list[str], list[str]]]:
    """Word -> phones of the verb, of the noun, and where nothing decides."""
    words = {}
    for row in TABLE.split("\n")[1:-1]:
        word, _, both = row.partition(": ")
        readings = both.split(" | ")
        verb, noun = (own.strip("*").split() for own in readings)
        words[word] = verb, noun, verb if readings[0][0] == "*" else noun
    return words


WORDS = _read_table()


def choose_reading(words: Sequence[str], index: int) -> list[str] | None:
    """Phones of a word of two pronunciations by its neighbours.

    Args:
        words: Of a phrase, as ``tokenize`` returns them.
        index: Of the word.

    Returns:
        Phones; None if the table does not hold the word.
    """
    word = words[index].strip("'")
    if word not in WORDS:
        return None
    second, first = (words[n] if n >= 0 else "" for n in (index - 2, index - 1))
    after = words[index + 1] if index + 1 < len(words) else ""
    verb, noun, usual = WORDS[word]
    if first in AUXILIARIES or (second in AUXILIARIES and first in PERSONS):
        return verb
    if first in OTHERS:
        return noun
    if word == "read":  # present or past
        return verb if not first else usual
    if first in SUBJECTS or (first in THIRD_PERSON and word[-1] == "s"):
        return verb
    return verb if after in OBJECTS else usual
