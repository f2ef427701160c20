//! Expressions over arrays: names bound, shapes broadcast.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use crate::expr::excerpt;
use crate::expr::lower::{Binding, Program};
use crate::{Dtype, Error, Expression, Result};

/// What to compute from each element of some arrays: an expression, and the numbers behind its parameters.
///
/// ```
/// use unisono::{Backend, Map};
/// # fn main() -> unisono::Result<()> {
/// let how = Map::new("scale * (a - b)**2")?.param("scale", 0.5);
/// let y = Backend::cpu().map(&how, &[("a", &[1.0, 2.0, 3.0]), ("b", &[3.0, 2.0, 1.0])])?;
/// assert_eq!(y.into_vec()?, [2.0, 0.0, 2.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Map {
    expression: Arc<Expression>,
    params: Vec<(String, f64)>,
    dtype: Option<Dtype>,
}

impl Map {
    /// The expression of a text.
    ///
    /// # Errors
    /// As [`Expression::new`].
    pub fn new(text: &str) -> Result<Self> {
        Expression::new(text).map(Self::of)
    }

    /// An expression.
    pub fn of(expression: Expression) -> Self {
        Self { expression: Arc::new(expression), params: vec![], dtype: None }
    }

    /// The names of arrays and parameters, in the order in which the text has them.
    pub fn names(&self) -> &[String] {
        self.expression.names()
    }

    /// The value of a parameter: a name that is the same for all elements. Another value compiles nothing anew.
    pub fn param(mut self, name: &str, value: f64) -> Self {
        self.params.retain(|(known, _)| known != name);
        self.params.push((name.into(), value));
        self
    }

    /// The dtype to compute in, float32 or float64: by default NumPy's promotion of the arrays with float32.
    pub fn dtype(mut self, dtype: Dtype) -> Self {
        self.dtype = Some(dtype);
        self
    }
}

/// A [`Map`] of given arrays, or a range of its results.
#[derive(Debug, Clone, PartialEq)]
pub struct MapPlan {
    pub(crate) expression: Arc<Expression>,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) program: Arc<Program>,
    /// The shape of every array, axes of length 1 in front.
    pub(crate) inputs: Vec<Vec<usize>>,
    pub(crate) in_dtypes: Vec<Dtype>,
    /// The dtype computed in, which is that of the result.
    pub dtype: Dtype,
    /// The shape of the whole result.
    pub shape: Vec<usize>,
    /// The results to compute, in C order.
    pub range: Range<usize>,
}

impl MapPlan {
    /// Plans a map of arrays with these names, dtypes and shapes.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a name has no value or two, is not in the expression, or if shapes do not broadcast;
    /// [`Error::Dtype`] for complex arrays and a dtype other than float32 and float64.
    pub fn new(how: &Map, arrays: &[(&str, Dtype, &[usize])]) -> Result<Self> {
        let mut dtype = Dtype::F32;
        for &(name, given, _) in arrays {
            if given.real() != given {
                return Err(Error::Dtype { what: format!("array `{name}`"), got: given, expected: "a real dtype".into() });
            }
            dtype = dtype.promote(given);
        }
        let dtype = how.dtype.unwrap_or(dtype);
        check_dtype(dtype)?;
        let names: Vec<&str> = arrays.iter().map(|&(name, ..)| name).collect();
        let bindings = bind(&how.expression, &names, "array", &how.params)?;
        let rank = arrays.iter().map(|(_, _, shape)| shape.len()).max().unwrap_or(0);
        let pad = |shape: &[usize]| [&vec![1; rank - shape.len()][..], shape].concat();
        let inputs: Vec<Vec<usize>> = arrays.iter().map(|(_, _, shape)| pad(shape)).collect();
        let mut shape = vec![1; rank];
        for ((name, _, given), padded) in arrays.iter().zip(&inputs) {
            for (whole, &n) in shape.iter_mut().zip(padded) {
                if *whole != n && n != 1 && *whole != 1 {
                    let expected = format!("a shape that broadcasts with {shape:?} of the arrays before it");
                    return Err(Error::invalid(format!("shape of array `{name}`"), format!("{given:?}"), expected));
                }
                *whole = if *whole == 1 { n } else { *whole };
            }
        }
        let len = shape.iter().try_fold(1usize, |len, &n| len.checked_mul(n));
        let Some(len) = len.filter(|&len| isize::try_from(len.saturating_mul(8)).is_ok()) else {
            return Err(Error::invalid("shape of the result", format!("{shape:?}"), "a shape that fits the address space"));
        };
        let expression = written(&how.expression, dtype);
        let program = Arc::new(Program::new(&expression, &bindings, arrays.len()));
        let in_dtypes = arrays.iter().map(|&(_, dtype, _)| dtype).collect();
        Ok(Self { expression, bindings, program, inputs, in_dtypes, dtype, shape, range: 0..len })
    }

    /// Results to compute.
    pub fn outputs(&self) -> usize {
        self.range.len()
    }

    /// Operations on elements: the unit of progress and of cost.
    pub fn work(&self) -> u64 {
        (self.range.len() as u64).saturating_mul(self.program.cost())
    }

