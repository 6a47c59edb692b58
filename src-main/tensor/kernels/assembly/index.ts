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
export {
  argMaxRows,
  depthwiseConvolution,
  depthwiseWeightGradient,
  gatedBackward,
  gatedForward,
  gatherScaledRows,
  groupSpread,
  groupSum,
  residualNormBackward,
  residualNormForward,
  scatterAddScaledRows,
  sigmoid,
  softMaxClassCrossEntropy,
  stableMaxCrossEntropy,
  sumOfThree,
  sumOfTwo,
  tokenNormBackward,
  tokenNormForward,
} from './recursion'
