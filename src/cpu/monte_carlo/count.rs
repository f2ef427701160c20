//! The counting loop, written once for vectors of 64-bit lanes: Philox blocks in the lanes, and what each method makes of them.

use std::marker::PhantomData;

use super::GROUP;
use crate::Philox4x32;
use crate::philox::{MULTIPLIERS, ROUNDS};
use crate::plan::{MonteCarlo, PiMethod};

/// A vector of 64-bit lanes. The methods compile to the instructions they name only inside a function that enables the
/// features of the type; calling them elsewhere is sound on a CPU that has the features.
pub(super) trait Lanes: Copy {
    /// Lanes: the blocks that one vector holds.
    const BLOCKS: u64;

    /// The same value in all lanes.
    fn splat(value: u64) -> Self;
    /// `start`, `start + 1`, …
    fn ascending(start: u64) -> Self;
    /// The sum.
    fn add(self, other: Self) -> Self;
    /// The difference.
    fn sub(self, other: Self) -> Self;
    /// The product of the low halves, 32 by 32 bits to 64.
    fn mul(self, other: Self) -> Self;
    /// And.
    fn and(self, other: Self) -> Self;
    /// Exclusive or.
    fn xor(self, other: Self) -> Self;
    /// Exclusive or of three.
    #[inline(always)]
    fn xor3(self, b: Self, c: Self) -> Self {
        self.xor(b).xor(c)
    }
    /// The high half in the low half; what is above is of no matter.
    fn high(self) -> Self;
    /// The same two vectors, of which the compiler knows nothing: it keeps the order of what comes before and after.
    #[inline(always)]
    fn fence(a: Self, b: Self) -> (Self, Self) {
        (a, b)
    }
    /// The low half in the high half, zero below.
    fn shift_up(self) -> Self;
    /// Adds 1 to each half of `misses` whose half of `self`, read as a point, lies outside the circle.
    fn add_misses(self, misses: Self) -> Self;
    /// The sum of all halves.
    fn sum_halves(self) -> u64;
    /// The sum of all lanes.
    fn sum(self) -> u64;
    /// All bits where the sum with `other` fits into the lane, none elsewhere.
    fn fit(self, other: Self) -> Self;
    /// The sums of halves.
    fn add_halves(self, other: Self) -> Self;
    /// The differences of halves.
    fn sub_halves(self, other: Self) -> Self;
    /// The low halves of the products of halves.
    fn mul_halves(self, other: Self) -> Self;
    /// [`fit`](Self::fit) of halves.
    fn fit_halves(self, other: Self) -> Self;
    /// Every half shifted up.
    fn shl_halves<const BITS: i32>(self) -> Self;
    /// Every half shifted down.
    fn shr_halves<const BITS: i32>(self) -> Self;
}

/// A word is a miss if `2^30 - 1 - x(x+1) - y(y+1)` is negative. The bits of `!x` are those of `-1 - x`, so a dot
/// product of a word's halves with those of its complement gives `-x(x+1) - y(y+1)`; nothing overflows.
pub(super) const OFFSET: i32 = (1 << 30) - 1;

const HALF: u64 = 0xffff_ffff;

/// What is counted of samples.
trait Count<V: Lanes>: Copy {
    /// Samples of a block.
    const SAMPLES: u64;

    fn new() -> Self;
    /// Takes in the blocks of these indices, two words in each lane: the second and the first, the fourth and the third.
    fn add(&mut self, words: [V; 2], blocks: V);
    /// How many of the samples taken in, so many, missed once and twice.
    fn misses(&self, samples: u64) -> [u64; 2];
}

/// Plain samples of 16-bit coordinates.
#[derive(Clone, Copy)]
struct Square<V> {
    misses: V,
}

impl<V: Lanes> Count<V> for Square<V> {
    const SAMPLES: u64 = 4;

    #[inline(always)]
    fn new() -> Self {
        Self { misses: V::splat(0) }
    }
    #[inline(always)]
    fn add(&mut self, words: [V; 2], _: V) {
        for word in words {
            self.misses = word.add_misses(self.misses);
        }
    }
    #[inline(always)]
    fn misses(&self, _: u64) -> [u64; 2] {
        [self.misses.sum_halves(), 0]
    }
}

