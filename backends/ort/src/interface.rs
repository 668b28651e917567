//! [`Interface`]: the meaning of a graph's inputs and outputs.
//!
//! The names are Optimum's, which onnxruntime-genai and onnx-community use too: `input_ids`, `attention_mask`,
//! `position_ids`, `use_cache_branch`, `past_key_values.N.key`, `past_key_values.N.value`, `logits`, `present.N.key`,
//! `present.N.value`.

use std::collections::BTreeMap;
use std::ffi::CString;

use jig_plugin_api::{Error, ErrorCode, Result};
use ort::value::{Outlet, TensorElementType, ValueType};

use crate::cache::Shape;
use crate::config::Config;

/// The tensors of a graph, by their purpose.
#[derive(Clone, Debug)]
pub(crate) struct Interface {
    pub(crate) tokens: Named,
    pub(crate) mask: Option<Named>,
    pub(crate) positions: Option<Named>,
    /// The input that says whether there is a past.
    pub(crate) branch: Option<CString>,
    pub(crate) past: Vec<Named>,
    pub(crate) present: Vec<Named>,
    pub(crate) kv: Shape,
    pub(crate) logits: Named,
    pub(crate) vocab_size: usize,
    /// Whether the graph computes logits of the last position only.
    pub(crate) last_only: bool,
}

/// A tensor's name and the type of its elements.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) name: CString,
    pub(crate) element: TensorElementType,
}

/// A tensor as the graph declares it; -1 is a size that is open.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    name: String,
    element: TensorElementType,
    sizes: Vec<i64>,
}

impl Declared {
    /// The inputs or outputs of a session.
    ///
    /// # Errors
    /// `Unsupported` for one that is no tensor.
    pub(crate) fn all(outlets: &[Outlet]) -> Result<Vec<Self>> {
        outlets.iter().map(Self::read).collect()
    }

    fn read(outlet: &Outlet) -> Result<Self> {
        match outlet.dtype() {
            ValueType::Tensor { ty, shape, .. } => {
                Ok(Self { name: outlet.name().to_owned(), element: *ty, sizes: shape.to_vec() })
            }
            _ => Err(unsupported(format!("`{}` is not a tensor", outlet.name()))),
        }
    }

    fn named(&self) -> Result<Named> {
        let name = CString::new(self.name.as_str()).map_err(|_| unsupported(format!("the name {:?}", self.name)))?;
        Ok(Named { name, element: self.element })
    }

    /// Checks the type of the elements and the number of dimensions.
    fn expect(&self, elements: &[TensorElementType], rank: usize) -> Result<Named> {
        let Self { name, element, sizes } = self;
        if !elements.contains(element) {
            let wanted = elements.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
            return Err(unsupported(format!("the tensor `{name}` has elements of type {element} instead of {wanted}")));
        }
        // A graph may leave out its shapes.
        if !sizes.is_empty() && sizes.len() != rank {
            return Err(unsupported(format!(
                "the tensor `{name}` has the shape {sizes:?} instead of {rank} dimensions"
            )));
        }
        self.named()
    }

    fn size(&self, axis: usize) -> Option<usize> {
        self.sizes.get(axis).and_then(|size| usize::try_from(*size).ok()).filter(|size| *size > 0)
    }
}

const INTEGERS: [TensorElementType; 2] = [TensorElementType::Int64, TensorElementType::Int32];
const FLOATS: [TensorElementType; 3] =
    [TensorElementType::Float32, TensorElementType::Float16, TensorElementType::Bfloat16];

fn unsupported(problem: String) -> Error {
    Error::new(ErrorCode::Unsupported, format!("the graph can't be served: {problem}"))
}

