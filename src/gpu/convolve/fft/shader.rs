//! The shaders of Fourier transforms, for lines of every length, and the uniform that they share.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use super::super::Work;
use super::super::shader::Sums;
use super::super::tiles::{Lines, Tiles, room};
use crate::gpu::pipeline::{Pipeline, Shader, Slot};
use crate::gpu::shaders::{Layout, Variant, join, layout};
use crate::{Dtype, Result};

const CORE: &str = include_str!("../../../../shaders/parts/convolve_fft.wgsl");
const BOUNDARY: &str = include_str!("../../../../shaders/parts/boundary.wgsl");
const WORDS: &str = include_str!("../../../../shaders/parts/convolve_words.wgsl");
const ROWS: &str = include_str!("../../../../shaders/convolve_fft_rows.wgsl");
const COLUMNS: &str = include_str!("../../../../shaders/convolve_fft_columns.wgsl");
const INVERSE: &str = include_str!("../../../../shaders/convolve_fft_inverse.wgsl");

/// The uniforms of all shaders of Fourier transforms; documented in `parts/convolve_fft.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
pub(super) struct FftParams {
    pub(super) unit_first: u32,
    pub(super) units: u32,
    pub(super) depth: u32,
    pub(super) tiles_y: u32,
    pub(super) tiles_x: u32,
    pub(super) images: u32,
    pub(super) real_y: u32,
    pub(super) real_x: u32,
    pub(super) pair_image: u32,
    pub(super) pair_y: u32,
    pub(super) pair_x: u32,
    pub(super) log_y: u32,
    pub(super) log_x: u32,
    pub(super) step_y: u32,
    pub(super) step_x: u32,
    pub(super) slabs_z: u32,
    pub(super) slabs_y: u32,
    pub(super) slabs_x: u32,
    pub(super) part_y: u32,
    pub(super) part_x: u32,
    pub(super) reach_y: u32,
    pub(super) reach_x: u32,
    pub(super) end_y: u32,
    pub(super) end_x: u32,
    pub(super) image_x: u32,
    pub(super) image_y: u32,
    pub(super) image_z: u32,
    pub(super) image_first: u32,
    pub(super) start_x: i32,
    pub(super) start_y: i32,
    pub(super) start_z: i32,
    pub(super) boundary_x: u32,
    pub(super) boundary_y: u32,
    pub(super) boundary_z: u32,
    pub(super) out_x: u32,
    pub(super) out_y: u32,
    pub(super) out_z: u32,
    pub(super) all_kernels: u32,
    pub(super) kernel_first: u32,
    pub(super) kernels: u32,
    pub(super) each: u32,
    pub(super) table_at: u32,
    pub(super) groups: u32,
    pub(super) round: u32,
}

/// What the uniforms say of the tiles.
pub(super) fn shape(tiles: &Tiles) -> FftParams {
    FftParams {
        log_y: tiles.size[0].ilog2(),
        log_x: tiles.size[1].ilog2(),
        slabs_z: tiles.slabs[0] as u32,
        slabs_y: tiles.slabs[1] as u32,
        slabs_x: tiles.slabs[2] as u32,
        part_y: tiles.part[0] as u32,
        part_x: tiles.part[1] as u32,
        ..FftParams::default()
    }
}

/// The shaders for lines of one length.
pub(super) struct Length {
    pub(super) length: usize,
    pub(super) lines: Lines,
}

impl Length {
    pub(super) fn lines(&self) -> usize {
        self.lines.elements / self.length
    }

    fn constants(&self) -> [(&'static str, f64); 5] {
        [
            ("LENGTH", self.length as f64),
            ("ODD", f64::from(self.length.ilog2() % 2)),
            ("LINES", self.lines() as f64),
            ("INVOCATIONS", f64::from(self.lines.invocations)),
            ("ROOM", room(self.lines.elements) as f64),
        ]
    }
}

impl Work<'_> {
    fn fft_pipeline(
        &self,
        label: &'static str,
        variant: &str,
        source: &dyn Fn() -> String,
        length: &Length,
        slots: &[Slot],
    ) -> Result<Arc<Pipeline>> {
        let double = self.sums == Sums::F64;
        self.context.pipeline(&Shader {
            label,
            source,
            variant: &format!("{double} {variant}"),
            constants: &length.constants(),
            workgroup: [length.lines.invocations, 1, 1],
            workgroup_bytes: (room(length.lines.elements) * if double { 16 } else { 8 }) as u32,
            slots,
        })
    }

