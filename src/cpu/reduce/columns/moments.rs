//! Columns of sums of numbers and of their squares at once, with AVX-512, and of binary64 with AVX2.

use super::{FloatColumns, largest};
use crate::cpu::simd::Simd;
use crate::exact::fast::{Float, MAX_TOP, WHOLE, WHOLE_SQUARES, exponent, exponents};
use crate::exact::moment_levels;
use crate::exact::sticky::{self, LEAST_COLUMNS};

impl FloatColumns {
    /// Whether columns of so many numbers, of binary32 or not, and of their squares can be added to at once on levels.
    pub(in super::super) fn has_moments(&self, narrow: bool, simd: Simd) -> bool {
        match simd {
            Simd::Avx512 => self.sums.len() >= LEAST_COLUMNS,
            Simd::Avx2 => !narrow,
            Simd::Portable => false,
        }
    }

    /// Adds rows, a tile of them, to `self` and their squares to `squares`, if some levels suffice for all columns. There must be
    /// [moments](Self::has_moments).
    pub(in super::super) fn add_moments<T: Float>(&mut self, squares: &mut Self, rows: &[&[T]], simd: Simd) -> bool {
        self.reserve(sticky::SUM_LEVELS);
        squares.reserve(sticky::PRODUCT_LEVELS);
        if self.top == i32::MIN || squares.top == i32::MIN {
            let (top, reach) = tops(&rows[..1], simd);
            self.set_tops(squares, (top.min(MAX_TOP), reach.min(MAX_TOP)));
        }
        for _ in 0..2 {
            let (numbers, more) = (exponents(self.top), exponents(squares.top));
            let exact = if simd == Simd::Avx512 {
                // SAFETY: the instructions are there.
                unsafe { sticky::moment_columns(rows, (numbers, &mut self.moved), (more, &mut squares.moved), &mut self.lines) }
            } else {
                let moved = (&mut self.moved[..], &mut squares.moved[..]);
                moment_levels::add_columns(rows, (self.top, squares.top), moved, &mut self.lanes, simd)
            };
            if exact {
                self.account();
                squares.account();
                self.note(rows);
                return true;
            }
            let tops = tops(rows, simd);
            if tops.0 > MAX_TOP || tops.1 > MAX_TOP || tops == (self.top, squares.top) {
                return false;
            }
            self.set_tops(squares, tops);
        }
        false
    }

    /// Adds rows of binary32 numbers of any exponents, as [`add_moments`](Self::add_moments) does.
    pub(in super::super) fn add_whole_moments(&mut self, squares: &mut Self, rows: &[&[f32]]) -> bool {
        self.reserve(WHOLE);
        squares.reserve(WHOLE_SQUARES);
        self.set_tops(squares, (f32::MAX_EXP - 1, 2 * f32::MAX_EXP - 1));
        let (numbers, more) = (exponents(self.top), exponents(squares.top));
        // SAFETY: there must be the instructions.
        let exact = unsafe {
            sticky::whole_moment_columns(rows, (numbers, &mut self.moved), (more, &mut squares.moved), &mut self.lines)
        };
        if exact {
            self.account();
            squares.account();
            self.note(rows);
        }
        exact
    }

    fn set_tops(&mut self, squares: &mut Self, tops: (i32, i32)) {
        for (columns, top) in [(self, tops.0), (squares, tops.1)] {
            if columns.top != top {
                columns.settle();
                columns.top = top;
            }
        }
    }
}

/// The exponents of the largest magnitude and of its square.
fn tops<T: Float>(rows: &[&[T]], simd: Simd) -> (i32, i32) {
    let largest = largest(rows, simd);
    (exponent(largest), exponent(largest * largest))
}
