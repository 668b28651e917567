use std::collections::HashMap;

use proptest::prelude::*;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::*;

fn write(path: &Path, tensors: &[(&str, &[usize], &[f32])]) {
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(.., values)| values.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        (*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes).expect("a valid view"))
    });
    safetensors::serialize_to_file(views.collect::<HashMap<_, _>>(), None, path).expect("written");
}

#[test]
fn missing_extra_and_misshapen_tensors_are_named_with_their_file() {
    let directory = tempfile::tempdir().expect("a directory");
    write(&directory.path().join("model.safetensors"), &[("a", &[2, 1], &[1.0, 2.0]), ("b", &[1], &[3.0])]);
    let weights = Weights::open(directory.path()).expect("valid");
    assert_eq!(weights.take("a", &[2, 1]).expect("there").to_f32(), [1.0, 2.0]);
    let message = weights.take("a", &[1, 2]).expect_err("another shape").message;
    assert!(
        message.contains("`a`") && message.contains("[2, 1]") && message.contains("model.safetensors"),
        "{message}"
    );
    let message = weights.take("c", &[1]).expect_err("not there").message;
    assert!(message.contains("`c`") && message.contains("missing"), "{message}");
    let message = weights.finish(&[]).expect_err("b is left").message;
    assert!(message.contains("`b`") && message.contains("model.safetensors"), "{message}");
    weights.finish(&["b"]).expect("b is ignored");
    assert_eq!(weights.parameters(), 2);
}

#[test]
fn shards_are_read_as_the_index_says() {
    let directory = tempfile::tempdir().expect("a directory");
    write(&directory.path().join("one.safetensors"), &[("a", &[1], &[1.0])]);
    write(&directory.path().join("two.safetensors"), &[("b", &[1], &[2.0])]);
    let index = directory.path().join("model.safetensors.index.json");
    std::fs::write(&index, r#"{"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}"#).expect("written");
    let weights = Weights::open(directory.path()).expect("valid");
    assert_eq!(weights.take("b", &[1]).expect("there").to_f32(), [2.0]);

    std::fs::write(&index, r#"{"weight_map": {"a": "two.safetensors"}}"#).expect("written");
    let message = Weights::open(directory.path()).expect_err("a is elsewhere").message;
    assert!(message.contains("`a`") && message.contains("two.safetensors"), "{message}");

    std::fs::write(&index, r#"{"weight_map": {"a": "../one.safetensors"}}"#).expect("written");
    assert!(Weights::open(directory.path()).expect_err("leads out").message.contains("weight_map.a"));
}

#[test]
fn a_directory_with_other_weights_says_which() {
    let directory = tempfile::tempdir().expect("a directory");
    let message = Weights::open(directory.path()).expect_err("empty").message;
    assert!(message.contains("no weights at all"), "{message}");
    std::fs::write(directory.path().join("pytorch_model.bin"), b"x").expect("written");
    let message = Weights::open(directory.path()).expect_err("pickled").message;
    assert!(message.contains("pytorch_model.bin") && message.contains("safetensors"), "{message}");
}

proptest! {
    #[test]
    fn no_file_panics(bytes in prop::collection::vec(any::<u8>(), 0..64), length in 0u64..80) {
        let directory = tempfile::tempdir().expect("a directory");
        let text = [&length.to_le_bytes()[..], br#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, &bytes].concat();
        std::fs::write(directory.path().join("model.safetensors"), text).expect("written");
        let _ = Weights::open(directory.path());
    }
}
