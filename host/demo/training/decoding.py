"""Greedy decoding of the demo model, free and guided, as plainly as it can be written.

The guided one is no model of speed: at each step it tries the tokens from the likeliest on, and takes
the first that leaves the output a prefix of something that the pattern matches.
"""

import regex
import torch

from tokenizer import BEGIN, END, token_bytes


class Decoder:
    def __init__(self, model, tokenizer):
        self.model = model
        self.tokenizer = tokenizer
        self.begin = tokenizer.token_to_id(BEGIN)
        self.end = tokenizer.token_to_id(END)
        self.bytes = token_bytes(tokenizer)

    def ids(self, prompt: str) -> list[int]:
        return self.tokenizer.encode(prompt).ids

    @torch.no_grad()
    def free(self, prompts: list[str], limit: int = 64, encode=None, batch: int = 64) -> list[tuple[str, bool]]:
        """For each prompt the likeliest text, and whether it came to its end within `limit` tokens."""
        answers: list[tuple[str, bool]] = [("", False)] * len(prompts)
        encoded = [(encode or self.ids)(prompt) for prompt in prompts]
        order = sorted(range(len(prompts)), key=lambda i: len(encoded[i]))
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            outputs: dict[int, list[int]] = {i: [] for i in chosen}
            running = list(chosen)
            for _ in range(limit):
                rows = [encoded[i] + outputs[i] for i in running]
                width = max(map(len, rows))
                # Padding stands behind the texts, where causal attention does not look.
                ids = torch.tensor([row + [self.end] * (width - len(row)) for row in rows])
                last = torch.tensor([len(row) - 1 for row in rows])
                hidden = self.model.model(input_ids=ids).last_hidden_state[torch.arange(len(rows)), last]
                for i, token in zip(running, self.model.lm_head(hidden).argmax(-1).tolist()):
                    outputs[i].append(token)
                running = [i for i in running if outputs[i][-1] != self.end]
                if not running:
                    break
            for i, output in outputs.items():
                answers[i] = (self.tokenizer.decode(output), output[-1] == self.end)
        return answers

    @torch.no_grad()
    def guided(self, prompt: str, pattern: str, limit: int = 200) -> str:
        """The greedy output among those that match `pattern` as a whole."""
        compiled = regex.compile(pattern)
        ids, output = self.ids(prompt), b""
        for _ in range(limit):
            logits = self.model(input_ids=torch.tensor([ids])).logits[0, -1]
            for token in logits.argsort(descending=True).tolist():
                if token == self.end and compiled.fullmatch(decoded(output) or ""):
                    return output.decode()
                if self.bytes[token] and live(compiled, output + self.bytes[token]):
                    break
            else:
                raise ValueError(f"no token continues {output!r} towards {pattern}")
            ids.append(token)
            output += self.bytes[token]
        raise ValueError(f"no end after {output!r}")


def decoded(data: bytes) -> str | None:
    """The text, without a character that has only begun; nothing if the bytes are not UTF-8."""
    for cut in range(min(4, len(data) + 1)):
        try:
            return data[: len(data) - cut].decode()
        except UnicodeDecodeError as error:
            if error.reason != "unexpected end of data":
                return None
    return None


def live(compiled: regex.Pattern, data: bytes) -> bool:
    text = decoded(data)
    return text is not None and compiled.fullmatch(text, partial=True) is not None
