//! Random numbers that repeat from their seed: SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom
//! number generators", OOPSLA 2014).

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }
    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// A number below `n`, which is not 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }
    /// A number from `lo` to `hi`, both included.
    pub fn range(&mut self, lo: usize, hi: usize) -> usize {
        lo + self.below(hi - lo + 1)
    }
    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
    /// One of several, of which there is at least one.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
    /// One of several, if there is any.
    pub fn pick_from<T: Copy>(&mut self, items: &[T]) -> Option<T> {
        if items.is_empty() { None } else { Some(self.pick(items)) }
    }
    /// An index, each as often as its weight says; the weights' sum is not 0.
    pub fn weighted(&mut self, weights: &[u32]) -> usize {
        let mut left = self.below(weights.iter().map(|&w| w as usize).sum());
        for (i, &weight) in weights.iter().enumerate() {
            match left.checked_sub(weight as usize) {
                Some(rest) => left = rest,
                None => return i,
            }
        }
        weights.len() - 1
    }
    /// A number that breaks things more often than chance: few bits, ends of ranges, or anything.
    pub fn interesting(&mut self) -> u64 {
        match self.below(6) {
            0 => self.below(17) as u64,
            1 => 1u64.wrapping_shl(self.below(64) as u32),
            2 => 1u64.wrapping_shl(self.below(64) as u32).wrapping_sub(1),
            3 => (self.below(9) as u64).wrapping_sub(8),
            4 => self.bits() >> self.below(64),
            _ => self.bits(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_weights_hold() {
        let (mut a, mut b) = (Random::new(7), Random::new(7));
        assert!((0..100).all(|_| a.bits() == b.bits()));
        let hits = (0..4000).filter(|_| a.weighted(&[0, 3, 1]) == 1).count();
        assert!((2800..3200).contains(&hits), "{hits}");
        assert!((0..1000).all(|_| a.weighted(&[0, 1, 0]) == 1));
    }
}
