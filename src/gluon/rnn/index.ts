/** `gluon.rnn`: recurrent layers and cells. */

export {
  BidirectionalCell,
  type CellOptions,
  GRUCell,
  HybridSequentialRNNCell,
  LSTMCell,
  type LSTMCellOptions,
  RecurrentCell,
  RNNCell,
  type RNNCellOptions,
  SequentialRNNCell,
  type UnrollOptions,
} from './cell.ts'
export {
  type BeginStateOptions,
  GRU,
  LSTM,
  type LSTMOptions,
  RecurrentLayer,
  type RecurrentOptions,
  RNN,
  type RNNLayerOptions,
} from './layer.ts'
export {
  DropoutCell,
  type DropoutCellOptions,
  ModifierCell,
  ResidualCell,
  ZoneoutCell,
} from './modifiers.ts'
