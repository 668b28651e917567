//! Attention of one row over the pages of its sequence.
//!
//! The cache of a layer is `[page][kv head][token][head_dim]`, for keys and for values separately, in `f32`. Each row
//! is computed on its own, in the order of positions, so its result depends neither on the batch nor on how the prompt
//! was cut into chunks. The query heads that share a key head are computed together, so a page is read once for all of
//! them.

use std::cell::RefCell;

use crate::simd::{Level, Simd, dispatch, exp};

/// The sizes of an attention layer and of its cache.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    /// Query heads; a multiple of `kv_heads`.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
    /// What scores are multiplied by.
    pub scale: f32,
    /// Tokens in a page.
    pub page_tokens: usize,
}

impl Heads {
    /// The elements of a page of keys (or values) of one layer.
    #[must_use]
    pub fn page_elements(&self) -> usize {
        self.kv_heads * self.page_tokens * self.head_dim
    }

    /// The index of a token's head in a layer's keys (or values).
    #[must_use]
    pub fn offset(&self, page: usize, kv_head: usize, token: usize) -> usize {
        page * self.page_elements() + (kv_head * self.page_tokens + token) * self.head_dim
    }
}

/// The positions that a row attends to, and the pages that hold them.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The pages of the sequence, in order.
    pub pages: &'a [u32],
    /// The first position seen.
    pub first: usize,
    /// One past the last position seen; greater than `first`.
    pub end: usize,
}

