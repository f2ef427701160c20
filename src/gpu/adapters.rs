//! Finding the adapters of this machine: each once, hardware first.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::context::{Caps, Tuning, wall};
use super::selftest::SelfTest;
use crate::engine::{DeviceClass, DeviceInfo};
use crate::fork::PerProcess;
use crate::{Error, Result};

/// GL is left out: it shows adapters a second time, with fewer features.
const BACKENDS: wgpu::Backends = wgpu::Backends::VULKAN.union(wgpu::Backends::METAL).union(wgpu::Backends::DX12);

/// What shaders may use, where the adapter has it.
const FEATURES: wgpu::Features = wgpu::Features::SHADER_F64.union(wgpu::Features::SHADER_INT64).union(wgpu::Features::SUBGROUP);

static FOUND: PerProcess<Found> = PerProcess::new();

/// The process that last opened a device whose driver does not survive a fork: this one or an ancestor.
static OPENED: AtomicU32 = AtomicU32::new(0);

const ORPHANED: &str = "this process was forked from one that had used a GPU, and GPU drivers do not survive that; start worker \
     processes by spawning them (in Python multiprocessing.get_context(\"spawn\")), or use the GPU in the workers only";

/// What a search found.
#[derive(Debug)]
struct Found {
    adapters: Vec<Adapter>,
    /// What went wrong, if the search itself failed.
    trouble: Option<String>,
}

/// An adapter and what is known about it.
#[derive(Debug)]
pub(super) struct Adapter {
    pub(super) index: usize,
    pub(super) adapter: wgpu::Adapter,
    pub(super) info: wgpu::AdapterInfo,
    pub(super) class: DeviceClass,
    pub(super) budget: Arc<Budget>,
    /// Run when the adapter is first opened.
    pub(super) selftest: OnceLock<Result<SelfTest>>,
}

/// Bytes that may be allocated on an adapter, by all logical devices together. Software adapters never refuse memory:
/// without a limit of ours the operating system would end the process.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: u64,
    used: AtomicU64,
}

impl Budget {
    /// Takes so many bytes, or nothing if there are not so many left.
    pub(super) fn take(&self, bytes: u64) -> bool {
        let fits = |used: u64| used.checked_add(bytes).filter(|&sum| sum <= self.limit);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
    }

    pub(super) fn give(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Bytes of memory that the operating system would give away now.
fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

/// What `UNISONO_GPU_MEMORY` says: bytes, or why it says nothing.
fn asked_memory() -> Option<std::result::Result<u64, String>> {
    let text = std::env::var("UNISONO_GPU_MEMORY").ok()?;
    Some(text.trim().parse().map_err(|_| format!("UNISONO_GPU_MEMORY={text:?} is not a number of bytes and is ignored")))
}

fn budget(class: DeviceClass) -> Budget {
    let asked = asked_memory().and_then(std::result::Result::ok);
    let usual = match class {
        DeviceClass::SoftwareGpu => available_memory().map_or(4 << 30, |bytes| bytes / 2),
        _ => u64::MAX,
    };
    Budget { limit: asked.unwrap_or(usual), used: AtomicU64::new(0) }
}

fn class(kind: wgpu::DeviceType) -> DeviceClass {
    match kind {
        wgpu::DeviceType::DiscreteGpu => DeviceClass::DiscreteGpu,
        wgpu::DeviceType::IntegratedGpu => DeviceClass::IntegratedGpu,
        wgpu::DeviceType::VirtualGpu => DeviceClass::VirtualGpu,
        wgpu::DeviceType::Other => DeviceClass::OtherGpu,
        wgpu::DeviceType::Cpu => DeviceClass::SoftwareGpu,
    }
}

/// The order in which interfaces to the same GPU are preferred.
fn preference(backend: wgpu::Backend) -> u8 {
    match backend {
        wgpu::Backend::Vulkan => 0,
        wgpu::Backend::Metal => 1,
        _ => 2,
    }
}

/// Whether the process that forked this one had opened a device whose driver does not survive that: threads that it
/// waits for do not exist here.
fn orphaned() -> bool {
    let process = OPENED.load(Ordering::Relaxed);
    process != 0 && process != std::process::id()
}

fn search() -> Found {
    if orphaned() {
        return Found { adapters: vec![], trouble: Some(ORPHANED.into()) };
    }
    let found = wall(|| {
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        descriptor.backends = BACKENDS;
        descriptor.flags = wgpu::InstanceFlags::empty();
        pollster::block_on(wgpu::Instance::new(descriptor).enumerate_adapters(BACKENDS))
    });
    let (found, trouble) = found.map_or_else(|panic| (vec![], Some(panic)), |found| (found, None));
    let infos: Vec<_> = found.iter().map(wgpu::Adapter::get_info).collect();
    let mut software: Option<Arc<Budget>> = None;
    let adapters = (0..).zip(arrange(&infos)).map(|(index, at)| {
        let class = class(infos[at].device_type);
        let budget = match class {
            // All of them live in the host's memory.
            DeviceClass::SoftwareGpu => software.get_or_insert_with(|| Arc::new(budget(class))).clone(),
            _ => Arc::new(budget(class)),
        };
        Adapter { index, adapter: found[at].clone(), info: infos[at].clone(), class, budget, selftest: OnceLock::new() }
    });
    Found { adapters: adapters.collect(), trouble }
}

/// Which of the adapters found to list, in which order: hardware first, each GPU once, through its preferred interface.
/// Within a class by PCI address; drivers without one keep their own order.
fn arrange(infos: &[wgpu::AdapterInfo]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..infos.len()).collect();
    order.sort_by_key(|&at| {
        let info = &infos[at];
        (class(info.device_type), preference(info.backend), &info.device_pci_bus_id)
    });
    let same = |a: &wgpu::AdapterInfo, b: &wgpu::AdapterInfo| match (&*a.device_pci_bus_id, &*b.device_pci_bus_id) {
        ("", _) | (_, "") => {
            // Two interfaces to one model: taken for one GPU where no address says otherwise.
            a.backend != b.backend && (a.vendor, a.device) == (b.vendor, b.device) && a.device_type != wgpu::DeviceType::Cpu
        }
        (a, b) => a.eq_ignore_ascii_case(b),
    };
    let mut unique: Vec<usize> = vec![];
    for at in order {
        if !unique.iter().any(|&other| same(&infos[other], &infos[at])) {
            unique.push(at);
        }
    }
    unique
}

/// Every adapter of this machine.
pub(super) fn all() -> &'static [Adapter] {
    &FOUND.get(search).adapters
}

