//! Random numbers that depend on the request alone.
//!
//! The number for a draw is computed from the request's seed, the output's index and the number of tokens that the output
//! has: no state is kept, so neither the batch that a token is drawn in nor a preemption changes what is drawn.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The uniform number in [0, 1) with which output `index` of a request draws its token number `position`.
pub(in crate::engine) fn uniform(seed: u64, index: u32, position: u32) -> f32 {
    let mut stream = ChaCha8Rng::seed_from_u64(seed);
    stream.set_stream(u64::from(index));
    stream.set_word_pos(u128::from(position));
    // 24 bits are what the mantissa of an f32 holds: rounding up to 1 cannot happen.
    (stream.next_u32() >> 8) as f32 / (1 << 24) as f32
}

/// Seeds for requests without one, from the engine's own.
pub(in crate::engine) struct Seeds(ChaCha8Rng);

impl Seeds {
    pub(in crate::engine) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    pub(in crate::engine) fn next(&mut self) -> u64 {
        self.0.next_u64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_uniform_in_the_half_open_unit_interval() {
        let numbers: Vec<f32> = (0..4000).map(|position| uniform(7, 0, position)).collect();
        assert!(numbers.iter().all(|number| (0.0..1.0).contains(number)));
        let mean = numbers.iter().sum::<f32>() / 4000.0;
        assert!((mean - 0.5).abs() < 0.03, "{mean}");
    }

    #[test]
    fn seed_index_and_position_each_make_another_number() {
        let one = uniform(1, 2, 3);
        assert_eq!(one, uniform(1, 2, 3));
        assert!(one != uniform(2, 2, 3) && one != uniform(1, 3, 3) && one != uniform(1, 2, 4));
    }
}