/// Points of the quadrant: coordinates in halves, or in lanes.
trait Grid<V: Lanes>: Copy {
    /// Points in a vector of words, for each lane.
    const POINTS: u64;
    /// Stratified samples of a block.
    const STRATIFIED: u64;
    /// The bits of a coordinate, in every place that holds one.
    const MASK: u64;

    /// The coordinates that words are.
    fn points(words: V) -> [V; 2];
    /// `x(x + 1)`.
    fn square(x: V) -> V;
    /// All bits where the sum fits: the point is inside.
    fn fit(a: V, b: V) -> V;
    /// Adds 1 to `count` where all bits are set.
    fn count(count: V, mask: V) -> V;
    /// The sum of the counts.
    fn sum(count: V) -> u64;
    /// The two points of [`PiMethod::Stratified`] samples, and as many more.
    fn stratified(words: [V; 2], blocks: V) -> [Option<[[V; 2]; 2]>; 2];
}

/// Coordinates of 16 bits: a point is a half.
#[derive(Clone, Copy)]
struct Halves;

impl<V: Lanes> Grid<V> for Halves {
    const POINTS: u64 = 2;
    const STRATIFIED: u64 = 4;
    const MASK: u64 = 0x0000_ffff_0000_ffff;

    #[inline(always)]
    fn points(words: V) -> [V; 2] {
        [words.and(V::splat(<Self as Grid<V>>::MASK)), words.shr_halves::<16>()]
    }
    #[inline(always)]
    fn square(x: V) -> V {
        x.mul_halves(x).add_halves(x)
    }
    #[inline(always)]
    fn fit(a: V, b: V) -> V {
        a.fit_halves(b)
    }
    #[inline(always)]
    fn count(count: V, mask: V) -> V {
        count.sub_halves(mask)
    }
    #[inline(always)]
    fn sum(count: V) -> u64 {
        count.sum_halves()
    }
    /// A sample is a word, whose bytes are the coordinates within the cell.
    #[inline(always)]
    fn stratified(words: [V; 2], blocks: V) -> [Option<[[V; 2]; 2]>; 2] {
        // Four times the index of the block, in both halves: the sample of the first word.
        let twice = blocks.add(blocks);
        let first = twice.add(twice);
        let samples = first.and(V::splat(HALF)).xor(first.shift_up());
        // The low halves hold the second and the fourth word.
        let (one, other) = (samples.add(V::splat(1)), samples.add(V::splat(2 << 32 | 3)));
        [Some(pair_of_bytes(words[0], one)), Some(pair_of_bytes(words[1], other))]
    }
}

/// The points of samples of these indices: the bytes of their words within their cells.
#[inline(always)]
fn pair_of_bytes<V: Lanes>(words: V, samples: V) -> [[V; 2]; 2] {
    let low = V::splat(0x0000_00ff_0000_00ff);
    let column = samples.and(low).shl_halves::<8>();
    let row = samples.and(V::splat(0x0000_ff00_0000_ff00));
    [
        [words.and(low).xor(column), words.shr_halves::<8>().and(low).xor(row)],
        [words.shr_halves::<16>().and(low).xor(column), words.shr_halves::<24>().xor(row)],
    ]
}

/// Coordinates of 32 bits: a point is a lane.
#[derive(Clone, Copy)]
struct Whole;

impl<V: Lanes> Grid<V> for Whole {
    const POINTS: u64 = 1;
    const STRATIFIED: u64 = 1;
    const MASK: u64 = HALF;

    #[inline(always)]
    fn points(words: V) -> [V; 2] {
        [words.high().and(V::splat(HALF)), words.and(V::splat(HALF))]
    }
    #[inline(always)]
    fn square(x: V) -> V {
        x.mul(x).add(x)
    }
    #[inline(always)]
    fn fit(a: V, b: V) -> V {
        a.fit(b)
    }
    #[inline(always)]
    fn count(count: V, mask: V) -> V {
        count.sub(mask)
    }
    #[inline(always)]
    fn sum(count: V) -> u64 {
        count.sum()
    }
    /// A sample is a block, whose words without their last eight bits are the coordinates within the cell.
    #[inline(always)]
    fn stratified(words: [V; 2], blocks: V) -> [Option<[[V; 2]; 2]>; 2] {
        let column = blocks.and(V::splat(0xff)).shl_halves::<24>();
        let row = blocks.and(V::splat(0xff00)).shl_halves::<16>();
        let ([a, b], [c, d]) = (<Self as Grid<V>>::points(words[0]), <Self as Grid<V>>::points(words[1]));
        let one = [a.shr_halves::<8>().xor(column), b.shr_halves::<8>().xor(row)];
        let two = [c.shr_halves::<8>().xor(column), d.shr_halves::<8>().xor(row)];
        [Some([one, two]), None]
    }
}

