/** The namespace `viz`: pictures and tables of networks. */

export { type PlotOptions, plotNetwork } from './network.ts'
export { NetworkPicture, type PictureFormat } from './picture.ts'
export { printSummary, type SummaryOptions, summaryTable } from './summary.ts'
