declare module 'ml-logistic-regression' {
  import type { Matrix } from 'ml-matrix'

  interface TwoClasses {
    readonly weights: Matrix
  }

  /** One against all, by gradient descent over the whole set; without an intercept of its own. */
  export default class LogisticRegression {
    constructor(options: { numSteps: number; learningRate: number })
    /** Y holds classes from 0 without gaps. */
    train(features: Matrix, Y: Matrix): void
    readonly classifiers: readonly TwoClasses[]
  }
}
