//! `unisono devices`.

use serde::Serialize;
use unisono::{Device, DeviceInfo, Dtype};

use crate::args::DevicesArgs;
use crate::failure::{Outcome, Result};
use crate::output::{bytes, counted, print, print_json};

#[derive(Serialize)]
struct Report {
    id: String,
    name: String,
    class: String,
    backend: String,
    driver: String,
    pci: Option<String>,
    threads: Option<usize>,
    max_buffer: Option<u64>,
    max_binding: Option<u64>,
    workgroup_memory: Option<u32>,
    workgroup_invocations: Option<u32>,
    dtypes: Vec<&'static str>,
    f64_convolution: bool,
    int64: bool,
    warnings: Vec<String>,
    auto: bool,
    reason: String,
}

pub fn run(args: &DevicesArgs) -> Result<Outcome> {
    let devices = match &args.device {
        None => unisono::devices(),
        Some(text) => {
            let info = crate::open(text)?.info();
            let known = unisono::devices().into_iter().find(|device| device.info.id == info.id);
            vec![known.unwrap_or_else(|| Device { reason: format!("opened by the name {text:?}"), info, auto: false })]
        }
    };
    if args.json {
        print_json(&devices.iter().map(report).collect::<Vec<_>>())?;
        return Ok(Outcome::Done);
    }
    let mut text = String::new();
    for device in &devices {
        describe(&mut text, device);
    }
    if args.device.is_none() && !devices.iter().any(|device| device.info.class.is_hardware_gpu()) {
        text += &no_gpu();
    }
    print(&text).map(|()| Outcome::Done)
}

fn report(device: &Device) -> Report {
    let info = &device.info;
    let limit = |n: u64| (n > 0).then_some(n);
    Report {
        id: info.id.clone(),
        name: info.name.clone(),
        class: info.class.to_string(),
        backend: info.backend.clone(),
        driver: info.driver.clone(),
        pci: info.pci.clone(),
        threads: (info.threads > 0).then_some(info.threads),
        max_buffer: limit(info.max_buffer),
        max_binding: limit(info.max_binding),
        workgroup_memory: (info.workgroup_memory > 0).then_some(info.workgroup_memory),
        workgroup_invocations: (info.workgroup_invocations > 0).then_some(info.workgroup_invocations),
        dtypes: Dtype::ALL.iter().map(|dtype| dtype.name()).collect(),
        f64_convolution: info.f64,
        int64: info.int64,
        warnings: info.warnings.clone(),
        auto: device.auto,
        reason: device.reason.clone(),
    }
}

fn describe(text: &mut String, device: &Device) {
    let info = &device.info;
    let mark = if device.auto { "✓" } else { "–" };
    *text += &format!("{}  {}\n", info.id, info.name);
    let mut line = |label: &str, value: String| {
        if !value.is_empty() {
            *text += &format!("    {label:<9} {value}\n");
        }
    };
    line("class", info.class.to_string());
    let mut through = info.backend.clone();
    for part in [info.driver.as_str(), info.pci.as_deref().unwrap_or("")] {
        if !part.is_empty() {
            through += &format!(", {part}");
        }
    }
    line("through", through);
    line("limits", limits(info));
    line("dtypes", if info.f64 { "all".into() } else { "all; f64 in reductions only (no f64 convolution)".into() });
    line("auto", format!("{mark} {}", device.reason));
    for warning in &info.warnings {
        line("warning", warning.clone());
    }
    text.push('\n');
}

fn limits(info: &DeviceInfo) -> String {
    let mut parts = Vec::new();
    if info.threads > 0 {
        parts.push(counted(info.threads, "thread"));
    }
    for (what, size) in
        [("buffer", info.max_buffer), ("binding", info.max_binding), ("workgroup memory", info.workgroup_memory.into())]
    {
        if size > 0 {
            parts.push(format!("{what} {}", bytes(size)));
        }
    }
    if info.workgroup_invocations > 0 {
        parts.push(format!("{} invocations per workgroup", info.workgroup_invocations));
    }
    parts.join(", ")
}

/// What helps when no GPU is found.
fn no_gpu() -> String {
    let how = if cfg!(not(feature = "gpu")) {
        "This program was built without the feature `gpu`."
    } else if cfg!(target_os = "linux") {
        "If this machine has one, install libvulkan1 and its Vulkan driver: libnvidia-gl of the NVIDIA driver, or\n\
         mesa-vulkan-drivers (AMD, Intel); `vulkaninfo --summary` shows what the system finds. A container must be given\n\
         the driver: docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=all …"
    } else if cfg!(target_os = "windows") {
        "If this machine has one, install its current driver from the maker; Remote Desktop and some virtual machines hide it."
    } else {
        "If this machine has one, it must support Metal."
    };
    format!("No hardware GPU was found: everything runs on the CPU.\n{how}\n")
}
