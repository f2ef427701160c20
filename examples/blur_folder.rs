//! A worker pool over a folder: every photograph is decoded, blurred and written by one of a few workers that share the
//! device. A handle is cheap to clone and may be used from many threads at once.
//!
//! `cargo run --release --example blur_folder -- tests/data --output blurred --sigma 3`

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use clap::Parser;
use ndarray::Array3;
use unisono::filters::{Axes, Gaussian};
use unisono::{Backend, Separable};

#[derive(Parser)]
struct Args {
    /// The folder with the pictures
    #[arg(default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data"))]
    folder: PathBuf,
    /// Where the results go
    #[arg(long, default_value_os_t = std::env::temp_dir().join("unisono-blurred"))]
    output: PathBuf,
    #[arg(long, default_value_t = 2.0)]
    sigma: f64,
    #[arg(long, default_value_t = 4)]
    workers: usize,
    #[arg(long, default_value = "auto")]
    device: String,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let args = Args::parse();
    let backend: Backend = args.device.parse()?;
    let filter = Gaussian::new(args.sigma).filter(&Axes::of(&[0, 1]))?;
    fs::create_dir_all(&args.output)?;
    let mut files: Vec<PathBuf> = fs::read_dir(&args.folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "png" || extension == "jpg"));

    let (start, count, queue) = (Instant::now(), files.len(), Mutex::new(files));
    std::thread::scope(|scope| {
        for _ in 0..args.workers {
            let (backend, queue, filter, output) = (backend.clone(), &queue, &filter, &args.output);
            scope.spawn(move || {
                while let Some(path) = queue.lock().ok().and_then(|mut queue| queue.pop()) {
                    match blur(&backend, &path, filter, output) {
                        Ok(written) => println!("{} → {}", path.display(), written.display()),
                        Err(error) => eprintln!("{}: {error}", path.display()),
                    }
                }
            });
        }
    });
    println!("{count} pictures in {:.0} ms on {}", 1e3 * start.elapsed().as_secs_f64(), backend.info().id);
    Ok(())
}

/// The interleaved pixels are filtered down and along as they lie; the colours are batch.
fn blur(backend: &Backend, path: &Path, blur: &Separable, output: &Path) -> Result<PathBuf, Failure> {
    let photo = image::open(path)?.into_rgb8();
    let (width, height) = photo.dimensions();
    let pixels = Array3::from_shape_vec((height as usize, width as usize, 3), photo.into_raw())?;
    let blurred = backend.separable(&pixels, blur)?.into_vec()?;
    let target = output.join(path.file_name().unwrap_or_default());
    image::save_buffer(&target, &blurred, width, height, image::ColorType::Rgb8)?;
    Ok(target)
}
