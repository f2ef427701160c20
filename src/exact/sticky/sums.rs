//! Sums of numbers on AVX-512, see the folder's head.

use std::arch::asm;

use super::Vector;

/// The sum of 32 numbers at a time on one level.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn one_level(a: *const f32, b: *const f32, n: usize, lanes: *mut Vector, csr: &mut [u32; 3]) {
    macro_rules! steps {
        ($([$at:literal $x:literal $level:literal])*) => {
            concat!($("vcvtps2pd ", $x, ", [{a} + ", $at, "]\n", rest!($x, $level),)*)
        };
    }
    // SAFETY: the caller's promise: the elements and lanes that are read and written.
    unsafe {
        kernel!(
            a,
            b,
            n,
            lanes,
            csr,
            lanes!(load "zmm0" "0" "zmm1" "64" "zmm2" "128" "zmm3" "192"),
            concat!(
                ahead!("{a}" "0" "{a}" "64"),
                steps!(["0" "zmm16" "zmm0"] ["32" "zmm17" "zmm1"] ["64" "zmm18" "zmm2"] ["96" "zmm19" "zmm3"]),
            ),
            "128",
            lanes!(store "zmm0" "0" "zmm1" "64" "zmm2" "128" "zmm3" "192")
        );
    }
}

macro_rules! two_levels_kernel {
    ($(#[$doc:meta])* $name:ident, $T:ty, $load:literal, $bytes:literal, $ahead:expr, $at:tt) => {
        two_levels_kernel!(@ $(#[$doc])* $name, $T, $load, $bytes, $ahead, $at);
    };
    (@ $(#[$doc:meta])* $name:ident, $T:ty, $load:literal, $bytes:literal, $ahead:expr,
        [$a0:literal $a1:literal $a2:literal $a3:literal $a4:literal $a5:literal $a6:literal $a7:literal]) => {
        $(#[$doc])*
        #[target_feature(enable = "avx512f")]
        pub(super) unsafe fn $name(a: *const $T, b: *const $T, n: usize, lanes: *mut Vector, csr: &mut [u32; 3]) {
            // SAFETY: the caller's promise: the elements and lanes that are read and written.
            unsafe {
                kernel!(
                    a, b, n, lanes, csr,
                    lanes!(load "zmm0" "0" "zmm1" "64" "zmm2" "128" "zmm3" "192" "zmm4" "256" "zmm5" "320" "zmm6" "384" "zmm7" "448"),
                    concat!(
                        $ahead,
                        two_levels!($load
                            [$a0 "zmm16" "zmm0" "zmm8" "zmm4"] [$a1 "zmm17" "zmm1" "zmm9" "zmm5"]
                            [$a2 "zmm18" "zmm2" "zmm10" "zmm6"] [$a3 "zmm19" "zmm3" "zmm11" "zmm7"]
                            [$a4 "zmm16" "zmm8" "zmm0" "zmm4"] [$a5 "zmm17" "zmm9" "zmm1" "zmm5"]
                            [$a6 "zmm18" "zmm10" "zmm2" "zmm6"] [$a7 "zmm19" "zmm11" "zmm3" "zmm7"]
                        ),
                    ),
                    $bytes,
                    lanes!(store "zmm0" "0" "zmm1" "64" "zmm2" "128" "zmm3" "192" "zmm4" "256" "zmm5" "320" "zmm6" "384" "zmm7" "448")
                );
            }
        }
    };
}

two_levels_kernel!(
    /// The sum of 64 numbers at a time on two levels.
    two_levels_f64, f64, "vmovupd", "512",
    ahead!("{a}" "0" "{a}" "64" "{a}" "128" "{a}" "192" "{a}" "256" "{a}" "320" "{a}" "384" "{a}" "448"),
    ["0" "64" "128" "192" "256" "320" "384" "448"]
);
two_levels_kernel!(
    /// The sum of 64 numbers at a time on two levels.
    two_levels_f32, f32, "vcvtps2pd", "256",
    ahead!("{a}" "0" "{a}" "64" "{a}" "128" "{a}" "192"),
    ["0" "32" "64" "96" "128" "160" "192" "224"]
);

/// The sum of 16 numbers at a time on seven levels, which hold all of binary32.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn seven_levels(a: *const f32, b: *const f32, n: usize, lanes: *mut Vector, csr: &mut [u32; 3]) {
    macro_rules! step {
        ($at:literal $x:literal $($level:literal)* ; $last:literal) => {
            concat!("vcvtps2pd ", $x, ", [{a} + ", $at, "]\n", $(take!($x, $level),)* rest!($x, $last))
        };
    }
    // SAFETY: the caller's promise: the elements and lanes that are read and written.
    unsafe {
        kernel!(
            a,
            b,
            n,
            lanes,
            csr,
            lanes!(load "zmm0" "0" "zmm1" "64" "zmm2" "128" "zmm3" "192" "zmm4" "256" "zmm5" "320" "zmm6" "384" "zmm7" "448"
                "zmm8" "512" "zmm9" "576" "zmm10" "640" "zmm11" "704" "zmm12" "768" "zmm13" "832"),
            concat!(
                ahead!("{a}" "0"),
                step!("0" "zmm16" "zmm0" "zmm2" "zmm4" "zmm6" "zmm8" "zmm10"; "zmm12"),
                step!("32" "zmm17" "zmm1" "zmm3" "zmm5" "zmm7" "zmm9" "zmm11"; "zmm13"),
            ),
            "64",
            lanes!(store "zmm0" "0" "zmm1" "64" "zmm2" "128" "zmm3" "192" "zmm4" "256" "zmm5" "320" "zmm6" "384" "zmm7" "448"
                "zmm8" "512" "zmm9" "576" "zmm10" "640" "zmm11" "704" "zmm12" "768" "zmm13" "832")
        );
    }
}
