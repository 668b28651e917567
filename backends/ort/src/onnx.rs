//! Reads an ONNX file without ONNX Runtime: its operators, and the files of its weights.
//!
//! It parses the protocol-buffer wire format (onnx.proto, IR version 3 and up) and skips the weights. A damaged or
//! missing file is so reported by name before gigabytes are loaded.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Component, Path};

use jig_plugin_api::{Error, ErrorCode, Result};
use memmap2::Mmap;

/// The deepest nesting of graphs in graphs (`If`, `Loop`).
const MAX_DEPTH: usize = 16;

/// A model without its weights.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skeleton {
    /// The number of nodes of each operator, including nested graphs.
    pub operators: BTreeMap<String, usize>,
    /// Floating-point elements of the initializers.
    pub float_elements: u64,
    /// External initializers.
    pub external: Vec<External>,
    /// Whether there is a graph at all.
    has_graph: bool,
}

/// An initializer whose values are in another file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct External {
    /// The initializer.
    pub tensor: String,
    /// The file, beside the model.
    pub location: String,
    /// Its offset in the file, in bytes.
    pub offset: u64,
    /// Its size in bytes; `None` for the whole file.
    pub length: Option<u64>,
}

impl Skeleton {
    /// Reads a model's file, and checks that all files of its weights exist and are long enough.
    ///
    /// # Errors
    /// `NotFound` or `InvalidFile`, with the file and the tensor.
    pub fn read(path: &Path) -> Result<Self> {
        let invalid = |problem: String| Error::new(ErrorCode::InvalidFile, format!("{}: {problem}", path.display()));
        let file = File::open(path).map_err(|error| {
            Error::new(ErrorCode::NotFound, format!("{}: can't be opened: {error}", path.display()))
        })?;
        // SAFETY: the map is read only. If another process shortens the file meanwhile, reading it ends this process, as with
        // every program that maps its weights.
        let map = unsafe { Mmap::map(&file) }.map_err(|error| invalid(format!("can't be read: {error}")))?;
        let skeleton = Self::parse(&map).map_err(|problem| {
            invalid(format!("is not an ONNX model, or is damaged: {problem}; download or export it again"))
        })?;
        skeleton.check_external(path)?;
        Ok(skeleton)
    }

