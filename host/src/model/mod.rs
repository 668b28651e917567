//! From `--model` to a local directory: hub, cache, embedded demo.
