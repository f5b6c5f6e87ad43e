/** `nd.contrib`: operators that MXNet keeps apart. */

export { adamwUpdate, mpAdamwUpdate } from './layerUpdate.ts'
export {
  multiAdamwUpdate,
  multiLambUpdate,
  multiMpAdamwUpdate,
  multiMpLambUpdate,
} from './multiUpdate.ts'
