//! Reductions of data that comes in chunks, and may be larger than memory.

use std::sync::Arc;

use crate::array::{DynArray, HostVec, Operand, Storage};
use crate::plan::{Partials, Reduce, ReduceOp, ReducePlan};
use crate::{Backend, Dtype, Error, Result};

/// A reduction of chunks that lie end to end along the first axis: what [`Backend::reduce_dyn`] gives for all of them in one
/// array, to the bit (but for products of floats, whose bound stays), in the memory of one chunk. Made by
/// [`Backend::chunked`].
///
/// ```
/// # fn main() -> unisono::Result<()> {
/// use unisono::{AsOperand, Backend, HostVec, Reduce};
/// let mut mean = Backend::cpu().chunked(&Reduce::mean());
/// for chunk in [&[1e100, 1.0][..], &[-1e100], &[3.0]] {
///     mean.push(&chunk.as_operand())?;
/// }
/// assert_eq!(mean.finish()?.into_host()?, HostVec::F64(vec![1.0]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Chunked {
    backend: Backend,
    how: Reduce<ReduceOp>,
    state: Option<State>,
}

#[derive(Debug)]
struct State {
    /// The reduction of everything so far.
    plan: ReducePlan,
    found: Found,
}

/// What the chunks so far gave.
#[derive(Debug)]
enum Found {
    /// The first axis is reduced: partials of all results.
    Partials(Partials),
    /// It stays: the results, end to end.
    Results(Vec<HostVec>),
}

impl Backend {
    /// Starts a reduction of chunks. Cancellation and progress are those of [`with_control`](Self::with_control).
    pub fn chunked<R: Copy + Into<ReduceOp>>(&self, how: &Reduce<R>) -> Chunked {
        Chunked { backend: self.clone(), how: how.retyped(how.op.into()), state: None }
    }

    /// Reduces all chunks of an iterator: see [`Chunked`].
    ///
    /// # Errors
    /// As [`reduce`](Self::reduce), the first error of the iterator, and [`Error::Invalid`] for chunks of different kind or
    /// for none at all.
    ///
    /// ```
    /// # fn main() -> unisono::Result<()> {
    /// use unisono::{Backend, HostVec, Reduce};
    /// let days = (0..1000).map(|day| Ok(vec![f64::from(day); 10]));
    /// let all = Backend::cpu().reduce_chunks(days, &Reduce::argmax())?;
    /// assert_eq!(all.into_host()?, HostVec::U64(vec![9990]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn reduce_chunks<A, R, I>(&self, chunks: I, how: &Reduce<R>) -> Result<DynArray>
    where
        A: crate::AsOperand,
        R: Copy + Into<ReduceOp>,
        I: IntoIterator<Item = Result<A>>,
    {
        let mut all = self.chunked(how);
        for chunk in chunks {
            all.push(&chunk?.as_operand())?;
        }
        all.finish()
    }
}

impl Chunked {
    /// Reduces the next chunk.
    ///
    /// # Errors
    /// As [`Backend::reduce`]; [`Error::Invalid`] or [`Error::Dtype`] for a chunk of another shape (but for the length of its
    /// first axis) or dtype than the first one, and for one without axes. After an error the chunk does not count.
    pub fn push(&mut self, chunk: &Operand<'_>) -> Result<()> {
        self.push_part(chunk, None)
    }

