/** The namespace `viz`: pictures and tables of networks, learning curves, and showing them in notebooks. */

export { Curves, type CurvesOptions, plotCurves, type Series } from './curves.ts'
export { display } from './display.ts'
export { type PlotOptions, plotNetwork } from './network.ts'
export { NetworkPicture, type PictureFormat } from './picture.ts'
export { printSummary, type SummaryOptions, summaryTable } from './summary.ts'
