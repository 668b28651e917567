//! Finds the safetensors files of a model directory and maps them into memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use jig_plugin_api::{Error, ErrorCode, Result};
use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

use super::dtype::DType;
use super::tensor::{MappedFile, Tensor};

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// The suffix under which compressed-tensors stores the shape of a packed weight. It holds integers and is not read as
/// a weight.
pub(crate) const PACKED_SHAPE: &str = ".weight_shape";
/// The largest index that is read, in bytes.
const MAX_INDEX_BYTES: u64 = 64 << 20;

/// All tensors of a model directory.
pub(super) fn open(directory: &Path) -> Result<BTreeMap<String, Tensor>> {
    let mut tensors = BTreeMap::new();
    if directory.join(SINGLE).is_file() {
        for (name, tensor) in open_file(&directory.join(SINGLE))? {
            tensors.insert(name, tensor);
        }
        return Ok(tensors);
    }
    if !directory.join(INDEX).is_file() {
        return Err(missing(directory));
    }
    let index = read_index(&directory.join(INDEX))?;
    for file in index.values().collect::<BTreeSet<_>>() {
        for (name, tensor) in open_file(&directory.join(file))? {
            if index.get(&name).is_none_or(|listed| listed == file) {
                tensors.insert(name, tensor);
            }
        }
    }
    match index.iter().find(|(name, _)| !tensors.contains_key(*name)) {
        None => Ok(tensors),
        Some((name, file)) => {
            let file = directory.join(file);
            Err(invalid(&file, format_args!("tensor `{name}`, which {INDEX} places here, is missing")))
        }
    }
}

fn invalid(file: &Path, problem: impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::InvalidFile, format!("{}: {problem}", file.display()))
}

/// The error for a directory without safetensors, which lists the weights of other formats in it.
fn missing(directory: &Path) -> Error {
    let names = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut others: Vec<_> = names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| {
            [".bin", ".pt", ".pth", ".h5", ".msgpack", ".gguf", ".safetensors"].iter().any(|end| name.ends_with(end))
        })
        .collect();
    others.sort();
    let found = if others.is_empty() {
        "no weights at all".to_owned()
    } else {
        format!("{}, which can't be read; convert the model to safetensors (save_pretrained does) ", others.join(", "))
    };
    let message = format!("{}: neither {SINGLE} nor {INDEX} is there; found {}", directory.display(), found.trim_end());
    Error::new(ErrorCode::NotFound, message)
}

/// Which file each tensor is in.
fn read_index(file: &Path) -> Result<BTreeMap<String, String>> {
    let unreadable = |error: std::io::Error| invalid(file, error);
    let size = fs::metadata(file).map_err(unreadable)?.len();
    if size > MAX_INDEX_BYTES {
        return Err(invalid(file, format_args!("{size} bytes are too many for an index")));
    }
    let text = fs::read(file).map_err(unreadable)?;
    let value: Value =
        serde_json::from_slice(&text).map_err(|error| invalid(file, format_args!("not JSON: {error}")))?;
    let map = value.get("weight_map").and_then(Value::as_object);
    let map = map.ok_or_else(|| invalid(file, "field `weight_map` is not an object"))?;
    let mut index = BTreeMap::new();
    for (name, shard) in map {
        let shard = shard.as_str().filter(|shard| is_plain_name(shard)).ok_or_else(|| {
            invalid(file, format_args!("field `weight_map.{name}` is not the name of a file beside it"))
        })?;
        index.insert(name.clone(), shard.to_owned());
    }
    Ok(index)
}

/// Whether a name is a plain file name, which can't lead out of the directory.
fn is_plain_name(name: &str) -> bool {
    Path::new(name).file_name().is_some_and(|last| last == name)
}

fn open_file(path: &Path) -> Result<Vec<(String, Tensor)>> {
    let file =
        File::open(path).map_err(|error| Error::new(ErrorCode::NotFound, format!("{}: {error}", path.display())))?;
    // SAFETY: the map is read only. If another process shortens the file while it is in use, reading it ends this process
    // (SIGBUS), as with every program that maps its weights; nothing in this process writes to it.
    let map = unsafe { Mmap::map(&file) }.map_err(|error| invalid(path, error))?;
    let file = Arc::new(MappedFile { path: path.to_owned(), map });
    let (header, metadata) = SafeTensors::read_metadata(&file.map)
        .map_err(|error| invalid(path, format_args!("not safetensors: {error}")))?;
    let start = header + 8;
    let mut tensors = Vec::new();
    for (name, info) in metadata.tensors() {
        let dtype = match info.dtype {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            Dtype::F8_E4M3 => DType::F8,
            Dtype::I32 => DType::I4,
            // The shape of a packed weight follows from config.json too.
            Dtype::I64 if name.ends_with(PACKED_SHAPE) => continue,
            other => {
                let problem = format!(
                    "{}: tensor `{name}` has type {other:?}; supported are F32, F16, BF16, F8_E4M3, I32",
                    path.display()
                );
                return Err(Error::unsupported(problem));
            }
        };
        let (from, to) = info.data_offsets;
        let range = start.saturating_add(from)..start.saturating_add(to);
        let mut shape = info.shape.clone();
        if dtype == DType::I4 {
            shape.push(8);
        }
        let tensor = Tensor::mapped(&file, dtype, shape, range)
            .ok_or_else(|| invalid(path, format_args!("tensor `{name}` does not lie inside the file")))?;
        tensors.push((name, tensor));
    }
    Ok(tensors)
}