/// Adapter `index` of [`all`].
pub(super) fn get(index: usize) -> Result<&'static Adapter> {
    let adapters = all();
    adapters.get(index).ok_or_else(|| {
        let reason = match adapters.len() {
            0 => none_found(),
            1 => format!("there is one GPU adapter, gpu:0 ({})", adapters[0].info.name),
            n => format!("there are {n} GPU adapters, gpu:0 to gpu:{}", n - 1),
        };
        Error::NoDevice { device: format!("gpu:{index}"), reason }
    })
}

/// Why there is no adapter, and what to do about it.
pub(super) fn none_found() -> String {
    match FOUND.get(search).trouble.as_deref() {
        Some(ORPHANED) => ORPHANED.into(),
        Some(text) => format!("no GPU adapter was found ({text}). {HELP}; cpu always works"),
        None => format!("no GPU adapter was found. {HELP}; cpu always works"),
    }
}

/// Fails in a forked child whose parent's driver did not survive.
pub(super) fn check_orphaned(index: usize) -> Result<()> {
    match FOUND.get(search).trouble.as_deref() {
        Some(ORPHANED) => Err(Error::DeviceLost { device: format!("gpu:{index}"), reason: ORPHANED.into() }),
        _ => Ok(()),
    }
}

/// What to do where there is no adapter.
const HELP: &str = if cfg!(target_os = "linux") {
    "On Linux this needs the Vulkan loader (package libvulkan1) and a driver: mesa-vulkan-drivers for AMD, Intel and the software \
     adapter llvmpipe; NVIDIA's own driver with its Vulkan part (libnvidia-gl) for NVIDIA. In a container of an NVIDIA machine \
     set NVIDIA_DRIVER_CAPABILITIES=all. If the driver is there but not found, point VK_DRIVER_FILES at its ICD file \
     (/usr/share/vulkan/icd.d/*.json, /etc/vulkan/icd.d/*.json)"
} else {
    "Install the GPU maker's driver (Vulkan, Metal or DirectX 12)"
};

impl Adapter {
    /// Notes that a device is about to be opened. Mesa's software adapter alone is known to survive a fork.
    pub(super) fn note_opening(&self) {
        if self.info.driver != "llvmpipe" {
            OPENED.store(std::process::id(), Ordering::Relaxed);
        }
    }

    /// `gpu:0 (NAME)`.
    pub(super) fn label(&self) -> String {
        format!("gpu:{} ({})", self.index, self.info.name)
    }

    pub(super) fn features(&self) -> wgpu::Features {
        self.adapter.features() & FEATURES
    }

