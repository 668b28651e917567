//! The one error type of the boundary.

use std::fmt;

/// The result of a call across the boundary.
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of failure an [`Error`] is: the host decides by it what to do next.
///
/// The set grows: a host meets codes of newer plugins as [`ErrorCode::Internal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// A bug or a failure that has no code of its own. The request fails; the model may go on.
    Internal,
    /// The caller asked for something that makes no sense: a closed sequence, a token id out of range.
    InvalidArgument,
    /// The backend does not do this: an architecture, a data type, an option.
    Unsupported,
    /// A file or a directory is missing or unreadable.
    NotFound,
    /// A file is there and is not what it claims to be.
    InvalidFile,
    /// Memory of the device or of the KV cache ran out. The call changed nothing: the host may free
    /// sequences and call again.
    OutOfMemory,
    /// No usable device, driver or library.
    DeviceUnavailable,
    /// The plugin panicked. The panic was caught; the message is the panic's.
    Panic,
}

impl ErrorCode {
    /// The number that stands for this code on the boundary.
    #[must_use]
    pub fn as_u32(self) -> u32 {
        match self {
            ErrorCode::Internal => 0,
            ErrorCode::InvalidArgument => 1,
            ErrorCode::Unsupported => 2,
            ErrorCode::NotFound => 3,
            ErrorCode::InvalidFile => 4,
            ErrorCode::OutOfMemory => 5,
            ErrorCode::DeviceUnavailable => 6,
            ErrorCode::Panic => 7,
        }
    }

    /// The code that a number of the boundary stands for; unknown numbers are [`ErrorCode::Internal`].
    #[must_use]
    pub fn from_u32(code: u32) -> Self {
        match code {
            1 => ErrorCode::InvalidArgument,
            2 => ErrorCode::Unsupported,
            3 => ErrorCode::NotFound,
            4 => ErrorCode::InvalidFile,
            5 => ErrorCode::OutOfMemory,
            6 => ErrorCode::DeviceUnavailable,
            7 => ErrorCode::Panic,
            _ => ErrorCode::Internal,
        }
    }
}

/// A failure, with a message for a person: what was wrong, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The kind of failure.
    pub code: ErrorCode,
    /// What was wrong, where (file, field, argument), and what to do about it.
    pub message: String,
}

impl Error {
    /// An error of the given kind.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// [`ErrorCode::InvalidArgument`] with a message.
    pub fn invalid_argument(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidArgument, message)
    }

    /// [`ErrorCode::Unsupported`] with a message.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Unsupported, message)
    }

    /// [`ErrorCode::Internal`] with a message.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Internal, message)
    }

    /// [`ErrorCode::OutOfMemory`] with a message.
    pub fn out_of_memory(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::OutOfMemory, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
