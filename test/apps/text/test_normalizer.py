"""Written English as it is read; what is refused; what stays as it was."""

import random

import pytest

from espnet_uniwav.apps.phones.lexicon import pronounce, tokenize
from espnet_uniwav.apps.text.characters import LONGEST_TEXT, check_english, check_text
from espnet_uniwav.apps.text.normalizer import normalize
from espnet_uniwav.apps.text.numbers import roman
from espnet_uniwav.apps.text.write_out import write_out
from espnet_uniwav.apps.text.written_forms import MONEY

READ = """
3.14 and 1,234 | three point one four and one thousand, two hundred thirty-four
.5 of -5 | point five of minus five
the 1990s and '80s | the nineteen nineties and eighties
1/2 cup, 3 3/4 inches | one half cup, three and three quarters inches
3½ of 10-20 | three and one half of ten to twenty
on 3/4/2021 | on March fourth, twenty twenty-one
2021-03-04 | March fourth, twenty twenty-one
Jan. 5th, 1999 | January fifth, nineteen ninety-nine
the 5 January 2021 | the fifth of January twenty twenty-one
13/45/2021 | thirteen slash forty-five slash twenty twenty-one
at 5:30 p.m. we ate | at five thirty P.M we ate
until 5 p.m. We ate. | until five P.M. We ate.
at 17:05 or 5:00 | at seventeen oh five or five o'clock
$1.01, £1,200 | one dollar, one cent, one thousand, two hundred pounds
$5 million, €2.5bn | five million dollars, two point five billion euros
5kg, 1 km/h, 20 m² | five kilograms, one kilometer per hour, twenty square meters
5 kg/m³ | five kilograms per cubic meter
20 °C, 50%, 6 ft. tall | twenty degrees Celsius, fifty percent, six feet tall
2 in a row, 5 in. long | two in a row, five inches long
call 555-1234 | call five five five, one two three four
World War II, Henry VIII | World War two, Henry the eighth
No. 5 vs. #3 | number five versus number three
e.g. St. John on Main St. | for example saint John on Main Street
J. R. R. Tolkien, A4, MP3 | J R R Tolkien, ay four, M P three
www.a-b.com me@x.org | w w w dot a dash b dot com me at x dot org
one—two--three...four | one, two, three. four
The end.Start; item(s), b.com | The end. Start; item s), b dot com
see foo.com | see foo dot com
R&D & AT&T | R and D and ay T and T
“PDF” – it’s v1.2.3 | "P D F" – it's v one point two point three
"""


@pytest.mark.parametrize("pair", READ.strip().splitlines())
def test_read(pair):
    written, read = pair.split(" | ")
    assert " ".join(normalize(written).split()) == read
    assert normalize(normalize(written)) == normalize(written)


@pytest.mark.parametrize(
    "text",
    (
        "Dr. Smith, it's 42! In 1905, 2000, 2005 and 2010; 12345 of the 21st.",
        "I'LL SEE MR SMITH AND MRS JONES OF CHAPTER TEN, SHH",
        "She'd said: 'tis well-known (so) - isn't it? $250 or £3",
        "That was apt. He said no. The Sun. It did one more rep. So there.",
        "we'll go to a part i like, in section one ii",
    ),
)
def test_what_was_read_before_is_read_as_before(text):
    assert normalize(text) == write_out(text)


@pytest.mark.parametrize(
    "text, said",
    [
        ("Hi \U0001f600!", "U\\+1F600 GRINNING FACE at character 4; write"),
        ("a \u043c\u0438\u0440", "U\\+043C CYRILLIC SMALL LETTER EM at character 3, "),
        ("\u4f60\u597d", "U\\+4F60 CJK UNIFIED"),
        ("x \u0665", "ARABIC-INDIC DIGIT FIVE"),
        ("so " + "a" * 61, "at character 4 has 61 characters: expected words of at"),
        ("\u00fe\u0259", "U\\+0259 LATIN SMALL LETTER SCHWA at character 2; write"),
        ("1-" * 50000, "has 100000 characters"),
    ],
)
def test_foreign_characters_are_named(text, said):
    with pytest.raises(ValueError, match=said):
        normalize(text)


