//! Two vectors side by side: the chains of a function's dependent operations twice, so that one fills the other's waits.

use super::words::Words;

/// Two vectors as one.
#[derive(Clone, Copy)]
pub(super) struct Twice<V>(V, V);

impl<V> Twice<V> {
    #[inline(always)]
    fn each<A>(self, f: impl Fn(V) -> A) -> (A, A) {
        (f(self.0), f(self.1))
    }
}

macro_rules! methods {
    ($(unary $($one:ident)*;)? $(binary $($two:ident)*;)? $(shift $($by:ident)*;)? $(compare $($mask:ident)*;)?) => {
        $($(#[inline(always)]
        fn $one(self) -> Self {
            Self(self.0.$one(), self.1.$one())
        })*)?
        $($(#[inline(always)]
        fn $two(self, other: Self) -> Self {
            Self(self.0.$two(other.0), self.1.$two(other.1))
        })*)?
        $($(#[inline(always)]
        fn $by<const N: u32>(self) -> Self {
            Self(self.0.$by::<N>(), self.1.$by::<N>())
        })*)?
        $($(#[inline(always)]
        fn $mask(self, other: Self) -> Self::Mask {
            (self.0.$mask(other.0), self.1.$mask(other.1))
        })*)?
    };
}

impl<V: Words> Words for Twice<V> {
    const LANES: usize = 2 * V::LANES;
    type Mask = (V::Mask, V::Mask);

    methods! {
        unary abs leading_zeros factor;
        binary add sub and or xor mul mul_signed shl_by shr_by;
        shift shl shr sra;
        compare less equal;
    }

    #[inline(always)]
    fn splat(value: u64) -> Self {
        Self(V::splat(value), V::splat(value))
    }
    #[inline(always)]
    fn ascending() -> Self {
        Self(V::ascending(), V::ascending().add(V::splat(V::LANES as u64)))
    }
    #[inline(always)]
    fn is_negative(self) -> Self::Mask {
        self.each(V::is_negative)
    }
    #[inline(always)]
    fn is_nan(self) -> Self::Mask {
        self.each(V::is_nan)
    }
    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        Self(V::select(mask.0, yes.0, no.0), V::select(mask.1, yes.1, no.1))
    }
    #[inline(always)]
    fn both(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        (V::both(a.0, b.0), V::both(a.1, b.1))
    }
    #[inline(always)]
    fn either(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        (V::either(a.0, b.0), V::either(a.1, b.1))
    }
    #[inline(always)]
    fn not(a: Self::Mask) -> Self::Mask {
        (V::not(a.0), V::not(a.1))
    }
    #[inline(always)]
    fn any(a: Self::Mask) -> bool {
        V::any(V::either(a.0, a.1))
    }
    #[inline(always)]
    fn of_eight(table: &[u64; 8], index: Self) -> Self {
        Self(V::of_eight(table, index.0), V::of_eight(table, index.1))
    }
    #[inline(always)]
    fn of_many(table: &[u64; 32], index: Self) -> Self {
        Self(V::of_many(table, index.0), V::of_many(table, index.1))
    }
    #[inline(always)]
    fn of_many_narrow(table: &[u32; 32], index: Self) -> Self {
        Self(V::of_many_narrow(table, index.0), V::of_many_narrow(table, index.1))
    }
    #[inline(always)]
    fn horner(self, factor: Self, c: Self) -> Self {
        Self(self.0.horner(factor.0, c.0), self.1.horner(factor.1, c.1))
    }
    #[inline(always)]
    fn horner_less(self, factor: Self, c: Self) -> Self {
        Self(self.0.horner_less(factor.0, c.0), self.1.horner_less(factor.1, c.1))
    }
    #[inline(always)]
    unsafe fn widen(p: *const f32) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self(V::widen(p), V::widen(p.add(V::LANES))) }
    }
    #[inline(always)]
    unsafe fn narrow(self, p: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe {
            self.0.narrow(p);
            self.1.narrow(p.add(V::LANES));
        }
    }
    #[inline(always)]
    unsafe fn store_low(self, next: Self, p: *mut u32) {
        // SAFETY: the caller's promise.
        unsafe {
            self.0.store_low(self.1, p);
            next.0.store_low(next.1, p.add(2 * V::LANES));
        }
    }
}
