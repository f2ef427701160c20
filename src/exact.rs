//! stub
/// stub
#[derive(Debug, Clone, PartialEq)]
pub struct ExactSum {
    limbs: [u64; 34],
    flags: u32,
}
impl ExactSum {
    /// The sum of nothing: +0.
    pub const fn new() -> Self {
        Self { limbs: [0; 34], flags: 0 }
    }
    /// Adds another sum.
    pub fn merge(&mut self, _other: &Self) {}
    /// Rounds.
    pub fn to_f64(&self) -> f64 {
        0.0
    }
    /// Rounds.
    pub fn to_f32(&self) -> f32 {
        0.0
    }
    /// Rounds.
    pub fn mean_f64(&self, _count: u64) -> f64 {
        0.0
    }
    /// Rounds.
    pub fn mean_f32(&self, _count: u64) -> f32 {
        0.0
    }
}
/// num / den rounded once; NaN for 0/0
pub(crate) fn ratio_f64(_num: i128, _den: u64) -> f64 {
    0.0
}
impl Default for ExactSum {
    fn default() -> Self {
        Self::new()
    }
}
