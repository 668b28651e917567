//! Prompt to tokens, tokens to bytes, incremental detokenization.
