use std::collections::HashMap;

use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::*;

const INPUTS: usize = 32;
const OUTPUTS: usize = 16;

/// A tensor as files have it: name, type, shape, bytes.
type Written = (&'static str, Dtype, Vec<usize>, Vec<u8>);

/// A layer `p`.
type Layer = Vec<Written>;

/// A number for each output and input, all of them met.
fn weight(output: usize, input: usize) -> u8 {
    ((output * 7 + input * 5 + input / 8) % 16) as u8
}

fn zero(output: usize, group: usize) -> u8 {
    ((output * 3 + group * 7) % 16) as u8
}

fn scale(output: usize, group: usize) -> f32 {
    f16::from_f32(0.01 * (1 + output + 20 * group) as f32).to_f32()
}

/// A word of eight numbers, the first one in the lowest bits.
fn word(numbers: [u8; 8]) -> Vec<u8> {
    let word = numbers.iter().enumerate().fold(0u32, |word, (place, number)| word | u32::from(*number) << (4 * place));
    word.to_le_bytes().to_vec()
}

fn halves(values: impl Iterator<Item = f32>) -> Vec<u8> {
    values.flat_map(|x| f16::from_f32(x).to_le_bytes()).collect()
}

fn scales(groups: usize) -> Written {
    let of_group = |group| (0..OUTPUTS).map(move |output| scale(output, group));
    ("p.scales", Dtype::F16, vec![groups, OUTPUTS], halves((0..groups).flat_map(of_group)))
}

/// The order of outputs in a word of AWQ, as its packer has it.
const AWQ_OUTPUTS: [usize; 8] = [0, 2, 4, 6, 1, 3, 5, 7];

fn awq(groups: usize) -> Layer {
    let eight = |number: &dyn Fn(usize) -> u8| -> Vec<u8> {
        (0..OUTPUTS).step_by(8).flat_map(|first| word(AWQ_OUTPUTS.map(|output| number(first + output)))).collect()
    };
    let qweight = (0..INPUTS).flat_map(|input| eight(&|output| weight(output, input))).collect();
    let qzeros = (0..groups).flat_map(|group| eight(&|output| zero(output, group))).collect();
    vec![
        ("p.qweight", Dtype::I32, vec![INPUTS, OUTPUTS / 8], qweight),
        ("p.qzeros", Dtype::I32, vec![groups, OUTPUTS / 8], qzeros),
        scales(groups),
    ]
}

/// Zeros as they are less `less`; where that is below 0, all bits are set.
fn gptq(groups: usize, less: u8) -> Layer {
    let column = |first: usize, output: usize| word(std::array::from_fn(|place| weight(output, first + place)));
    let qweight =
        (0..INPUTS).step_by(8).flat_map(|first| (0..OUTPUTS).flat_map(move |output| column(first, output))).collect();
    let stored = |output, group| zero(output, group).wrapping_sub(less) & 15;
    let eight = |group: usize, first: usize| word(std::array::from_fn(|place| stored(first + place, group)));
    let qzeros =
        (0..groups).flat_map(|group| (0..OUTPUTS).step_by(8).flat_map(move |first| eight(group, first))).collect();
    vec![
        ("p.qweight", Dtype::I32, vec![INPUTS / 8, OUTPUTS], qweight),
        ("p.qzeros", Dtype::I32, vec![groups, OUTPUTS / 8], qzeros),
        scales(groups),
    ]
}

fn g_idx(of_input: impl Fn(usize) -> usize) -> Written {
    let bytes = (0..INPUTS).flat_map(|input| (of_input(input) as i32).to_le_bytes()).collect();
    ("p.g_idx", Dtype::I32, vec![INPUTS], bytes)
}

/// Words along the inputs, and of zeros along the outputs.
fn compressed(groups: usize, symmetric: bool) -> Layer {
    let row = |output: usize| {
        (0..INPUTS).step_by(8).flat_map(move |first| word(std::array::from_fn(|place| weight(output, first + place))))
    };
    let scales = (0..OUTPUTS).flat_map(|output| (0..groups).map(move |group| scale(output, group)));
    let eight = |first: usize, group: usize| word(std::array::from_fn(|place| zero(first + place, group)));
    let zeros = (0..OUTPUTS).step_by(8).flat_map(|first| (0..groups).flat_map(move |group| eight(first, group)));
    let mut layer = vec![
        ("p.weight_packed", Dtype::I32, vec![OUTPUTS, INPUTS / 8], (0..OUTPUTS).flat_map(row).collect()),
        ("p.weight_scale", Dtype::F16, vec![OUTPUTS, groups], halves(scales)),
        (
            "p.weight_shape",
            Dtype::I64,
            vec![2],
            [OUTPUTS, INPUTS].iter().flat_map(|n| (*n as i64).to_le_bytes()).collect(),
        ),
    ];
    if !symmetric {
        layer.push(("p.weight_zero_point", Dtype::I32, vec![OUTPUTS / 8, groups], zeros.collect()));
    }
    layer
}

fn unpack(layer: &Layer, packing: Packing) -> Result<(Tensor, Groups)> {
    let directory = tempfile::tempdir().expect("a directory");
    let views: HashMap<_, _> = layer
        .iter()
        .map(|(name, dtype, shape, bytes)| (*name, TensorView::new(*dtype, shape.clone(), bytes).expect("a tensor")))
        .collect();
    safetensors::serialize_to_file(views, None, &directory.path().join("model.safetensors")).expect("written");
    let weights = Weights::open(directory.path()).expect("weights");
    let unpacked = packing.unpack(&weights, "p", OUTPUTS, INPUTS)?;
    weights.finish(&[]).expect("all was taken");
    Ok(unpacked)
}

/// That each weight is the one of its number, by its group.
fn check(layer: &Layer, packing: Packing, group: impl Fn(usize) -> usize) {
    let symmetric = packing.layout == Layout::Compressed { symmetric: true };
    let zero = |output, group| if symmetric { 8 } else { zero(output, group) };
    let (tensor, groups) = unpack(layer, packing).expect("a layer");
    assert_eq!((tensor.dtype(), tensor.shape()), (DType::I4, &[OUTPUTS, INPUTS][..]));
    assert!(groups.fit(OUTPUTS, INPUTS) && groups.dtype() == DType::F16, "{groups:?}");
    let mut found = [0.0; INPUTS];
    for (output, packed) in tensor.bytes().chunks(INPUTS / 2).enumerate() {
        groups.widen(output, packed, &mut found);
        let right = |input: usize| {
            let group = group(input);
            (f32::from(weight(output, input)) - f32::from(zero(output, group))) * scale(output, group)
        };
        assert_eq!(found, std::array::from_fn(right), "output {output}");
    }
}

const AWQ: Packing = Packing { layout: Layout::Awq, group_size: Some(8), ordered: false };
const GPTQ: Packing = Packing { layout: Layout::Gptq { exact_zeros: false }, ..AWQ };

#[test]
fn words_of_awq_have_every_other_output_first() {
    for size in [8, 16, 32, 128] {
        check(&awq(INPUTS.div_ceil(size)), Packing { group_size: Some(size), ..AWQ }, |input| input / size);
    }
    check(&awq(1), Packing { group_size: None, ..AWQ }, |_| 0);
    // By hand: the second output of the word is the fifth number in it.
    let mut layer = awq(4);
    layer[0].3 = [&0x000f_0000u32.to_le_bytes()[..], &[0; INPUTS * 8 - 4]].concat();
    let (tensor, _) = unpack(&layer, AWQ).expect("a layer");
    let found = tensor.to_f32();
    let set: Vec<_> = (0..found.len()).filter(|at| found[*at] != 0.0).collect();
    assert_eq!((set, found[INPUTS]), (vec![INPUTS], 15.0));
}

#[test]
fn words_of_gptq_have_inputs_and_zeros_that_are_one_less_but_in_format_2() {
    for size in [8, 16, 32] {
        let count = INPUTS / size;
        check(&gptq(count, 1), Packing { group_size: Some(size), ..GPTQ }, |input| input / size);
        let second = Packing { layout: Layout::Gptq { exact_zeros: true }, group_size: Some(size), ordered: false };
        check(&gptq(count, 0), second, |input| input / size);
    }
    // By hand: the lowest bits of the second word are input 0 of output 1.
    let mut layer = gptq(4, 1);
    layer[0].3 = [&[0, 0, 0, 0, 5][..], &[0; INPUTS * 8 - 5]].concat();
    let (tensor, _) = unpack(&layer, GPTQ).expect("a layer");
    let found = tensor.to_f32();
    let set: Vec<_> = (0..found.len()).filter(|at| found[*at] != 0.0).collect();
    assert_eq!((set, found[INPUTS]), (vec![INPUTS], 5.0));
}

const COMPRESSED: Packing = Packing { layout: Layout::Compressed { symmetric: false }, ..AWQ };

#[test]
fn words_of_compressed_tensors_have_inputs_and_zeros_are_stored_or_8() {
    for symmetric in [false, true] {
        let packing = Packing { layout: Layout::Compressed { symmetric }, ..AWQ };
        for size in [8, 16, 32, 128] {
            let layer = compressed(INPUTS.div_ceil(size), symmetric);
            check(&layer, Packing { group_size: Some(size), ..packing }, |input| input / size);
        }
        check(&compressed(1, symmetric), Packing { group_size: None, ..packing }, |_| 0);
    }
    // By hand: the lowest bits of the first word of the second row are input 0 of output 1.
    let mut layer = compressed(4, true);
    layer[0].3 = [&[0; INPUTS / 2][..], &[9], &[0; INPUTS * OUTPUTS / 2 - INPUTS / 2 - 1]].concat();
    let packing = Packing { layout: Layout::Compressed { symmetric: true }, ..AWQ };
    let found = unpack(&layer, packing).expect("a layer").0.to_f32();
    let set: Vec<_> = (0..found.len()).filter(|at| found[*at] != 0.0).collect();
    assert_eq!((set, found[INPUTS]), (vec![INPUTS], 9.0));
}

#[test]
fn scattered_groups_of_compressed_tensors_are_put_in_order_unless_nothing_is_said_of_them() {
    let scattered = |input: usize| input * 5 % INPUTS / 8;
    let with = |of_input: &dyn Fn(usize) -> usize| {
        let (_, dtype, shape, bytes) = g_idx(of_input);
        [compressed(4, false), vec![("p.weight_g_idx", dtype, shape, bytes)]].concat()
    };
    check(&with(&scattered), Packing { ordered: true, ..COMPRESSED }, scattered);
    let unused = with(&|_| usize::MAX);
    check(&unused, COMPRESSED, |input| input / 8);
    assert!(unpack(&unused, COMPRESSED).expect("a layer").1.order().is_none());
}

#[test]
fn inputs_whose_groups_are_scattered_are_put_in_the_order_of_their_groups() {
    let ordered = Packing { ordered: true, ..GPTQ };
    let scattered = |input: usize| input * 5 % INPUTS / 8;
    let layer = [gptq(4, 1), vec![g_idx(scattered)]].concat();
    check(&layer, ordered, scattered);
    // What the tensor says counts, whatever config.json says of it.
    check(&layer, GPTQ, scattered);
    let (_, groups) = unpack(&layer, ordered).expect("a layer");
    let order = groups.order().expect("an order");
    assert!(order.windows(2).all(|two| scattered(two[0] as usize) <= scattered(two[1] as usize)));
    let plain = [gptq(4, 1), vec![g_idx(|input| input / 8)]].concat();
    assert!(unpack(&plain, ordered).expect("a layer").1.order().is_none());
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let ordered = Packing { ordered: true, ..GPTQ };
    let changed = |index: usize, change: &dyn Fn(&mut Written)| {
        let mut layer = awq(4);
        change(&mut layer[index]);
        layer
    };
    let infinite = changed(2, &|scales| scales.3[..2].copy_from_slice(&f16::INFINITY.to_le_bytes()));
    let wide = changed(2, &|scales| {
        (scales.1, scales.3) = (Dtype::F32, vec![0; 4 * OUTPUTS * 4]);
    });
    let floats = changed(0, &|qweight| {
        (qweight.1, qweight.2) = (Dtype::BF16, vec![INPUTS, OUTPUTS / 8, 8]);
        qweight.3 = vec![0; INPUTS * OUTPUTS * bf16::ONE.to_le_bytes().len()];
    });
    for (layer, packing, says) in [
        (&awq(4)[..2], AWQ, "`p.scales` is missing"),
        (&awq(4)[1..], AWQ, "`p.qweight` is missing"),
        (&awq(2)[..], AWQ, "`p.scales` has shape [2, 16]"),
        (&gptq(4, 1)[..], AWQ, "`p.qweight` has shape [4, 16, 8]"),
        (&gptq(4, 1)[..], ordered, "`p.g_idx` is missing"),
        (&[gptq(4, 1), vec![g_idx(|input| input / 16)]].concat()[..], GPTQ, "`p.g_idx` does not give"),
        (&[gptq(4, 1), vec![g_idx(|_| usize::MAX)]].concat()[..], GPTQ, "`p.g_idx` does not give"),
        (&awq(8)[..], Packing { group_size: Some(4), ..AWQ }, "groups of 4 inputs"),
        (&infinite[..], AWQ, "a scale is inf"),
        (&wide[..], AWQ, "scales are f32"),
        (&floats[..], AWQ, "`p.qweight` is bf16, not I32"),
        (&awq(4)[..], COMPRESSED, "`p.weight_packed` is missing"),
        (&compressed(4, true)[..], COMPRESSED, "`p.weight_zero_point` is missing"),
        (&compressed(2, false)[..], COMPRESSED, "`p.weight_scale` has shape [16, 2]"),
        (&compressed(4, false)[..], Packing { ordered: true, ..COMPRESSED }, "`p.weight_g_idx` is missing"),
    ] {
        let message = unpack(&layer.to_vec(), packing).expect_err(says).message;
        assert!(message.contains(says), "{message} instead of {says}");
    }
}

#[test]
fn large_matrices_are_unpacked_by_several_threads_as_by_one() {
    let (outputs, inputs) = (1000, 4104);
    let number = |output: usize, input: usize| ((output * 31 + input * 17) >> 3) as u8 & 15;
    let packed = transpose(outputs, inputs, number);
    assert_eq!(packed.len(), outputs * inputs / 2);
    for (index, byte) in packed.iter().enumerate() {
        let (output, input) = (index / (inputs / 2), index % (inputs / 2) * 2);
        assert_eq!(int4::numbers(*byte), [number(output, input), number(output, input + 1)]);
    }
}