    /// [`push`](Self::push) of the elements for which `mask`, an array of bools broadcast to the shape of the chunk, is true: as
    /// [`Backend::reduce_where`] of all chunks and masks in one. Every chunk has a mask, or none has.
    ///
    /// # Errors
    /// As [`push`](Self::push) and [`Backend::reduce_where`]; [`Error::Invalid`] after chunks without a mask.
    ///
    /// ```
    /// # fn main() -> unisono::Result<()> {
    /// use unisono::{AsOperand, Backend, HostVec, Reduce};
    /// let mut sum = Backend::cpu().chunked(&Reduce::sum());
    /// sum.push_where(&[1, 2, 3].as_operand(), &[true, false, true].as_operand())?;
    /// sum.push_where(&[10].as_operand(), &[true].as_operand())?;
    /// assert_eq!(sum.finish()?.into_host()?, HostVec::I64(vec![14]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn push_where(&mut self, chunk: &Operand<'_>, mask: &Operand<'_>) -> Result<()> {
        self.push_part(chunk, Some(mask))
    }

    fn push_part(&mut self, chunk: &Operand<'_>, mask: Option<&Operand<'_>>) -> Result<()> {
        let Some((&rows, rest)) = chunk.shape().split_first() else {
            return Err(Error::invalid("chunk", "an array without axes", "at least one axis, along which chunks lie end to end"));
        };
        if self.how.op == ReduceOp::Dot {
            return Err(Error::invalid("operation on chunks", "dot", "one of a single array: merge ExactDot of the chunks"));
        }
        let expected = self.state.as_ref().map(|state| (state.plan.dtype, state.plan.input[0], &state.plan.input[1..]));
        if let Some((dtype, _, shape)) = expected {
            if dtype != chunk.dtype() {
                return Err(Error::Dtype { what: "chunk".into(), got: chunk.dtype(), expected: dtype.to_string() });
            }
            if shape != rest {
                return Err(Error::invalid("shape of a chunk", format!("{:?}", chunk.shape()), format!("[.., {shape:?}]")));
            }
        }
        if let Some(state) = self.state.as_ref().filter(|state| state.plan.masked != mask.is_some()) {
            let [got, expected] = [mask.is_some(), state.plan.masked].map(|masked| if masked { "a mask" } else { "none" });
            return Err(Error::invalid("mask of a chunk", got, format!("{expected}, as of the chunks before")));
        }
        let before = expected.map_or(0, |(_, rows, _)| rows);
        let shape: Vec<usize> = std::iter::once(before + rows).chain(rest.iter().copied()).collect();
        // The reduction of nothing is an error only if nothing comes.
        let plan = ReducePlan::new(&self.how, chunk.dtype(), &shape);
        let mut plan = match plan {
            Err(_) if rows == 0 => return self.how_is_valid(chunk.dtype(), &shape),
            plan => plan?,
        };
        if let Some(mask) = mask {
            // The mask of the chunk alone is checked where it is reduced.
            plan = plan.masked(mask.dtype(), &shape)?;
        }
        let reduced = plan.reduced.first() == Some(&0);
        if rows == 0 && reduced && self.state.is_some() {
            return Ok(());
        }
        let found = if reduced {
            let part = if rows == 0 { plan.empty_partials() } else { self.backend.partials(chunk, mask, &self.how)?.1 };
            let all = match self.state.take().map(|state| state.found) {
                Some(Found::Partials(mut all)) => {
                    all.merge(&part, plan.op, plan.index_offset(before))?;
                    all
                }
                _ => part,
            };
            Found::Partials(all)
        } else {
            let part = match mask {
                Some(mask) => self.backend.reduce_where_dyn(chunk, mask, &self.how)?,
                None => self.backend.reduce_dyn(chunk, &self.how)?,
            };
            let part = part.into_host()?;
            let mut all = match self.state.take().map(|state| state.found) {
                Some(Found::Results(all)) => all,
                _ => vec![],
            };
            all.push(part);
            Found::Results(all)
        };
        self.state = Some(State { plan, found });
        Ok(())
    }

    /// An empty chunk in front of everything: whatever comes must only fit the axes.
    fn how_is_valid(&self, dtype: Dtype, shape: &[usize]) -> Result<()> {
        let longer: Vec<usize> = shape.iter().map(|&n| n.max(1)).collect();
        ReducePlan::new(&self.how, dtype, &longer).map(drop)
    }

    /// The same reduction, the chunks to come on another backend (or with another [`Control`](crate::Control)).
    pub fn on(self, backend: &Backend) -> Self {
        Self { backend: backend.clone(), ..self }
    }

    /// The number of rows so far: the summed lengths of the chunks' first axes.
    pub fn rows(&self) -> usize {
        self.state.as_ref().map_or(0, |state| state.plan.input[0])
    }

    /// The result.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there was no chunk, [`Error::Overflow`] if an integer result does not fit.
    pub fn finish(self) -> Result<DynArray> {
        let Some(State { plan, found }) = self.state else {
            return Err(Error::invalid("chunks", "none", "at least one, whose dtype and shape say what the result is"));
        };
        let vec = match found {
            Found::Partials(partials) => plan.finish(&partials)?,
            Found::Results(parts) => {
                let mut all = HostVec::zeros(plan.out_dtype, plan.out_len())?;
                let len = all.len();
                let mut window = all.view_mut(&[len]);
                let mut rest = window.as_bytes().unwrap_or(&mut []);
                for part in &parts {
                    let from = part.view(&[part.len()]).as_bytes().unwrap_or(&[]);
                    let (out, later) = rest.split_at_mut(from.len().min(rest.len()));
                    out.copy_from_slice(&from[..out.len()]);
                    rest = later;
                }
                all
            }
        };
        Ok(DynArray { dtype: plan.out_dtype, shape: plan.shape, storage: Storage::Host(Arc::new(vec)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AsOperand, NormOrder};

    #[test]
    fn chunks_are_reduced_as_the_whole() {
        let mut state = 9;
        let whole = ndarray::Array3::from_shape_simple_fn((23, 4, 5), || {
            (crate::exact::tests::bits(&mut state) % 1000) as f64 * 0.37 - 100.0
        });
        let cpu = Backend::cpu();
        for op in ReduceOp::ALL.into_iter().filter(|&op| op != ReduceOp::Product) {
            for axes in [None, Some(&[0isize][..]), Some(&[1]), Some(&[0, 2]), Some(&[2, 1])] {
                let how = axes.map_or(Reduce::of(op), |axes| Reduce::of(op).axes(axes).keepdims());
                let how = if op == ReduceOp::Sum { how.initial(1000.0) } else { how };
                let mut chunked = cpu.chunked(&how);
                for range in [0..0, 0..7, 7..8, 8..8, 8..23] {
                    chunked.push(&whole.slice(ndarray::s![range, .., ..]).as_operand()).unwrap();
                }
                assert_eq!(chunked.rows(), 23);
                let (found, expected) = (chunked.finish().unwrap(), cpu.reduce_dyn(&whole.as_operand(), &how).unwrap());
                assert_eq!(found.shape(), expected.shape(), "{op} {axes:?}");
                assert_eq!(found.into_host().unwrap(), expected.into_host().unwrap(), "{op} {axes:?}");
            }
        }
        let mut chunked = cpu.chunked(&Reduce::norm(NormOrder::Two));
        chunked.push(&[1u8, 2].as_operand()).unwrap();
        assert!(chunked.push(&[1i8].as_operand()).is_err() && chunked.push(&ndarray::arr2(&[[1u8]]).as_operand()).is_err());
        assert_eq!(chunked.finish().unwrap().into_host().unwrap(), HostVec::F64(vec![5f64.sqrt()]));
        assert!(cpu.chunked(&Reduce::sum()).finish().unwrap_err().to_string().contains("at least one"));
        let mask = whole.mapv(|x| x > 0.0);
        for (op, initial) in [(ReduceOp::Sum, None), (ReduceOp::Var, None), (ReduceOp::Max, Some(-7)), (ReduceOp::Mean, None)] {
            for axes in [vec![0isize], vec![1], vec![0, 1, 2]] {
                let how = Reduce::of(op).axes(&axes);
                let how = initial.map_or(how.clone(), |initial: i32| how.initial(initial));
                let mut chunked = cpu.chunked(&how);
                for range in [0..0, 0..7, 7..8, 8..23] {
                    let part = ndarray::s![range, .., ..];
                    chunked.push_where(&whole.slice(part).as_operand(), &mask.slice(part).as_operand()).unwrap();
                }
                assert!(chunked.push(&whole.as_operand()).unwrap_err().to_string().contains("got none, expected a mask"));
                let expected = cpu.reduce_where_dyn(&whole.as_operand(), &mask.as_operand(), &how).unwrap();
                assert_eq!(chunked.finish().unwrap().into_host().unwrap(), expected.into_host().unwrap(), "{op} {axes:?}");
            }
        }
        let mut chunked = cpu.chunked(&Reduce::sum());
        assert!(chunked.push_where(&[1.0, 2.0].as_operand(), &[true; 3].as_operand()).is_err());
        assert!(chunked.push_where(&[1.0, 2.0].as_operand(), &[1u8; 2].as_operand()).is_err());
        let failing = [Ok(vec![1.0]), Err(Error::invalid("chunk", 2, "another"))];
        assert!(cpu.reduce_chunks(failing, &Reduce::sum()).is_err());
    }
}
