//! [`AttentionShape`] and [`KvShape`]: the sizes of attention and of its cache.

/// The heads of an attention layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionShape {
    /// Query heads; a multiple of `kv_heads`.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
    /// What scores are multiplied by before the softmax.
    pub scale: f32,
}

impl AttentionShape {
    /// The width of a row of queries, keys and values.
    #[must_use]
    pub fn qkv_width(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_dim
    }
}

/// What the KV cache holds for each token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KvShape {
    /// Layers.
    pub layers: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
}

impl KvShape {
    /// Whether a cache of this shape has the layer, and is for such heads.
    #[must_use]
    pub fn holds(&self, layer: usize, heads: &AttentionShape) -> bool {
        let same = self.kv_heads == heads.kv_heads && self.head_dim == heads.head_dim;
        layer < self.layers && same && heads.heads.is_multiple_of(self.kv_heads)
    }
}
