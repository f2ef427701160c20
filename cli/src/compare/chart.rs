use super::Comparison;
use crate::failure::Result;
pub fn draw(_c: &Comparison, _folder: &std::path::Path) -> Result<()> {
    Ok(())
}
