//! Sums of products, and of numbers and their squares on AVX-512, see the folder's head.

use std::arch::asm;

use super::Vector;

/// The sum of 16 products of binary32 numbers at a time, which binary64 holds, on three levels.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn products_f32(a: *const f32, b: *const f32, n: usize, lanes: *mut Vector, csr: &mut [u32; 3]) {
    macro_rules! step {
        ($at:literal $x:literal $y:literal $first:literal $second:literal $last:literal) => {
            concat!(
                "vcvtps2pd ",
                $x,
                ", [{a} + ",
                $at,
                "]\n",
                "vcvtps2pd ",
                $y,
                ", [{b} + ",
                $at,
                "]\n",
                "vmulpd ",
                $x,
                ", ",
                $x,
                ", ",
                $y,
                "\n",
                take!($x, $first),
                take!($x, $second),
                rest!($x, $last),
            )
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
            lanes!(load "zmm0" "0" "zmm1" "64" "zmm2" "128" "zmm3" "192" "zmm4" "256" "zmm5" "320"),
            concat!(
                ahead!("{a}" "0" "{b}" "0"),
                step!("0" "zmm16" "zmm18" "zmm0" "zmm2" "zmm4"),
                step!("32" "zmm17" "zmm19" "zmm1" "zmm3" "zmm5"),
            ),
            "64",
            lanes!(store "zmm0" "0" "zmm1" "64" "zmm2" "128" "zmm3" "192" "zmm4" "256" "zmm5" "320")
        );
    }
}

/// The sum of 16 products of binary64 numbers at a time on four levels: the rounded product goes to the first three, what it lacks
/// to the last three. That is exact unless it falls below 2^-1074, which raises the flag.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn products_f64(a: *const f64, b: *const f64, n: usize, lanes: *mut Vector, csr: &mut [u32; 3]) {
    macro_rules! step {
        ($at:literal $x:literal $y:literal $p:literal $first:literal $second:literal $third:literal $last:literal) => {
            concat!(
                "vmovupd ",
                $x,
                ", [{a} + ",
                $at,
                "]\n",
                "vmovupd ",
                $y,
                ", [{b} + ",
                $at,
                "]\n",
                "vmulpd ",
                $p,
                ", ",
                $x,
                ", ",
                $y,
                ", {{rn-sae}}\n",
                "vfmsub213pd ",
                $x,
                ", ",
                $y,
                ", ",
                $p,
                "\n",
                take!($p, $first),
                take!($p, $second),
                rest!($p, $third),
                take!($x, $second),
                take!($x, $third),
                rest!($x, $last),
            )
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
            lanes!(load "zmm0" "0" "zmm1" "64" "zmm2" "128" "zmm3" "192" "zmm4" "256" "zmm5" "320" "zmm6" "384" "zmm7" "448"),
            concat!(
                ahead!("{a}" "0" "{a}" "64" "{b}" "0" "{b}" "64"),
                step!("0" "zmm8" "zmm9" "zmm10" "zmm0" "zmm2" "zmm4" "zmm6"),
                step!("64" "zmm11" "zmm12" "zmm13" "zmm1" "zmm3" "zmm5" "zmm7"),
            ),
            "128",
            lanes!(store "zmm0" "0" "zmm1" "64" "zmm2" "128" "zmm3" "192" "zmm4" "256" "zmm5" "320" "zmm6" "384" "zmm7" "448")
        );
    }
}

/// A vector of binary32 numbers on two levels, and their squares on three.
macro_rules! moments_f32 {
    ($at:literal $x:literal $p:literal $level:literal $last:literal $first:literal $second:literal $third:literal) => {
        concat!(
            "vcvtps2pd ",
            $x,
            ", [{a} + ",
            $at,
            "]\n",
            "vmulpd ",
            $p,
            ", ",
            $x,
            ", ",
            $x,
            "\n",
            take!($x, $level),
            rest!($x, $last),
            take!($p, $first),
            take!($p, $second),
            rest!($p, $third),
        )
    };
}

/// A vector of binary64 numbers on two levels, and their squares on four, as in [`products_f64`].
macro_rules! moments_f64 {
    ($at:literal $x:literal $p:literal $e:literal $level:literal $rest:literal
        $first:literal $second:literal $third:literal $last:literal) => {
        concat!(
            "vmovupd ",
            $x,
            ", [{a} + ",
            $at,
            "]\n",
            "vmulpd ",
            $p,
            ", ",
            $x,
            ", ",
            $x,
            ", {{rn-sae}}\n",
            "vmovapd ",
            $e,
            ", ",
            $x,
            "\n",
            "vfmsub213pd ",
            $e,
            ", ",
            $x,
            ", ",
            $p,
            "\n",
            take!($x, $level),
            rest!($x, $rest),
            take!($p, $first),
            take!($p, $second),
            rest!($p, $third),
            take!($e, $second),
            take!($e, $third),
            rest!($e, $last),
        )
    };
}

/// The sums of 16 numbers at a time on two levels, and of their squares on three.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn moments_f32(a: *const f32, b: *const f32, n: usize, lanes: *mut Vector, csr: &mut [u32; 3]) {
    // SAFETY: the caller's promise: the elements and lanes that are read and written.
    unsafe {
        kernel!(
            a,
            b,
            n,
            lanes,
            csr,
            lanes!(load "zmm0" "0" "zmm1" "64" "zmm2" "128" "zmm3" "192" "zmm4" "256" "zmm5" "320" "zmm6" "384" "zmm7" "448"
                "zmm8" "512" "zmm9" "576"),
            concat!(
                ahead!("{a}" "0"),
                moments_f32!("0" "zmm16" "zmm18" "zmm0" "zmm2" "zmm4" "zmm6" "zmm8"),
                moments_f32!("32" "zmm17" "zmm19" "zmm1" "zmm3" "zmm5" "zmm7" "zmm9"),
            ),
            "64",
            lanes!(store "zmm0" "0" "zmm1" "64" "zmm2" "128" "zmm3" "192" "zmm4" "256" "zmm5" "320" "zmm6" "384" "zmm7" "448"
                "zmm8" "512" "zmm9" "576")
        );
    }
}

/// The sums of 16 numbers at a time on two levels, and of their squares on four, as in [`products_f64`].
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn moments_f64(a: *const f64, b: *const f64, n: usize, lanes: *mut Vector, csr: &mut [u32; 3]) {
    // SAFETY: the caller's promise: the elements and lanes that are read and written.
    unsafe {
        kernel!(
            a,
            b,
            n,
            lanes,
            csr,
            lanes!(load "zmm0" "0" "zmm1" "64" "zmm2" "128" "zmm3" "192" "zmm4" "256" "zmm5" "320" "zmm6" "384" "zmm7" "448"
                "zmm8" "512" "zmm9" "576" "zmm10" "640" "zmm11" "704"),
            concat!(
                ahead!("{a}" "0" "{a}" "64"),
                moments_f64!("0" "zmm14" "zmm15" "zmm16" "zmm0" "zmm2" "zmm4" "zmm6" "zmm8" "zmm10"),
                moments_f64!("64" "zmm17" "zmm18" "zmm19" "zmm1" "zmm3" "zmm5" "zmm7" "zmm9" "zmm11"),
            ),
            "128",
            lanes!(store "zmm0" "0" "zmm1" "64" "zmm2" "128" "zmm3" "192" "zmm4" "256" "zmm5" "320" "zmm6" "384" "zmm7" "448"
                "zmm8" "512" "zmm9" "576" "zmm10" "640" "zmm11" "704")
        );
    }
}
