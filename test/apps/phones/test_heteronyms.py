"""Words of two pronunciations."""

from __future__ import annotations

import pytest

from espnet_uniwav.apps.phones.heteronyms import WORDS, choose_reading
from espnet_uniwav.apps.phones.lexicon import ARPABET, tokenize

# The word in capitals as a verb, and as a noun or adjective (a participle of read).
VERBS = (
    "I would like to USE it|USE the phone|people USE phones|it USES power|"
    "CLOSE the door|don't CLOSE it|they CLOSE at five|please CLOSE your eyes|"
    "I LIVE in Rome|where do you LIVE|people LIVE long|she LIVES alone|"
    "to WIND the clock|WIND it up|we will RECORD a song|RECORD a message|"
    "they RECORD albums|I OBJECT to that|he will READ it|READ the book|"
    "did you READ it|can he READ|I can't READ|to PRESENT the award|"
    "let me PRESENT our plan|I LEAD the team|they PROJECT a loss|we REFUSE|"
    "to SEPARATE them|we ESTIMATE a loss|you must PERFECT it|TEAR it up"
)
OTHERS = (
    "what is the USE of that|ready for USE|no USES|she is a CLOSE friend|"
    "we were very CLOSE|he stood CLOSE to me|it was a LIVE show|we are LIVE now|"
    "they saved our LIVES|the WIND blows|a cold WIND came|a world RECORD|"
    "play the RECORD|the new RECORD is out|a strange OBJECT|I have READ it|"
    "it was READ aloud|she READ the letter|she was PRESENT|a birthday PRESENT|"
    "take the LEAD|the PROJECT failed|two SEPARATE cases|the ESTIMATE is low|"
    "that is PERFECT|a TEAR fell|his CONDUCT was bad|a GRADUATE student"
)


@pytest.mark.parametrize("number, sentences", enumerate((VERBS, OTHERS)))
def test_the_neighbours_decide(number, sentences):
    for sentence in sentences.split("|"):
        index = [word.isupper() and word != "I" for word in sentence.split()].index(1)
        words = [word for _, word in tokenize(sentence)]
        assert choose_reading(words, index) == WORDS[words[index]][number], sentence


def test_the_table_holds_phones():
    assert {phone for own in WORDS.values() for part in own for phone in part} < ARPABET
    assert choose_reading(["the", "cat"], 1) is None
