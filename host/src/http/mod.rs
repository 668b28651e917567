//! `POST /generate` and its neighbours.
