//! [`Memory`]: large blocks of memory for keys and values.

use std::ffi::c_void;

use jig_plugin_api::{Error, Result};
use memmap2::MmapMut;

/// A block of memory of the processor, in huge pages where it is large and the system gives them. Pages that are never written
/// take none.
#[derive(Debug)]
pub(crate) struct Memory {
    map: MmapMut,
}

/// From this size on huge pages pay: a growing cache is written anew every step.
#[cfg(target_os = "linux")]
const HUGE: usize = 8 << 20;

/// Rows of bytes at regular distances: `height` of `width` bytes each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strip {
    /// Where the first one begins.
    pub(crate) offset: usize,
    /// From the beginning of one to that of the next.
    pub(crate) pitch: usize,
}

impl Memory {
    /// Reserves at least `bytes` bytes.
    pub(crate) fn new(bytes: usize) -> Result<Self> {
        let failed = |error: std::io::Error| Error::out_of_memory(format!("can't allocate {bytes} bytes: {error}"));
        let map = MmapMut::map_anon(bytes.max(1)).map_err(failed)?;
        #[cfg(target_os = "linux")]
        if bytes >= HUGE {
            // A refusal costs speed and nothing else.
            let _ = map.advise(memmap2::Advice::HugePage);
        }
        Ok(Self { map })
    }

    /// Where it begins.
    pub(crate) fn pointer(&mut self) -> *mut c_void {
        self.map.as_mut_ptr().cast()
    }

    /// The bytes of a range; empty where it does not lie inside.
    pub(crate) fn bytes(&self, offset: usize, length: usize) -> &[u8] {
        self.map.get(offset..offset.saturating_add(length)).unwrap_or_default()
    }

    /// Copies `height` pieces of `width` bytes from another block.
    ///
    /// # Errors
    /// `Internal` where they do not lie inside of the blocks.
    pub(crate) fn copy_from(
        &mut self,
        to: Strip,
        source: &Self,
        from: Strip,
        width: usize,
        height: usize,
    ) -> Result<()> {
        for row in 0..height {
            let source = source.map.get(from.offset + row * from.pitch..).and_then(|rest| rest.get(..width));
            let target = self.map.get_mut(to.offset + row * to.pitch..).and_then(|rest| rest.get_mut(..width));
            let (Some(source), Some(target)) = (source, target) else { return Err(outside()) };
            target.copy_from_slice(source);
        }
        Ok(())
    }

    /// Copies `height` pieces of `width` bytes inside of the block.
    ///
    /// # Errors
    /// `Internal` where they do not lie inside of it.
    pub(crate) fn copy_within(&mut self, to: Strip, from: Strip, width: usize, height: usize) -> Result<()> {
        for row in 0..height {
            let (source, target) = (from.offset + row * from.pitch, to.offset + row * to.pitch);
            if source.max(target).checked_add(width).is_none_or(|end| end > self.map.len()) {
                return Err(outside());
            }
            self.map.copy_within(source..source + width, target);
        }
        Ok(())
    }
}

fn outside() -> Error {
    Error::internal("a copy of keys and values past the end of their memory")
}
