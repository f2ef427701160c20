//! Products of integers and of floats.

use super::drive::{Fold, rows_by_row};
use super::selected::Neutral;
use super::sum::Integer;
use crate::exact::fast::Float;
use crate::plan::{FloatProduct, IntegerProduct};

/// Products of integers: exact in 128 bits.
pub(super) struct Integers;

impl<T: Integer> Fold<T> for Integers {
    type Partial = IntegerProduct;
    type Columns = Vec<IntegerProduct>;

    fn start(&self, _: Option<&IntegerProduct>) -> IntegerProduct {
        IntegerProduct::ONE
    }

    fn row(&self, product: &mut IntegerProduct, values: &[T], _: u64) {
        for value in values {
            // Nothing changes a zero that does not fit any more.
            if product.zero && product.nonzero.is_none() {
                return;
            }
            product.push(value.value());
        }
    }

    fn merge(&self, product: &mut IntegerProduct, later: IntegerProduct) {
        product.merge(later);
    }

    fn start_columns(&self, width: usize) -> Vec<IntegerProduct> {
        vec![IntegerProduct::ONE; width]
    }

    fn rows(&self, columns: &mut Vec<IntegerProduct>, rows: &[&[T]], index: u64) {
        rows_by_row(self, columns, rows, index);
    }

    fn end_columns(&self, columns: Vec<IntegerProduct>) -> Vec<IntegerProduct> {
        columns
    }
}

/// Chains of multiplications side by side.
const LANES: usize = 8;

/// Products of floats: element `i` of a segment goes to lane `i mod 8`, the lanes are multiplied in order, and so are the
/// segments, whatever the layout, the threads and the SIMD level.
pub(super) struct Floats;

#[derive(Clone)]
pub(super) struct Lanes {
    products: [FloatProduct; LANES],
    next: usize,
}

impl Lanes {
    /// The product of the lanes.
    pub(super) fn product(&self) -> FloatProduct {
        let mut product = self.products[0];
        self.products[1..].iter().for_each(|&lane| product.merge(lane));
        product
    }
}

impl<T: Float> Fold<T> for Floats {
    type Partial = Lanes;
    type Columns = Vec<Lanes>;
    const EXACT: bool = false;
    const FREE: bool = false;

    fn start(&self, _: Option<&Lanes>) -> Lanes {
        Lanes { products: [FloatProduct::ONE; LANES], next: 0 }
    }

    fn row(&self, lanes: &mut Lanes, values: &[T], _: u64) {
        for value in values {
            lanes.products[lanes.next].push(value.widen());
            lanes.next = (lanes.next + 1) % LANES;
        }
    }

    fn merge(&self, lanes: &mut Lanes, later: Lanes) {
        let mut product = lanes.product();
        product.merge(later.product());
        *lanes = Lanes { products: [FloatProduct::ONE; LANES], next: 0 };
        lanes.products[0] = product;
    }

    fn start_columns(&self, width: usize) -> Vec<Lanes> {
        vec![Lanes { products: [FloatProduct::ONE; LANES], next: 0 }; width]
    }

    fn rows(&self, columns: &mut Vec<Lanes>, rows: &[&[T]], index: u64) {
        rows_by_row(self, columns, rows, index);
    }

    fn end_columns(&self, columns: Vec<Lanes>) -> Vec<Lanes> {
        columns
    }
}

impl<T: Float> Neutral<T> for Floats {
    fn neutral(&self) -> T {
        T::of(1.0)
    }
}
