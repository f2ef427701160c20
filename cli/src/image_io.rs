//! Pictures: PNG, JPEG and TIFF in and out, with their depth, alpha, colour profile and orientation.

use std::fs::File;
use std::io::{BufReader, BufWriter, Cursor, Write};
use std::path::Path;

use image::codecs::{jpeg::JpegEncoder, png::PngEncoder, tiff::TiffEncoder};
use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer, ImageDecoder, ImageEncoder, ImageFormat, ImageReader};
use unisono::{Dtype, HostVec};

use crate::failure::{Failure, Result};
use crate::npy::reason;
use crate::output::say;
use crate::sink::Sink;

/// The formats of files, by extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Png,
    Jpeg,
    Tiff,
    Npy,
}

impl Format {
    /// The format that the file's extension names.
    pub fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "png" => Some(Self::Png),
            "jpg" | "jpeg" => Some(Self::Jpeg),
            "tif" | "tiff" => Some(Self::Tiff),
            "npy" => Some(Self::Npy),
            _ => None,
        }
    }
}

/// A decoded picture: `[height, width, channels]`, of uint8, uint16 or float32.
pub struct Picture {
    pub values: HostVec,
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    /// Whether the last channel is alpha.
    pub alpha: bool,
    pub profile: Option<Vec<u8>>,
}

/// Reads a picture, turned the way its camera said.
pub fn read(path: &Path) -> Result<Picture> {
    let failed = |error: image::ImageError| Failure::file(path, format!("cannot be decoded: {error}"));
    let reader = ImageReader::open(path)
        .and_then(ImageReader::with_guessed_format)
        .map_err(|error| Failure::file(path, reason(&error)))?;
    if reader.format() == Some(ImageFormat::Tiff) && has_more_pages(path) {
        say(format_args!("warning: {}: has several pages; only the first is read", path.display()));
    }
    let mut decoder = reader.into_decoder().map_err(failed)?;
    let profile = decoder.icc_profile().unwrap_or(None);
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(failed)?;
    image.apply_orientation(orientation);
    let (height, width) = (image.height() as usize, image.width() as usize);
    let color = image.color();
    let (channels, alpha) = (color.channel_count().into(), color.has_alpha());
    let values = match image {
        DynamicImage::ImageLuma8(buffer) => HostVec::U8(buffer.into_raw()),
        DynamicImage::ImageLumaA8(buffer) => HostVec::U8(buffer.into_raw()),
        DynamicImage::ImageRgb8(buffer) => HostVec::U8(buffer.into_raw()),
        DynamicImage::ImageRgba8(buffer) => HostVec::U8(buffer.into_raw()),
        DynamicImage::ImageLuma16(buffer) => HostVec::U16(buffer.into_raw()),
        DynamicImage::ImageLumaA16(buffer) => HostVec::U16(buffer.into_raw()),
        DynamicImage::ImageRgb16(buffer) => HostVec::U16(buffer.into_raw()),
        DynamicImage::ImageRgba16(buffer) => HostVec::U16(buffer.into_raw()),
        DynamicImage::ImageRgb32F(buffer) => HostVec::F32(buffer.into_raw()),
        DynamicImage::ImageRgba32F(buffer) => HostVec::F32(buffer.into_raw()),
        other => return Err(Failure::file(path, format!("pixels of kind {:?} are not supported", other.color()))),
    };
    Ok(Picture { values, height, width, channels, alpha, profile })
}

/// Whether a TIFF has pages after the first, which `image` does not read.
fn has_more_pages(path: &Path) -> bool {
    let decoder = File::open(path).ok().and_then(|file| tiff::decoder::Decoder::new(BufReader::new(file)).ok());
    decoder.is_some_and(|decoder| decoder.more_images())
}

