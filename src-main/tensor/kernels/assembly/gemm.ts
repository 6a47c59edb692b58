// General matrix multiply, C (+)= op(A)·op(B), in the BLIS manner: both operands are packed into panels that
// stay in the caches, and one register-blocked micro-kernel (4×8 accumulators) does all the arithmetic.
// Every C element is summed in one fixed order (k ascending within blocks of DEPTH_BLOCK), so the result
// does not depend on how rows are split. Strides and pointers are in bytes, extents in elements.

const TILE_ROWS: usize = 4
const TILE_COLUMNS: usize = 8
/** A DEPTH_BLOCK × 8 panel of B (8 KiB) stays in the L1 cache. */
const DEPTH_BLOCK: usize = 256
/** A ROW_BLOCK × DEPTH_BLOCK block of A (32 KiB) and a DEPTH_BLOCK × COLUMN_BLOCK block of B share the L2 cache. */
const ROW_BLOCK: usize = 32
const COLUMN_BLOCK: usize = 256

const PACKED_A_BYTES: usize = ROW_BLOCK * DEPTH_BLOCK * 4
const PACKED_B_BYTES: usize = DEPTH_BLOCK * COLUMN_BLOCK * 4
const TILE_BYTES: usize = TILE_ROWS * TILE_COLUMNS * 4

/** Bytes of scratch memory that {@link gemm} needs. */
export function gemmScratchBytes(): usize {
  return PACKED_A_BYTES + PACKED_B_BYTES + TILE_BYTES
}

/** Packs up to four lanes of `depth` elements so that the four lanes of one depth are adjacent. */
function packLanes(
  source: usize,
  laneStride: usize,
  depthStride: usize,
  lanes: usize,
  depth: usize,
  target: usize,
  targetStep: usize,
): void {
  let k: usize = 0
  if (lanes === 4 && laneStride === 4) {
    for (; k < depth; k++) {
      v128.store(target, v128.load(source))
      source += depthStride
      target += targetStep
    }
    return
  }
  if (lanes === 4 && depthStride === 4) {
    for (; k + 4 <= depth; k += 4) {
      const r0 = v128.load(source)
      const r1 = v128.load(source + laneStride)
      const r2 = v128.load(source + 2 * laneStride)
      const r3 = v128.load(source + 3 * laneStride)
      const low01 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5)
      const high01 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7)
      const low23 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5)
      const high23 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7)
      v128.store(target, v128.shuffle<f32>(low01, low23, 0, 1, 4, 5))
      v128.store(target + targetStep, v128.shuffle<f32>(low01, low23, 2, 3, 6, 7))
      v128.store(target + 2 * targetStep, v128.shuffle<f32>(high01, high23, 0, 1, 4, 5))
      v128.store(target + 3 * targetStep, v128.shuffle<f32>(high01, high23, 2, 3, 6, 7))
      source += 16
      target += 4 * targetStep
    }
  }
  for (; k < depth; k++) {
    for (let lane: usize = 0; lane < 4; lane++) {
      store<f32>(target + lane * 4, lane < lanes ? load<f32>(source + lane * laneStride) : 0)
    }
    source += depthStride
    target += targetStep
  }
}

/** One 4×8 tile: C (+)= panelA[depth][4]ᵀ · panelB[depth][8]. */
function microKernel(
  depth: usize,
  panelA: usize,
  panelB: usize,
  c: usize,
  strideC: usize,
  accumulate: bool,
): void {
  let c00 = f32x4.splat(0)
  let c01 = f32x4.splat(0)
  let c10 = f32x4.splat(0)
  let c11 = f32x4.splat(0)
  let c20 = f32x4.splat(0)
  let c21 = f32x4.splat(0)
  let c30 = f32x4.splat(0)
  let c31 = f32x4.splat(0)
  const end = panelA + depth * 16
  while (panelA < end) {
    const b0 = v128.load(panelB)
    const b1 = v128.load(panelB, 16)
    let a = v128.load_splat<f32>(panelA)
    c00 = f32x4.add(c00, f32x4.mul(a, b0))
    c01 = f32x4.add(c01, f32x4.mul(a, b1))
    a = v128.load_splat<f32>(panelA, 4)
    c10 = f32x4.add(c10, f32x4.mul(a, b0))
    c11 = f32x4.add(c11, f32x4.mul(a, b1))
    a = v128.load_splat<f32>(panelA, 8)
    c20 = f32x4.add(c20, f32x4.mul(a, b0))
    c21 = f32x4.add(c21, f32x4.mul(a, b1))
    a = v128.load_splat<f32>(panelA, 12)
    c30 = f32x4.add(c30, f32x4.mul(a, b0))
    c31 = f32x4.add(c31, f32x4.mul(a, b1))
    panelA += 16
    panelB += 32
  }
  if (accumulate) {
    c00 = f32x4.add(v128.load(c), c00)
    c01 = f32x4.add(v128.load(c, 16), c01)
    c10 = f32x4.add(v128.load(c + strideC), c10)
    c11 = f32x4.add(v128.load(c + strideC, 16), c11)
    c20 = f32x4.add(v128.load(c + 2 * strideC), c20)
    c21 = f32x4.add(v128.load(c + 2 * strideC, 16), c21)
    c30 = f32x4.add(v128.load(c + 3 * strideC), c30)
    c31 = f32x4.add(v128.load(c + 3 * strideC, 16), c31)
  }
  v128.store(c, c00)
  v128.store(c, c01, 16)
  v128.store(c + strideC, c10)
  v128.store(c + strideC, c11, 16)
  v128.store(c + 2 * strideC, c20)
  v128.store(c + 2 * strideC, c21, 16)
  v128.store(c + 3 * strideC, c30)
  v128.store(c + 3 * strideC, c31, 16)
}

