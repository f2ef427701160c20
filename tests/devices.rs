//! Device names, the list of devices, and the environment variable that overrides `auto`.

use std::process::Command;

use unisono::{Backend, Device, DeviceClass, Error, devices};

fn refusal(name: &str) -> String {
    match name.parse::<Backend>() {
        Err(error @ (Error::Invalid { .. } | Error::NoDevice { .. })) => error.to_string(),
        other => panic!("{name}: {other:?}"),
    }
}

/// The GPUs, as `devices` lists them.
fn gpus() -> Vec<Device> {
    let gpus: Vec<Device> = devices().into_iter().filter(|device| device.info.class != DeviceClass::Cpu).collect();
    if gpus.is_empty() {
        let text = "NO GPU ADAPTER FOUND: the GPU part of this test is SKIPPED";
        assert!(std::env::var_os("UNISONO_REQUIRE_GPU").is_none(), "{text}, but UNISONO_REQUIRE_GPU is set");
        eprintln!("\n*** {text} ***\n");
    }
    gpus
}

#[test]
fn names_open_what_they_say() {
    for (name, id, threads) in [("cpu", "cpu", 0), ("CPU:3", "cpu:3", 3), (" cpu:1 + cpu:2 ", "cpu:1+cpu:2", 3)] {
        let info = name.parse::<Backend>().unwrap().info();
        assert_eq!(info.id, id);
        assert!(threads == 0 || info.threads == threads, "{info:?}");
    }
    assert_eq!("cpu".parse::<Backend>().unwrap().info(), Backend::cpu().info());
    let joined: Backend = "cpu:1+cpu:1".parse().unwrap();
    assert_eq!((joined.members().len(), joined.info().class), (2, DeviceClass::Several));
    assert!(Backend::cpu().members().is_empty());
    // Never fails, whatever the machine.
    assert_eq!(Backend::auto().pi(1000, 1).unwrap(), Backend::cpu().pi(1000, 1).unwrap());
}

#[test]
fn refusals_say_what_was_given_and_what_is_accepted() {
    let accepted = "expected auto, cpu, cpu:THREADS, gpu, gpu:INDEX, gpu:NAME, all, or several of cpu and gpu joined by +";
    for name in ["", " ", "cuda", "cpu0", "cpu+", "+cpu", "cpu,gpu", "auto:0"] {
        assert_eq!(refusal(name), format!("device: got {name:?}, {accepted}"));
    }
    for name in ["cpu:0", "cpu:1025", "cpu:x", "cpu:", "cpu:1.5", "cpu+cpu:0"] {
        assert!(refusal(name).ends_with("expected 1 to 1024"), "{}", refusal(name));
    }
    assert!(refusal("auto+cpu").contains("auto alone"));
    assert!(refusal("gpu:").contains("an index or a name after gpu:"));
    for name in ["gpu:99", "gpu:no such maker", "cpu+gpu:99"] {
        let text = refusal(name);
        assert!(text.starts_with("device \"gpu:") && text.contains("cpu"), "{text}");
        for gpu in gpus() {
            assert!(text.contains(&gpu.info.name), "{text} should name {}", gpu.info.name);
        }
    }
}

