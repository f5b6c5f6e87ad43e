/** Recorded cases in which mxnet-ts differs from MXNet 1.9.1 on purpose, each with its reason. */
export const deliberate: { readonly [id: string]: string } = {
}