/// The tensors of the KV cache, by layer and `key` or `value`.
type CacheTensors = BTreeMap<(u32, &'static str), Declared>;

/// The inputs of a decoder.
struct Inputs {
    tokens: Named,
    mask: Option<Named>,
    positions: Option<Named>,
    branch: Option<CString>,
    past: CacheTensors,
}

impl Inputs {
    fn read(inputs: Vec<Declared>) -> Result<Self> {
        let (mut tokens, mut mask, mut positions, mut branch) = (None, None, None, None);
        let mut past = BTreeMap::new();
        for declared in inputs {
            match (declared.name.as_str(), layer_and_part(&declared.name, "past")) {
                ("input_ids", _) => tokens = Some(declared.expect(&INTEGERS, 2)?),
                ("attention_mask", _) => mask = Some(declared.expect(&INTEGERS, 2)?),
                ("position_ids", _) => positions = Some(declared.expect(&INTEGERS, 2)?),
                ("use_cache_branch", _) => branch = Some(declared.expect(&[TensorElementType::Bool], 1)?.name),
                (_, Some(place)) => {
                    past.insert(place, declared);
                }
                (name, None) => {
                    return Err(unsupported(format!(
                        "the input `{name}` is not one of a decoder (input_ids, attention_mask, position_ids, \
                         use_cache_branch, past_key_values.N.key, past_key_values.N.value)"
                    )));
                }
            }
        }
        let tokens = tokens.ok_or_else(|| unsupported("it has no input `input_ids`".to_owned()))?;
        Ok(Self { tokens, mask, positions, branch, past })
    }
}

/// The outputs of a decoder: logits and KV cache.
fn read_outputs(outputs: Vec<Declared>) -> Result<(Declared, CacheTensors)> {
    let (mut logits, mut present) = (None, BTreeMap::new());
    for output in outputs {
        match layer_and_part(&output.name, "present") {
            Some(place) => {
                present.insert(place, output);
            }
            None if output.name == "logits" => logits = Some(output),
            // Other outputs (hidden states) are not fetched.
            None => {}
        }
    }
    let logits = logits.ok_or_else(|| unsupported("it has no output `logits`: it is no language model".to_owned()))?;
    Ok((logits, present))
}

/// The KV cache as inputs and outputs of the graph.
struct Cache {
    past: Vec<Named>,
    present: Vec<Named>,
    shape: Shape,
}

impl Cache {
    /// Pairs each tensor of the past with its successor.
    fn pair(past: &CacheTensors, present: &CacheTensors, config: &Config) -> Result<Self> {
        let (mut past_names, mut present_names, mut tensors, mut bytes) = (Vec::new(), Vec::new(), Vec::new(), None);
        for (place, declared) in past {
            let (layer, part) = place;
            let name = &declared.name;
            let other = present.get(place).ok_or_else(|| {
                unsupported(format!("it has the input `{name}` and no output `present.{layer}.{part}`"))
            })?;
            past_names.push(declared.expect(&FLOATS, 4)?);
            present_names.push(other.expect(&[declared.element], 4)?);
            let size = |axis: usize| declared.size(axis).or(other.size(axis));
            let heads = size(1).or(config.kv_heads);
            let width = size(3).or(config.head_size);
            let (Some(heads), Some(width)) = (heads, width) else {
                return Err(unsupported(format!(
                    "neither the tensor `{name}` nor config.json says its heads and their size"
                )));
            };
            tensors.push((heads, width));
            let element = if declared.element == TensorElementType::Float32 { 4 } else { 2 };
            if *bytes.get_or_insert(element) != element {
                return Err(unsupported(format!("the tensor `{name}` has elements of another type than those before")));
            }
        }
        if let Some((layer, part)) = present.keys().find(|place| !past.contains_key(place)) {
            return Err(unsupported(format!("it has the output `present.{layer}.{part}` and no input for it")));
        }
        let shape = Shape { tensors, element: bytes.unwrap_or(4) };
        Ok(Self { past: past_names, present: present_names, shape })
    }
}

impl Interface {
    /// Identifies each tensor.
    ///
    /// # Errors
    /// `Unsupported`, naming the tensor that is missing, unknown or of a wrong type or shape.
    pub(crate) fn read(inputs: Vec<Declared>, outputs: Vec<Declared>, config: &Config) -> Result<Self> {
        let Inputs { tokens, mask, positions, branch, past } = Inputs::read(inputs)?;
        let (logits, present) = read_outputs(outputs)?;
        if past.is_empty() || present.is_empty() {
            return Err(unsupported(
                "it has no KV cache (inputs `past_key_values.N.key`, outputs `present.N.key`); export it with \
                 `--task text-generation-with-past`"
                    .to_owned(),
            ));
        }
        let vocab_size = logits.size(2).or(config.vocab_size).ok_or_else(|| {
            unsupported("neither its output `logits` nor config.json says how large the vocabulary is".to_owned())
        })?;
        let Cache { past, present, shape } = Cache::pair(&past, &present, config)?;
        Ok(Self {
            tokens,
            mask,
            positions,
            branch,
            past,
            present,
            kv: shape,
            last_only: logits.size(1) == Some(1),
            logits: logits.expect(&FLOATS, 3)?,
            vocab_size,
        })
    }
}

/// The layer and `key` or `value` of a name like `past_key_values.3.key`, `present.3.value` or `past_key_3`.
fn layer_and_part(name: &str, prefix: &str) -> Option<(u32, &'static str)> {
    let rest = name.strip_prefix(prefix)?;
    let from = rest.find(|c: char| c.is_ascii_digit())?;
    let to = rest[from..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |length| from + length);
    let (before, after) = (&rest[..from], &rest[to..]);
    let part = match after.trim_start_matches(['.', '_']) {
        "" => before.trim_matches(['.', '_']),
        after => after,
    };
    let part = ["key", "value"].into_iter().find(|known| *known == part)?;
    Some((rest[from..to].parse().ok()?, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(name: &str, element: TensorElementType, sizes: &[i64]) -> Declared {
        Declared { name: name.to_owned(), element, sizes: sizes.to_vec() }
    }

    fn decoder() -> (Vec<Declared>, Vec<Declared>) {
        use TensorElementType::{Float32, Int64};
        let inputs = vec![
            tensor("input_ids", Int64, &[-1, -1]),
            tensor("attention_mask", Int64, &[-1, -1]),
            tensor("past_key_values.0.key", Float32, &[-1, 2, -1, 8]),
            tensor("past_key_values.0.value", Float32, &[-1, 2, -1, 8]),
        ];
        let outputs = vec![
            tensor("logits", Float32, &[-1, -1, 61]),
            tensor("present.0.key", Float32, &[-1, 2, -1, 8]),
            tensor("present.0.value", Float32, &[-1, 2, -1, 8]),
        ];
        (inputs, outputs)
    }

    fn refusal(change: impl Fn(&mut Vec<Declared>, &mut Vec<Declared>)) -> String {
        let (mut inputs, mut outputs) = decoder();
        change(&mut inputs, &mut outputs);
        Interface::read(inputs, outputs, &Config::default()).unwrap_err().message
    }

    #[test]
    fn the_shape_of_the_cache_is_read_from_the_graph() {
        let (inputs, outputs) = decoder();
        let interface = Interface::read(inputs, outputs, &Config::default()).unwrap();
        assert_eq!(interface.kv, Shape { tensors: vec![(2, 8), (2, 8)], element: 4 });
        assert_eq!((interface.vocab_size, interface.last_only), (61, false));
        assert!(interface.positions.is_none() && interface.branch.is_none() && interface.mask.is_some());
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        use TensorElementType::{Float32, Int64, String};
        let extra = tensor("encoder_hidden_states", Float32, &[-1, -1, 8]);
        assert!(refusal(|inputs, _| inputs.push(extra.clone())).contains("`encoder_hidden_states`"));
        assert!(refusal(|inputs, _| drop(inputs.remove(0))).contains("`input_ids`"));
        assert!(refusal(|inputs, _| inputs.truncate(2)).contains("with-past"));
        assert!(refusal(|_, outputs| drop(outputs.remove(0))).contains("`logits`"));
        assert!(refusal(|_, outputs| drop(outputs.remove(2))).contains("`present.0.value`"));
        assert!(refusal(|inputs, _| drop(inputs.remove(3))).contains("present.0.value"));
        assert!(refusal(|inputs, _| inputs[0] = tensor("input_ids", String, &[-1, -1])).contains("`input_ids`"));
        assert!(refusal(|inputs, _| inputs[0] = tensor("input_ids", Int64, &[-1])).contains("`input_ids`"));
        assert!(
            refusal(|inputs, _| inputs[2] = tensor("past_key_values.0.key", Float32, &[-1, -1, 8]))
                .contains("`past_key_values.0.key`")
        );
    }

    #[test]
    fn names_lead_to_layers() {
        assert_eq!(layer_and_part("past_key_values.12.value", "past"), Some((12, "value")));
        assert_eq!(layer_and_part("past_key_3", "past"), Some((3, "key")));
        assert_eq!(layer_and_part("present.0.key", "present"), Some((0, "key")));
        for name in ["past", "past_key_values", "past.1.decoder.key", "past_key_values.99999999999.key", "key.0"] {
            assert_eq!(layer_and_part(name, "past"), None, "{name}");
        }
    }
}
