//! Boxes: parts of an array that are contiguous in memory and have a contiguous range of results.

use std::ops::Range;

use crate::plan::ReducePlan;

/// Merged axes of each kind that a shader takes.
pub(super) const AXES: usize = 4;

/// A contiguous part of a C-contiguous array: single items along the first axes, a range along one, all of the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Region {
    /// Where it starts along every axis.
    pub(super) at: Vec<usize>,
    /// Its length along every axis.
    pub(super) lens: Vec<usize>,
}

impl Region {
    /// All of an array.
    pub(super) fn whole(shape: &[usize]) -> Self {
        Self { at: vec![0; shape.len()], lens: shape.to_vec() }
    }

    /// The number of elements.
    pub(super) fn len(&self) -> u64 {
        self.lens.iter().map(|&n| n as u64).product()
    }

    /// The number of its first element among those of the axes for which `counted` holds, in C order.
    pub(super) fn start(&self, shape: &[usize], counted: impl Fn(usize) -> bool) -> u64 {
        (0..shape.len()).filter(|&axis| counted(axis)).fold(0, |sum, axis| sum * shape[axis] as u64 + self.at[axis] as u64)
    }

    /// Cuts the region until every part is accepted, along its first axis that has a length; parts come in C order.
    pub(super) fn cut(self, most: u64, accept: &dyn Fn(&Self) -> bool, parts: &mut Vec<Self>) {
        if self.len() == 0 {
            return;
        }
        let axis = self.lens.iter().position(|&n| n > 1);
        let (Some(axis), false) = (axis, accept(&self)) else {
            parts.push(self);
            return;
        };
        let inner = self.len() / self.lens[axis] as u64;
        // As many items as may be accepted together; one at a time if that was too many already.
        let mut step = (most / inner).clamp(1, self.lens[axis] as u64) as usize;
        if step == self.lens[axis] {
            step = step.div_ceil(2);
        }
        let mut start = 0;
        while start < self.lens[axis] {
            let mut part = self.clone();
            part.at[axis] += start;
            part.lens[axis] = step.min(self.lens[axis] - start);
            start += part.lens[axis];
            part.cut(most, accept, parts);
        }
    }
}

/// The regions of a C-contiguous array that make up elements `range`, in order.
pub(super) fn regions(shape: &[usize], range: Range<u64>) -> Vec<Region> {
    /// `at` is fixed along the first axes; `range` counts the elements of the rest.
    fn descend(at: &mut Vec<usize>, shape: &[usize], range: Range<u64>, found: &mut Vec<Region>) {
        let axis = at.len();
        if range.is_empty() {
            return;
        }
        if axis == shape.len() {
            return found.push(Region { at: at.clone(), lens: vec![1; axis] });
        }
        let inner: u64 = shape[axis + 1..].iter().map(|&n| n as u64).product();
        let (first, head) = (range.start / inner, range.start % inner);
        let (last, tail) = (range.end / inner, range.end % inner);
        if first == last {
            return item(at, first, shape, head..tail, found);
        }
        let from = first + u64::from(head != 0);
        if head != 0 {
            item(at, first, shape, head..inner, found);
        }
        if from < last {
            let mut whole = Region::whole(shape);
            whole.at[..axis].copy_from_slice(at);
            whole.lens[..axis].fill(1);
            (whole.at[axis], whole.lens[axis]) = (from as usize, (last - from) as usize);
            found.push(whole);
        }
        item(at, last, shape, 0..tail, found);
    }
    fn item(at: &mut Vec<usize>, index: u64, shape: &[usize], range: Range<u64>, found: &mut Vec<Region>) {
        at.push(index as usize);
        descend(at, shape, range, found);
        at.pop();
    }
    let mut found = Vec::new();
    if shape.iter().all(|&n| n > 0) {
        descend(&mut Vec::new(), shape, range, &mut found);
    }
    found
}

/// The axes of a region as the shader sees them: merged, innermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// Lengths and steps, in elements, of the kept axes.
    pub(super) kept: Vec<(u64, u64)>,
    /// Lengths and steps of the reduced axes.
    pub(super) reduced: Vec<(u64, u64)>,
    /// Whether the innermost axis is a reduced one.
    pub(super) inner_reduced: bool,
}

impl Layout {
    /// The layout of a region of `plan`'s input, by itself C-contiguous.
    pub(super) fn of(plan: &ReducePlan, lens: &[usize]) -> Self {
        let mut merged: Vec<(bool, u64, u64)> = Vec::new();
        let mut step = 1;
        for axis in (0..lens.len()).rev() {
            let (n, reduced) = (lens[axis] as u64, plan.reduced.contains(&axis));
            match merged.last_mut() {
                _ if n == 1 => {}
                Some((same, len, _)) if *same == reduced => *len *= n,
                _ => merged.push((reduced, n, step)),
            }
            step *= n;
        }
        let of = |kind| merged.iter().filter(|axis| axis.0 == kind).map(|axis| (axis.1, axis.2)).collect();
        Self { kept: of(false), reduced: of(true), inner_reduced: merged.first().is_some_and(|axis| axis.0) }
    }

    /// Whether a shader can take it.
    pub(super) fn fits(&self) -> bool {
        self.kept.len() <= AXES && self.reduced.len() <= AXES
    }

    /// Elements behind each result.
    pub(super) fn len(&self) -> u64 {
        self.reduced.iter().map(|axis| axis.0).product()
    }

    /// The number of results.
    pub(super) fn results(&self) -> u64 {
        self.kept.iter().map(|axis| axis.0).product()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dtype;
    use crate::plan::Reduce;

    fn elements(region: &Region, shape: &[usize]) -> Range<u64> {
        let start = region.start(shape, |_| true);
        start..start + region.len()
    }

    #[test]
    fn regions_tile_the_range_in_order() {
        for shape in [vec![], vec![7], vec![3, 4], vec![2, 3, 4], vec![3, 1, 2, 2], vec![2, 0, 3]] {
            let len: u64 = shape.iter().map(|&n| n as u64).product();
            for start in 0..=len {
                for end in start..=len {
                    let found = regions(&shape, start..end);
                    let mut at = start;
                    for region in &found {
                        let range = elements(region, &shape);
                        assert_eq!(range.start, at, "{shape:?} {start}..{end}: {found:?}");
                        at = range.end;
                    }
                    assert_eq!(at, end, "{shape:?} {start}..{end}: {found:?}");
                    assert!(found.len() <= 2 * shape.len().max(1));
                }
            }
        }
    }

    #[test]
    fn cuts_keep_the_order_and_the_limit() {
        let shape = [3, 5, 7, 2];
        for most in [1, 2, 3, 13, 14, 70, 1000] {
            let mut parts = Vec::new();
            Region::whole(&shape).cut(most, &|part| part.len() <= most, &mut parts);
            let mut at = 0;
            for part in &parts {
                let range = elements(part, &shape);
                assert!(range.start == at && part.len() <= most);
                at = range.end;
            }
            assert_eq!(at, 210);
        }
    }

    #[test]
    fn axes_merge() {
        let plan = ReducePlan::new(&Reduce::sum().axes(&[1, 2, 4]), Dtype::F32, &[2, 3, 4, 5, 6]).unwrap();
        let layout = Layout::of(&plan, &plan.input);
        assert_eq!(layout.kept, [(5, 6), (2, 360)]);
        assert_eq!(layout.reduced, [(6, 1), (12, 30)]);
        assert!(layout.inner_reduced && layout.fits());
        assert_eq!((layout.len(), layout.results()), (72, 10));
    }
}
