//! Named fields: how the data of the boundary grows without changing its layout.

use abi_stable::StableAbi;
use abi_stable::std_types::{RSlice, RStr, RString, RVec};

use super::version::AbiVersion;
use crate::{Error, Result};

/// A field that a later minor version added to what goes to a plugin. It is there only where it differs from its
/// default.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
pub struct Extension<'a> {
    /// The field's name, as a user writes it.
    pub name: RStr<'a>,
    /// The value of a field that is a number (whole up to 2^53) or a truth value (0 or 1).
    pub number: f64,
    /// The value of any other field: UTF-8 text, or little-endian numbers.
    pub bytes: RSlice<'a, u8>,
}

/// A field that a later minor version added to what comes from a plugin.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
pub struct OwnedExtension {
    /// The field's name.
    pub name: RString,
    /// The value of a field that is a number (whole up to 2^53) or a truth value (0 or 1).
    pub number: f64,
    /// The value of any other field: UTF-8 text, or little-endian numbers.
    pub bytes: RVec<u8>,
}

/// Refuses what a newer host asks for and this plugin, which knows the names in `known`, has never heard of.
///
/// # Errors
/// `Unsupported`, naming the first unknown field of `what`.
pub(super) fn refuse_unknown(what: &str, extensions: &[Extension<'_>], known: &[&str]) -> Result<()> {
    match extensions.iter().find(|extension| !known.contains(&extension.name.as_str())) {
        None => Ok(()),
        Some(unknown) => Err(Error::unsupported(format!(
            "{what} `{}` is not known to this plugin, which was built for plugin ABI {}: leave it at its default or \
             use a newer version of the plugin",
            unknown.name,
            AbiVersion::current(),
        ))),
    }
}
