//! Eight f32 lanes, once in AVX2 and once in plain Rust, with the same bits from both.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m128i, __m256, _mm_loadu_si128, _mm256_add_epi32, _mm256_add_ps, _mm256_castps_si256, _mm256_castsi256_ps,
    _mm256_cvtepu16_epi32, _mm256_div_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_min_ps,
    _mm256_mul_ps, _mm256_set1_ps, _mm256_slli_epi32, _mm256_storeu_ps, _mm256_sub_ps,
};

/// How many lanes a vector has, on every machine: partial sums are defined over exactly this many.
pub(crate) const LANES: usize = 8;

/// Which instructions the kernels use. Only [`Isa::detect`] hands out AVX2, so holding that value proves the machine has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Isa(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Isa {
    /// The best instructions of this machine.
    pub(crate) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return Self(Kind::Avx2);
        }
        Self::portable()
    }

    /// Plain Rust: slower where the compiler may not assume fused multiply-add, and the oracle for the other.
    pub(crate) const fn portable() -> Self {
        Self(Kind::Portable)
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(crate) fn is_avx2(self) -> bool {
        self.0 == Kind::Avx2
    }

    /// The name that a run records.
    pub(crate) fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2+fma",
        }
    }
}

/// Eight independent f32 values. `greater` and `lesser` return the second operand unless the comparison holds, so that a NaN
/// in the second place passes through: this is what the x86 instructions do and `f32::max` does not.
pub(crate) trait Lanes: Copy {
    fn splat(x: f32) -> Self;
    fn load(from: &[f32; LANES]) -> Self;
    /// Widens bf16 values, given as their bits; exact.
    fn load_bf16(from: &[u16; LANES]) -> Self;
    fn store(self, to: &mut [f32; LANES]);
    /// `self * b + c` with one rounding.
    fn fma(self, b: Self, c: Self) -> Self;
    fn add(self, b: Self) -> Self;
    fn sub(self, b: Self) -> Self;
    fn mul(self, b: Self) -> Self;
    fn div(self, b: Self) -> Self;
    fn greater(self, b: Self) -> Self;
    fn lesser(self, b: Self) -> Self;
    /// `self * 2^n` where `magic` is `n + 1.5 * 2^23`, by adding `n` to the exponent field.
    fn scale_exponent(self, magic: Self) -> Self;

    #[inline(always)]
    fn to_array(self) -> [f32; LANES] {
        let mut array = [0.0; LANES];
        self.store(&mut array);
        array
    }

    /// The sum of the lanes by a fixed tree: neighbours first.
    #[inline(always)]
    fn sum(self) -> f32 {
        let a = self.to_array();
        ((a[0] + a[1]) + (a[2] + a[3])) + ((a[4] + a[5]) + (a[6] + a[7]))
    }
}

/// Lanes as an array; `f32::mul_add` is fused by definition, so the bits are those of the vector unit.
#[derive(Clone, Copy)]
pub(crate) struct Portable([f32; LANES]);

impl Portable {
    #[inline(always)]
    fn zip(self, b: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], b.0[i])))
    }
}

