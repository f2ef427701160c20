//! The SIMD level: detected once, lowered by `UNISONO_SIMD`.

use crate::fork::Raced;

/// A set of vector instructions that the CPU has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Simd {
    /// What every CPU of the target has (SSE2 on x86-64).
    Portable,
    /// AVX2, FMA and BMI2: 256 bits.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 F, BW, DQ and VL, with all of AVX2: 512 bits.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// NEON: 128 bits. Part of the target, so that portable code uses it as well.
    #[cfg(target_arch = "aarch64")]
    Neon,
}

/// Work written once in portable Rust and compiled once per level by [`Simd::run`].
pub(crate) trait Kernel {
    /// The result.
    type Output;

    /// The work. Must be `#[inline(always)]`, and so must all it calls; `BYTES` is the size of a vector register.
    fn run<const BYTES: usize>(self) -> Self::Output;
}

/// How far ahead of the elements at work memory is asked for, in bytes: the hardware stops looking ahead at each page, and two
/// pages bridge what a block costs at its end.
pub(crate) const AHEAD: usize = 8192;

/// Asks for the cache line [`AHEAD`] of an address: for the second-level cache, which waits for more lines at a time than the first.
#[inline(always)]
pub(crate) fn prefetch_ahead<T>(place: *const T) {
    let place = place.wrapping_byte_add(AHEAD);
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing and cannot fail; every x86-64 CPU has it.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T1 }>(place.cast())
    };
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// Asks for the cache line at an address, which need not be one of anything.
#[inline(always)]
pub(crate) fn prefetch<T>(place: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing and cannot fail; every x86-64 CPU has it.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(place.cast())
    };
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// Blocks of 2 KiB, each after the memory [`AHEAD`] of it was asked for.
#[inline(always)]
pub(crate) fn blocks_ahead<T>(values: &[T]) -> impl Iterator<Item = &[T]> {
    values.chunks(2048 / size_of::<T>()).inspect(|block| {
        for line in (0..size_of_val(*block)).step_by(64) {
            prefetch_ahead(block.as_ptr().wrapping_byte_add(line));
        }
    })
}

/// Whether the CPU is one of Intel's.
pub(crate) fn is_intel() -> bool {
    vendor() == *b"GenuineIntel"
}

/// Whether the CPU is one of AMD's.
#[cfg(target_arch = "x86_64")]
pub(crate) fn is_amd() -> bool {
    vendor() == *b"AuthenticAMD"
}

/// The vendor's name for itself; zeros where there is none.
fn vendor() -> [u8; 12] {
    #[cfg(target_arch = "x86_64")]
    {
        #[allow(unused_unsafe, reason = "newer compilers know that it is safe")]
        // SAFETY: every CPU of the target has the instruction.
        let found = unsafe { std::arch::x86_64::__cpuid(0) };
        let mut name = [0; 12];
        name.copy_from_slice([found.ebx, found.edx, found.ecx].map(u32::to_le_bytes).as_flattened());
        name
    }
    #[cfg(not(target_arch = "x86_64"))]
    [0; 12]
}

/// What an environment variable asks for by name, or the `usual`. An unknown name is reported and passed over; an empty one asks for
/// nothing.
pub(crate) fn wished<T>(variable: &str, known: impl IntoIterator<Item = (&'static str, T)>, usual: T) -> T {
    let Ok(wish) = std::env::var(variable) else { return usual };
    let mut names = vec![];
    for (name, value) in known {
        if name == wish {
            return value;
        }
        names.push(name);
    }
    if !wish.is_empty() {
        let text = format!("unisono: {variable}={wish:?} is none of {}; it is passed over\n", names.join(", "));
        // Where standard error is full or closed nobody is told.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
    }
    usual
}

impl Simd {
    /// The level in use: the best that the CPU has, unless the environment variable `UNISONO_SIMD` (`portable`, `avx2`,
    /// `avx512`) asks for a lower one. Anything else in it is reported once and passed over.
    pub(crate) fn current() -> Self {
        static CURRENT: Raced<Simd> = Raced::new();
        *CURRENT.get(|| wished("UNISONO_SIMD", Self::available().into_iter().map(|level| (level.name(), level)), Self::best()))
    }

    /// The best level of this CPU.
    fn best() -> Self {
        Self::available().last().copied().unwrap_or(Self::Portable)
    }

    /// Every level that this CPU has, the lowest first.
    pub(crate) fn available() -> Vec<Self> {
        let mut levels = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("bmi2") {
            levels.push(Self::Avx2);
            let avx512 = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
            if avx512 && is_x86_feature_detected!("avx512dq") && is_x86_feature_detected!("avx512vl") {
                levels.push(Self::Avx512);
            }
        }
        #[cfg(target_arch = "aarch64")]
        levels.push(Self::Neon);
        levels
    }

    /// Whether this is AVX2.
    pub(crate) fn is_avx2(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => true,
            _ => false,
        }
    }

    /// The name that `UNISONO_SIMD` takes.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
            #[cfg(target_arch = "aarch64")]
            Self::Neon => "neon",
        }
    }

    /// Runs `kernel`, compiled for this level.
    #[inline]
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            Self::Portable => kernel.run::<16>(),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: levels other than `Portable` come from `available`, which found their features on this CPU.
            Self::Avx2 => unsafe { run_avx2(kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Self::Avx512 => unsafe { run_avx512(kernel) },
            #[cfg(target_arch = "aarch64")]
            Self::Neon => kernel.run::<16>(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,bmi2")]
fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<32>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,bmi2,avx512f,avx512bw,avx512dq,avx512vl")]
fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<64>()
}
