/** The namespace `nd.linalg`. */

export {
  extractdiag,
  extracttrian,
  gemm,
  gemm2,
  makediag,
  maketrian,
  syrk,
  trmm,
} from './blas.ts'
export {
  det,
  gelqf,
  inverse,
  potrf,
  potri,
  slogdet,
  sumlogdiag,
  syevd,
  trsm,
} from './factors.ts'
