//! A forked child and the GPU: it gets a device of its own or an error, and never hangs.
#![cfg(all(unix, feature = "gpu"))]

use std::time::{Duration, Instant};

use unisono::{Backend, DeviceClass, Error, devices};

/// Runs `child` in a forked child; its exit code, or `None` if it did not end in time.
fn in_child(child: impl FnOnce() -> i32) -> Option<i32> {
    // SAFETY: the child runs `child` and leaves with `_exit`; it shares nothing writable with the parent.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).unwrap_or(99);
        // SAFETY: ends this process at once.
        unsafe { libc::_exit(code) };
    }
    let start = Instant::now();
    loop {
        let mut status = 0;
        // SAFETY: `status` outlives the call.
        if unsafe { libc::waitpid(pid, &mut status, libc::WNOHANG) } == pid {
            return Some(if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -libc::WTERMSIG(status) });
        }
        if start.elapsed() > Duration::from_secs(90) {
            // SAFETY: `pid` is our own child, not yet waited for.
            unsafe {
                libc::kill(pid, libc::SIGKILL);
                libc::waitpid(pid, &mut status, 0);
            }
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn hits_in_child(backend: &dyn Fn() -> Result<Backend, Error>, expected: u64) -> i32 {
    match backend().and_then(|backend| backend.pi_range(3..100_000, 42)) {
        Ok(pi) if pi.hits == expected => 0,
        Ok(_) => 11,
        Err(error) if error.to_string().contains("forked") => 1,
        Err(error) => {
            eprintln!("in the child: {error}");
            12
        }
    }
}

/// One test, because what the parent has opened before it forks is what matters.
#[test]
fn a_child_has_its_own_device_or_an_error() {
    let gpus: Vec<_> = devices().into_iter().filter(|device| device.info.class != DeviceClass::Cpu).collect();
    if gpus.is_empty() {
        assert!(std::env::var("UNISONO_REQUIRE_GPU").as_deref() != Ok("1"), "no GPU adapter, and UNISONO_REQUIRE_GPU=1");
        eprintln!("SKIPPED: no GPU adapter was found");
    }
    let expected = Backend::cpu().pi_range(3..100_000, 42).unwrap().hits;
    // The parent has found the adapters and, unless they are hardware, opened none: a child can.
    for (index, gpu) in gpus.iter().enumerate().filter(|(_, gpu)| !gpu.info.class.is_hardware_gpu()) {
        let code = in_child(|| hits_in_child(&|| Backend::gpu(index), expected));
        assert_eq!(code, Some(0), "{}", gpu.info.name);
    }
    for (index, gpu) in gpus.iter().enumerate().rev() {
        let backend = Backend::gpu(index).unwrap();
        assert_eq!(backend.pi_range(3..100_000, 42).unwrap().hits, expected);
        let array = backend.upload(&[1u32, 2, 3]).unwrap();
        let code = in_child(|| {
            // The parent's memory is out of reach, and says so.
            match array.clone().into_vec() {
                Err(error @ Error::DeviceLost { .. }) if error.to_string().contains("forked") => {}
                other => {
                    eprintln!("{other:?}");
                    return 10;
                }
            }
            let code = hits_in_child(&|| Ok(backend.clone()), expected);
            drop((array.clone(), backend.clone()));
            // Whatever became of the GPU, the CPU works.
            code + 20 * hits_in_child(&|| Ok(Backend::cpu()), expected)
        });
        let survives = index + 1 == gpus.len() && gpu.info.driver.starts_with("llvmpipe");
        assert!(code == Some(0) || (code == Some(1) && !survives), "{}: {code:?}", gpu.info.name);
        // The parent's device is as good as before.
        assert_eq!(backend.pi_range(3..100_000, 42).unwrap().hits, expected);
        assert_eq!(array.into_vec().unwrap(), [1, 2, 3]);
    }
}
