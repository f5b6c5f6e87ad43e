/** `gluon.rnn`: recurrent layers. */

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