    pub(super) fn fft_rows(&self, image: Dtype, length: &Length) -> Result<Arc<Pipeline>> {
        let slots = [Slot::Read, Slot::Read, Slot::ReadWrite, Slot::Uniform];
        let double = self.sums == Sums::F64;
        self.fft_pipeline("convolve_fft_rows", image.name(), &|| rows_source(double, image), length, &slots)
    }

    pub(super) fn fft_columns(&self, stage: u32, length: &Length) -> Result<Arc<Pipeline>> {
        let slots = [Slot::Read, Slot::Read, Slot::Read, Slot::ReadWrite, Slot::Uniform];
        let double = self.sums == Sums::F64;
        self.fft_pipeline("convolve_fft_columns", &stage.to_string(), &|| columns_source(double, stage), length, &slots)
    }

    pub(super) fn fft_inverse(&self, length: &Length) -> Result<Arc<Pipeline>> {
        let slots = [Slot::Read, Slot::Read, Slot::ReadWrite, Slot::Uniform];
        let double = self.sums == Sums::F64;
        self.fft_pipeline("convolve_fft_inverse", "", &|| inverse_source(double), length, &slots)
    }
}

fn header(double: bool) -> String {
    let number = if double { "f64" } else { "f32" };
    format!("alias T = {number};\nalias Z = vec2<{number}>;\nalias V = vec4<{number}>;\n")
}

fn rows_source(double: bool, image: Dtype) -> String {
    let header = format!("{}const IMAGE: u32 = {}u;\n", header(double), image as u8);
    let parts = match (double, image) {
        (false, _) => [WORDS, include_str!("../../../../shaders/parts/convolve_f32_load.wgsl")],
        (true, Dtype::F64) => ["", include_str!("../../../../shaders/parts/convolve_f64_doubles.wgsl")],
        (true, _) => [WORDS, include_str!("../../../../shaders/parts/convolve_f64_words.wgsl")],
    };
    join(&[&header, BOUNDARY, parts[0], parts[1], CORE, ROWS])
}

fn columns_source(double: bool, stage: u32) -> String {
    join(&[&format!("{}const STAGE: u32 = {stage}u;\n", header(double)), CORE, COLUMNS])
}

fn inverse_source(double: bool) -> String {
    join(&[&header(double), CORE, INVERSE])
}

/// Every shader of Fourier transforms.
pub(in crate::gpu::convolve) fn variants() -> Vec<Variant> {
    let layout = || -> Layout {
        layout!(FftParams {
            unit_first,
            units,
            depth,
            tiles_y,
            tiles_x,
            images,
            real_y,
            real_x,
            pair_image,
            pair_y,
            pair_x,
            log_y,
            log_x,
            step_y,
            step_x,
            slabs_z,
            slabs_y,
            slabs_x,
            part_y,
            part_x,
            reach_y,
            reach_x,
            end_y,
            end_x,
            image_x,
            image_y,
            image_z,
            image_first,
            start_x,
            start_y,
            start_z,
            boundary_x,
            boundary_y,
            boundary_z,
            out_x,
            out_y,
            out_z,
            all_kernels,
            kernel_first,
            kernels,
            each,
            table_at,
            groups,
            round
        })
    };
    let variant = |label: &'static str, source: String| Variant { label, source, layouts: vec![layout()] };
    let mut variants = vec![];
    for double in [false, true] {
        for image in Dtype::ALL.into_iter().filter(|&image| double || image != Dtype::F64) {
            variants.push(variant("convolve_fft_rows", rows_source(double, image)));
        }
        variants.extend((0..3).map(|stage| variant("convolve_fft_columns", columns_source(double, stage))));
        variants.push(variant("convolve_fft_inverse", inverse_source(double)));
    }
    variants
}
