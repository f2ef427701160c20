//! stub
/// stub
#[derive(Debug, Clone, Copy)]
pub struct Philox4x32;
