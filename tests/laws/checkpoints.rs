//! A Monte Carlo run that is stopped, saved, resumed and shared is one run.

use std::time::Duration;

use unisono::{Backend, Control, Error, Goal, MonteCarlo, MonteCarloState, PiMethod};

use crate::devices;

#[test]
fn parts_on_any_devices_are_the_whole() {
    let n = 900_007;
    let expected = Backend::cpu().pi(n, 5).unwrap();
    let mut parts: Vec<MonteCarloState> = vec![];
    let all = devices::all();
    for (i, backend) in all.iter().enumerate() {
        let (start, end) = (n * i as u64 / all.len() as u64, n * (i as u64 + 1) / all.len() as u64);
        let mut state = MonteCarloState::pi(5);
        backend.extend(&mut state, start..end).unwrap();
        // What is there already is not drawn again.
        backend.extend(&mut state, start..end).unwrap();
        parts.push(MonteCarloState::from_bytes(&state.to_bytes()).unwrap());
    }
    let mut whole = MonteCarloState::pi(5);
    parts.iter().rev().for_each(|part| whole.merge(part).unwrap());
    assert_eq!((whole.estimate(), whole.ranges().len(), whole.missing(0..n).len()), (expected, 1, 0));
}

#[test]
fn a_cancelled_run_keeps_its_slices_and_goes_on_from_the_file() {
    let folder = std::env::temp_dir().join(format!("unisono-checkpoints-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("pi.state");
    let control = Control::new();
    let backend = Backend::cpu().with_control(&control);
    let mut state = MonteCarloState::pi(3);
    let stopped = std::thread::scope(|scope| {
        let run = scope.spawn(|| backend.extend_saved(&mut state, 0..1 << 50, &file, Duration::ZERO));
        while MonteCarloState::load(&file).map_or(0, |state| state.samples()) < 1 << 22 {
            std::thread::sleep(Duration::from_millis(5));
        }
        control.cancel();
        run.join().unwrap()
    });
    assert!(matches!(stopped, Err(Error::Cancelled { total, .. }) if total == 1 << 50), "{stopped:?}");
    let (done, saved) = (state.samples(), MonteCarloState::load(&file).unwrap());
    assert!(done >= 1 << 22 && saved == state);
    // On from there, on another handle: only what is missing is drawn.
    let end = done + 10_007;
    // An engine that no other test counts on.
    let (backend, mut resumed) = (Backend::cpu_threads(2).unwrap(), MonteCarloState::pi(3));
    let before = backend.counters().work;
    backend.extend_saved(&mut resumed, 0..end, &file, Duration::from_secs(60)).unwrap();
    assert_eq!(backend.counters().work - before, 10_007);
    assert_eq!(MonteCarloState::load(&file).unwrap(), resumed);
    // The same state goes on with the same file.
    backend.extend_saved(&mut resumed, 0..end, &file, Duration::from_secs(60)).unwrap();
    assert_eq!(backend.counters().work - before, 10_007);
    assert_eq!((resumed.samples(), resumed.estimate().hits), (end, backend.pi(end, 3).unwrap().hits));
    // Nothing is left beside it, and what does not fit is refused without touching it.
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    let refused = backend.extend_saved(&mut MonteCarloState::pi(4), 0..10, &file, Duration::ZERO).unwrap_err().to_string();
    assert!(refused.contains("pi.state") && refused.contains("seed 3"), "{refused}");
    assert_eq!(MonteCarloState::load(&file).unwrap(), resumed);
    std::fs::write(&file, b"something else").unwrap();
    let damaged = MonteCarloState::load(&file);
    assert!(matches!(&damaged, Err(Error::Corrupt { what, .. }) if what.contains("pi.state")), "{damaged:?}");
    let nowhere = resumed.save(&folder.join("missing").join("pi.state"));
    assert!(matches!(&nowhere, Err(Error::File { path, .. }) if path.contains("missing")), "{nowhere:?}");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Where a run to a standard error stops is the first multiple of the round that will do, interrupted or not.
#[test]
fn a_run_to_an_error_stops_at_the_same_sample_everywhere() {
    // 2.7 million samples in the mean, in rounds of 2^20.
    let (seed, error) = (6, 1e-3);
    assert_eq!(MonteCarlo::pi().round_for(error), Ok(1 << 20));
    let within = |rounds: u64| Backend::cpu().pi(rounds << 20, seed).unwrap().standard_error <= error;
    let rounds = (1..).find(|&rounds| within(rounds)).unwrap();
    assert!(rounds > 1);
    for backend in devices::all() {
        let mut state = MonteCarloState::pi(seed);
        backend.extend(&mut state, Goal::StandardError(error)).unwrap();
        assert_eq!((state.samples(), state.missing(0..rounds << 20)), (rounds << 20, vec![]), "{backend:?}");
        let mut interrupted = MonteCarloState::pi(seed);
        backend.extend(&mut interrupted, 0..(rounds << 20) - 12_345).unwrap();
        backend.extend(&mut interrupted, Goal::StandardError(error)).unwrap();
        assert_eq!(interrupted, state, "{backend:?}");
        // What is there is enough.
        backend.extend(&mut interrupted, Goal::StandardError(2.0 * error)).unwrap();
        assert_eq!(interrupted, state, "{backend:?}");
    }
    let refused = Backend::cpu().extend(&mut MonteCarloState::pi(seed), Goal::StandardError(1e-9)).unwrap_err().to_string();
    assert!(refused.contains("1.66e-7"), "{refused}");
}

/// The other methods resume, and stop at the same sample, as plain samples do; states of different problems stay apart.
#[test]
fn every_method_goes_on_from_its_bytes() {
    let backend = Backend::cpu();
    for method in PiMethod::ALL {
        let how = MonteCarlo::pi().method(method).bits(32).seed(8);
        let (error, stop) = (2e-3, MonteCarloState::new(&how).unwrap());
        let mut whole = stop.clone();
        backend.extend(&mut whole, Goal::StandardError(error)).unwrap();
        assert!(whole.estimate().standard_error <= error && whole.problem() == &how, "{method}");
        let looks = whole.samples();
        assert!(looks == how.round_for(error).unwrap() || method == PiMethod::Sobol && looks.is_power_of_two(), "{method}");
        let mut resumed = stop;
        backend.extend(&mut resumed, 0..16_384).unwrap();
        let mut resumed = MonteCarloState::from_bytes(&resumed.to_bytes()).unwrap();
        backend.extend(&mut resumed, Goal::StandardError(error)).unwrap();
        assert_eq!(resumed, whole, "{method}");
        assert_eq!(whole.estimate(), backend.monte_carlo(&how, 0..looks).unwrap());
        let refused = resumed.merge(&MonteCarloState::pi(8)).unwrap_err().to_string();
        assert!(refused.contains("plain, 16 bits, seed 8"), "{refused}");
    }
    let error = MonteCarloState::new(&MonteCarlo::pi().bits(8)).unwrap_err().to_string();
    assert!(error.contains("16 or 32"), "{error}");
}

/// Links are followed, to files that are not there yet too; pipes and devices are neither read without end nor replaced.
#[cfg(unix)]
#[test]
fn states_are_kept_in_files_alone() {
    use std::os::unix::fs::symlink;
    let folder = std::env::temp_dir().join(format!("unisono-links-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("far")).unwrap();
    let (link, real) = (folder.join("link"), folder.join("far/real"));
    symlink("far/real", &link).unwrap();
    let mut state = MonteCarloState::pi(1);
    for samples in [65_536, 131_072] {
        Backend::cpu().extend(&mut state, 0..samples).unwrap();
        state.save(&link).unwrap();
        assert!(link.is_symlink() && !real.is_symlink());
        assert_eq!(MonteCarloState::load(&real).unwrap(), state);
        assert_eq!(MonteCarloState::load_if_there(&link).unwrap().as_ref(), Some(&state));
    }
    let said = |error: Error| error.to_string();
    for place in ["/dev/zero", "/dev/null"] {
        let place = std::path::Path::new(place);
        assert!(said(MonteCarloState::load(place).unwrap_err()).contains("a pipe or a device"));
        assert!(said(state.save(place).unwrap_err()).contains("a pipe or a device"));
    }
    assert!(said(state.save(&folder.join("far")).unwrap_err()).contains("a folder"));
    std::fs::remove_dir_all(&folder).unwrap();
}
