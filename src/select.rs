//! Finding, naming and opening devices.
//!
//! A device has one text everywhere (Rust, command line, environment, Python): `auto`, `cpu`, `cpu:4`, `gpu`, `gpu:1`,
//! `gpu:NVIDIA`, `all`, and joins such as `cpu+gpu:0`. Text is first read ([`Choice`]), then resolved against the list of
//! adapters, then opened.

use std::io::Write;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cpu::CpuEngine;
use crate::engine::{DeviceInfo, Engine};
use crate::fork::PerProcess;
use crate::{Error, Result, schedule};

/// The environment variable that overrides `auto`.
const VARIABLE: &str = "UNISONO_DEVICE";
/// What a device's text may be.
const ACCEPTED: &str = "auto, cpu, cpu:THREADS, gpu, gpu:INDEX, gpu:NAME, all, or several of cpu and gpu joined by +";
/// Threads of a CPU at most: idle ones look through all others for work, in time that grows with the square of their number.
const MOST_THREADS: usize = 1024;

/// A device, and whether `auto` would take it.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    /// What is known about it.
    pub info: DeviceInfo,
    /// Whether `auto` would take it.
    pub auto: bool,
    /// Why, or why not.
    pub reason: String,
}

/// What a device's text asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Choice {
    Auto,
    All,
    /// One device, or several joined.
    Parts(Vec<Part>),
}

/// One device of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// The CPU, with all threads or so many.
    Cpu(Option<usize>),
    /// `gpu`: the first GPU, whatever it is.
    AnyGpu,
    /// `gpu:1`.
    GpuIndex(usize),
    /// `gpu:NVIDIA`.
    GpuName(String),
}

impl FromStr for Choice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let word = text.trim();
        if word.eq_ignore_ascii_case("auto") {
            return Ok(Self::Auto);
        }
        if word.eq_ignore_ascii_case("all") {
            return Ok(Self::All);
        }
        word.split('+').map(|part| Part::parse(part.trim(), text)).collect::<Result<_>>().map(Self::Parts)
    }
}

impl Part {
    /// Reads one part of `text`.
    fn parse(part: &str, text: &str) -> Result<Self> {
        let (kind, argument) = part.split_once(':').map_or((part, None), |(kind, argument)| (kind, Some(argument.trim())));
        match (kind.trim().to_ascii_lowercase().as_str(), argument) {
            ("cpu", None) => Ok(Self::Cpu(None)),
            ("cpu", Some(threads)) => match threads.parse() {
                Ok(count) => checked_threads(count).map(|count| Self::Cpu(Some(count))),
                Err(_) => Err(wrong_threads(format!("{threads:?} in device {text:?}"))),
            },
            ("gpu", None) => Ok(Self::AnyGpu),
            ("gpu", Some("")) => Err(Error::invalid("device", format!("{text:?}"), "an index or a name after gpu:, as in gpu:0")),
            ("gpu", Some(which)) if which.bytes().all(|byte| byte.is_ascii_digit()) => match which.parse() {
                Ok(index) => Ok(Self::GpuIndex(index)),
                Err(_) => Err(Error::invalid("device", format!("{text:?}"), "the index of a GPU after gpu:, as in gpu:0")),
            },
            ("gpu", Some(name)) => Ok(Self::GpuName(name.to_string())),
            ("auto" | "all", None) => {
                Err(Error::invalid("device", format!("{text:?}"), format!("{part} alone: only cpu and gpu are joined by +")))
            }
            _ => Err(Error::invalid("device", format!("{text:?}"), ACCEPTED)),
        }
    }

    /// The index in `gpus` of the GPU that this part names.
    fn gpu_index(&self, gpus: &[DeviceInfo]) -> Result<usize> {
        let found = |index: usize| if index < gpus.len() { Ok(index) } else { Err(no_gpu(&format!("gpu:{index}"), gpus)) };
        match self {
            Self::Cpu(_) | Self::AnyGpu => found(0).map_err(|_| no_gpu("gpu", gpus)),
            Self::GpuIndex(index) => found(*index),
            Self::GpuName(name) => {
                let wanted = name.to_lowercase();
                let matches: Vec<usize> =
                    (0..gpus.len()).filter(|&index| gpus[index].name.to_lowercase().contains(&wanted)).collect();
                match matches[..] {
                    [one] => Ok(one),
                    [] => Err(no_gpu(&format!("gpu:{name}"), gpus)),
                    _ => {
                        let several: Vec<DeviceInfo> = matches.iter().map(|&index| gpus[index].clone()).collect();
                        let reason = format!("the name fits several GPUs: {}; name one by its index", listed(&several));
                        Err(Error::NoDevice { device: format!("gpu:{name}"), reason })
                    }
                }
            }
        }
    }
}

