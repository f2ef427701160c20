//! `unisono convolve`.

mod filter;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::Serialize;
use unisono::{Accuracy, Boundary, Control, Convolve, ConvolvePlan, Direction, Dtype};

use crate::args::{ConvolveArgs, Nan};
use crate::failure::{Failure, Outcome, Result};
use crate::image_io::{self, Format};
use crate::kernels::Kernel;
use crate::npy::{self, reason};
use crate::output::{duration, print, print_json, say};
use crate::sink::Sink;
use crate::{interrupt, pipeline, progress};
use filter::{Filter, Filtered};

struct Job {
    input: PathBuf,
    output: PathBuf,
    format: Format,
}

#[derive(Serialize)]
struct FileReport {
    input: String,
    output: String,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct Report {
    device: String,
    kernel: String,
    mode: String,
    boundary: String,
    algorithm: String,
    seconds: f64,
    done: usize,
    failed: usize,
    files: Vec<FileReport>,
}

pub fn run(args: &ConvolveArgs) -> Result<Outcome> {
    let kernel = Kernel::parse(&args.kernel)?;
    let boundary = boundary(args)?;
    let how = Convolve::d2().mode(args.mode).centre(args.centre).origin(&args.origin);
    let how = how.stride(&args.stride).dilation(&args.dilation).overflow(args.overflow.unwrap_or_default());
    let how = args.groups.iter().fold(how, |how, &groups| how.groups(groups));
    let direction = if args.correlate { Direction::Correlate } else { Direction::Convolve };
    // What no image fits is said before any work, by the smallest one.
    let smallest = smallest(args.groups, kernel.shape());
    ConvolvePlan::new(&how, direction, (Dtype::U8, &smallest), (Dtype::U8, kernel.shape()))?;
    let jobs = jobs(args)?;
    let control = Control::new();
    let backend = crate::backend(&args.common)?.with_control(&control);
    interrupt::cancels(&control)?;
    let device = backend.info().id;
    // As passing over NaN is anyhow: said here, it is explained so.
    let elementwise = args.nan == Nan::Ignore && args.accuracy == Accuracy::Default;
    let accuracy = if elementwise { Accuracy::Elementwise } else { args.accuracy };
    let how = how.boundary(boundary).algorithm(args.algorithm).accuracy(accuracy);
    let all = |values: &[usize]| values.iter().all(|&n| n == 1);
    let plain = args.origin.iter().all(|&n| n == 0) && all(&args.stride) && all(&args.dilation);
    let (mode, algorithm) = (args.mode, args.algorithm);
    let filter = Filter {
        backend,
        kernel,
        how,
        mode,
        plain,
        boundary,
        algorithm,
        accuracy,
        direction,
        groups: args.groups,
        overflow: args.overflow,
        nan: args.nan,
        dtype: args.dtype,
        explain: args.explain,
    };

    let (start, total) = (Instant::now(), jobs.len());
    let bar = progress::files(total, args.common.json);
    bar.enable_steady_tick(Duration::from_millis(100));
    let ends = Mutex::new(Vec::with_capacity(total));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let stopped = || if control.is_cancelled() { Err(Failure::Interrupted) } else { Ok(()) };
    pipeline::run(
        jobs,
        threads,
        |job: &Job| stopped().and_then(|()| filter::read(&job.input)),
        |job, content| stopped().and_then(|()| filter.run(content, job.format)),
        |job, filtered| stopped().and_then(|()| write(job, filtered, args.quality)),
        |job, result: Result<()>| {
            bar.inc(1);
            bar.set_message(job.input.file_name().unwrap_or_default().to_string_lossy().into_owned());
            if let Err(failure @ (Failure::Work(_) | Failure::Usage(_))) = &result {
                let message = named(&job.input, &failure.message());
                bar.suspend(|| say(format_args!("error: {message}")));
            }
            ends.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((job, result));
        },
    );
    bar.finish_and_clear();
    if interrupt::happened() {
        return Err(Failure::Interrupted);
    }
    let mut ends = ends.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    ends.sort_by(|(a, _), (b, _)| a.input.cmp(&b.input));
    let failed = ends.iter().filter(|(_, result)| result.is_err()).count();
    let seconds = start.elapsed();
    if args.common.json {
        let files = ends.into_iter().map(|(Job { input, output, .. }, result)| FileReport {
            input: input.display().to_string(),
            output: output.display().to_string(),
            ok: result.is_ok(),
            error: result.err().map(|failure| failure.message()),
        });
        print_json(&Report {
            device,
            kernel: args.kernel.clone(),
            mode: args.mode.to_string(),
            boundary: boundary.to_string(),
            algorithm: args.algorithm.to_string(),
            seconds: seconds.as_secs_f64(),
            done: total - failed,
            failed,
            files: files.collect(),
        })?;
    } else if let [(job, Ok(()))] = &ends[..] {
        let (input, output, time) = (job.input.display(), job.output.display(), duration(seconds));
        print(format_args!("{input} → {output} in {time} on {device}\n"))?;
    } else if total > 1 {
        let rest = if failed > 0 { format!(", {failed} failed") } else { String::new() };
        let (done, output, time) = (total - failed, args.output.display(), duration(seconds));
        print(format_args!("{done} of {total} files → {output} in {time} on {device}{rest}\n"))?;
    }
    Ok(if failed == 0 { Outcome::Done } else { Outcome::Incomplete })
}

/// The message with the file's name in front, once.
fn named(path: &Path, message: &str) -> String {
    let name = path.display().to_string();
    if message.starts_with(&name) { message.to_string() } else { format!("{name}: {message}") }
}

/// The shape of the smallest image for such kernels.
fn smallest(groups: Option<usize>, kernel: &[usize]) -> Vec<usize> {
    match (groups, kernel) {
        (None, _) => vec![1, 1],
        (Some(groups), [.., channels, _, _]) => vec![groups.saturating_mul(*channels), 1, 1],
        (Some(groups), _) => vec![groups, 1, 1],
    }
}

fn boundary(args: &ConvolveArgs) -> Result<Boundary> {
    match (args.value, args.boundary) {
        (None, boundary) => Ok(boundary.unwrap_or(Boundary::Reflect)),
        (Some(value), None | Some(Boundary::Constant(_))) => Ok(Boundary::Constant(value)),
        (Some(_), Some(boundary)) => {
            Err(Failure::usage(format!("--value: got --boundary {boundary}, expected --boundary constant")))
        }
    }
}

/// What to read and what to write.
fn jobs(args: &ConvolveArgs) -> Result<Vec<Job>> {
    let mut inputs = Vec::new();
    for input in &args.inputs {
        let meta = fs::metadata(input).map_err(|error| Failure::file(input, reason(&error)))?;
        if meta.is_dir() {
            let found = folder(input)?;
            if found.is_empty() {
                return Err(Failure::file(input, "holds no .png, .jpg, .tif or .npy file"));
            }
            inputs.extend(found);
        } else {
            inputs.push(input.clone());
        }
    }
    let is_folder = args.inputs.len() > 1
        || args.inputs.iter().any(|input| input.is_dir())
        || args.output.is_dir()
        || args.output.to_string_lossy().ends_with(std::path::is_separator);
    let mut jobs = Vec::with_capacity(inputs.len());
    if is_folder {
        fs::create_dir_all(&args.output).map_err(|error| Failure::file(&args.output, reason(&error)))?;
        for input in inputs {
            let output = args.output.join(input.file_name().unwrap_or_default());
            jobs.push(job(input, output)?);
        }
    } else if let Some(input) = inputs.pop() {
        jobs.push(job(input, args.output.clone())?);
    }
    let mut seen = HashMap::new();
    for job in &jobs {
        if let Some(other) = seen.insert(&job.output, &job.input) {
            let (a, b, output) = (other.display(), job.input.display(), job.output.display());
            return Err(Failure::usage(format!("{a} and {b} would both be written to {output}")));
        }
    }
    if !args.overwrite {
        let inputs = jobs.iter().map(|job| job.input.as_path()).chain([Path::new(&args.kernel)]);
        let originals: Vec<PathBuf> = inputs.filter_map(|input| input.canonicalize().ok()).collect();
        for job in &jobs {
            if job.output.canonicalize().is_ok_and(|path| originals.contains(&path)) {
                return Err(Failure::usage(format!(
                    "{} is an input; --overwrite lets the result replace it",
                    job.output.display()
                )));
            }
        }
    }
    Ok(jobs)
}

fn job(input: PathBuf, output: PathBuf) -> Result<Job> {
    let expected = "expected a name that ends in .png, .jpg, .jpeg, .tif, .tiff or .npy";
    let format = Format::of(&output).ok_or_else(|| Failure::usage(format!("output {}: {expected}", output.display())))?;
    Ok(Job { input, output, format })
}

/// The files of a folder that can be read, by name.
fn folder(path: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error: std::io::Error| Failure::file(path, reason(&error));
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        let hidden = file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && Format::of(&file).is_some() && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn write(job: &Job, filtered: Filtered, quality: u8) -> Result<()> {
    let sink = Sink::create(&job.output)?;
    match filtered {
        Filtered::Array(values, shape) => npy::write(sink.file(), &values, &shape),
        Filtered::Picture(picture) => image_io::write(picture, job.format, quality, &sink),
    }
    .map_err(|text| Failure::file(&job.output, text))?;
    sink.finish()
}