    /// What the adapter claims; what the self-test finds is added later.
    pub(super) fn caps(&self) -> Caps {
        let features = self.features();
        Caps {
            f64: features.contains(wgpu::Features::SHADER_F64),
            int64: features.contains(wgpu::Features::SHADER_INT64),
            subgroups: features.contains(wgpu::Features::SUBGROUP),
            software: self.class == DeviceClass::SoftwareGpu,
            ..Caps::default()
        }
    }

    pub(super) fn tuning(&self) -> Tuning {
        let software = self.class == DeviceClass::SoftwareGpu;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Tuning {
            staging: if software { 4 << 20 } else { 8 << 20 },
            ring: 3,
            small: 64 << 10,
            threads: if software { 1 } else { cores.min(4) },
            pool: match self.class {
                DeviceClass::DiscreteGpu => (self.budget.limit / 4).min(4 << 30),
                _ => (self.budget.limit / 4).min(1 << 30),
            },
            slice: 0.05,
            patience: if software { 300.0 } else { 60.0 },
        }
    }

    /// What is known about the device, with the self-test's warnings if it was run.
    pub(super) fn describe(&self) -> DeviceInfo {
        let limits = self.adapter.limits();
        let caps = self.caps();
        let info = &self.info;
        DeviceInfo {
            id: format!("gpu:{}", self.index),
            name: info.name.clone(),
            class: self.class,
            backend: match info.backend {
                wgpu::Backend::Dx12 => "DX12".into(),
                other => format!("{other:?}"),
            },
            driver: [info.driver.trim(), info.driver_info.trim()].join(" ").trim().into(),
            pci: Some(info.device_pci_bus_id.clone()).filter(|pci| !pci.is_empty()),
            threads: 0,
            max_buffer: limits.max_buffer_size,
            max_binding: limits.max_storage_buffer_binding_size,
            workgroup_memory: limits.max_compute_workgroup_storage_size,
            workgroup_invocations: limits.max_compute_invocations_per_workgroup,
            f64: caps.f64,
            int64: caps.int64,
            warnings: {
                let tested = match self.selftest.get() {
                    Some(Ok(test)) => test.warnings.clone(),
                    Some(Err(error)) => vec![error.to_string()],
                    None => vec![],
                };
                tested.into_iter().chain(asked_memory().and_then(std::result::Result::err)).collect()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wgpu::{Backend, DeviceType};

    fn info(name: &str, backend: Backend, device_type: DeviceType, pci: &str, device: u32) -> wgpu::AdapterInfo {
        wgpu::AdapterInfo {
            name: name.into(),
            vendor: 0x10DE,
            device,
            device_type,
            device_pci_bus_id: pci.into(),
            driver: String::new(),
            driver_info: String::new(),
            backend,
            subgroup_min_size: 4,
            subgroup_max_size: 32,
            transient_saves_memory: None,
            limit_bucket: None,
        }
    }

    #[test]
    fn each_gpu_is_listed_once_in_a_stable_order() {
        let found = [
            info("llvmpipe", Backend::Vulkan, DeviceType::Cpu, "", 0),
            info("WARP", Backend::Dx12, DeviceType::Cpu, "", 0x8C),
            info("twin B", Backend::Dx12, DeviceType::DiscreteGpu, "0000:41:00.0", 7),
            info("integrated", Backend::Vulkan, DeviceType::IntegratedGpu, "0000:00:02.0", 9),
            info("twin B", Backend::Vulkan, DeviceType::DiscreteGpu, "0000:41:00.0", 7),
            info("twin A", Backend::Vulkan, DeviceType::DiscreteGpu, "0000:01:00.0", 7),
            info("no address", Backend::Dx12, DeviceType::IntegratedGpu, "", 11),
            info("no address", Backend::Vulkan, DeviceType::IntegratedGpu, "", 11),
            info("llvmpipe", Backend::Vulkan, DeviceType::Cpu, "", 0),
        ];
        let listed: Vec<_> = arrange(&found).into_iter().map(|at| (&*found[at].name, found[at].backend)).collect();
        use Backend::{Dx12, Vulkan};
        let expected = [
            ("twin A", Vulkan),
            ("twin B", Vulkan),
            ("no address", Vulkan),
            ("integrated", Vulkan),
            ("llvmpipe", Vulkan),
            ("llvmpipe", Vulkan),
            ("WARP", Dx12),
        ];
        assert_eq!(listed, expected);
    }

    #[test]
    fn a_budget_gives_no_more_than_it_has() {
        let budget = Budget { limit: 100, used: AtomicU64::new(0) };
        assert!(budget.take(60) && !budget.take(41) && budget.take(40) && !budget.take(1) && !budget.take(u64::MAX));
        budget.give(40);
        assert!(budget.take(40));
    }
}
