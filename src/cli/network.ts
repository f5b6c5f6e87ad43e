/** `plot` and `summary`: the network in a symbol.json as a picture and as a table. */

import type { Command } from 'commander'
import { sym } from '../symbol/index.ts'
import type { ShapesByName, Symbolic } from '../symbol/symbol.ts'
import { plotNetwork } from '../viz/network.ts'
import { summaryTable } from '../viz/summary.ts'
import { namedShape, unnamed, wholeNumber } from './arguments.ts'
import { dim } from './terminal.ts'

const shapeHelp = 'shape of an input, such as data=1,784, or 1,784 for the first; may be repeated'

interface PlotOptions {
  readonly output: string
  readonly shape?: ShapesByName
  readonly title?: string
  readonly showWeights?: boolean
}

/** Adds both commands to the program. */
export function addNetwork(program: Command): void {
  program
    .command('plot')
    .summary("draw a network's picture")
    .description(
      'Draws the network of a symbol.json as MXNet does: .svg, .png or .dot, by the ending of the output file. With shapes of the inputs the edges say what flows along them.',
    )
    .argument('<symbol>', 'a symbol.json file, of any version of MXNet')
    .requiredOption('-o, --output <file>', 'the picture to write: .svg, .png or .dot')
    .option('-s, --shape <[name=]sizes>', shapeHelp, namedShape)
    .option('-t, --title <text>', "the picture's name")
    .option('--show-weights', 'draw weights and biases too')
    .action(plot)
  program
    .command('summary')
    .summary("print a network's layers and parameters")
    .description(
      "Prints the network of a symbol.json as MXNet's table: layers, shapes, parameters.",
    )
    .argument('<symbol>', 'a symbol.json file, of any version of MXNet')
    .option('-s, --shape <[name=]sizes>', shapeHelp, namedShape)
    .option('-w, --width <characters>', 'characters in a line', wholeNumber(40), 120)
    .action(summary)
}

async function plot(file: string, options: PlotOptions): Promise<void> {
  const { output, shape = null, title = 'plot', showWeights } = options
  const symbol = await sym.load(file)
  const shapes = shape && withNames(symbol, shape)
  const picture = plotNetwork(symbol, { shape: shapes, title, hideWeights: !showWeights })
  console.log(`wrote ${await picture.save(output)}`)
}

async function summary(
  file: string,
  { shape, width }: { readonly shape?: ShapesByName; readonly width: number },
): Promise<void> {
  const symbol = await sym.load(file)
  const shapes = shape === undefined ? null : withNames(symbol, shape)
  console.log(summaryTable(symbol, { shape: shapes, lineLength: width }))
  const first = symbol.listInputs()[0] ?? 'data'
  if (shapes === null)
    console.error(dim(`sizes and counts follow from the shapes of inputs: --shape ${first}=1,784`))
}

/** A shape given without a name is that of the first input. */
function withNames(symbol: Symbolic, shapes: ShapesByName): ShapesByName {
  const { [unnamed]: first, ...named } = shapes
  const [name = 'data'] = symbol.listInputs()
  return first === undefined ? named : { ...named, [name]: first }
}
