//! Finds the model's file in a directory or repository.
//!
//! | exporter | files |
//! |---|---|
//! | Optimum | `model.onnx`, or `decoder_model_merged.onnx`; often in a folder `onnx/` |
//! | onnx-community | the same with the type in the name: `onnx/model_q4.onnx`, `onnx/model_fp16.onnx` |
//! | onnxruntime-genai | `genai_config.json`, which names the file |
//!
//! External weights have the model's file name followed by `.data` or `_data`.

use jig_plugin_api::{Error, ErrorCode, Result};

/// The file in which onnxruntime-genai describes a model.
pub const GENAI_CONFIG: &str = "genai_config.json";

/// The folders to search, in this order.
pub const FOLDERS: [&str; 2] = ["", "onnx/"];
const STEMS: [&str; 2] = ["model", "decoder_model_merged"];

/// Values of `--dtype` with the suffixes of their files, the preferred one first. `auto` takes the first one in the
/// whole table that exists.
const DTYPES: [(&[&str], &[&str]); 9] = [
    (&["fp32", "f32"], &["", "_fp32"]),
    (&["fp16", "f16"], &["_fp16"]),
    (&["bf16"], &["_bf16"]),
    (&["q4"], &["_q4"]),
    (&["q4f16"], &["_q4f16"]),
    (&["q8", "int8"], &["_int8", "_quantized"]),
    (&["quantized"], &["_quantized"]),
    (&["uint8"], &["_uint8"]),
    (&["bnb4"], &["_bnb4"]),
];

/// The model among `names`, which are paths within the directory or repository.
///
/// # Errors
/// `InvalidArgument` for an unknown type; `NotFound` with the files that exist instead.
pub fn select<'a>(names: &'a [String], dtype: &str) -> Result<&'a str> {
    let has = |name: &str| names.iter().find(|other| *other == name).map(String::as_str);
    let with_ends = |ends: &[&str]| {
        let stems = FOLDERS.iter().flat_map(|folder| STEMS.map(|stem| format!("{folder}{stem}")));
        let mut files =
            stems.flat_map(|stem| ends.iter().map(move |end| format!("{stem}{end}.onnx")).collect::<Vec<_>>());
        files.find_map(|file| has(&file))
    };
    let wanted = match dtype {
        "auto" => DTYPES.iter().find_map(|(_, ends)| with_ends(ends)).or_else(|| only_one(names)),
        _ => {
            let known = DTYPES.iter().find(|(spellings, _)| spellings.contains(&dtype));
            let (_, ends) = known.ok_or_else(|| {
                let spellings: Vec<_> = DTYPES.iter().flat_map(|(spellings, _)| *spellings).copied().collect();
                Error::invalid_argument(format!("dtype `{dtype}`: it is one of auto, {}", spellings.join(", ")))
            })?;
            with_ends(ends)
        }
    };
    wanted.ok_or_else(|| Error::new(ErrorCode::NotFound, missing(names, dtype)))
}

/// The files among `names` that the model `file` needs, itself first.
#[must_use]
pub fn with_weights<'a>(names: &'a [String], file: &str) -> Vec<&'a str> {
    let is_weights = |name: &&String| {
        let rest = name.strip_prefix(file);
        rest.is_some_and(|rest| rest.starts_with(".data") || rest.starts_with("_data"))
    };
    let model = names.iter().filter(|name| *name == file);
    let config = names.iter().filter(|name| *name == GENAI_CONFIG);
    model.chain(names.iter().filter(is_weights)).chain(config).map(String::as_str).collect()
}

/// The ONNX file of the searched folders, if there is exactly one.
fn only_one(names: &[String]) -> Option<&str> {
    let mut found = names.iter().filter(|name| {
        let rest = name.strip_prefix("onnx/").unwrap_or(name);
        rest.ends_with(".onnx") && !rest.contains('/')
    });
    found.next().filter(|_| found.next().is_none()).map(String::as_str)
}

fn missing(names: &[String], dtype: &str) -> String {
    let there: Vec<_> = names.iter().filter(|name| name.ends_with(".onnx")).take(12).map(String::as_str).collect();
    if there.is_empty() {
        return "there is no ONNX model; export one: `optimum-cli export onnx --task text-generation-with-past --model MODEL \
                DIRECTORY`"
            .to_owned();
    }
    let of_type = if dtype == "auto" { String::new() } else { format!(" of the type `{dtype}`") };
    let hint = "a model is model.onnx or decoder_model_merged.onnx, with the type before .onnx (model_q4.onnx)";
    format!("there is no ONNX model{of_type} among {}; {hint}: choose with --dtype", there.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn each_layout_has_its_file_found() {
        for (files, dtype, expected) in [
            (&["config.json", "model.onnx"][..], "auto", "model.onnx"),
            (&["onnx/model.onnx", "onnx/model_q4.onnx"], "auto", "onnx/model.onnx"),
            (&["onnx/model.onnx", "onnx/model_q4.onnx"], "q4", "onnx/model_q4.onnx"),
            (&["onnx/model_q4f16.onnx", "onnx/model_q4.onnx", "onnx/model_fp16.onnx"], "auto", "onnx/model_fp16.onnx"),
            (&["onnx/decoder_model_merged.onnx", "onnx/decoder_model.onnx"], "fp32", "onnx/decoder_model_merged.onnx"),
            (&["onnx/decoder_model_merged_quantized.onnx"], "q8", "onnx/decoder_model_merged_quantized.onnx"),
            (&["model.onnx", "model_int8.onnx", "model_quantized.onnx"], "int8", "model_int8.onnx"),
            (&["phi3-mini.onnx", "phi3-mini.onnx.data"], "auto", "phi3-mini.onnx"),
        ] {
            assert_eq!(select(&names(files), dtype).unwrap(), expected, "{files:?} {dtype}");
        }
    }

    #[test]
    fn what_is_not_there_is_said_with_what_is() {
        let two = names(&["a.onnx", "b.onnx"]);
        let error = select(&two, "auto").unwrap_err();
        assert!(error.code == ErrorCode::NotFound && error.message.contains("a.onnx, b.onnx"), "{error}");
        assert!(select(&names(&["model.onnx"]), "q4").unwrap_err().message.contains("`q4`"));
        assert!(select(&names(&["model.safetensors"]), "auto").unwrap_err().message.contains("optimum-cli"));
        let unknown = select(&names(&["model.onnx"]), "f7").unwrap_err();
        assert!(unknown.code == ErrorCode::InvalidArgument && unknown.message.contains("`f7`"), "{unknown}");
    }

    #[test]
    fn weights_of_other_types_are_not_taken() {
        let all = names(&[
            "onnx/model.onnx",
            "onnx/model.onnx_data",
            "onnx/model.onnx_data_1",
            "onnx/model_q4.onnx",
            "onnx/model_q4.onnx_data",
            "genai_config.json",
        ]);
        assert_eq!(with_weights(&all, "onnx/model_q4.onnx"), [&all[3], &all[4], &all[5]]);
        assert_eq!(with_weights(&all, "onnx/model.onnx"), [&all[0], &all[1], &all[2], &all[5]]);
    }
}
