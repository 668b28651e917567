//! Named fields: how the data of the boundary grows without changing its layout.

use abi_stable::StableAbi;
use abi_stable::std_types::{RSlice, RStr, RString, RVec};

use super::AbiVersion;
use crate::{Error, Result};

/// A field that a later minor version added to what goes to a plugin. It is there only where it differs from its
/// default. `value` is UTF-8 text or little-endian numbers, as the field's documentation says.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
pub struct Extension<'a> {
    /// The field's name, as a user writes it.
    pub name: RStr<'a>,
    /// Its value.
    pub value: RSlice<'a, u8>,
}

/// A field that a later minor version added to what comes from a plugin.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
pub struct OwnedExtension {
    /// The field's name.
    pub name: RString,
    /// Its value: UTF-8 text or little-endian numbers.
    pub value: RVec<u8>,
}

/// Refuses what a newer host asks for and this plugin has never heard of.
///
/// # Errors
/// `Unsupported`, naming the first unknown field of `what`.
pub(super) fn refuse_unknown(what: &str, extensions: &[Extension<'_>]) -> Result<()> {
    match extensions.first() {
        None => Ok(()),
        Some(unknown) => Err(Error::unsupported(format!(
            "{what} `{}` is not known to this plugin, which was built for plugin ABI {}: leave it at its default or \
             use a newer version of the plugin",
            unknown.name,
            AbiVersion::current(),
        ))),
    }
}