fn wrong_threads(got: impl std::fmt::Display) -> Error {
    Error::invalid("CPU threads", got, format!("1 to {MOST_THREADS}"))
}

fn checked_threads(threads: usize) -> Result<usize> {
    if (1..=MOST_THREADS).contains(&threads) { Ok(threads) } else { Err(wrong_threads(threads)) }
}

/// The GPUs by text and name.
fn listed(gpus: &[DeviceInfo]) -> String {
    gpus.iter().map(|gpu| format!("{} ({}, {})", gpu.id, gpu.name, gpu.class)).collect::<Vec<_>>().join(", ")
}

/// The error for a GPU that is not there.
fn no_gpu(device: &str, gpus: &[DeviceInfo]) -> Error {
    #[cfg(feature = "gpu")]
    let nothing = crate::gpu::none_found;
    #[cfg(not(feature = "gpu"))]
    let nothing = || "this unisono was built without its feature `gpu`; cpu always works".to_string();
    let reason = if gpus.is_empty() { nothing() } else { format!("there is {}, and cpu", listed(gpus)) };
    Error::NoDevice { device: device.to_string(), reason }
}

/// Every adapter, hardware first, as found when this process first looked.
fn gpus() -> &'static [DeviceInfo] {
    #[cfg(feature = "gpu")]
    {
        static LIST: PerProcess<Vec<DeviceInfo>> = PerProcess::new();
        LIST.get(crate::gpu::list)
    }
    #[cfg(not(feature = "gpu"))]
    &[]
}

/// Opens GPU `index` of [`gpus`] anew: a logical device of its own.
fn open_gpu(index: usize) -> Result<Arc<dyn Engine>> {
    #[cfg(feature = "gpu")]
    return crate::gpu::open(index);
    #[cfg(not(feature = "gpu"))]
    Err(no_gpu(&format!("gpu:{index}"), &[]))
}

/// GPU `index`, opened once per process.
fn shared_gpu(index: usize) -> Result<Arc<dyn Engine>> {
    type Opened = std::sync::Mutex<std::collections::HashMap<usize, Arc<dyn Engine>>>;
    static OPENED: PerProcess<Opened> = PerProcess::new();
    let mut opened = OPENED.get(Default::default).lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(engine) = opened.get(&index) {
        return Ok(engine.clone());
    }
    let engine = open_gpu(index)?;
    opened.insert(index, engine.clone());
    Ok(engine)
}

/// Says something to the user on standard error, once per `said`.
pub(crate) fn tell_once(said: &AtomicBool, text: std::fmt::Arguments<'_>) {
    if !said.swap(true, Ordering::Relaxed) {
        // A closed standard error is no reason to fail.
        let _ = writeln!(std::io::stderr(), "unisono: {text}");
    }
}

/// Every device: the CPU, then the GPUs in the order of their indices, hardware first, software last.
pub fn devices() -> Vec<Device> {
    let chosen = override_text().map(|text| (open(&text), text));
    let mut devices = vec![Device {
        info: cpu().info(),
        auto: true,
        reason: "always there; takes what is small and what it computes faster than the data moves".into(),
    }];
    devices.extend(gpus().iter().enumerate().map(|(index, info)| {
        if !info.class.is_hardware_gpu() {
            let reason = format!("software: it runs on the CPU, which is faster by itself; open it as {}", info.id);
            return Device { info: info.clone(), auto: false, reason };
        }
        match shared_gpu(index) {
            Ok(engine) => Device { info: engine.info(), auto: true, reason: "hardware: takes what is worth moving there".into() },
            Err(error) => Device { info: info.clone(), auto: false, reason: error.to_string() },
        }
    }));
    if let Some((engine, text)) = chosen {
        let ids: Vec<String> = match &engine {
            Ok(engine) if engine.members().is_empty() => vec![engine.info().id],
            Ok(engine) => engine.members().iter().map(|member| member.info().id).collect(),
            Err(_) => vec!["cpu".into()],
        };
        for device in &mut devices {
            let id = &device.info.id;
            device.auto = ids.iter().any(|chosen| chosen == id || (id == "cpu" && chosen.starts_with("cpu:")));
            device.reason = match &engine {
                Ok(_) => format!("{VARIABLE}={text} decides"),
                Err(error) => format!("{VARIABLE}={text} is unusable ({error}), so auto takes the CPU"),
            };
        }
    }
    devices
}