/// What a format cannot hold, if so.
pub fn refuses(format: Format, dtype: Dtype, channels: usize, alpha: bool) -> Option<&'static str> {
    match (format, dtype) {
        (Format::Npy, _) => None,
        (Format::Jpeg, _) if alpha => Some("JPEG holds no alpha; write .png or .tiff"),
        (Format::Jpeg, dtype) if dtype != Dtype::U8 => Some("JPEG holds 8 bits a channel; write .png, .tiff or .npy"),
        (Format::Tiff, Dtype::F32) if channels >= 3 => None,
        (Format::Tiff, _) if alpha && channels == 2 => Some("grey with alpha cannot be written to TIFF; write .png"),
        (_, Dtype::U8 | Dtype::U16) => None,
        _ => Some("a picture holds uint8 or uint16 (colour TIFF also float32); write .npy, or choose --dtype uint8 or uint16"),
    }
}

/// Writes a picture to its file.
pub fn write(picture: Picture, format: Format, quality: u8, sink: &Sink) -> Result<(), String> {
    let Picture { values, height, width, channels, profile, alpha } = picture;
    if let Some(why) = refuses(format, values.dtype(), channels, alpha) {
        return Err(why.into());
    }
    let (Ok(w), Ok(h)) = (u32::try_from(width), u32::try_from(height)) else {
        return Err(format!("{width}×{height} pixels are too many for a picture; write .npy"));
    };
    let image = match (values, channels) {
        (HostVec::U8(raw), 1) => ImageBuffer::from_raw(w, h, raw).map(DynamicImage::ImageLuma8),
        (HostVec::U8(raw), 2) => ImageBuffer::from_raw(w, h, raw).map(DynamicImage::ImageLumaA8),
        (HostVec::U8(raw), 3) => ImageBuffer::from_raw(w, h, raw).map(DynamicImage::ImageRgb8),
        (HostVec::U8(raw), 4) => ImageBuffer::from_raw(w, h, raw).map(DynamicImage::ImageRgba8),
        (HostVec::U16(raw), 1) => ImageBuffer::from_raw(w, h, raw).map(DynamicImage::ImageLuma16),
        (HostVec::U16(raw), 2) => ImageBuffer::from_raw(w, h, raw).map(DynamicImage::ImageLumaA16),
        (HostVec::U16(raw), 3) => ImageBuffer::from_raw(w, h, raw).map(DynamicImage::ImageRgb16),
        (HostVec::U16(raw), 4) => ImageBuffer::from_raw(w, h, raw).map(DynamicImage::ImageRgba16),
        (HostVec::F32(raw), 3) => ImageBuffer::from_raw(w, h, raw).map(DynamicImage::ImageRgb32F),
        (HostVec::F32(raw), 4) => ImageBuffer::from_raw(w, h, raw).map(DynamicImage::ImageRgba32F),
        _ => None,
    };
    let image = image.ok_or("pixels of this kind cannot be written as a picture")?;
    let mut out = BufWriter::new(sink.file());
    let done = match format {
        Format::Png => encode(&image, PngEncoder::new(&mut out), profile),
        Format::Jpeg => encode(&image, JpegEncoder::new_with_quality(&mut out, quality), profile),
        // The encoder goes back and forth, which a pipe does not.
        Format::Tiff => {
            let mut bytes = Cursor::new(Vec::new());
            encode(&image, TiffEncoder::new(&mut bytes), profile).and_then(|()| Ok(out.write_all(bytes.get_ref())?))
        }
        Format::Npy => return Err("a .npy file is no picture".into()),
    };
    done.map_err(|error| error.to_string())?;
    out.flush().map_err(|error| reason(&error))
}

fn encode(image: &DynamicImage, mut encoder: impl ImageEncoder, profile: Option<Vec<u8>>) -> image::ImageResult<()> {
    if let Some(profile) = profile {
        // A format that cannot carry the profile loses it, as every tool does.
        let _ = encoder.set_icc_profile(profile);
    }
    image.write_with_encoder(encoder)
}
