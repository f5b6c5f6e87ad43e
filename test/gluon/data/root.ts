import { createReferenceBackend } from '../../../src/backend/reference/reference.ts'
import { frame } from '../../../src/core/frame.ts'
import { runEager } from '../../../src/exec/eager.ts'
import { Device, Pool, registerDevice, registryReaper } from '../../../src/exec/storage.ts'

export * as nd from '../../../src/ndarray/index.ts'
export { NDArray } from '../../../src/ndarray/ndarray.ts'
export * as random from '../../../src/ndarray/randomNamespace.ts'

import '../../../src/ops/methods.ts'

frame.eager = runEager
registerDevice('cpu', (context) => new Device(context, new Pool(createReferenceBackend(), registryReaper(), async () => {})))
