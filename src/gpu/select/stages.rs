//! The shaders of selections: what each is made of.

use crate::Dtype;
use crate::gpu::pipeline::Slot;
use crate::gpu::{lanes, shaders};
use crate::plan::Beside;

/// Bits of a digit whose weights are summed: a sum of binary64 takes 68 words.
pub(in crate::gpu) const WEIGHED: u32 = 4;

#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(in crate::gpu) struct Params {
    pub(in crate::gpu) width: u32,
    pub(in crate::gpu) len: u32,
    pub(in crate::gpu) start: u32,
    pub(in crate::gpu) outer: u32,
    pub(in crate::gpu) step: u32,
    pub(in crate::gpu) ranks: u32,
    pub(in crate::gpu) base: u32,
    pub(in crate::gpu) splits: u32,
    pub(in crate::gpu) shift: u32,
    pub(in crate::gpu) by_index: u32,
    pub(in crate::gpu) job: u32,
    pub(in crate::gpu) k: u32,
    pub(in crate::gpu) first: u32,
    pub(in crate::gpu) end: u32,
    pub(in crate::gpu) beside_start: u32,
    pub(in crate::gpu) beside_outer: u32,
    pub(in crate::gpu) beside_step: u32,
    pub(in crate::gpu) pad0: u32,
    pub(in crate::gpu) pad1: u32,
    pub(in crate::gpu) pad2: u32,
}

/// The shaders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gpu) enum Stage {
    Short,
    Count,
    Choose,
    Gather,
    Best,
    /// What all weights of a lane make together.
    WeighAll,
    Weigh,
    ChooseWeighed,
}

impl Stage {
    const SELECT: [Self; 3] = [Self::Short, Self::Count, Self::Choose];
    const TOP: [Self; 2] = [Self::Gather, Self::Best];
    const WEIGH: [Self; 3] = [Self::WeighAll, Self::Weigh, Self::ChooseWeighed];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Short => "select_short",
            Self::Count => "select_count",
            Self::Choose => "select_choose",
            Self::Gather => "topk_gather",
            Self::Best => "topk_short",
            Self::WeighAll | Self::Weigh => "weigh_count",
            Self::ChooseWeighed => "weigh_choose",
        }
    }

    pub(super) fn slots(self) -> &'static [Slot] {
        match self {
            Self::Short | Self::Count => &[Slot::Read, Slot::Read, Slot::Read, Slot::ReadWrite, Slot::Uniform],
            Self::WeighAll | Self::Weigh => &[Slot::Read, Slot::Read, Slot::Read, Slot::ReadWrite, Slot::Uniform],
            Self::Choose | Self::ChooseWeighed => &[Slot::ReadWrite, Slot::ReadWrite, Slot::Uniform],
            Self::Gather => &[Slot::Read, Slot::Read, Slot::ReadWrite, Slot::ReadWrite, Slot::Uniform],
            Self::Best => &[Slot::Read, Slot::ReadWrite, Slot::Uniform],
        }
    }

    /// Sums of weights of a job: one for each digit, or what is known of a lane.
    pub(in crate::gpu) fn sums(self) -> usize {
        if self == Self::WeighAll { 4 } else { 1 << WEIGHED }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Short => include_str!("../../../shaders/select_short.wgsl"),
            Self::Count => include_str!("../../../shaders/select_count.wgsl"),
            Self::Choose => include_str!("../../../shaders/select_choose.wgsl"),
            Self::Gather => include_str!("../../../shaders/topk_gather.wgsl"),
            Self::Best => include_str!("../../../shaders/topk_short.wgsl"),
            Self::WeighAll | Self::Weigh => include_str!("../../../shaders/weigh_count.wgsl"),
            Self::ChooseWeighed => include_str!("../../../shaders/weigh_choose.wgsl"),
        }
    }
}

/// Which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gpu) struct Order {
    pub(in crate::gpu) dtype: Dtype,
    /// Whether ties go by the index, with −0 equal to +0.
    pub(in crate::gpu) top: bool,
    /// From the largest to the smallest.
    pub(in crate::gpu) down: bool,
    /// What a second array tells of the elements.
    pub(in crate::gpu) beside: Option<Beside>,
}