/// How a point's sample comes about.
const PLAIN: u8 = 0;
const ANTITHETIC: u8 = 1;
const REFLECTED: u8 = 2;
const STRATIFIED: u8 = 3;

/// Samples of points of the quadrant.
#[derive(Clone, Copy)]
struct Quadrant<V, G, const METHOD: u8> {
    inside: V,
    all: V,
    grid: PhantomData<G>,
}

impl<V: Lanes, G: Grid<V>, const METHOD: u8> Quadrant<V, G, METHOD> {
    #[inline(always)]
    fn count(&mut self, fits: &[V]) {
        let mut all = V::splat(u64::MAX);
        for &fit in fits {
            self.inside = G::count(self.inside, fit);
            all = all.and(fit);
        }
        self.all = G::count(self.all, all);
    }
}

impl<V: Lanes, G: Grid<V>, const METHOD: u8> Count<V> for Quadrant<V, G, METHOD> {
    const SAMPLES: u64 = if METHOD == STRATIFIED { G::STRATIFIED } else { 2 * G::POINTS };

    #[inline(always)]
    fn new() -> Self {
        Self { inside: V::splat(0), all: V::splat(0), grid: PhantomData }
    }
    #[inline(always)]
    fn add(&mut self, words: [V; 2], blocks: V) {
        if METHOD == STRATIFIED {
            // Without iterators: what is not inlined loses the features of the vectors.
            let [first, second] = G::stratified(words, blocks);
            if let Some([[a, b], [c, d]]) = first {
                self.count(&[G::fit(G::square(a), G::square(b)), G::fit(G::square(c), G::square(d))]);
            }
            if let Some([[a, b], [c, d]]) = second {
                self.count(&[G::fit(G::square(a), G::square(b)), G::fit(G::square(c), G::square(d))]);
            }
            return;
        }
        for words in words {
            let [x, y] = G::points(words);
            let flipped = |x: V| G::square(x.xor(V::splat(G::MASK)));
            let (a, b) = (G::square(x), G::square(y));
            match METHOD {
                PLAIN => self.count(&[G::fit(a, b)]),
                ANTITHETIC => self.count(&[G::fit(a, b), G::fit(flipped(x), flipped(y))]),
                _ => {
                    let (c, d) = (flipped(x), flipped(y));
                    self.count(&[G::fit(a, b), G::fit(c, b), G::fit(a, d), G::fit(c, d)]);
                }
            }
        }
    }
    #[inline(always)]
    fn misses(&self, samples: u64) -> [u64; 2] {
        let points = samples * [1, 2, 4, 2][METHOD as usize];
        // No sample misses more than twice: what is left once each is counted is the second.
        let once = samples - G::sum(self.all);
        [once, points - G::sum(self.inside) - once]
    }
}

/// How many samples of `groups` groups of blocks from `first` on, which share their high word, miss once and twice. `N` vectors are in
/// flight at a time, `PLAIN_N` of plain samples of 16 bits, which need fewer registers.
#[inline(always)]
pub(super) fn by_method<V: Lanes, const N: usize, const PLAIN_N: usize>(
    how: &MonteCarlo,
    philox: &Philox4x32,
    first: u64,
    groups: u64,
) -> [u64; 2] {
    let steps = groups * (GROUP / (N as u64 * V::BLOCKS));
    match (how.method, how.coordinate_bits()) {
        (PiMethod::Plain, 16) => plain::<V, PLAIN_N>(philox, first, groups),
        (PiMethod::Plain, _) => count::<V, N, Quadrant<V, Whole, PLAIN>>(philox, first, steps),
        (PiMethod::Antithetic, 16) => count::<V, N, Quadrant<V, Halves, ANTITHETIC>>(philox, first, steps),
        (PiMethod::Antithetic, _) => count::<V, N, Quadrant<V, Whole, ANTITHETIC>>(philox, first, steps),
        (PiMethod::Reflected, 16) => count::<V, N, Quadrant<V, Halves, REFLECTED>>(philox, first, steps),
        (PiMethod::Reflected, _) => count::<V, N, Quadrant<V, Whole, REFLECTED>>(philox, first, steps),
        (PiMethod::Stratified, 16) => count::<V, N, Quadrant<V, Halves, STRATIFIED>>(philox, first, steps),
        (PiMethod::Stratified, _) => count::<V, N, Quadrant<V, Whole, STRATIFIED>>(philox, first, steps),
        // Not of Philox blocks.
        (PiMethod::Sobol, _) => [0, 0],
    }
}

