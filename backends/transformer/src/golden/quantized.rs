//! [`quantized`]: models with 8-bit projections, and the same weights in `f32`.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use half::bf16;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};

use super::model::Golden;
use crate::weights::f8;

/// A tensor as it is written: name, type, shape and bytes.
type Written = (String, Dtype, Vec<usize>, Vec<u8>);

/// Writes a model twice into a directory and returns both: with its projections in 8 bits, and with the same numbers in
/// `f32`.
///
/// Without `block`, most projections have a scale for each output and the last ones of the MLPs one scale each, as in
/// real checkpoints. With `block`, all have a scale for each block of outputs by inputs. The first projection to keys
/// is never quantized.
#[must_use]
pub fn quantized(golden: &Golden, directory: &Path, block: Option<[usize; 2]>) -> [PathBuf; 2] {
    let file = fs::read(golden.directory.join("model.safetensors")).expect("a model in one file");
    let mut written: [Vec<Written>; 2] = Default::default();
    for (name, view) in SafeTensors::deserialize(&file).expect("safetensors").iter() {
        let projection =
            name.contains("layers.") && view.shape().len() == 2 && !name.contains("layers.0.self_attn.k_proj");
        if !projection {
            let tensor = (name.to_owned(), view.dtype(), view.shape().to_vec(), view.data().to_vec());
            written.iter_mut().for_each(|tensors| tensors.push(tensor.clone()));
            continue;
        }
        let values = floats(&view);
        let [outputs, inputs] = [view.shape()[0], view.shape()[1]];
        let for_all = name.contains("down_proj") || name.contains("fc2");
        let [height, width] = block.unwrap_or(if for_all { [outputs, inputs] } else { [1, inputs] });
        let shape = [outputs.div_ceil(height), inputs.div_ceil(width)];
        let at = |index: usize| index / inputs / height * shape[1] + index % inputs / width;
        let mut largest = vec![1e-6f32; shape[0] * shape[1]];
        values.iter().enumerate().for_each(|(index, x)| largest[at(index)] = largest[at(index)].max(x.abs()));
        let scale: Vec<f32> = largest.iter().map(|largest| largest / f8::LARGEST).collect();
        let bits: Vec<u8> = values.iter().enumerate().map(|(index, x)| f8::narrow(x / scale[at(index)])).collect();
        let same =
            bits.iter().enumerate().flat_map(|(index, bits)| (f8::widen(*bits) * scale[at(index)]).to_le_bytes());
        written[1].push((name.to_owned(), Dtype::F32, view.shape().to_vec(), same.collect()));
        written[0].push((name.to_owned(), Dtype::F8_E4M3, view.shape().to_vec(), bits));
        let shape = if block.is_none() && for_all { vec![] } else { shape.to_vec() };
        let scale = scale.iter().flat_map(|scale| scale.to_le_bytes()).collect();
        let named = format!("{name}_scale{}", if block.is_some() { "_inv" } else { "" });
        written[0].push((named, Dtype::F32, shape, scale));
        let beside = name.replace(".weight", ".input_scale");
        written[0].push((beside, Dtype::F32, vec![1], 1f32.to_le_bytes().to_vec()));
    }
    let config: Value =
        serde_json::from_slice(&fs::read(golden.directory.join("config.json")).expect("config.json")).expect("JSON");
    let mut of_8_bits = config.clone();
    of_8_bits["quantization_config"] =
        json!({"quant_method": "fp8", "activation_scheme": "static", "weight_block_size": block});
    let save = |name: &str, config: &Value, tensors: &[Written]| {
        let directory = directory.join(name);
        fs::create_dir_all(&directory).expect("a directory");
        fs::write(directory.join("config.json"), config.to_string()).expect("written");
        let views: HashMap<_, _> = tensors
            .iter()
            .map(|(name, dtype, shape, bytes)| (name, TensorView::new(*dtype, shape.clone(), bytes).expect("a tensor")))
            .collect();
        safetensors::serialize_to_file(views, None, &directory.join("model.safetensors")).expect("written");
        directory
    };
    [save("f8", &of_8_bits, &written[0]), save("plain", &config, &written[1])]
}

fn floats(view: &TensorView<'_>) -> Vec<f32> {
    let bytes = view.data();
    match view.dtype() {
        Dtype::F32 => bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        Dtype::BF16 => bytes.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect(),
        other => panic!("a model in {other:?}"),
    }
}