/// The text of the environment variable; `None` if it is unset, empty or `auto`.
fn override_text() -> Option<String> {
    let text = std::env::var_os(VARIABLE)?.to_string_lossy().trim().to_string();
    (!text.is_empty() && !text.eq_ignore_ascii_case("auto")).then_some(text)
}

/// The best device for each piece of work, by measurement.
fn measured() -> Arc<dyn Engine> {
    static MEASURED: PerProcess<Arc<dyn Engine>> = PerProcess::new();
    MEASURED
        .get(|| {
            let hardware = gpus().iter().enumerate().filter(|(_, info)| info.class.is_hardware_gpu());
            // A GPU that cannot be opened is left out; `devices` says why.
            schedule::choose(cpu(), hardware.filter_map(|(index, _)| shared_gpu(index).ok()).collect())
        })
        .clone()
}

pub(crate) fn auto() -> Arc<dyn Engine> {
    from_env().unwrap_or_else(|error| {
        static SAID: AtomicBool = AtomicBool::new(false);
        tell_once(&SAID, format_args!("warning: {VARIABLE} is unusable, taking the CPU instead: {error}"));
        cpu()
    })
}

pub(crate) fn from_env() -> Result<Arc<dyn Engine>> {
    match override_text() {
        None => Ok(measured()),
        Some(text) => open(&text),
    }
}

pub(crate) fn open(text: &str) -> Result<Arc<dyn Engine>> {
    match text.parse()? {
        Choice::Auto => from_env(),
        Choice::All => {
            let mut members = vec![cpu()];
            for (index, info) in gpus().iter().enumerate() {
                if info.class.is_hardware_gpu() {
                    members.push(shared_gpu(index)?);
                }
            }
            join(members)
        }
        Choice::Parts(parts) => {
            let mut taken: Vec<Part> = vec![];
            let mut members = vec![];
            for part in parts {
                let part = match part {
                    Part::Cpu(_) => part,
                    gpu => {
                        let index = gpu.gpu_index(gpus())?;
                        if gpu == Part::AnyGpu {
                            notice_software(&gpus()[index]);
                        }
                        Part::GpuIndex(index)
                    }
                };
                let again = taken.contains(&part);
                members.push(match part {
                    Part::Cpu(None) if !again => cpu(),
                    Part::Cpu(threads) => Arc::new(CpuEngine::new(threads)),
                    Part::GpuIndex(index) if !again => shared_gpu(index)?,
                    Part::GpuIndex(index) => open_gpu(index)?,
                    Part::AnyGpu | Part::GpuName(_) => continue,
                });
                taken.push(part);
            }
            join(members)
        }
    }
}

fn notice_software(info: &DeviceInfo) {
    if !info.class.is_hardware_gpu() {
        static SAID: AtomicBool = AtomicBool::new(false);
        tell_once(&SAID, format_args!("notice: there is no hardware GPU; gpu is {}, a {}", info.name, info.class));
    }
}

/// The only member, or the engine made of all.
fn join(mut members: Vec<Arc<dyn Engine>>) -> Result<Arc<dyn Engine>> {
    if members.len() == 1 {
        return Ok(members.remove(0));
    }
    Ok(schedule::join(members))
}

pub(crate) fn cpu() -> Arc<dyn Engine> {
    static CPU: PerProcess<Arc<dyn Engine>> = PerProcess::new();
    CPU.get(|| Arc::new(CpuEngine::new(None))).clone()
}

pub(crate) fn cpu_threads(threads: usize) -> Result<Arc<dyn Engine>> {
    Ok(Arc::new(CpuEngine::new(Some(checked_threads(threads)?))))
}

