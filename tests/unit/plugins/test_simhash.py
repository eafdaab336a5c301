"""Fingerprints: near for similar texts, far for others, the same in every process."""

from __future__ import annotations

import random

from crawler_plugins.simhash import simhash

RANDOM = random.Random(5)
WORDS = ["".join(RANDOM.choices("abcdefghijklmnop", k=RANDOM.randint(3, 9))) for _ in range(2000)]


def text(seed: int, length: int = 600) -> list[str]:
    return random.Random(seed).choices(WORDS, k=length)


def distance(one: list[str], other: list[str]) -> int:
    return (simhash(" ".join(one)) ^ simhash(" ".join(other))).bit_count()


def test_the_value_is_the_same_in_every_process_and_version():
    assert simhash(" ".join(f"w{n}" for n in range(50))) == 1913549219830635677


def test_case_and_white_space_do_not_count():
    words = text(1)
    assert simhash(" ".join(words)) == simhash("\n\t".join(words).upper())


def test_a_changed_word_changes_few_bits_and_another_text_about_half():
    for seed in range(20):
        words = text(seed)
        assert distance(words, [*words[:300], "changed", *words[301:]]) <= 6
        assert distance(words, text(seed + 100)) >= 16


def test_short_texts_have_no_fingerprint():
    assert simhash("word " * 19) is None
    assert simhash("word " * 20) is not None
    assert simhash("") is None


def test_scripts_without_spaces_have_words_of_one_character():
    assert simhash("漢" * 19) is None
    assert simhash("漢字" * 10) is not None