/// [`by_method`] for plain samples of 16 bits.
#[inline(always)]
pub(super) fn plain<V: Lanes, const N: usize>(philox: &Philox4x32, first: u64, groups: u64) -> [u64; 2] {
    count::<V, N, Square<V>>(philox, first, groups * (GROUP / (N as u64 * V::BLOCKS)))
}

/// What a method counts among `steps · N · V::BLOCKS` blocks from `first` on, which share their high word. `N` vectors are in
/// flight at a time, to cover the latency of the products.
#[inline(always)]
fn count<V: Lanes, const N: usize, C: Count<V>>(philox: &Philox4x32, first: u64, steps: u64) -> [u64; 2] {
    let keys = philox.round_keys();
    let high = (first >> 32) as u32;
    let (m0, m1) = (V::splat(MULTIPLIERS[0] as u64), V::splat(MULTIPLIERS[1] as u64));
    // Round 1 of counter (block, high, 0, 0) gives (high ^ k0, 0, hi(block · m0) ^ k1, lo(block · m0)); so the product of
    // the first word in round 2 is the same for all blocks.
    let constant = (high ^ keys[0][0]) as u64 * MULTIPLIERS[0] as u64;
    let key_1_1 = V::splat((constant >> 32) as u32 as u64 ^ keys[1][1] as u64);
    let fourth = V::splat(constant & 0xffff_ffff);
    let (key_0_1, key_1_0) = (V::splat(keys[0][1] as u64), V::splat(keys[1][0] as u64));
    let middle: [[V; 2]; ROUNDS - 3] = std::array::from_fn(|r| keys[r + 2].map(|key| V::splat(key as u64)));
    let last = keys[ROUNDS - 1].map(|key| V::splat((key as u64) << 32));

    let blocks = |i: usize| V::ascending(first as u32 as u64 + i as u64 * V::BLOCKS);
    let mut first_products: [V; N] = std::array::from_fn(|i| blocks(i).mul(m0));
    let step = V::splat((N as u64 * V::BLOCKS) * MULTIPLIERS[0] as u64);
    let (mut indices, stride) = (std::array::from_fn::<V, N, _>(blocks), V::splat(N as u64 * V::BLOCKS));
    let mut counts = [C::new(); N];
    for _ in 0..steps {
        let [mut a, mut b, mut c, mut d] = [[V::splat(0); N]; 4];
        for i in 0..N {
            let product = first_products[i];
            b[i] = product.high().xor(key_0_1).mul(m1);
            a[i] = b[i].high().xor(key_1_0);
            (c[i], d[i]) = (product.xor(key_1_1), fourth);
            first_products[i] = product.add(step);
        }
        // Only the low half of each lane matters, until the last round.
        for [k0, k1] in middle {
            for i in 0..N {
                let (p0, p1) = (a[i].mul(m0), c[i].mul(m1));
                (a[i], c[i]) = V::fence(p1.high().xor3(b[i], k0), p0.high().xor3(d[i], k1));
                (b[i], d[i]) = (p1, p0);
            }
        }
        // The last round leaves two words in each lane: the low half of a product, and above it its high half mixed.
        for i in 0..N {
            let (p0, p1) = (a[i].mul(m0), c[i].mul(m1));
            let words = [p1.xor3(b[i].shift_up(), last[0]), p0.xor3(d[i].shift_up(), last[1])];
            counts[i].add(words, indices[i]);
            indices[i] = indices[i].add(stride);
        }
    }
    let misses = counts.iter().map(|count| count.misses(steps * V::BLOCKS * C::SAMPLES));
    misses.fold([0, 0], |sum, [once, twice]| [sum[0] + once, sum[1] + twice])
}
