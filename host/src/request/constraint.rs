//! What every output must match.

use jig_guides::{Options, Source};

/// What every output must match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    /// The source of the guide.
    pub source: Source,
    /// How the guide is made of it.
    pub options: Options,
}
