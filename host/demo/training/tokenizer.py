"""The tokenizer of the demo model: byte-level BPE, trained on the texts of `texts.py`.

Also the odd ways to split a text that guided decoding leads to, for training on them.
"""

import random
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from texts import Texts

BEGIN, END = "<s>", "</s>"
VOCABULARY = 2048
TEXTS = 60_000
CONTEXT = 512


def train() -> Tokenizer:
    """Trains the tokenizer; every byte is a token, digits stand alone, texts begin with `<s>`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[BEGIN, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        max_token_length=16,
        show_progress=False,
    )
    source = Texts(seed=0)
    tokenizer.train_from_iterator((text for _ in range(TEXTS) for text, _ in source.sample()), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A",
        pair=f"{BEGIN} $A {BEGIN} $B",
        special_tokens=[(BEGIN, tokenizer.token_to_id(BEGIN))],
    )
    return tokenizer


def byte_alphabet() -> dict[int, str]:
    """Which character byte-level BPE writes for each byte (the printable ones stand for themselves)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {**{byte: chr(byte) for byte in printable}, **{byte: chr(256 + i) for i, byte in enumerate(others)}}


def token_bytes(tokenizer: Tokenizer) -> list[bytes]:
    """The bytes of each token; none for the special tokens."""
    back = {character: byte for byte, character in byte_alphabet().items()}
    spelled = [b""] * tokenizer.get_vocab_size()
    for token, index in tokenizer.get_vocab().items():
        if token not in (BEGIN, END):
            spelled[index] = bytes(back[character] for character in token)
    return spelled


class Segmenter:
    """Splits texts into tokens: mostly as the tokenizer does, at times otherwise."""

    def __init__(self, tokenizer: Tokenizer, seed: int):
        self.random = random.Random(seed)
        self.tokenizer = tokenizer
        self.index = {spelled: index for index, spelled in enumerate(token_bytes(tokenizer)) if spelled}
        self.longest = max(map(len, self.index))

    def usual(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def split_anywhere(self, text: str, cut: float) -> list[int]:
        """The text cut at random places (`cut` of all), each piece split by longest match."""
        data = text.encode()
        ids, start = [], 0
        while start < len(data):
            end = min(len(data), start + self.longest)
            for place in range(start + 1, end):
                if self.random.random() < cut:
                    end = place
                    break
            while data[start:end] not in self.index:
                end -= 1
            ids.append(self.index[data[start:end]])
            start = end
        return ids

    def __call__(self, text: str) -> list[int]:
        chance = self.random.random()
        if chance < 0.80:
            return self.usual(text)
        return self.split_anywhere(text, cut=0.08 if chance < 0.90 else 0.25 if chance < 0.97 else 0.7)


def save(tokenizer: Tokenizer, folder: Path) -> None:
    tokenizer.save(str(folder / "tokenizer.json"))
