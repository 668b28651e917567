//! Indices of which each kind is a type of its own.

/// A type for the indices of one kind of thing.
macro_rules! id {
    ($(#[$docs:meta])* $visibility:vis struct $name:ident) => {
        $(#[$docs])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        $visibility struct $name(u32);

        impl $name {
            $visibility const fn new(index: usize) -> $name {
                $name(index as u32)
            }

            $visibility const fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

pub(crate) use id;
