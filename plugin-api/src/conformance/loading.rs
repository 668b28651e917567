//! What a backend says of itself, and what it refuses to load.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::case::{Case, Check};
use super::subject::{Verdict, ensure, refused};
use crate::host::Silent;
use crate::{Backend, ErrorCode, ModelSpec};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "describe",
        promise: "the backend has a name, a version and devices",
        check: Check::Backend(describe),
    },
    Case {
        name: "load.missing-directory",
        promise: "a model directory that is not there is an error that names it",
        check: Check::Backend(missing_directory),
    },
    Case {
        name: "load.unknown-option",
        promise: "an option that the backend does not have is an error that names it",
        check: Check::Backend(unknown_option),
    },
    Case {
        name: "load.unknown-device",
        promise: "a device that is not there is an error that names it",
        check: Check::Backend(unknown_device),
    },
    Case {
        name: "load.unknown-dtype",
        promise: "a data type that does not exist is an error that names it",
        check: Check::Backend(unknown_dtype),
    },
];

fn describe(backend: &dyn Backend, _spec: &ModelSpec) -> Verdict {
    let info = backend.describe();
    if let Some(problem) = &info.problem {
        ensure(!problem.trim().is_empty(), || "the problem has no text".to_owned())?;
    }
    let named = !info.name.is_empty() && !info.name.contains(|c: char| c.is_uppercase() || c.is_whitespace());
    ensure(named, || format!("the name {:?} is not lower case without spaces", info.name))?;
    let numbers = info.version.split('.').filter(|part| part.starts_with(|c: char| c.is_ascii_digit())).count();
    ensure(numbers >= 3, || format!("the version {:?} is not major.minor.patch", info.version))?;
    ensure(!info.devices.is_empty() || info.problem.is_some(), || "no devices, and no problem told".to_owned())?;
    distinct("device id", info.devices.iter().map(|device| device.id.as_str()))?;
    distinct("option", info.options.iter().map(|option| option.key.as_str()))?;
    ensure(backend.describe() == info, || "it describes itself in another way when asked again".to_owned())
}

fn distinct<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Verdict {
    let mut seen = BTreeSet::new();
    for name in names {
        ensure(!name.trim().is_empty(), || format!("an empty {what}"))?;
        ensure(seen.insert(name), || format!("two times the {what} {name:?}"))?;
    }
    Ok(())
}

/// Loading is refused with one of the codes and a message that holds `name`.
fn names(backend: &dyn Backend, spec: &ModelSpec, what: &str, name: &str, codes: &[ErrorCode]) -> Verdict {
    let message = refused(what, backend.load(spec, Arc::new(Silent)), codes)?;
    ensure(message.contains(name), || format!("the error does not name {name:?}: {message}"))
}

fn missing_directory(backend: &dyn Backend, spec: &ModelSpec) -> Verdict {
    let directory = spec.directory.join("no-such-directory");
    let name = directory.display().to_string();
    let spec = ModelSpec { directory, ..spec.clone() };
    names(backend, &spec, "a directory that is not there", &name, &[ErrorCode::NotFound])
}

fn unknown_option(backend: &dyn Backend, spec: &ModelSpec) -> Verdict {
    let mut spec = spec.clone();
    spec.options.push(("no-such-option".to_owned(), "1".to_owned()));
    let codes = [ErrorCode::Unsupported, ErrorCode::InvalidArgument];
    names(backend, &spec, "an unknown option", "no-such-option", &codes)
}

fn unknown_device(backend: &dyn Backend, spec: &ModelSpec) -> Verdict {
    let spec = ModelSpec { device: "no-such-device:7".to_owned(), ..spec.clone() };
    let codes = [ErrorCode::DeviceUnavailable, ErrorCode::Unsupported, ErrorCode::InvalidArgument, ErrorCode::NotFound];
    names(backend, &spec, "an unknown device", "no-such-device:7", &codes)
}

fn unknown_dtype(backend: &dyn Backend, spec: &ModelSpec) -> Verdict {
    let spec = ModelSpec { dtype: "no-such-dtype".to_owned(), ..spec.clone() };
    let codes = [ErrorCode::Unsupported, ErrorCode::InvalidArgument];
    names(backend, &spec, "an unknown data type", "no-such-dtype", &codes)
}