    /// Reads a model from its bytes.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        let mut skeleton = Self::default();
        fields(bytes, |field, value| match (field, value) {
            // ModelProto.graph
            (7, Value::Bytes(graph)) => {
                skeleton.has_graph = true;
                skeleton.graph(graph, 0)
            }
            _ => Ok(()),
        })?;
        if !skeleton.has_graph {
            return Err("it holds no graph".to_owned());
        }
        Ok(skeleton)
    }

    /// Whether some weights are not floating-point numbers.
    #[must_use]
    pub fn is_quantized(&self) -> bool {
        let marks = ["NBits", "uantize", "Integer", "QLinear", "QAttention", "QGemm", "Bnb4"];
        self.operators.keys().any(|operator| marks.iter().any(|mark| operator.contains(mark)))
    }

    /// The number of nodes of an operator.
    #[must_use]
    pub fn count(&self, operator: &str) -> usize {
        self.operators.get(operator).copied().unwrap_or(0)
    }

    fn graph(&mut self, bytes: &[u8], depth: usize) -> std::result::Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(format!("graphs lie more than {MAX_DEPTH} deep in each other"));
        }
        fields(bytes, |field, value| match (field, value) {
            // GraphProto.node, .initializer
            (1, Value::Bytes(node)) => self.node(node, depth),
            (5, Value::Bytes(tensor)) => self.tensor(tensor),
            _ => Ok(()),
        })
    }

    fn node(&mut self, bytes: &[u8], depth: usize) -> std::result::Result<(), String> {
        fields(bytes, |field, value| match (field, value) {
            // NodeProto.op_type, .attribute
            (4, Value::Bytes(name)) => {
                *self.operators.entry(text(name)?).or_default() += 1;
                Ok(())
            }
            (5, Value::Bytes(attribute)) => fields(attribute, |field, value| match (field, value) {
                // AttributeProto.t, .g, .graphs
                (5, Value::Bytes(tensor)) => self.tensor(tensor),
                (6 | 11, Value::Bytes(graph)) => self.graph(graph, depth + 1),
                _ => Ok(()),
            }),
            _ => Ok(()),
        })
    }

    fn tensor(&mut self, bytes: &[u8]) -> std::result::Result<(), String> {
        let (mut elements, mut kind, mut is_external, mut external) = (1u64, 0, false, External::default());
        fields(bytes, |field, value| {
            match (field, value) {
                // TensorProto.dims (packed or not), .data_type, .name, .external_data, .data_location
                (1, Value::Number(size)) => elements = elements.saturating_mul(size),
                (1, Value::Bytes(mut packed)) => {
                    while !packed.is_empty() {
                        elements = elements.saturating_mul(varint(&mut packed)?);
                    }
                }
                (2, Value::Number(number)) => kind = number,
                (8, Value::Bytes(name)) => external.tensor = text(name)?,
                (13, Value::Bytes(entry)) => external.entry(entry)?,
                (14, Value::Number(location)) => is_external = location == 1,
                _ => {}
            }
            Ok(())
        })?;
        // FLOAT, FLOAT16, BFLOAT16
        if matches!(kind, 1 | 10 | 16) {
            self.float_elements = self.float_elements.saturating_add(elements);
        }
        if is_external {
            self.external.push(external);
        }
        Ok(())
    }

    /// The files that hold weights, each once.
    pub fn external_files(&self) -> impl Iterator<Item = &str> {
        let files: std::collections::BTreeSet<&str> =
            self.external.iter().map(|external| external.location.as_str()).collect();
        files.into_iter()
    }

    fn check_external(&self, path: &Path) -> Result<()> {
        let directory = path.parent().unwrap_or(Path::new("."));
        let mut sizes = BTreeMap::new();
        for external in &self.external {
            let External { tensor, location, offset, length } = external;
            let invalid =
                |problem: String| Error::new(ErrorCode::InvalidFile, format!("{}: {problem}", path.display()));
            let plain =
                Path::new(location).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
            if location.is_empty() || !plain {
                return Err(invalid(format!(
                    "the weight `{tensor}` is in {location:?}, which is not beside the model"
                )));
            }
            let file = directory.join(location);
            let size = match sizes.get(location) {
                Some(size) => *size,
                None => {
                    let size = fs::metadata(&file).map(|metadata| metadata.len()).map_err(|error| {
                        let problem = format!("{}: {error}; it holds weights of {}", file.display(), path.display());
                        Error::new(ErrorCode::NotFound, problem + ", download or export the model again")
                    })?;
                    sizes.insert(location.clone(), size);
                    size
                }
            };
            let end = offset.saturating_add(length.unwrap_or(0));
            if end > size {
                return Err(Error::new(
                    ErrorCode::InvalidFile,
                    format!(
                        "{}: has {size} bytes, and the weight `{tensor}` of {} is to end at {end}: it is cut short or belongs to \
                         another model",
                        file.display(),
                        path.display()
                    ),
                ));
            }
        }
        Ok(())
    }
}

impl External {
    /// Takes an entry of `external_data`, a pair of texts.
    fn entry(&mut self, bytes: &[u8]) -> std::result::Result<(), String> {
        let (mut key, mut value) = (String::new(), String::new());
        fields(bytes, |field, part| {
            match (field, part) {
                (1, Value::Bytes(part)) => key = text(part)?,
                (2, Value::Bytes(part)) => value = text(part)?,
                _ => {}
            }
            Ok(())
        })?;
        let number = || value.parse::<u64>().map_err(|_| format!("external data has the {key} {value:?}"));
        match key.as_str() {
            "location" => self.location = value,
            "offset" => self.offset = number()?,
            "length" => self.length = Some(number()?),
            _ => {}
        }
        Ok(())
    }
}

