//! [`Memory`]: large blocks of memory for keys, values and logits, on the graph's device.

use std::ffi::c_void;
use std::sync::Arc;

use jig_plugin_api::{Error, Result};
use memmap2::MmapMut;

use crate::device::Device;
use crate::driver::{Card, Driver, Pinned};

/// The smallest size for huge pages. They pay because a growing cache is rewritten every step.
#[cfg(target_os = "linux")]
const HUGE: usize = 8 << 20;

/// Where memory is allocated.
#[derive(Clone)]
pub(crate) enum Place {
    /// Host memory, in huge pages if it is large and the system has them. Pages that are never written take no memory.
    Processor,
    /// GPU memory.
    Card(Arc<Card>),
}

impl Place {
    /// The memory of a device.
    ///
    /// # Errors
    /// `DeviceUnavailable` if the driver can't open the GPU.
    pub(crate) fn of(device: Device) -> Result<Self> {
        match (device, Driver::get()) {
            (Device::Cuda(number), Some(driver)) => Ok(Self::Card(Arc::new(Card::open(driver, number)?))),
            _ => Ok(Self::Processor),
        }
    }

    /// Bytes that are free.
    pub(crate) fn available(&self) -> Result<u64> {
        match self {
            Self::Processor => Ok(jig_plugin_api::memory::available()),
            Self::Card(card) => card.free_bytes(),
        }
    }

    /// Waits for all enqueued work of the device.
    pub(crate) fn synchronize(&self) -> Result<()> {
        match self {
            Self::Processor => Ok(()),
            Self::Card(card) => card.synchronize(),
        }
    }
}

/// A block of memory, all zeros at first.
pub(crate) struct Memory {
    block: Block,
    bytes: usize,
}

enum Block {
    Processor(MmapMut),
    Card(Arc<Card>, u64),
}

/// Rows of bytes at regular distances: `height` of `width` bytes each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strip {
    /// The offset of the first one.
    pub(crate) offset: usize,
    /// The distance from one to the next.
    pub(crate) pitch: usize,
}

impl Strip {
    /// The end of the last of `height` rows of `width` bytes; `None` on overflow.
    fn end(self, width: usize, height: usize) -> Option<usize> {
        let last = height.saturating_sub(1).checked_mul(self.pitch)?;
        self.offset.checked_add(last)?.checked_add(width)
    }
}

impl Memory {
    /// Reserves at least `bytes` bytes.
    pub(crate) fn new(place: &Place, bytes: usize) -> Result<Self> {
        let bytes = bytes.max(1);
        let block = match place {
            Place::Card(card) => Block::Card(card.clone(), card.allocate(bytes)?),
            Place::Processor => {
                let failed =
                    |error: std::io::Error| Error::out_of_memory(format!("can't allocate {bytes} bytes: {error}"));
                let map = MmapMut::map_anon(bytes).map_err(failed)?;
                #[cfg(target_os = "linux")]
                if bytes >= HUGE {
                    // If the system refuses huge pages, only speed is lost.
                    let _ = map.advise(memmap2::Advice::HugePage);
                }
                Block::Processor(map)
            }
        };
        Ok(Self { block, bytes })
    }

