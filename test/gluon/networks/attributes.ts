/** Attributes that many lines of MXNet's files share. */

export const norm = {
  axis: '1',
  eps: '1e-05',
  fix_gamma: 'False',
  momentum: '0.9',
  use_global_stats: 'False',
}
export const conv = (filters: number, kernel: number, stride: number, pad: number, more = {}) => ({
  dilate: '(1, 1)',
  kernel: `(${kernel}, ${kernel})`,
  layout: 'NCHW',
  no_bias: 'False',
  num_filter: String(filters),
  num_group: '1',
  pad: `(${pad}, ${pad})`,
  stride: `(${stride}, ${stride})`,
  ...more,
})
export const dense = (units: number, more = {}) => ({
  flatten: 'True',
  no_bias: 'False',
  num_hidden: String(units),
  ...more,
})
export const relu = { act_type: 'relu' }
export const globalPool = {
  global_pool: 'True',
  kernel: '(1, 1)',
  layout: 'NCHW',
  pad: '(0, 0)',
  pool_type: 'avg',
  pooling_convention: 'full',
  stride: '(1, 1)',
}
export const reads = (prefix: string) =>
  `${prefix}gamma ${prefix}beta ${prefix}running_mean^2 ${prefix}running_var^2`

export const noBias = { no_bias: 'True' }
