//! The devices that the laws are tried on: the CPU, every adapter present, and devices joined.

use std::sync::OnceLock;

use unisono::{Backend, devices};

/// Every device to test: `cpu`, `cpu:1`, two CPUs together, every GPU adapter (software included), the CPU with the first
/// GPU, and the first two GPUs together.
///
/// `UNISONO_TEST_DEVICES` (names joined by commas) replaces the list.
///
/// Without any adapter the GPU part is skipped, loudly; with `UNISONO_REQUIRE_GPU=1` that is a failure.
pub fn all() -> &'static [Backend] {
    static ALL: OnceLock<Vec<Backend>> = OnceLock::new();
    ALL.get_or_init(|| {
        let open = |name: &str| name.parse().unwrap_or_else(|e| panic!("{name}: {e}"));
        if let Ok(names) = std::env::var("UNISONO_TEST_DEVICES") {
            return names.split(',').map(open).collect();
        }
        let gpus: Vec<String> = devices().into_iter().map(|d| d.info.id).filter(|id| id.starts_with("gpu")).collect();
        if gpus.is_empty() {
            let text = "NO GPU ADAPTER FOUND: every GPU test of this run is SKIPPED";
            assert!(std::env::var_os("UNISONO_REQUIRE_GPU").is_none(), "{text}, but UNISONO_REQUIRE_GPU is set");
            eprintln!("\n*** {text} ***\n");
        }
        let mut names = vec!["cpu".to_string(), "cpu:1".into(), "cpu:1+cpu:1".into()];
        names.extend(gpus.iter().cloned());
        names.extend(gpus.first().map(|gpu| format!("cpu+{gpu}")));
        names.extend(gpus.get(1).map(|second| format!("{}+{second}", gpus[0])));
        names.iter().map(|name| open(name)).collect()
    })
}

/// Whether default f64 convolution runs on every part of the device.
pub fn has_f64(backend: &Backend) -> bool {
    backend.info().f64 && backend.members().iter().all(|member| member.info().f64)
}

/// The value; an error says which device it is of.
pub fn done<T>(backend: &Backend, result: unisono::Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("{backend:?}: {error}"))
}

/// A small deterministic generator for test data (SplitMix64), independent of the library's.
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    /// Uniform in `[-1, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() as i64 >> 11) as f64 * (0.5f64).powi(52)
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}
