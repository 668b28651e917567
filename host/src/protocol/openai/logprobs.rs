//! Log-probabilities of tokens, with the places of the tokens in the text.

use std::collections::VecDeque;

use serde_json::{Map, Value, json};

use crate::request::TokenLogprob;
use crate::tokenizer::{Detokenizer, Tokenizer};

/// What stands for a probability of zero: JSON has no infinity.
const LEAST: f32 = -9999.0;

/// How tokens are named.
#[derive(Clone)]
pub(super) struct Namer {
    tokenizer: Tokenizer,
    by_id: bool,
}

impl Namer {
    /// `by_id`: as `token_id:42`.
    pub(super) fn new(tokenizer: Tokenizer, by_id: bool) -> Self {
        Self { tokenizer, by_id }
    }

    pub(super) fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    fn name(&self, token: u32, bytes: &[u8]) -> String {
        if self.by_id { format!("token_id:{token}") } else { String::from_utf8_lossy(bytes).into_owned() }
    }

    /// `{"token", "logprob", "bytes"}`: the bytes are the token's own, which need not be whole characters.
    fn entry(&self, token: u32, logprob: f32) -> Map<String, Value> {
        let bytes = self.tokenizer.token_bytes(token);
        let mut entry = Map::new();
        entry.insert("token".to_owned(), self.name(token, &bytes).into());
        entry.insert("logprob".to_owned(), number(logprob));
        entry.insert("bytes".to_owned(), bytes.into());
        entry
    }

    /// The form of chat.
    pub(super) fn chat(&self, token: &TokenLogprob) -> Value {
        let mut entry = self.entry(token.token, token.logprob);
        let top = token.top.iter().map(|&(token, logprob)| self.entry(token, logprob).into());
        entry.insert("top_logprobs".to_owned(), top.collect::<Vec<Value>>().into());
        entry.into()
    }

    /// A token of a prompt in vLLM's form: the most likely tokens in its place and itself, by their ids. The rank of a token that is not among
    /// the most likely ones is not known.
    pub(super) fn prompt(&self, token: &TokenLogprob) -> Value {
        let ranked = token.top.iter().zip(1..).map(|(&(other, logprob), rank)| (other, logprob, Value::from(rank)));
        let mut entries: Map<String, Value> = Map::new();
        for (other, logprob, rank) in ranked.chain([(token.token, token.logprob, Value::Null)]) {
            let text = String::from_utf8_lossy(&self.tokenizer.token_bytes(other)).into_owned();
            let entry = || json!({"logprob": number(logprob), "rank": rank, "decoded_token": text});
            entries.entry(other.to_string()).or_insert_with(entry);
        }
        entries.into()
    }

    /// The most likely tokens in the form of completions; the token itself is among them. Of two tokens with one text the likelier counts.
    fn top(&self, token: &TokenLogprob) -> Value {
        let mut top: Map<String, Value> = Map::new();
        for &(other, logprob) in token.top.iter().chain([&(token.token, token.logprob)]) {
            let name = self.name(other, &self.tokenizer.token_bytes(other));
            top.entry(name).or_insert_with(|| number(logprob));
        }
        top.into()
    }
}

/// A number with the digits that an `f32` has.
fn number(value: f32) -> Value {
    let value = if value.is_nan() { LEAST } else { value.clamp(LEAST, 0.0) };
    value.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}

/// The place of a token in a text, in bytes. A token that ends in the middle of a character ends behind it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placed {
    pub(super) logprob: TokenLogprob,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Says which tokens a text is made of, as the text comes.
pub(super) struct Alignment {
    detokenizer: Detokenizer,
    /// The text of all tokens so far, in bytes.
    len: usize,
    waiting: VecDeque<Placed>,
}

impl Alignment {
    /// Of a text that has not begun.
    pub(super) fn new(tokenizer: &Tokenizer, skip_special: bool) -> Self {
        Self { detokenizer: tokenizer.detokenizer(skip_special), len: 0, waiting: VecDeque::new() }
    }

    /// The same with special tokens that are text, in rising order.
    pub(super) fn speaking(mut self, tokens: &[u32]) -> Self {
        self.detokenizer = self.detokenizer.speaking(tokens.to_vec());
        self
    }

    /// Takes the next tokens.
    pub(super) fn push(&mut self, tokens: Vec<TokenLogprob>) {
        for logprob in tokens {
            let start = self.len;
            self.len += self.detokenizer.push(logprob.token).len();
            let end = self.len + usize::from(self.detokenizer.holds_back());
            self.waiting.push_back(Placed { logprob, start, end });
        }
    }