@pytest.mark.parametrize(
    "text, said",
    [
        ("a\0b\x1bc", "U\\+0000 at character 2, U\\+001B at character 4; remove"),
        ("a\u202eb", "U\\+202E RIGHT-TO-LEFT OVERRIDE at character 2"),
        ("a\udc80", "U\\+DC80 at character 2"),
        ("a" * (LONGEST_TEXT + 1), "1000001 characters: expected at most 1000000"),
    ],
)
def test_control_characters_and_length(text, said):
    with pytest.raises(ValueError, match=said):
        check_text(text)
    check_text("tab\tand\r\nline")


def check_that_it_is_read(text):
    read = normalize(text)
    for _, word in tokenize(read):
        pronounce(word, lambda word: None, list)
    assert normalize(read) == read


def test_every_known_character_is_read_anywhere():
    parts = []
    for character in sorted(set(map(chr, range(32, 0x2600))) - {*MONEY}):
        try:
            check_text(character)
            check_english(character)
        except ValueError:
            continue
        for form in ("ab{0}cd", "1{0}2 {0}a{0}", "'{0}a.{0}'b", "A{0}1 1{0}A"):
            parts.append(form.format(character))
    assert len(parts) > 4000
    check_that_it_is_read(" ".join(parts))


PIECES = [*"abAB.,;:!?'\"()-/&%@#*_+=<>[]|\\^~01239 \n", "the", "The", "Dr.", "St."]
PIECES += "U.S. e.g. p.m. 12 1990 3.5 1,234 5kg M k s 's th http:// www. x.org".split()
PIECES += (
    "AT&T ... \u2014 \u2026 \u00bd \u00b2 \u00b0 \u03bc \u00e9 \u0301 \u2019".split()
)
PIECES += ["Jan", "VIII", "Henry", "No.", "vs.", "etc.", "million", "+1", "555", "$5 "]


def test_whatever_is_written_is_read_once_and_for_all():
    draw = random.Random(0)
    for _ in range(1000):
        text = "".join(draw.choices(PIECES, k=draw.randint(1, 8)))
        if "$" not in text:
            check_that_it_is_read(text)


@pytest.mark.parametrize("sign", MONEY)
def test_no_money_is_dropped(sign):
    forms = ["{0}5", "{0} 5", "5{0}", "5 {0}", "{0}.5", "{0}-5", "-{0}5", "{0}1-2"]
    forms += ["1-2{0}", "{0}5k", "5k{0}", "US{0}5", "{0}5/kg", "5.50{0}", "1,000 {0}"]
    around = ["{}", "a{}", "{}a", "({})", "x {}.", '"{}"', "{}, 5", "5, {}", "{}/day"]
    around += ["{}\n5", "at 5:00 {}", "on May {}", "{} a b", "{}-", "{}%", "{}+1"]
    names = {name for name in MONEY[sign] if name}
    for text in (a.format(f.format(sign)) for f in forms for a in around):
        try:
            read = normalize(text)
        except ValueError as error:
            assert "at character" in str(error)
        else:
            assert names & set(tokenize_plainly(read)), (text, read)


def tokenize_plainly(text):
    return [word for _, part in tokenize(text) for word in part.split("-")]


@pytest.mark.parametrize(
    "text, place",
    [
        ("It costs $1,00 now", "at character 10, in 'It costs $1,00 now'"),
        ("\u2026 \u00bd 1.000,50 \u20ac", "at character 12, in .*1.000,50 "),
        ("10:30\u20ac", "at character 5, "),
        ("a lot: 5$10", "at character 9, in 'a lot: 5$10'"),
        ("5,-\u20ac", "at character 1, "),
        ("$1/2, $5-10-15", "at character 1, "),
        ("$5\u20ac", "at character 1, "),
        ("$5--3", "at character 1, "),
    ],
)
def test_money_that_cannot_be_read_is_placed(text, place):
    place = place.replace("$", "[$]")
    with pytest.raises(ValueError, match=f"money that cannot be read {place}"):
        normalize(text)


def test_long_numbers_are_read_digit_by_digit():
    assert normalize("1" + 15 * "0") == "one" + 15 * " zero"


def test_roman():
    assert [roman(n) for n in ("I", "IV", "XIV", "XLIX", "LXXX")] == [1, 4, 14, 49, 80]
    assert [roman(n) for n in ("", "IIII", "VX", "IC")] == [None] * 4