/// The value of a field.
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// Calls `each` with the fields of a message.
fn fields<'a>(
    mut bytes: &'a [u8],
    mut each: impl FnMut(u64, Value<'a>) -> std::result::Result<(), String>,
) -> std::result::Result<(), String> {
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let value = match tag & 7 {
            0 => Value::Number(varint(&mut bytes)?),
            1 => Value::Bytes(take(&mut bytes, 8)?),
            2 => {
                let length = varint(&mut bytes)?;
                Value::Bytes(take(&mut bytes, length)?)
            }
            5 => Value::Bytes(take(&mut bytes, 4)?),
            kind => return Err(format!("a field of the unknown kind {kind}")),
        };
        if tag >> 3 == 0 {
            return Err("a field with the number 0".to_owned());
        }
        each(tag >> 3, value)?;
    }
    Ok(())
}

fn varint(bytes: &mut &[u8]) -> std::result::Result<u64, String> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().ok_or("it ends in the middle of a number")?;
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err("a number of more than 64 bits".to_owned())
}

fn take<'a>(bytes: &mut &'a [u8], length: u64) -> std::result::Result<&'a [u8], String> {
    let taken = usize::try_from(length).ok().and_then(|length| bytes.split_at_checked(length));
    let (taken, rest) = taken.ok_or_else(|| format!("it ends {} bytes too early", length - bytes.len() as u64))?;
    *bytes = rest;
    Ok(taken)
}

fn text(bytes: &[u8]) -> std::result::Result<String, String> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| "a name that is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A field that holds bytes.
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        assert!(content.len() < 128, "one byte for the length");
        [&[number << 3 | 2, content.len() as u8], content].concat()
    }

    fn external(location: &str, length: &str) -> Vec<u8> {
        let entry =
            |key: &str, value: &str| field(13, &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat());
        let tensor = [field(8, b"w"), entry("location", location), entry("length", length), vec![14 << 3, 1]].concat();
        field(7, &field(5, &tensor))
    }

    fn read(model: &[u8], data: Option<&[u8]>) -> Result<Skeleton> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("model.onnx");
        fs::write(&path, model).unwrap();
        if let Some(data) = data {
            fs::write(directory.path().join("weights"), data).unwrap();
        }
        Skeleton::read(&path)
    }

    #[test]
    fn operators_are_counted_in_graphs_inside_of_graphs_too() {
        let node = |name: &str| field(1, &field(4, name.as_bytes()));
        let branch = field(1, &[field(4, b"If"), field(5, &field(6, &node("Add")))].concat());
        let skeleton = Skeleton::parse(&field(7, &[node("Add"), branch].concat())).unwrap();
        assert_eq!((skeleton.count("Add"), skeleton.count("If"), skeleton.count("Sub")), (2, 1, 0));
    }

    #[test]
    fn elements_of_floats_are_counted() {
        let tensor = |kind: u8| field(5, &[1 << 3, 3, 1 << 3, 5, 2 << 3, kind]);
        let skeleton = Skeleton::parse(&field(7, &[tensor(1), tensor(10), tensor(7)].concat())).unwrap();
        assert_eq!(skeleton.float_elements, 30);
    }

    #[test]
    fn a_missing_or_short_file_of_weights_is_named_with_the_tensor() {
        let model = external("weights", "8");
        assert!(read(&model, Some(&[0; 8])).is_ok());
        let missing = read(&model, None).unwrap_err();
        assert!(missing.code == ErrorCode::NotFound && missing.message.contains("weights"), "{missing}");
        let short = read(&model, Some(&[0; 7])).unwrap_err().message;
        assert!(short.contains("weights") && short.contains("`w`"), "{short}");
        for place in ["../weights", "/etc/passwd", ""] {
            assert!(read(&external(place, "1"), None).unwrap_err().message.contains("not beside"), "{place}");
        }
    }

    #[test]
    fn what_is_no_model_is_refused() {
        for bytes in [&b""[..], b"version https://git-lfs", b"{}", &[0xff; 20]] {
            assert!(Skeleton::parse(bytes).is_err(), "{bytes:?}");
        }
        let whole = external("weights", "8");
        for end in 1..whole.len() {
            assert!(Skeleton::parse(&whole[..end]).is_err(), "cut at {end}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Skeleton::parse(&bytes);
            let _ = Skeleton::parse(&field(7, &bytes[..bytes.len().min(100)]));
        }
    }
}