impl Lanes for Portable {
    #[inline(always)]
    fn splat(x: f32) -> Self {
        Self([x; LANES])
    }
    #[inline(always)]
    fn load(from: &[f32; LANES]) -> Self {
        Self(*from)
    }
    #[inline(always)]
    fn load_bf16(from: &[u16; LANES]) -> Self {
        Self(from.map(|bits| f32::from_bits(u32::from(bits) << 16)))
    }
    #[inline(always)]
    fn store(self, to: &mut [f32; LANES]) {
        *to = self.0;
    }
    #[inline(always)]
    fn fma(self, b: Self, c: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].mul_add(b.0[i], c.0[i])))
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        self.zip(b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        self.zip(b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        self.zip(b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        self.zip(b, |a, b| a / b)
    }
    #[inline(always)]
    fn greater(self, b: Self) -> Self {
        self.zip(b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn lesser(self, b: Self) -> Self {
        self.zip(b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn scale_exponent(self, magic: Self) -> Self {
        self.zip(magic, |a, m| f32::from_bits(a.to_bits().wrapping_add(m.to_bits() << 23)))
    }
}

/// Lanes in one AVX2 register. Values of this type exist only inside functions that were entered through an [`Isa`] that
/// detected AVX2 and FMA; that is the reason behind every `SAFETY` below.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(crate) struct Avx2(__m256);

#[cfg(target_arch = "x86_64")]
impl Lanes for Avx2 {
    #[inline(always)]
    fn splat(x: f32) -> Self {
        // SAFETY: AVX2 was detected before this type is used.
        Self(unsafe { _mm256_set1_ps(x) })
    }
    #[inline(always)]
    fn load(from: &[f32; LANES]) -> Self {
        // SAFETY: AVX2 was detected, and the reference covers the 32 bytes that are read.
        Self(unsafe { _mm256_loadu_ps(from.as_ptr()) })
    }
    #[inline(always)]
    fn load_bf16(from: &[u16; LANES]) -> Self {
        // SAFETY: AVX2 was detected, and the reference covers the 16 bytes that are read.
        Self(unsafe {
            let half = _mm_loadu_si128(from.as_ptr().cast::<__m128i>());
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(half)))
        })
    }
    #[inline(always)]
    fn store(self, to: &mut [f32; LANES]) {
        // SAFETY: AVX2 was detected, and the reference covers the 32 bytes that are written.
        unsafe { _mm256_storeu_ps(to.as_mut_ptr(), self.0) }
    }
    #[inline(always)]
    fn fma(self, b: Self, c: Self) -> Self {
        // SAFETY: FMA was detected before this type is used.
        Self(unsafe { _mm256_fmadd_ps(self.0, b.0, c.0) })
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        // SAFETY: AVX2 was detected before this type is used.
        Self(unsafe { _mm256_add_ps(self.0, b.0) })
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        // SAFETY: AVX2 was detected before this type is used.
        Self(unsafe { _mm256_sub_ps(self.0, b.0) })
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        // SAFETY: AVX2 was detected before this type is used.
        Self(unsafe { _mm256_mul_ps(self.0, b.0) })
    }
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        // SAFETY: AVX2 was detected before this type is used.
        Self(unsafe { _mm256_div_ps(self.0, b.0) })
    }
    #[inline(always)]
    fn greater(self, b: Self) -> Self {
        // SAFETY: AVX2 was detected before this type is used.
        Self(unsafe { _mm256_max_ps(self.0, b.0) })
    }
    #[inline(always)]
    fn lesser(self, b: Self) -> Self {
        // SAFETY: AVX2 was detected before this type is used.
        Self(unsafe { _mm256_min_ps(self.0, b.0) })
    }
    #[inline(always)]
    fn scale_exponent(self, magic: Self) -> Self {
        // SAFETY: AVX2 was detected before this type is used.
        Self(unsafe {
            let exponent = _mm256_slli_epi32::<23>(_mm256_castps_si256(magic.0));
            _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(self.0), exponent))
        })
    }
}

/// Defines a function that runs `$body::<L>` with the lanes of an [`Isa`], compiled for that instruction set.
macro_rules! dispatch {
    ($(#[$doc:meta])* $visibility:vis fn $name:ident $(<$generic:ident: $bound:path>)? ($($arg:ident: $type:ty),* $(,)?) = $body:ident) => {
        $(#[$doc])*
        #[allow(clippy::too_many_arguments, reason = "a kernel takes its operands; the isa comes on top")]
        $visibility fn $name $(<$generic: $bound>)? (isa: $crate::engine::kernel::lanes::Isa, $($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            if isa.is_avx2() {
                #[target_feature(enable = "avx2,fma")]
                #[allow(clippy::too_many_arguments, reason = "as its caller")]
                fn wide $(<$generic: $bound>)? ($($arg: $type),*) {
                    $body::<$crate::engine::kernel::lanes::Avx2 $(, $generic)?>($($arg),*);
                }
                // SAFETY: an `Isa` says AVX2 only after both features were detected on this machine.
                return unsafe { wide($($arg),*) };
            }
            let _ = isa;
            $body::<$crate::engine::kernel::lanes::Portable $(, $generic)?>($($arg),*);
        }
    };
}
pub(crate) use dispatch;
