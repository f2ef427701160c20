//! Shaders, compiled and kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::context::{Context, lock};
use crate::Result;

/// The label of shaders with a user's text in them, which nobody has checked.
pub(crate) const USERS: &str = "of an integrand in WGSL";

/// A binding of a shader, in the order of its `@binding` numbers in group 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// `var<storage, read>`.
    Read,
    /// `var<storage, read_write>`.
    ReadWrite,
    /// `var<uniform>`.
    Uniform,
}

/// A shader to be compiled. Its entry point is `main`.
pub(crate) struct Shader<'a> {
    /// The shader's name: the stem of its file.
    pub(crate) label: &'static str,
    /// The WGSL text; asked for only if the pipeline is not cached.
    pub(crate) source: &'a dyn Fn() -> String,
    /// Tells apart the texts of one label: with the label and the constants, the key in the cache.
    pub(crate) variant: &'a str,
    /// Values of the `override` constants.
    pub(crate) constants: &'a [(&'static str, f64)],
    /// Workgroup size, as the text and the constants make it.
    pub(crate) workgroup: [u32; 3],
    /// Bytes of workgroup memory.
    pub(crate) workgroup_bytes: u32,
    /// The bindings.
    pub(crate) slots: &'a [Slot],
}

/// A compiled shader.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(super) label: &'static str,
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
    pub(super) slots: Vec<Slot>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    label: &'static str,
    variant: String,
    constants: Vec<(&'static str, u64)>,
    workgroup: [u32; 3],
}

/// The pipelines of a context.
#[derive(Debug, Default)]
pub(super) struct Pipelines(Mutex<HashMap<Key, Arc<Pipeline>>>);

impl Context {
    /// The shader, compiled: now, or earlier in the life of this context.
    pub(crate) fn pipeline(&self, shader: &Shader<'_>) -> Result<Arc<Pipeline>> {
        let key = Key {
            label: shader.label,
            variant: shader.variant.into(),
            constants: shader.constants.iter().map(|&(name, value)| (name, value.to_bits())).collect(),
            workgroup: shader.workgroup,
        };
        if let Some(pipeline) = lock(&self.pipelines.0).get(&key) {
            return Ok(pipeline.clone());
        }
        self.check_shader(shader)?;
        let pipeline = Arc::new(self.compile(shader)?);
        Ok(lock(&self.pipelines.0).entry(key).or_insert(pipeline).clone())
    }

    /// The limits that wgpu does not check: workgroup memory, and workgroup sizes given by `override` constants.
    fn check_shader(&self, shader: &Shader<'_>) -> Result<()> {
        let Shader { label, workgroup, workgroup_bytes, .. } = *shader;
        let limits = &self.limits;
        let invocations = workgroup.iter().try_fold(1u32, |product, &n| product.checked_mul(n)).unwrap_or(u32::MAX);
        let refuse = |message: String| Err(self.failure(&format!("compiling shader {label}"), message));
        if invocations == 0 || invocations > limits.invocations || (0..3).any(|d| workgroup[d] > limits.workgroup[d]) {
            return refuse(format!(
                "workgroup {workgroup:?} exceeds the device's {:?} ({} invocations in all)",
                limits.workgroup, limits.invocations
            ));
        }
        if workgroup_bytes > limits.workgroup_memory {
            return refuse(format!(
                "{workgroup_bytes} bytes of workgroup memory exceed the device's {}",
                limits.workgroup_memory
            ));
        }
        let buffers = shader.slots.iter().filter(|&&slot| slot != Slot::Uniform).count();
        if buffers > limits.storage_buffers as usize {
            return refuse(format!("{buffers} storage buffers exceed the device's {}", limits.storage_buffers));
        }
        Ok(())
    }

    fn compile(&self, shader: &Shader<'_>) -> Result<Pipeline> {
        let source = (shader.source)();
        let label = Some(shader.label);
        let stage = format!("compiling shader {}", shader.label);
        let module = self.guarded(&stage, |device, _| {
            let descriptor = wgpu::ShaderModuleDescriptor { label, source: wgpu::ShaderSource::Wgsl(source.into()) };
            if shader.label == USERS {
                return device.create_shader_module(descriptor);
            }
            let checks = wgpu::ShaderRuntimeChecks {
                bounds_checks: cfg!(debug_assertions),
                // Bounding costs a third of a kernel's speed on some drivers.
                force_loop_bounding: false,
                int_div_checks: false,
                ..wgpu::ShaderRuntimeChecks::checked()
            };
            // SAFETY: the shaders are this crate's own: their loops are finite, their divisors are not 0, their divisions
            // do not overflow, and every index is tested against a length that the host derives from the bound range.
            unsafe { device.create_shader_module_trusted(descriptor, checks) }
        })?;
        self.guarded(&stage, |device, _| {
            let entries: Vec<_> = (0..).zip(shader.slots).map(|(binding, &slot)| layout_entry(binding, slot)).collect();
            let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &entries });
            let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label,
                bind_group_layouts: &[Some(&layout)],
                immediate_size: 0,
            });
            let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label,
                layout: Some(&pipeline_layout),
                module: &module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants: shader.constants,
                    zero_initialize_workgroup_memory: false,
                },
                cache: None,
            });
            Pipeline { label: shader.label, pipeline, layout, slots: shader.slots.to_vec() }
        })
    }
}

fn layout_entry(binding: u32, slot: Slot) -> wgpu::BindGroupLayoutEntry {
    let ty = match slot {
        Slot::Read => wgpu::BufferBindingType::Storage { read_only: true },
        Slot::ReadWrite => wgpu::BufferBindingType::Storage { read_only: false },
        Slot::Uniform => wgpu::BufferBindingType::Uniform,
    };
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
        count: None,
    }
}
