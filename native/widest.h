// Our own vector code: the compiler makes one body for each instruction set and the loader picks; files stay portable.
#pragma once

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define WIDEST_SIMD __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WIDEST_SIMD
#endif
#define INLINE inline __attribute__((always_inline))
