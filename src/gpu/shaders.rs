//! Every shader of this crate in every variant, and the parts that they are joined from.

use crate::random::BitGenerator;

/// A shader text as it is compiled on some device.
#[derive(Debug)]
#[allow(dead_code, reason = "read by tests")]
pub(crate) struct Variant {
    /// The shader's name: the stem of its file.
    pub(crate) label: &'static str,
    /// The WGSL text.
    pub(crate) source: String,
    /// The uniform structs that the host fills, as Rust lays them out.
    pub(crate) layouts: Vec<Layout>,
}

/// How Rust lays out a struct: what [`layout!`] makes of a `#[repr(C)]` struct with the field names of its WGSL twin.
#[derive(Debug)]
#[allow(dead_code, reason = "read by the test that compares it with the shader")]
pub(crate) struct Layout {
    pub(crate) name: &'static str,
    pub(crate) size: usize,
    /// Names and offsets.
    pub(crate) fields: Vec<(&'static str, usize)>,
}

/// The [`Layout`] of a struct: `layout!(Params { start, blocks })`.
macro_rules! layout {
    ($name:ident { $($field:ident),* $(,)? }) => {
        $crate::gpu::shaders::Layout {
            name: stringify!($name),
            size: std::mem::size_of::<$name>(),
            fields: vec![$((stringify!($field), std::mem::offset_of!($name, $field))),*],
        }
    };
}
pub(crate) use layout;

pub(crate) const PHILOX: &str = include_str!("../../shaders/parts/philox.wgsl");
/// Philox4x32-10 with the keys of all rounds in the parameters.
pub(crate) const PHILOX_ROUNDS: &str =
    concat!(include_str!("../../shaders/parts/philox.wgsl"), "\n", include_str!("../../shaders/parts/philox_rounds.wgsl"));

/// 64-bit integers as pairs of words.
pub(crate) const WORDS64: &str = include_str!("../../shaders/parts/words64.wgsl");

/// Arithmetic and functions of binary64 on its bits.
pub(crate) const DOUBLE_ARITHMETIC: &str = include_str!("../../shaders/parts/double_arithmetic.wgsl");
pub(crate) const DOUBLE_OF: &str = include_str!("../../shaders/parts/double_of.wgsl");
pub(crate) const DOUBLE_FUNCTIONS: &str = include_str!("../../shaders/parts/double_functions.wgsl");
pub(crate) const DOUBLE_POWER: &str = include_str!("../../shaders/parts/double_power.wgsl");

/// The part with `generate`: the blocks of a generator. Needs `mul_wide`.
pub(crate) fn generate(generator: BitGenerator) -> String {
    match generator {
        BitGenerator::Threefry4x32_20 => include_str!("../../shaders/parts/threefry_block.wgsl").into(),
        BitGenerator::Philox4x32_10 | BitGenerator::Philox4x32_7 => join(&[
            &format!("const ROUNDS = {}u;", generator.rounds()),
            PHILOX,
            include_str!("../../shaders/parts/philox_block.wgsl"),
        ]),
    }
}

/// The part with `mul_wide`.
pub(crate) fn mul_wide(int64: bool) -> &'static str {
    match int64 {
        true => include_str!("../../shaders/parts/mul_wide_u64.wgsl"),
        false => include_str!("../../shaders/parts/mul_wide_u32.wgsl"),
    }
}

/// One text from parts, in order.
pub(crate) fn join(parts: &[&str]) -> String {
    parts.join("\n")
}

/// Every variant of every shader.
#[allow(dead_code, reason = "read by tests")]
pub(crate) fn variants() -> Vec<Variant> {
    [
        super::arrange::variants(),
        super::convolve::variants(),
        super::expr::variants(),
        super::group::variants(),
        super::log_sum_exp::variants(),
        super::monte_carlo::variants(),
        super::random::variants(),
        super::reduce::variants(),
        super::scan::variants(),
        super::select::variants(),
        super::selftest::variants(),
        super::separable::variants(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(variant: &Variant) -> naga::Module {
        let module = naga::front::wgsl::parse_str(&variant.source)
            .unwrap_or_else(|error| panic!("{}: {}", variant.label, error.emit_to_string(&variant.source)));
        let capabilities = naga::valid::Capabilities::all();
        naga::valid::Validator::new(naga::valid::ValidationFlags::all(), capabilities)
            .validate(&module)
            .unwrap_or_else(|error| panic!("{}: {}", variant.label, error.emit_to_string(&variant.source)));
        module
    }

    #[test]
    fn every_variant_is_valid_and_has_the_one_entry_point() {
        for variant in variants() {
            let module = compile(&variant);
            let names: Vec<_> = module.entry_points.iter().map(|entry| entry.name.as_str()).collect();
            assert_eq!(names, ["main"], "{}", variant.label);
        }
    }

    #[test]
    fn uniform_structs_lie_in_rust_as_in_wgsl() {
        for variant in variants() {
            let module = compile(&variant);
            for layout in &variant.layouts {
                let found = module.types.iter().find(|(_, ty)| ty.name.as_deref() == Some(layout.name));
                let Some((_, ty)) = found else { panic!("{} has no struct {}", variant.label, layout.name) };
                let naga::TypeInner::Struct { members, span } = &ty.inner else { panic!("{} is no struct", layout.name) };
                let fields: Vec<_> =
                    members.iter().map(|member| (member.name.as_deref().unwrap_or(""), member.offset as usize)).collect();
                assert_eq!(fields, layout.fields, "{}", variant.label);
                assert_eq!(*span as usize, layout.size, "{}", variant.label);
            }
            // Every uniform struct is filled by the host, so each must be listed.
            for (_, global) in module.global_variables.iter().filter(|(_, var)| var.space == naga::AddressSpace::Uniform) {
                let name = module.types[global.ty].name.as_deref().unwrap_or("");
                assert!(variant.layouts.iter().any(|layout| layout.name == name), "{}: {name} is not listed", variant.label);
            }
        }
    }
}
