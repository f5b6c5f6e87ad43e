/** Showing values in a notebook from inside a cell. */

import { type Displayable, jupyterDisplay, showBundle } from '../base/notebook.ts'

/**
 * Shows a value as richly as the notebook can: arrays as tables, networks as trees, pictures, metrics; outside of
 * notebooks its text is printed.
 *
 * Jupyter's kernels tslab and Deno are known. The last value of a cell shows itself without this function. Under
 * tslab what needs time (pictures, metrics, arrays on a GPU) then appears when the cell has ended already, which programs
 * that run notebooks without a reader may miss.
 *
 * @example
 * await mx.viz.display(mx.viz.plotNetwork(net(x)))
 */
export async function display(value: Displayable): Promise<void> {
  const bundle = await value[jupyterDisplay]()
  if (!(await showBundle(bundle))) console.log(bundle['text/plain'] ?? String(value))
}