    /// The tokens whose text lies before `sent`, the length of the text that went out.
    pub(super) fn take(&mut self, sent: usize) -> Vec<Placed> {
        let count = self.waiting.iter().take_while(|placed| placed.end <= sent).count();
        self.waiting.drain(..count).collect()
    }

    /// All that are left.
    pub(super) fn rest(&mut self) -> Vec<Placed> {
        self.waiting.drain(..).collect()
    }
}

/// Log-probabilities in the form of completions: four lists of one length.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Lists {
    tokens: Vec<Value>,
    token_logprobs: Vec<Value>,
    top_logprobs: Vec<Value>,
    text_offset: Vec<Value>,
}

impl Lists {
    /// Appends a token that begins at this character of the text. Of a first token of a prompt nothing is known.
    pub(super) fn push(&mut self, namer: &Namer, token: &TokenLogprob, offset: usize, is_known: bool) {
        let bytes = namer.tokenizer.token_bytes(token.token);
        self.tokens.push(namer.name(token.token, &bytes).into());
        self.token_logprobs.push(if is_known { number(token.logprob) } else { Value::Null });
        self.top_logprobs.push(if is_known { namer.top(token) } else { Value::Null });
        self.text_offset.push(offset.into());
    }

    pub(super) fn append(&mut self, mut other: Self) {
        self.tokens.append(&mut other.tokens);
        self.token_logprobs.append(&mut other.token_logprobs);
        self.top_logprobs.append(&mut other.top_logprobs);
        self.text_offset.append(&mut other.text_offset);
    }

    pub(super) fn json(self) -> Value {
        json!({"tokens": self.tokens, "token_logprobs": self.token_logprobs, "top_logprobs": self.top_logprobs,
               "text_offset": self.text_offset})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::testing;

    fn tokens(ids: impl IntoIterator<Item = u32>) -> Vec<TokenLogprob> {
        ids.into_iter().map(|token| TokenLogprob { token, logprob: -1.0, top: Vec::new() }).collect()
    }

    fn places(placed: &[Placed]) -> Vec<(u32, usize, usize)> {
        placed.iter().map(|placed| (placed.logprob.token, placed.start, placed.end)).collect()
    }

    #[test]
    fn a_token_comes_with_the_text_that_holds_its_last_byte() {
        let mut alignment = Alignment::new(&testing::byte_level(), true);
        // "a", the three bytes of the euro sign, "b", and an end token that is no text.
        alignment.push(tokens([0x61, 0xE2, 0x82, 0xAC, 0x62, testing::END]));
        assert_eq!(places(&alignment.take(0)), []);
        assert_eq!(places(&alignment.take(1)), [(0x61, 0, 1)]);
        assert_eq!(places(&alignment.take(4)), [(0xE2, 1, 2), (0x82, 1, 2), (0xAC, 1, 4)]);
        assert_eq!(places(&alignment.rest()), [(0x62, 4, 5), (testing::END, 5, 5)]);
    }

    #[test]
    fn the_bytes_of_chat_entries_are_the_tokens_own() {
        let namer = Namer::new(testing::byte_level(), false);
        let mut token = tokens([0xE2]).swap_remove(0);
        token.top = vec![(257, -0.5), (0x61, f32::NEG_INFINITY)];
        let expected = json!({"token": "\u{FFFD}", "logprob": -1.0, "bytes": [0xE2], "top_logprobs": [
            {"token": " Pa", "logprob": -0.5, "bytes": [32, 80, 97]},
            {"token": "a", "logprob": -9999.0, "bytes": [97]}]});
        assert_eq!(namer.chat(&token), expected);
        let by_id = Namer::new(testing::byte_level(), true);
        assert_eq!(by_id.chat(&token)["top_logprobs"][0]["token"], "token_id:257");
    }

    #[test]
    fn the_lists_of_completions_have_the_token_among_the_likeliest_and_nothing_of_a_first_one() {
        let namer = Namer::new(testing::byte_level(), false);
        let mut lists = Lists::default();
        let mut token = tokens([0x61]).swap_remove(0);
        lists.push(&namer, &token, 0, false);
        token.top = vec![(0x62, -0.25)];
        lists.push(&namer, &token, 1, true);
        let expected = json!({"tokens": ["a", "a"], "token_logprobs": [null, -1.0],
            "top_logprobs": [null, {"b": -0.25, "a": -1.0}], "text_offset": [0, 1]});
        assert_eq!(lists.json(), expected);
    }
}
