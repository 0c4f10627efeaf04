"""Lines as people write them, and what is said: the whole of what is read."""

import re

import pytest

from espnet_uniwav.apps.phones.lexicon import pronounce, tokenize
from espnet_uniwav.apps.text.normalizer import normalize

# Below every line what is said.
SAID = """
AT&T's R&D, rock&roll, Q&A, M&Ms and Smith & Sons.
    ay T and T's R and D, rock and roll, Q and ay, M and Ms and Smith and Sons.
"Hello."he said. “No!”she cried. ‘Stop!’ They (all)left.
    "Hello. he said. "No, she cried. 'Stop!' They (all left.
See https://x.org/a?b=c&d=e#f, or http://example.com/p?id=5.
    See x dot org slash a, b equals c and d equals e f, or example dot com slash
    p, id equals five.
Go to b.com, www.x.org/a?q=1&r=2 or github.com/me/it.
    Go to b dot com, w w w dot x dot org slash a, q equals one and r equals two
    or github dot com slash me slash it.
Mail first.last@mail.example.co.uk today.
    Mail first dot last at mail dot example dot co dot uk today.
It costs 5€, 20 $ or 3.50 £ each.
    It costs five euros, twenty dollars or three pounds, fifty pence each.
Tickets are $5-10, $5-$10, 5-10€ or £1.50–2.50.
    Tickets are five to ten dollars, five to ten dollars, five to ten euros or
    one pound, fifty pence to two pounds, fifty pence.
I owe -$5, $-5 and −3.20€.
    I owe minus five dollars, minus five dollars and minus three euros, twenty
    cents.
A $.50 stamp, $0.99, €1,000.50 and $1.01.
    A fifty cents stamp, ninety-nine cents, one thousand euros, fifty cents and
    one dollar, one cent.
They raised $1.5M, $2 M, £3bn and €1.5-2 million.
    They raised one point five million dollars, two million dollars, three
    billion pounds and one point five to two million euros.
US$5, A$10 and $20-a-day for $5/kg or 2€/100 g.
    five U S dollars, ten ay dollars and twenty dollars-a-day for five dollars
    per kilogram or two euros per one hundred grams.
The 1.5M users want 2.5x more, 3.5k in all.
    The one point five million users want two point five x more, three point
    five thousand in all.
A 4K TV, an MP3, a 2.4 GHz CPU and 16GB.
    A four K T V, an M P three, a two point four gigahertz CPU and sixteen
    gigabytes.
Call (555) 123-4567, 555.123.4567 or 555 123 4567.
    Call five five five, one two three, four five six seven, five five five, one
    two three, four five six seven or five five five, one two three, four five
    six seven.
Call +1-800-555-1234 or +44 20 7946 0958.
    Call plus one, eight zero zero, five five five, one two three four or plus
    four four, two zero, seven nine four six, zero nine five eight.
Call 1-800-FLOWERS or 1 800 555 1234 now.
    Call one, eight zero zero, FLOWERS or one, eight zero zero, five five five,
    one two three four now.
Call 020 7946 0958, +442079460958 or 555-1234.
    Call zero two zero, seven nine four six, zero nine five eight, plus four
    four two zero seven nine four six zero nine five eight or five five five,
    one two three four.
My SSN is 123-45-6789, the ISBN 978-3-16-148410-0.
    My S S N is one two three, four five, six seven eight nine, the ISBN nine
    seven eight, three, one six, one four eight four one zero, zero.
We play 4-4-2, and won 3-1 on 12-25-2021.
    We play four, four, two, and won three to one on December twenty-fifth,
    twenty twenty-one.
On Jan. 5th, 1999, at 5:30 p.m. we ate.
    On January fifth, nineteen ninety-nine, at five thirty P.M we ate.
On 3/4/2021 and 2021-03-04, at 17:05 or 5:00.
    On March fourth, twenty twenty-one and March fourth, twenty twenty-one, at
    seventeen oh five or five o'clock.
Mon., Sept. 3, 2012; the 5th of May 2010; May 2010.
    Monday, September third, twenty twelve; the fifth of May twenty ten; May
    twenty ten.
Meet me at 10 a.m. or 7PM, noon to 12:30.
    Meet me at ten A.M or seven P.M, noon to twelve thirty.
The 1990s, '80s, mid-2010s and 1800s.
    The nineteen nineties, eighties, mid-twenty tens and eighteen hundreds.
It was 1905, 2000, 2005 and 2024; 1,024 is a number.
    It was nineteen oh five, two thousand, two thousand five and twenty
    twenty-four; one thousand twenty-four is a number.
1st, 2nd, 21st-century, 1,001st and the 100th.
    first, second, twenty-first-century, one thousand and first and the one
    hundredth.
½ cup, 3½, 2 3/4 inches and 50/50; 24/7.
    one half cup, three and one half, two and three quarters inches and fifty
    over fifty; twenty-four over seven.
-40 °C is -40°F; 98.6 °F, a 45° angle.
    minus forty degrees Celsius is minus forty degrees Fahrenheit; ninety-eight
    point six degrees Fahrenheit, a forty-five degrees angle.
5 kg, 10 km/h, 20 m², 5 kg/m³, 3.5 m/s.
    five kilograms, ten kilometers per hour, twenty square meters, five
    kilograms per cubic meter, three point five meters per second.
6 ft. tall, 5 in. long, 2 in a row, 100 m.
    six feet tall, five inches long, two in a row, one hundred meters.
Take 5 ml every 8 h, 50 μg or 10 mg.
    Take five milliliters every eight hours, fifty micrograms or ten milligrams.
50% of 3.14159 is less than .5 or 1,234,567.89.
    fifty percent of three point one four one five nine is less than point five
    or one million, two hundred thirty-four thousand, five hundred sixty-seven
    point eight nine.
10-20 people, pages 5–7, 1990-1995.
    ten to twenty people, pages five to seven, nineteen ninety to nineteen
    ninety-five.
-5 + 10 = 5, 3 × 4, 10 ÷ 2, 5 ± 2, a=b.
    minus five plus ten equals five, three times four, ten divided by two, five
    plus or minus two, a equals b.
World War II, Henry VIII, Chapter IV, Louis XIV.
    World War two, Henry the eighth, Chapter four, Louis the fourteenth.
Dr. and Mrs. Smith vs. Prof. Jones, e.g. on Main St.
    doctor and mrs Smith versus professor Jones, for example on Main Street
St. John's Ave., Mt. Everest, Acme Inc. and Sons Ltd.
    saint John's avenue, mount Everest, Acme incorporated and Sons limited
No. 5, Vol. 3, pp. 12-15, Fig. 2 and #1.
    number five, volume three, pages twelve to fifteen, figure two and number
    one.
The U.S. economy, the U.K., N.A.S.A. and a Ph.D.
    The U.S economy, the U.K., N ay S ay and a Ph.D.
J. R. R. Tolkien, J. K. Rowling and George R. R. Martin.
    J R R Tolkien, J K Rowling and George R R Martin.
NASA, FBI, PDF, HTML and BBC News.
    NASA, FBI, P D F, H T M L and B B C News.
A4 paper, B2B, H2O, COVID-19, Boeing 747.
    ay four paper, B two B, H two O, COVID nineteen, Boeing seven hundred
    forty-seven.
v1.2.3, 192.168.0.1 and Python 3.11.
    v one point two point three, one hundred ninety-two point one hundred
    sixty-eight point zero point one and Python three point one one.
and/or, he/she, w/o; C++ and C#.
    and slash or, he slash she, w slash o; C++ and C#.
one—two--three...four; wait…what?No!
    one, two, three. four; wait. what, No!
The end.Start; item(s), x.y, a, b etc. And so on.
    The end. Start; item s), x y, a, b et cetera. And so on.
rock 'n' roll, 'tis, the dogs' tails, O'Brien's, don't.
    rock 'n' roll, 'tis, the dogs' tails, O'Brien's, don't.
naïve café, Zoë, Łódź, straße, Ærø, þing and ﬁne.
    naïve café, Zoë, Lódź, strasse, Aero, thing and fine.
snake_case, *bold*, `code`, [1] and {x.
    snake case, bold , code , one and x.
© 2024 Acme™, 5 • 6 and § 7.
    twenty twenty-four Acme, five six and section seven.
3 for $10, or 2/$5; $5,$6.
    three for ten dollars, or two slash five dollars; five dollars, six dollars.
@user #winning 100 #1 fans & more.
    @user #winning one hundred number one fans and more.
It's 3 o'clock, 5:05 or 5:00:30.
    It's three o'clock, five oh five or five o'clock and thirty seconds.
0, 00, 007, 10, 100, 1000, 10,000 and 1000000.
    zero, zero, seven, ten, one hundred, one thousand, ten thousand and one
    million.
the $ sign, the % sign and the € zone.
    the dollar sign, the percent sign and the euro zone.
See file.txt, index.html, ./run.sh and Node.js.
    See file dot txt, index dot html, ./run dot sh and Node dot js.
"Yes," she said; "no."
    "Yes," she said; "no."
Email me: me@x.org. Thanks!
    Email me: me at x dot org. Thanks!
1,2,3; 1, 2, 3; 12:30-13:45.
    one, two, three; one, two, three; twelve thirty to thirteen forty-five.
"""


@pytest.mark.parametrize("pair", re.split(r"\n(?=\S)", SAID.strip()))
def test_said(pair):
    written, _, said = pair.partition("\n")
    read = normalize(written)
    assert read.split() == said.split()
    assert normalize(read) == read
    for _, word in tokenize(read):
        pronounce(word, lambda word: None, list)