impl Order {
    pub(in crate::gpu) fn bits(self) -> u32 {
        8 * self.dtype.size() as u32
    }

    /// Words of an exact sum of weights: the range of their dtype, and 64 bits for their number.
    pub(in crate::gpu) fn limbs(self) -> usize {
        match self.beside {
            Some(Beside::Weights(Dtype::F64)) => 68,
            Some(Beside::Weights(Dtype::F32)) => 12,
            _ => 4,
        }
    }

    pub(super) fn is_masked(self) -> bool {
        self.beside == Some(Beside::Mask)
    }

    pub(super) fn source(self, stage: Stage, workgroup: u32) -> String {
        let Self { dtype, top, down, beside } = self;
        let weights = beside.map_or(Dtype::Bool, Beside::dtype);
        let header = lanes::constants(dtype)
            + &format!(
                "const WG: u32 = {workgroup}u;\nconst BITS: u32 = {}u;\nconst TOP: bool = {top};\nconst DOWN: bool = {down};\n\
                 const KEY_MASK: u32 = {}u;\nconst SIGN_BIT: u32 = {}u;\nconst LIMBS: u32 = {}u;\nconst DIGIT: u32 = {WEIGHED}u;\n\
                 const DIGITS: u32 = {}u;\nconst TOTAL: bool = {};\nconst WEIGHT_SIZE: u32 = {}u;\nconst WEIGHT_FLOAT: bool = {};\n\
                 const WEIGHT_SIGNED: bool = {};\n",
                self.bits(),
                u32::MAX >> (32 - self.bits().min(32)),
                1u32 << (self.bits().min(32) - 1),
                self.limbs(),
                stage.sums(),
                stage == Stage::WeighAll,
                weights.size(),
                weights.is_float(),
                weights.is_signed_integer(),
            );
        let params = include_str!("../../../shaders/parts/select_params.wgsl");
        let mut parts = vec![header.as_str(), params];
        if !matches!(stage, Stage::Choose | Stage::ChooseWeighed) {
            parts.extend([include_str!("../../../shaders/parts/select_key.wgsl"), lanes::ELEMENT]);
        }
        match stage {
            Stage::Short | Stage::Count if self.is_masked() => {
                parts.push(include_str!("../../../shaders/parts/select_masked.wgsl"))
            }
            Stage::Short | Stage::Count => parts.push(include_str!("../../../shaders/parts/select_all.wgsl")),
            Stage::WeighAll | Stage::Weigh => parts.push(include_str!("../../../shaders/parts/select_weight.wgsl")),
            _ => {}
        }
        parts.push(stage.text());
        shaders::join(&parts)
    }
}

/// Every shader variant.
#[allow(dead_code, reason = "read by tests")]
pub(in crate::gpu) fn variants() -> Vec<shaders::Variant> {
    let layout = || {
        shaders::layout!(Params {
            width,
            len,
            start,
            outer,
            step,
            ranks,
            base,
            splits,
            shift,
            by_index,
            job,
            k,
            first,
            end,
            beside_start,
            beside_outer,
            beside_step,
            pad0,
            pad1,
            pad2,
        })
    };
    let mut list = vec![];
    for dtype in Dtype::ALL.into_iter().filter(|dtype| !dtype.is_complex()) {
        let plain = Order { dtype, top: false, down: false, beside: None };
        let masked = Order { beside: Some(Beside::Mask), ..plain };
        let weighed = Order { dtype: Dtype::F32, beside: Some(Beside::Weights(dtype)), ..plain };
        let top = Order { top: true, down: true, ..plain };
        let select = [plain, masked, top].map(|order| (order, &Stage::SELECT[..]));
        let all = select.into_iter().chain([(top, &Stage::TOP[..]), (weighed, &Stage::WEIGH[..])]);
        for (order, stage) in all.flat_map(|(order, stages)| stages.iter().map(move |&stage| (order, stage))) {
            let source = order.source(stage, 64);
            list.push(shaders::Variant { label: stage.label(), source, layouts: vec![layout()] });
        }
    }
    list
}