    /// Its bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes
    }

    /// Its address on the device.
    pub(crate) fn pointer(&mut self) -> *mut c_void {
        match &mut self.block {
            Block::Processor(map) => map.as_mut_ptr().cast(),
            Block::Card(_, address) => *address as *mut c_void,
        }
    }

    /// The bytes of a range; those on a GPU are copied through page-locked memory.
    ///
    /// # Errors
    /// `Internal` if the range is outside, or the GPU fails.
    pub(crate) fn read<'a>(&'a self, offset: usize, length: usize, staging: &'a mut Staging) -> Result<&'a [u8]> {
        let end = offset.checked_add(length).filter(|end| *end <= self.bytes).ok_or_else(outside)?;
        match &self.block {
            Block::Processor(map) => map.get(offset..end).ok_or_else(outside),
            // SAFETY: the range lies inside of the block, as was just seen.
            Block::Card(card, address) => unsafe {
                staging.card = Some(card.clone());
                staging.pinned.read(card, address + offset as u64, length)
            },
        }
    }

    /// Copies `height` pieces of `width` bytes from another block on the same device.
    ///
    /// # Errors
    /// `Internal` if they are outside the blocks.
    pub(crate) fn copy_from(
        &mut self,
        to: Strip,
        source: &Self,
        from: Strip,
        width: usize,
        height: usize,
    ) -> Result<()> {
        let inside = |strip: Strip, bytes| strip.end(width, height).is_some_and(|end| end <= bytes);
        if !inside(to, self.bytes) || !inside(from, source.bytes) {
            return Err(outside());
        }
        match (&mut self.block, &source.block) {
            (Block::Processor(target), Block::Processor(source)) => {
                for row in 0..height {
                    let source = source.get(from.offset + row * from.pitch..).and_then(|rest| rest.get(..width));
                    let target = target.get_mut(to.offset + row * to.pitch..).and_then(|rest| rest.get_mut(..width));
                    let (Some(source), Some(target)) = (source, target) else { return Err(outside()) };
                    target.copy_from_slice(source);
                }
                Ok(())
            }
            (Block::Card(card, target), Block::Card(_, source)) => {
                let (to, from) = ((*target + to.offset as u64, to.pitch), (*source + from.offset as u64, from.pitch));
                // SAFETY: both sides lie inside of their blocks, as was just seen, and the blocks are two.
                unsafe { card.copy(to, from, width, height) }
            }
            _ => Err(Error::internal("a copy of keys and values from one device to another")),
        }
    }

    /// Copies `height` pieces of `width` bytes to another part of the block.
    ///
    /// # Errors
    /// `Internal` if they are outside the block.
    pub(crate) fn copy_within(&mut self, to: Strip, from: Strip, width: usize, height: usize) -> Result<()> {
        let bytes = self.bytes;
        if [to, from].iter().any(|strip| strip.end(width, height).is_none_or(|end| end > bytes)) {
            return Err(outside());
        }
        match &mut self.block {
            Block::Processor(map) => {
                for row in 0..height {
                    let (source, target) = (from.offset + row * from.pitch, to.offset + row * to.pitch);
                    map.copy_within(source..source + width, target);
                }
                Ok(())
            }
            Block::Card(card, address) => {
                let (to, from) = ((*address + to.offset as u64, to.pitch), (*address + from.offset as u64, from.pitch));
                // SAFETY: both sides lie inside of the block, as was just seen; they are rows of two sequences.
                unsafe { card.copy(to, from, width, height) }
            }
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Block::Card(card, address) = &self.block {
            card.free(*address);
        }
    }
}

/// The buffer into which [`Memory::read`] copies from a GPU.
pub(crate) struct Staging {
    pinned: Pinned,
    card: Option<Arc<Card>>,
}

impl Default for Staging {
    fn default() -> Self {
        Self { pinned: Pinned::EMPTY, card: None }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Some(card) = &self.card {
            self.pinned.release(card);
        }
    }
}

fn outside() -> Error {
    Error::internal("a copy of keys and values past the end of their memory")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::fake;

    #[test]
    fn what_lies_on_a_card_is_copied_and_read_as_what_lies_in_memory() {
        let card = Place::Card(Arc::new(Card::open(fake::DRIVER, 0).unwrap()));
        for place in [Place::Processor, card] {
            let mut staging = Staging::default();
            let (mut a, mut b) = (Memory::new(&place, 64).unwrap(), Memory::new(&place, 64).unwrap());
            for index in 0..64u8 {
                // SAFETY: it is memory of the processor in both cases, and has 64 bytes.
                unsafe { *a.pointer().cast::<u8>().add(index.into()) = index };
            }
            let (wide, dense) = (Strip { offset: 2, pitch: 16 }, Strip { offset: 0, pitch: 3 });
            b.copy_from(dense, &a, wide, 3, 4).unwrap();
            assert_eq!(b.read(0, 12, &mut staging).unwrap(), [2, 3, 4, 18, 19, 20, 34, 35, 36, 50, 51, 52]);
            a.copy_within(Strip { offset: 16, pitch: 16 }, Strip { offset: 0, pitch: 0 }, 4, 1).unwrap();
            assert_eq!(a.read(16, 5, &mut staging).unwrap(), [0, 1, 2, 3, 20]);
            assert_eq!(b.read(12, 52, &mut staging).unwrap(), [0; 52], "new memory is all zeros");
            assert!(b.copy_from(dense, &a, wide, 16, 4).is_err() && a.copy_within(wide, dense, 64, 1).is_err());
            assert!(a.read(60, 5, &mut staging).is_err());
        }
    }
}
