//! [`dispatch!`]: one kernel, compiled for each level.

/// Compiles a kernel that is generic over [`Simd`](super::Simd) for each level, behind a function that takes the level first.
///
/// `dispatch! { fn name(argument: Type, ...) -> Type = kernel; }` calls `kernel::<Level>(argument, ...)`, which must be
/// `#[inline(always)]` to be compiled with the level's instructions.
macro_rules! dispatch {
    ($(#[$meta:meta])* $vis:vis unsafe fn $name:ident $(<$($generic:ident : $bound:path),*>)? ($($arg:ident : $type:ty),* $(,)?) $(-> $ret:ty)? = $kernel:ident;) => {
        $(#[$meta])*
        $vis unsafe fn $name $(<$($generic: $bound),*>)? (level: $crate::simd::Level, $($arg: $type),*) $(-> $ret)? {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
            unsafe fn avx512 $(<$($generic: $bound),*>)? ($($arg: $type),*) $(-> $ret)? {
                // SAFETY: the level's instructions are enabled here; the rest is the caller's promise.
                unsafe { $kernel::<$crate::simd::Avx512 $($(, $generic)*)?>($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,f16c")]
            unsafe fn avx2 $(<$($generic: $bound),*>)? ($($arg: $type),*) $(-> $ret)? {
                // SAFETY: as above.
                unsafe { $kernel::<$crate::simd::Avx2 $($(, $generic)*)?>($($arg),*) }
            }
            match level {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: a level is made only where the processor has its instructions.
                $crate::simd::Level::Avx512 => unsafe { avx512 $(::<$($generic),*>)? ($($arg),*) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: as above.
                $crate::simd::Level::Avx2 => unsafe { avx2 $(::<$($generic),*>)? ($($arg),*) },
                // SAFETY: the caller's promise.
                _ => unsafe { $kernel::<$crate::simd::Portable $($(, $generic)*)?>($($arg),*) },
            }
        }
    };
}
pub(crate) use dispatch;
