//! Bad words: for hosts, to fill [`crate::SampleRow::banned`].

/// Adds to `banned` the tokens that would complete a bad word after `output`: for each word, a list of tokens, its last
/// token if the output ends with all the tokens before it. A word of one token is always banned; one without tokens
/// never.
pub fn ban_bad_words<Word: AsRef<[u32]>>(words: &[Word], output: &[u32], banned: &mut Vec<u32>) {
    for word in words {
        if let Some((&last, beginning)) = word.as_ref().split_last()
            && output.ends_with(beginning)
        {
            banned.push(last);
        }
    }
}
