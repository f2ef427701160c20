//! Progress bars on standard error; silent where that is not a terminal.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use unisono::Control;

use crate::output::metric;

/// A bar over `total` units of which rates are shown as `… unit/s`.
pub fn bar(total: u64, unit: &'static str, quiet: bool) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:36.cyan/blue} {percent:>3}%  {rate}  {eta_precise} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━━╌")
        .with_key("rate", move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = write!(out, "{}{unit}/s", metric(state.per_sec()));
        });
    ProgressBar::new(total).with_style(style)
}

/// A bar that counts files.
pub fn files(total: usize, quiet: bool) -> ProgressBar {
    if quiet || total < 2 {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:36.cyan/blue} {pos}/{len} files  {eta} left  {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━━╌");
    ProgressBar::new(total as u64).with_style(style)
}

/// Runs `work` while the bar follows `control`.
pub fn follow<T>(bar: &ProgressBar, control: &Control, work: impl FnOnce() -> T) -> T {
    if bar.is_hidden() {
        return work();
    }
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                let progress = control.progress();
                bar.set_length(progress.total.max(bar.length().unwrap_or(0)));
                bar.set_position(progress.done);
                std::thread::sleep(Duration::from_millis(80));
            }
        });
        let result = work();
        ended.store(true, Ordering::Relaxed);
        result
    })
}