thread_local! {
    static SCORES: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// The heads of `kv_head`'s group: `query` and `out` have `heads / kv_heads` heads of one row, side by side; `keys` and `values` are
/// the layer's.
///
/// # Panics
/// If a slice is shorter than the sizes say, or a page is outside the cache.
#[allow(clippy::too_many_arguments, reason = "attention has this many operands")]
pub fn attend(
    level: Level,
    heads: &Heads,
    kv_head: usize,
    seen: Seen<'_>,
    query: &[f32],
    keys: &[f32],
    values: &[f32],
    out: &mut [f32],
) {
    let group = heads.heads / heads.kv_heads;
    assert!(kv_head < heads.kv_heads && seen.first < seen.end, "there is something to see");
    assert!(query.len() >= group * heads.head_dim && out.len() >= group * heads.head_dim, "the group fits");
    assert!(seen.end <= seen.pages.len() * heads.page_tokens, "the pages hold all positions");
    let needed = seen.pages.iter().max().map_or(0, |&page| (page as usize + 1) * heads.page_elements());
    assert!(keys.len() >= needed && values.len() >= needed, "the pages lie in the cache");
    SCORES.with_borrow_mut(|scores| {
        let positions = seen.end - seen.first;
        scores.resize((group * positions).max(scores.len()), 0.0);
        // SAFETY: the sizes were checked above.
        unsafe { attend_group(level, heads, kv_head, seen, query, keys, values, &mut scores[..group * positions], out) }
    });
}

dispatch! {
    #[allow(clippy::too_many_arguments, reason = "attention has this many operands")]
    unsafe fn attend_group(heads: &Heads, kv_head: usize, seen: Seen<'_>, query: &[f32], keys: &[f32], values: &[f32], scores: &mut [f32], out: &mut [f32]) = kernel;
}

#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "attention has this many operands")]
unsafe fn kernel<S: Simd>(
    heads: &Heads,
    kv_head: usize,
    seen: Seen<'_>,
    query: &[f32],
    keys: &[f32],
    values: &[f32],
    scores: &mut [f32],
    out: &mut [f32],
) {
    let (group, width) = (heads.heads / heads.kv_heads, heads.head_dim);
    let positions = seen.end - seen.first;
    let place = |position: usize| {
        heads.offset(seen.pages[position / heads.page_tokens] as usize, kv_head, position % heads.page_tokens)
    };
    // SAFETY: `attend` checked that every position's head lies inside of keys and values, and every query's inside of the group.
    unsafe {
        for (index, position) in (seen.first..seen.end).enumerate() {
            let key = keys.as_ptr().add(place(position));
            for head in 0..group {
                scores[head * positions + index] = dot::<S>(query.as_ptr().add(head * width), key, width) * heads.scale;
            }
        }
        out[..group * width].fill(0.0);
        for head in 0..group {
            let scores = &mut scores[head * positions..][..positions];
            let total = exponentials::<S>(scores);
            let out = &mut out[head * width..][..width];
            for (index, position) in (seen.first..seen.end).enumerate() {
                add_scaled::<S>(out, values.as_ptr().add(place(position)), scores[index]);
            }
            for value in out.iter_mut() {
                *value /= total;
            }
        }
    }
}

/// # Safety
/// Both pointers have `count` elements; see [`Simd`].
#[inline(always)]
unsafe fn dot<S: Simd>(a: *const f32, b: *const f32, count: usize) -> f32 {
    let whole = count / S::LANES * S::LANES;
    // SAFETY: the indices stay below `count`.
    unsafe {
        let mut sum = S::splat(0.0);
        for i in (0..whole).step_by(S::LANES) {
            sum = S::fma(S::load(a.add(i)), S::load(b.add(i)), sum);
        }
        let rest = count - whole;
        if rest > 0 {
            sum = S::fma(S::load_part(a.add(whole), rest), S::load_part(b.add(whole), rest), sum);
        }
        S::sum(sum)
    }
}

/// Replaces scores by `e^(score - largest)` and returns their sum.
///
/// # Safety
/// See [`Simd`].
#[inline(always)]
unsafe fn exponentials<S: Simd>(scores: &mut [f32]) -> f32 {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let whole = scores.len() / S::LANES * S::LANES;
    let at = scores.as_mut_ptr();
    // SAFETY: the indices stay below the length.
    unsafe {
        let shift = S::splat(largest);
        let mut sum = S::splat(0.0);
        for i in (0..whole).step_by(S::LANES) {
            let power = exp::<S>(S::sub(S::load(at.add(i)), shift));
            S::store(at.add(i), power);
            sum = S::add(sum, power);
        }
        let mut total = S::sum(sum);
        let rest = scores.len() - whole;
        if rest > 0 {
            let power = exp::<S>(S::sub(S::load_part(at.add(whole), rest), shift));
            S::store_part(at.add(whole), power, rest);
            total += scores[whole..].iter().sum::<f32>();
        }
        total
    }
}

/// `out += from * factor`.
///
/// # Safety
/// `from` has as many elements as `out`; see [`Simd`].
#[inline(always)]
unsafe fn add_scaled<S: Simd>(out: &mut [f32], from: *const f32, factor: f32) {
    let whole = out.len() / S::LANES * S::LANES;
    let to = out.as_mut_ptr();
    // SAFETY: the indices stay below the length.
    unsafe {
        let factor = S::splat(factor);
        for i in (0..whole).step_by(S::LANES) {
            S::store(to.add(i), S::fma(S::load(from.add(i)), factor, S::load(to.add(i))));
        }
        let rest = out.len() - whole;
        if rest > 0 {
            let sum = S::fma(S::load_part(from.add(whole), rest), factor, S::load_part(to.add(whole), rest));
            S::store_part(to.add(whole), sum, rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The textbook, in `f64`.
    fn naive(heads: &Heads, kv_head: usize, seen: Seen<'_>, query: &[f32], keys: &[f32], values: &[f32]) -> Vec<f64> {
        let width = heads.head_dim;
        let place = |p: usize| heads.offset(seen.pages[p / heads.page_tokens] as usize, kv_head, p % heads.page_tokens);
        let mut out = Vec::new();
        for query in query.chunks(width) {
            let score = |p: usize| {
                let products = (0..width).map(|d| f64::from(query[d]) * f64::from(keys[place(p) + d]));
                products.sum::<f64>() * f64::from(heads.scale)
            };
            let scores: Vec<f64> = (seen.first..seen.end).map(score).collect();
            let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let powers: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
            let total: f64 = powers.iter().sum();
            out.extend((0..width).map(|d| {
                let parts = powers.iter().zip(seen.first..).map(|(power, p)| power * f64::from(values[place(p) + d]));
                parts.sum::<f64>() / total
            }));
        }
        out
    }

    proptest! {
        #[test]
        fn every_level_agrees_with_the_textbook(
            kv_heads in 1usize..3, group in 1usize..4, head_dim in 1usize..70, first in 0usize..20, length in 1usize..50,
            seed: u64,
        ) {
            let heads = Heads { heads: kv_heads * group, kv_heads, head_dim, scale: 0.3, page_tokens: 8 };
            let end = first + length;
            // Pages out of order, as a cache gives them out.
            let count = end.div_ceil(heads.page_tokens);
            let pages: Vec<u32> = (0..count as u32).rev().collect();
            let number = |i: usize| ((i as u64 + 1).wrapping_mul(seed | 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f32 / 4e6 - 2.0;
            let keys: Vec<f32> = (0..count * heads.page_elements()).map(number).collect();
            let values: Vec<f32> = keys.iter().map(|key| key * 0.7 - 0.1).collect();
            let query: Vec<f32> = (0..group * head_dim).map(|i| number(i + 7)).collect();
            let seen = Seen { pages: &pages, first, end };
            let expected = naive(&heads, kv_heads - 1, seen, &query, &keys, &values);
            for level in Level::available() {
                let mut out = vec![f32::NAN; group * head_dim];
                attend(level, &heads, kv_heads - 1, seen, &query, &keys, &values, &mut out);
                for (got, want) in out.iter().zip(&expected) {
                    prop_assert!((f64::from(*got) - want).abs() < 2e-4, "{level:?}: {got} {want}");
                }
            }
        }
    }
}
