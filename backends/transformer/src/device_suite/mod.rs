//! Tests that any device has to pass.
