/* The tensor kernels as plain C loops, for bench/recursion-kernels.ts. Prints one line per kernel: name, nanoseconds of
   processor time per call, the shortest of many rounds. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROWS 1024
#define WIDTH 64
#define INNER 128
#define CLASSES 12
#define SIDE 32
#define PARAMETERS 75000
#define ROUNDS 15
#define ROUND_NANOSECONDS 2e7

static float x[ROWS * INNER], w[2 * INNER * WIDTH], y[ROWS * 2 * INNER], g[ROWS * 2 * INNER], inverse[ROWS];
static float dw[2 * INNER * WIDTH], taps[9 * WIDTH], p[PARAMETERS], dp[PARAMETERS], m[PARAMETERS], v[PARAMETERS];
static float means[ROWS * WIDTH], probability[ROWS];
static int target[ROWS], group[SIDE * SIDE];

/* y[t][o] = sum over i of x[t][i] * w[o][i] */
static void linear_forward(void) {
  for (int t = 0; t < ROWS; t++)
    for (int o = 0; o < 2 * INNER; o++) {
      float sum = 0;
      for (int i = 0; i < WIDTH; i++) sum += x[t * WIDTH + i] * w[o * WIDTH + i];
      y[t * 2 * INNER + o] = sum;
    }
}

/* dx[t][i] = sum over o of dy[t][o] * w[o][i]; dw[o][i] += sum over t of dy[t][o] * x[t][i] */
static void linear_backward(void) {
  for (int t = 0; t < ROWS; t++)
    for (int i = 0; i < WIDTH; i++) means[t * WIDTH + i] = 0;
  for (int t = 0; t < ROWS; t++)
    for (int o = 0; o < 2 * INNER; o++)
      for (int i = 0; i < WIDTH; i++) means[t * WIDTH + i] += g[t * 2 * INNER + o] * w[o * WIDTH + i];
  for (int t = 0; t < ROWS; t++)
    for (int o = 0; o < 2 * INNER; o++)
      for (int i = 0; i < WIDTH; i++) dw[o * WIDTH + i] += g[t * 2 * INNER + o] * x[t * WIDTH + i];
}

static void residual_norm(void) {
  for (int t = 0; t < ROWS; t++) {
    float squares = 0;
    for (int i = 0; i < WIDTH; i++) {
      y[t * WIDTH + i] = x[t * WIDTH + i] + g[t * WIDTH + i];
      squares += y[t * WIDTH + i] * y[t * WIDTH + i];
    }
    inverse[t] = 1 / sqrtf(squares / WIDTH + 1e-5f);
    for (int i = 0; i < WIDTH; i++) y[t * WIDTH + i] *= inverse[t];
  }
}

static void swiglu(void) {
  for (int t = 0; t < ROWS; t++)
    for (int i = 0; i < INNER; i++) {
      float gate = g[t * 2 * INNER + i];
      y[t * INNER + i] = gate / (1 + expf(-gate)) * g[t * 2 * INNER + INNER + i];
    }
}

static void softmax_loss(void) {
  for (int t = 0; t < ROWS; t++) {
    float *row = y + t * CLASSES, largest = row[0], total = 0;
    for (int i = 0; i < CLASSES; i++) row[i] = x[t * CLASSES + i];
    for (int i = 1; i < CLASSES; i++) largest = row[i] > largest ? row[i] : largest;
    for (int i = 0; i < CLASSES; i++) total += row[i] = expf(row[i] - largest);
    for (int i = 0; i < CLASSES; i++) row[i] /= total;
    probability[t] = row[target[t]];
    row[target[t]] -= 1;
  }
}

static void stable_max_loss(void) {
  for (int t = 0; t < ROWS; t++) {
    float *row = y + t * CLASSES, slope[CLASSES], total = 0;
    for (int i = 0; i < CLASSES; i++) row[i] = x[t * CLASSES + i];
    for (int i = 0; i < CLASSES; i++) {
      float s = row[i] >= 0 ? row[i] + 1 : 1 / (1 - row[i]);
      slope[i] = row[i] >= 0 ? 1 / s : s;
      total += row[i] = s;
    }
    for (int i = 0; i < CLASSES; i++) row[i] /= total;
    probability[t] = row[target[t]];
    row[target[t]] -= 1;
    for (int i = 0; i < CLASSES; i++) row[i] *= slope[i];
  }
}

static void depthwise(void) {
  for (int r = 0; r < SIDE; r++)
    for (int c = 0; c < SIDE; c++)
      for (int i = 0; i < WIDTH; i++) {
        float sum = 0;
        for (int dr = -1; dr <= 1; dr++)
          for (int dc = -1; dc <= 1; dc++)
            if (r + dr >= 0 && r + dr < SIDE && c + dc >= 0 && c + dc < SIDE)
              sum += x[((r + dr) * SIDE + c + dc) * WIDTH + i] * taps[(4 + dr * 3 + dc) * WIDTH + i];
        y[(r * SIDE + c) * WIDTH + i] = sum;
      }
}

static void group_means(void) {
  for (int i = 0; i < SIDE * WIDTH; i++) means[i] = 0;
  for (int t = 0; t < ROWS; t++)
    for (int i = 0; i < WIDTH; i++) means[group[t] * WIDTH + i] += x[t * WIDTH + i] / SIDE;
}

static void adam_w(void) {
  for (int i = 0; i < PARAMETERS; i++) {
    m[i] = 0.9f * m[i] + 0.1f * dp[i];
    v[i] = 0.95f * v[i] + 0.05f * dp[i] * dp[i];
    p[i] -= 1e-3f * m[i] / (sqrtf(v[i]) + 1e-8f) + 1e-4f * p[i];
  }
}

static double processor_nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return now.tv_sec * 1e9 + now.tv_nsec;
}

static void measure(const char *name, void (*kernel)(void)) {
  double best = INFINITY;
  kernel();
  for (int round = 0; round < ROUNDS; round++) {
    double started = processor_nanoseconds(), spent;
    long calls = 0;
    do {
      kernel();
      calls++;
      spent = processor_nanoseconds() - started;
    } while (spent < ROUND_NANOSECONDS);
    if (spent / calls < best) best = spent / calls;
  }
  printf("%s %.1f\n", name, best);
}

static void fill(float *values, int count) {
  for (int i = 0; i < count; i++) values[i] = (float)rand() / RAND_MAX - 0.5f;
}

int main(void) {
  fill(x, ROWS * INNER);
  fill(w, 2 * INNER * WIDTH);
  fill(g, ROWS * 2 * INNER);
  fill(taps, 9 * WIDTH);
  fill(p, PARAMETERS);
  fill(dp, PARAMETERS);
  for (int t = 0; t < ROWS; t++) target[t] = t % CLASSES;
  for (int t = 0; t < SIDE * SIDE; t++) group[t] = t % SIDE;
  measure("linearForward", linear_forward);
  measure("linearBackward", linear_backward);
  measure("residualNorm", residual_norm);
  measure("gated", swiglu);
  measure("softmaxLoss", softmax_loss);
  measure("stableMaxLoss", stable_max_loss);
  measure("depthwise", depthwise);
  measure("groupMeans", group_means);
  measure("adamW", adam_w);
  return (int)(y[1] + dw[1] + p[1] + means[1] + probability[1]) == 12345;
}