#[test]
fn the_list_is_in_the_order_of_the_names() {
    let list = devices();
    assert_eq!((list[0].info.id.as_str(), list[0].info.class), ("cpu", DeviceClass::Cpu));
    assert!(list.iter().all(|device| !device.reason.is_empty()));
    let gpus = gpus();
    for (index, gpu) in gpus.iter().enumerate() {
        assert_eq!(gpu.info.id, format!("gpu:{index}"));
        assert_eq!(Backend::gpu(index).unwrap().info().id, gpu.info.id);
        assert_eq!(gpu.info.id.parse::<Backend>().unwrap().info().name, gpu.info.name);
        if !gpu.info.class.is_hardware_gpu() {
            assert!(!gpu.auto && gpu.reason.contains("software"), "{gpu:?}");
        }
    }
    let hardware: Vec<bool> = gpus.iter().map(|gpu| gpu.info.class.is_hardware_gpu()).collect();
    assert!(hardware.is_sorted_by_key(|hardware| !hardware), "hardware first: {gpus:?}");
    if let Some(first) = gpus.first() {
        assert_eq!("gpu".parse::<Backend>().unwrap().info().id, "gpu:0");
        let part = first.info.name.to_uppercase();
        let same = gpus.iter().filter(|gpu| gpu.info.name.to_uppercase().contains(&part)).count();
        match format!("gpu:{part}").parse::<Backend>() {
            Ok(found) => assert_eq!((found.info().id.as_str(), same), ("gpu:0", 1)),
            Err(error) => assert!(same > 1 && error.to_string().contains("several GPUs"), "{error}"),
        }
    }
    let all: Backend = "all".parse().unwrap();
    assert_eq!(all.members().len().max(1), 1 + hardware.iter().filter(|&&hardware| hardware).count());
}

#[test]
fn one_name_is_one_device_and_a_join_of_one_adapter_is_two() {
    let Some(gpu) = gpus().into_iter().next() else { return };
    let id = gpu.info.id;
    let first: Backend = id.parse().unwrap();
    let before = first.counters().work;
    id.parse::<Backend>().unwrap().pi(100_000, 1).unwrap();
    assert!(first.counters().work >= before + 100_000, "the device is shared");
    let twice: Backend = format!("{id}+{id}").parse().unwrap();
    twice.pi(4_000_000, 1).unwrap();
    let work: Vec<u64> = twice.members().iter().skip(1).map(|member| member.counters().work).collect();
    assert!(work[0] >= 1_000_000 && work[0] < 4_000_000, "the second is a device of its own: {work:?}");
}

/// Not a test by itself: what [`the_environment_overrides_auto`] runs with the variable set.
#[test]
#[ignore = "run by another test in a process of its own"]
fn child() {
    println!("auto={}", Backend::auto().info().id);
    println!("from_env={}", Backend::from_env().map_or_else(|error| error.to_string(), |backend| backend.info().id));
    println!("parsed={}", "auto".parse::<Backend>().map_or_else(|error| error.to_string(), |backend| backend.info().id));
    for device in devices() {
        println!("{}={} {}", device.info.id, device.auto, device.reason);
    }
}

/// Standard output and standard error of [`child`] under this value of the variable.
fn with_device(value: &str) -> (String, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"]).env("UNISONO_DEVICE", value);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn the_environment_overrides_auto() {
    for value in ["cpu:2", "cpu", "cpu:1+cpu:1"] {
        let (out, err) = with_device(value);
        assert!(["auto", "from_env", "parsed"].iter().all(|way| out.contains(&format!("{way}={value}\n"))), "{out}");
        assert!(out.contains(&format!("cpu=true UNISONO_DEVICE={value} decides")), "{out}");
        assert!(!err.contains("warning"), "{err}");
    }
    for value in ["", "auto"] {
        let (out, _) = with_device(value);
        assert!(out.contains("cpu=true always there"), "{out}");
    }
    for (value, reason) in [
        ("gpu:99", "device \"gpu:99\" cannot be used: "),
        ("toaster", "device: got \"toaster\", expected auto, cpu"),
        ("cpu:0", "CPU threads: got 0, expected 1 to 1024"),
    ] {
        let (out, err) = with_device(value);
        assert!(out.contains("auto=cpu\n"), "{out}");
        assert!(out.contains(&format!("from_env={reason}")) && out.contains(&format!("parsed={reason}")), "{out}");
        assert!(out.contains(&format!("cpu=true UNISONO_DEVICE={value} is unusable")), "{out}");
        let warning = format!("unisono: warning: UNISONO_DEVICE is unusable, taking the CPU instead: {reason}");
        assert_eq!(err.matches(&warning).count(), 1, "{err}");
    }
}