    /// The results in `range`, which counts from the first of this plan.
    pub fn part(&self, range: Range<usize>) -> Self {
        let start = self.range.start;
        Self { range: start + range.start..start + range.end, ..self.clone() }
    }

    /// Bytes of all arrays.
    pub(crate) fn operand_bytes(&self) -> u64 {
        let bytes = |(shape, dtype): (&Vec<usize>, &Dtype)| (shape.iter().product::<usize>() * dtype.size()) as u64;
        self.inputs.iter().zip(&self.in_dtypes).map(bytes).sum()
    }

    /// Whether these are all results.
    pub(crate) fn is_whole(&self) -> bool {
        self.range == (0..self.shape.iter().product())
    }
}

/// The expression with what its dtype has no functions of its own for written out.
pub(crate) fn written(expression: &Arc<Expression>, dtype: Dtype) -> Arc<Expression> {
    Arc::new(if dtype == Dtype::F32 { expression.written_out() } else { expression.with_powers() })
}

pub(crate) fn check_dtype(dtype: Dtype) -> Result<()> {
    match dtype {
        Dtype::F32 | Dtype::F64 => Ok(()),
        got => Err(Error::Dtype { what: "dtype of an expression".into(), got, expected: "float32 or float64".into() }),
    }
}

/// What every name of an expression stands for: `inputs` by position, numbers by value.
pub(crate) fn bind(expression: &Expression, inputs: &[&str], kind: &str, params: &[(String, f64)]) -> Result<Vec<Binding>> {
    let names = expression.names();
    let text = excerpt(expression.text(), 0);
    let listed = || names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let known: HashSet<&str> = names.iter().map(String::as_str).collect();
    let inputs = inputs.iter().enumerate().map(|(i, &name)| (kind, name, Binding::Input(i)));
    let params = params.iter().map(|(name, value)| ("parameter", name.as_str(), Binding::Value(*value)));
    let mut given = HashMap::new();
    for (what, name, binding) in inputs.chain(params) {
        if given.insert(name, binding).is_some() {
            return Err(Error::invalid(format!("{what} `{name}`"), "the name twice", "every name once"));
        }
        // A coordinate that the integrand does not depend on is still integrated over.
        if what != "coordinate" && !known.contains(name) {
            let expected = format!("one of the names of {text:?}: {}", listed());
            return Err(Error::invalid(what, format!("`{name}`"), expected));
        }
    }
    let value = |name: &String| {
        let value = match given.get(name.as_str()) {
            Some(&binding) => return Ok(binding),
            None => match name.as_str() {
                "pi" => std::f64::consts::PI,
                "e" => std::f64::consts::E,
                "inf" => f64::INFINITY,
                "nan" => f64::NAN,
                _ => {
                    let got = format!("`{name}`, which has no value");
                    return Err(Error::invalid(format!("expression {text:?}"), got, format!("names of {kind}s or parameters")));
                }
            },
        };
        Ok(Binding::Value(value))
    };
    names.iter().map(value).collect()
}

/// How elements of arrays and results are walked together: as few axes as all strides allow, the last one fastest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Walk {
    pub(crate) shape: Vec<usize>,
    /// For each array, the strides in elements; 0 where it is broadcast.
    pub(crate) strides: Vec<Vec<isize>>,
}

impl Walk {
    /// The walk over a result of this shape and arrays of these shapes and strides, which have the result's rank.
    pub(crate) fn new(shape: &[usize], arrays: &[(&[usize], &[isize])]) -> Self {
        let mut walk = Self { shape: vec![], strides: vec![vec![]; arrays.len()] };
        for (axis, &n) in shape.iter().enumerate().filter(|&(_, &n)| n != 1) {
            let strides: Vec<isize> = arrays.iter().map(|(s, strides)| if s[axis] == 1 { 0 } else { strides[axis] }).collect();
            let follows = |(known, &stride): (&Vec<isize>, &isize)| known.last() == Some(&(stride * n as isize));
            match walk.shape.last_mut() {
                Some(last) if walk.strides.iter().zip(&strides).all(follows) => {
                    *last *= n;
                    walk.strides
                        .iter_mut()
                        .zip(&strides)
                        .for_each(|(known, &s)| known.last_mut().into_iter().for_each(|l| *l = s));
                }
                _ => {
                    walk.shape.push(n);
                    walk.strides.iter_mut().zip(&strides).for_each(|(known, &stride)| known.push(stride));
                }
            }
        }
        if walk.shape.is_empty() {
            walk.shape.push(1);
            walk.strides.iter_mut().for_each(|strides| strides.push(0));
        }
        walk
    }

    /// Calls `run(offset, stride, count)` for each run of array `array` that results `range` read, in order.
    pub(crate) fn runs(&self, array: usize, range: Range<usize>, mut run: impl FnMut(isize, isize, usize)) {
        let last = self.shape.len() - 1;
        let (row, strides) = (self.shape[last], &self.strides[array]);
        let mut at = range.start;
        while at < range.end {
            let (mut rest, within) = (at / row, at % row);
            let mut offset = within as isize * strides[last];
            for axis in (0..last).rev() {
                offset += (rest % self.shape[axis]) as isize * strides[axis];
                rest /= self.shape[axis];
            }
            let count = (row - within).min(range.end - at);
            run(offset, strides[last], count);
            at += count;
        }
    }
}
