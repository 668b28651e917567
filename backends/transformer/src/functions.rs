//! The functions that a decoder chooses among: activations and norms.

/// The function between the two products of an MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
    /// `x / (1 + exp(-x))`.
    Silu,
    /// `x/2 (1 + erf(x / sqrt 2))`.
    Gelu,
    /// `x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`.
    GeluTanh,
}

/// The kinds of norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NormKind {
    /// `x / sqrt(mean(x^2) + epsilon)` (Zhang, Sennrich 2019).
    Rms,
    /// `(x - mean(x)) / sqrt(variance(x) + epsilon)` (Ba, Kiros, Hinton 2016).
    Layer,
}
