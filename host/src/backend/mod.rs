//! From `--backend` to a loaded plugin.
