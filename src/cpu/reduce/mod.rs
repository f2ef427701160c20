//! Reduction on the CPU.

use super::simd::Simd;
use crate::array::{HostVec, Storage};
use crate::engine::Target;
use crate::plan::{Ordered, Partials, ReduceOp, ReducePlan, first_extreme};
use crate::view::View;
use crate::{Control, Result};

/// Runs `plan` to its final values on the current thread pool.
pub(super) fn run(
    plan: &ReducePlan,
    input: View<'_>,
    target: Target<'_>,
    simd: Simd,
    control: &Control,
) -> Result<Option<Storage>> {
    let result = plan.finish(&partials(plan, input, simd, control)?)?;
    super::deliver(plan.out_dtype, &plan.shape, target, |mut out| {
        out.expect(plan.out_dtype, &plan.shape)?;
        out.copy_from_bytes(result.view(&plan.shape).as_bytes().unwrap_or(&[]));
        Ok(())
    })
}

/// Runs `plan` to mergeable partials on the current thread pool.
pub(super) fn partials(plan: &ReducePlan, input: View<'_>, _simd: Simd, control: &Control) -> Result<Partials> {
    let mut partials = plan.empty_partials();
    let (lead, n) = (plan.kept.len(), plan.reduce_len());
    let axes: Vec<usize> = plan.kept.iter().chain(&plan.reduced).copied().collect();
    let view = input.permuted(&axes);
    let mut memory = crate::array::HostVec::zeros(plan.dtype, n)?;
    for out in 0..plan.out_len() {
        control.check()?;
        if let Some(bytes) = memory.view_mut(&[n]).as_bytes() {
            view.clone().item(lead, out).copy_to_bytes(bytes);
        }
        fold(plan, &memory, &mut partials, out);
        control.advance(n as u64);
    }
    Ok(partials)
}

fn fold(plan: &ReducePlan, memory: &HostVec, partials: &mut Partials, out: usize) {
    let smaller = matches!(plan.op, ReduceOp::Min | ReduceOp::ArgMin);
    macro_rules! each {
        ($($variant:ident $float:expr, $integer:expr;)*) => {
            match memory {$(
                HostVec::$variant(values) => {
                    for (index, &x) in values.iter().enumerate() {
                        let key = x.extreme_key(smaller);
                        match partials {
                            Partials::Float(sums) => sums[out].push($float(x)),
                            Partials::Integer(sums) => sums[out] += $integer(x),
                            Partials::IntegerProduct(products) => products[out].push($integer(x)),
                            Partials::FloatProduct(products) => products[out].push($float(x)),
                            Partials::Extreme(keys) => {
                                let best = keys[out].unwrap_or(key);
                                keys[out] = Some(if smaller { key.min(best) } else { key.max(best) });
                            }
                            Partials::Arg(found) => {
                                let new = (x.arg_key(smaller), index as u64);
                                found[out] = Some(found[out].map_or(new, |old| first_extreme(old, new, smaller)));
                            }
                            Partials::Count(counts) => counts[out] += u64::from($float(x) != 0.0),
                        }
                    }
                }
            )*}
        };
    }
    each! {
        Bool |x| f64::from(u8::from(x)), i128::from;
        U8 f64::from, i128::from;
        I8 f64::from, i128::from;
        U16 f64::from, i128::from;
        I16 f64::from, i128::from;
        U32 f64::from, i128::from;
        I32 f64::from, i128::from;
        U64 |x| x as f64, i128::from;
        I64 |x| x as f64, i128::from;
        F32 f64::from, |_| 0i128;
        F64 |x| x, |_| 0i128;
    }
}
