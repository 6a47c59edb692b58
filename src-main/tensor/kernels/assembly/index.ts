export { attentionBackward, attentionForward, rotate } from './attention'
export { gemm, gemmScratchBytes } from './gemm'
export {
  addInPlace,
  copyFloats,
  dropout,
  gatherRows,
  rmsNormBackward,
  rmsNormForward,
  scatterAddRows,
  softmaxCrossEntropy,
  swigluBackward,
  swigluForward,
  zeroFloats,
} from './layers'
export { adamW, movingAverage, sumOfSquares } from './optimiser'