/** A tile that reaches over the edge of C goes through a scratch tile. */
function edgeTile(
  rows: usize,
  columns: usize,
  depth: usize,
  panelA: usize,
  panelB: usize,
  c: usize,
  strideC: usize,
  accumulate: bool,
  tile: usize,
): void {
  microKernel(depth, panelA, panelB, tile, TILE_COLUMNS * 4, false)
  for (let i: usize = 0; i < rows; i++) {
    for (let j: usize = 0; j < columns; j++) {
      const target = c + i * strideC + j * 4
      const value = load<f32>(tile + (i * TILE_COLUMNS + j) * 4)
      store<f32>(target, accumulate ? load<f32>(target) + value : value)
    }
  }
}

/**
 * C[m,n] (+)= A[m,k]·B[k,n], where A(i,l) is at `a + i·rowStrideA + l·columnStrideA` and B(l,j) at
 * `b + l·rowStrideB + j·columnStrideB`; C is row-major with `strideC`. Swapped strides give the transposes.
 */
export function gemm(
  m: usize,
  n: usize,
  k: usize,
  a: usize,
  rowStrideA: usize,
  columnStrideA: usize,
  b: usize,
  rowStrideB: usize,
  columnStrideB: usize,
  c: usize,
  strideC: usize,
  accumulate: bool,
  scratch: usize,
): void {
  const packedA = scratch
  const packedB = scratch + PACKED_A_BYTES
  const tile = packedB + PACKED_B_BYTES
  for (let columnBase: usize = 0; columnBase < n; columnBase += COLUMN_BLOCK) {
    const columns = min(COLUMN_BLOCK, n - columnBase)
    for (let depthBase: usize = 0; depthBase < k; depthBase += DEPTH_BLOCK) {
      const depth = min(DEPTH_BLOCK, k - depthBase)
      const addToC = accumulate || depthBase > 0
      for (let j: usize = 0; j < columns; j += 4) {
        const panel = packedB + (j / TILE_COLUMNS) * (depth * 32) + (j % TILE_COLUMNS) * 4
        const source = b + depthBase * rowStrideB + (columnBase + j) * columnStrideB
        packLanes(source, columnStrideB, rowStrideB, min(<usize>4, columns - j), depth, panel, 32)
      }
      for (let rowBase: usize = 0; rowBase < m; rowBase += ROW_BLOCK) {
        const rows = min(ROW_BLOCK, m - rowBase)
        for (let i: usize = 0; i < rows; i += TILE_ROWS) {
          const source = a + (rowBase + i) * rowStrideA + depthBase * columnStrideA
          packLanes(
            source,
            rowStrideA,
            columnStrideA,
            min(TILE_ROWS, rows - i),
            depth,
            packedA + i * depth * 4,
            16,
          )
        }
        for (let j: usize = 0; j < columns; j += TILE_COLUMNS) {
          const panelB = packedB + j * depth * 4
          for (let i: usize = 0; i < rows; i += TILE_ROWS) {
            const panelA = packedA + i * depth * 4
            const target = c + (rowBase + i) * strideC + (columnBase + j) * 4
            if (rows - i >= TILE_ROWS && columns - j >= TILE_COLUMNS) {
              microKernel(depth, panelA, panelB, target, strideC, addToC)
            } else {
              const tileRows = min(TILE_ROWS, rows - i)
              const tileColumns = min(TILE_COLUMNS, columns - j)
              edgeTile(tileRows, tileColumns, depth, panelA, panelB, target, strideC, addToC, tile)
            }
          }
        }
      }
    }
  }
}
