//! Fields that several families read in the same way, and the limits of what is accepted.

use jig_plugin_api::Result;

use crate::config::fields::Fields;
use crate::functions::Activation;

// The largest widths, counts and lengths that are accepted: far above any model, and far below what overflows when
// sizes are multiplied.

pub(super) const MAX_WIDTH: usize = 1 << 18;
pub(super) const MAX_LAYERS: usize = 1024;
pub(super) const MAX_HEADS: usize = 4096;
pub(super) const MAX_HEAD_DIM: usize = 1024;
const MAX_VOCABULARY: usize = 1 << 24;
pub(super) const MAX_POSITIONS: usize = 1 << 26;

/// The size of the vocabulary, which must be there.
pub(super) fn vocabulary(fields: &Fields<'_>) -> Result<usize> {
    fields.required("vocab_size", fields.integer("vocab_size", 1..=MAX_VOCABULARY)?)
}

/// The size of a head where all heads together are as wide as the residual stream.
pub(super) fn whole_heads(fields: &Fields<'_>, hidden_size: usize, heads: usize) -> Result<usize> {
    if !hidden_size.is_multiple_of(heads) {
        return Err(fields.invalid("hidden_size", format!("{hidden_size} is not a multiple of the {heads} heads")));
    }
    Ok(hidden_size / heads)
}

/// The function of the MLP that the field `name` names.
pub(super) fn activation(fields: &Fields<'_>, name: &str, default: Activation) -> Result<Activation> {
    match fields.text(name)? {
        None => Ok(default),
        Some("relu") => Ok(Activation::Relu),
        Some("silu" | "swish") => Ok(Activation::Silu),
        Some("gelu") => Ok(Activation::Gelu),
        Some("gelu_new" | "gelu_pytorch_tanh" | "gelu_fast") => Ok(Activation::GeluTanh),
        Some(other) => Err(fields.unsupported(
            name,
            format!(
                "\"{other}\" is not supported; supported are relu, silu, gelu, gelu_new, gelu_fast, gelu_pytorch_tanh"
            ),
        )),
    }
}