pub(crate) fn gpu(index: usize) -> Result<Arc<dyn Engine>> {
    shared_gpu(Part::GpuIndex(index).gpu_index(gpus())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(feature = "gpu")]
    use crate::DeviceClass;

    #[cfg(feature = "gpu")]
    fn adapter(index: usize, name: &str, class: DeviceClass) -> DeviceInfo {
        DeviceInfo {
            id: format!("gpu:{index}"),
            name: name.into(),
            class,
            backend: "Vulkan".into(),
            driver: String::new(),
            pci: None,
            threads: 0,
            max_buffer: 0,
            max_binding: 0,
            workgroup_memory: 0,
            workgroup_invocations: 0,
            f64: false,
            int64: false,
            warnings: vec![],
        }
    }

    #[test]
    fn every_text_is_read() {
        use Part::*;
        for (text, expected) in [
            ("auto", Choice::Auto),
            (" Auto ", Choice::Auto),
            ("all", Choice::All),
            ("cpu", Choice::Parts(vec![Cpu(None)])),
            ("CPU:4", Choice::Parts(vec![Cpu(Some(4))])),
            ("cpu:1024", Choice::Parts(vec![Cpu(Some(1024))])),
            ("gpu", Choice::Parts(vec![AnyGpu])),
            ("gpu:1", Choice::Parts(vec![GpuIndex(1)])),
            ("gpu:NVIDIA H200", Choice::Parts(vec![GpuName("NVIDIA H200".into())])),
            ("gpu:2080 Ti", Choice::Parts(vec![GpuName("2080 Ti".into())])),
            ("cpu + gpu:0", Choice::Parts(vec![Cpu(None), GpuIndex(0)])),
            ("gpu:0+gpu:0", Choice::Parts(vec![GpuIndex(0), GpuIndex(0)])),
        ] {
            assert_eq!(text.parse::<Choice>().unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn every_other_text_is_refused_with_what_was_given_and_what_is_accepted() {
        let unknown = "expected auto, cpu, cpu:THREADS, gpu, gpu:INDEX, gpu:NAME, all, or several of cpu and gpu joined by +";
        for (text, expected) in [
            ("", format!("device: got \"\", {unknown}")),
            ("  ", format!("device: got \"  \", {unknown}")),
            ("cuda", format!("device: got \"cuda\", {unknown}")),
            ("tpu:0", format!("device: got \"tpu:0\", {unknown}")),
            ("auto:1", format!("device: got \"auto:1\", {unknown}")),
            ("cpu+", format!("device: got \"cpu+\", {unknown}")),
            ("+", format!("device: got \"+\", {unknown}")),
            ("cpu:0", "CPU threads: got 0, expected 1 to 1024".into()),
            ("cpu:1025", "CPU threads: got 1025, expected 1 to 1024".into()),
            ("cpu:", "CPU threads: got \"\" in device \"cpu:\", expected 1 to 1024".into()),
            ("cpu:-1", "CPU threads: got \"-1\" in device \"cpu:-1\", expected 1 to 1024".into()),
            ("cpu:four", "CPU threads: got \"four\" in device \"cpu:four\", expected 1 to 1024".into()),
            ("gpu:", "device: got \"gpu:\", expected an index or a name after gpu:, as in gpu:0".into()),
            (
                "gpu:99999999999999999999999",
                "device: got \"gpu:99999999999999999999999\", expected the index of a GPU after gpu:, as in gpu:0".into(),
            ),
            ("auto+cpu", "device: got \"auto+cpu\", expected auto alone: only cpu and gpu are joined by +".into()),
            ("gpu:0+all", "device: got \"gpu:0+all\", expected all alone: only cpu and gpu are joined by +".into()),
        ] {
            assert_eq!(text.parse::<Choice>().unwrap_err().to_string(), expected);
        }
    }

    #[cfg(feature = "gpu")]
    #[test]
    fn gpus_are_found_by_index_and_by_part_of_the_name() {
        let gpus = [
            adapter(0, "NVIDIA H200", DeviceClass::DiscreteGpu),
            adapter(1, "NVIDIA H100", DeviceClass::DiscreteGpu),
            adapter(2, "llvmpipe (LLVM 15)", DeviceClass::SoftwareGpu),
        ];
        let index = |text: &str| match text.parse::<Choice>().unwrap() {
            Choice::Parts(parts) => parts[0].gpu_index(&gpus).map_err(|error| error.to_string()),
            other => panic!("{other:?}"),
        };
        assert_eq!(index("gpu"), Ok(0));
        assert_eq!(index("gpu:2"), Ok(2));
        assert_eq!(index("gpu:h100"), Ok(1));
        assert_eq!(index("gpu:LLVM"), Ok(2));
        assert_eq!(
            index("gpu:nvidia").unwrap_err(),
            "device \"gpu:nvidia\" cannot be used: the name fits several GPUs: gpu:0 (NVIDIA H200, discrete GPU), \
             gpu:1 (NVIDIA H100, discrete GPU); name one by its index"
        );
        assert_eq!(
            index("gpu:Radeon").unwrap_err(),
            "device \"gpu:Radeon\" cannot be used: there is gpu:0 (NVIDIA H200, discrete GPU), gpu:1 (NVIDIA H100, discrete \
             GPU), gpu:2 (llvmpipe (LLVM 15), software GPU), and cpu"
        );
        assert!(index("gpu:3").unwrap_err().starts_with("device \"gpu:3\" cannot be used: there is gpu:0 (NVIDIA H200"));
        let none = Part::AnyGpu.gpu_index(&[]).unwrap_err().to_string();
        assert!(
            none.starts_with("device \"gpu\" cannot be used: no GPU adapter was found") && none.contains("libvulkan1"),
            "{none}"
        );
    }
}
