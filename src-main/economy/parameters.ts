import { refusal } from './refusal.ts'

interface ParameterSpec {
  default: number
  unit: string
  min: number
  max: number
  integer: boolean
}

const whole = (value: number, unit: string, min: number, max: number): ParameterSpec => ({
  default: value,
  unit,
  min,
  max,
  integer: true,
})
const real = (value: number, unit: string, min: number, max: number): ParameterSpec => ({
  default: value,
  unit,
  min,
  max,
  integer: false,
})

/**
 * The 26 parameters that governance may change (spec section 3.5). Defaults are Tirami's; bounds are ours, so that
 * no vote can switch a safeguard off or make a rule meaningless.
 */
export const MUTABLE_PARAMETERS = {
  WELCOME_LOAN_AMOUNT: whole(1_000, 'TRM', 0, 10_000),
  MAX_LTV_RATIO: real(3, 'principal / collateral', 0.1, 3),
  MIN_RESERVE_RATIO: real(0.3, 'share of the pool', 0.1, 1),
  DEFAULT_RATE_THRESHOLD: real(0.1, 'defaults / closed loans', 0.01, 0.5),
  VELOCITY_LIMIT_LOANS_PER_MINUTE: whole(10, 'loans / min', 1, 1_000),
  MIN_CREDIT_FOR_BORROWING: real(0.2, 'credit score', 0, 1),
  BASE_TRM_PER_TOKEN: real(1, 'TRM / token', 0.01, 100),
  TIER_SMALL_CU_PER_TOKEN: real(1, 'TRM / token', 0.01, 3),
  TIER_FRONTIER_CU_PER_TOKEN: real(20, 'TRM / token', 8, 1_000),
  WELCOME_LOAN_SYBIL_THRESHOLD: whole(100, 'nodes', 0, 100_000),
  WELCOME_LOAN_PER_BUCKET_CAP: whole(10, 'loans / 24 h', 0, 1_000),
  ASN_RATE_LIMIT_PER_SEC: whole(5_000, 'messages / s', 1, 1_000_000),
  MAX_CONCURRENT_CONNECTIONS: whole(1_000, 'connections', 1, 100_000),
  AUDIT_SAMPLE_RATE: real(0.1, 'probability', 0, 1),
  AUDIT_VALIDATOR_COUNT: whole(3, 'validators', 3, 101),
  HEAVY_AUDIT_SAMPLE_RATE: real(0.01, 'probability', 0, 1),
  STAKE_DURATION_7D_MULTIPLIER: real(1.2, 'factor on yield', 1, 3),
  STAKE_DURATION_30D_MULTIPLIER: real(1.5, 'factor on yield', 1, 3),
  STAKE_DURATION_90D_MULTIPLIER: real(2, 'factor on yield', 1, 3),
  ANCHOR_INTERVAL_SECS: whole(3_600, 's', 60, 604_800),
  CHECKPOINT_INTERVAL_SECS: whole(3_600, 's', 60, 604_800),
  CHECKPOINT_RETAIN_SECS: whole(86_400, 's', 3_600, 31_536_000),
  SLASHING_INTERVAL_SECS: whole(300, 's', 60, 86_400),
  MIN_PROVIDER_STAKE_TRM: whole(100, 'TRM', 10, 1_000_000),
  STAKELESS_EARN_CAP_TRM: whole(10, 'TRM', 0, 100),
  PROOF_POLICY: whole(1, 'disabled 0, optional 1, recommended 2, required 3', 0, 3),
} as const satisfies Record<string, ParameterSpec>

export type MutableParameterName = keyof typeof MUTABLE_PARAMETERS

/** The 23 parameters that no vote may change (spec section 3.5). */
export const IMMUTABLE_PARAMETERS = {
  TOTAL_TRM_SUPPLY: 21_000_000_000n as bigint,
  HALVING_EPOCH_FUNCTION: 'floor(log2(cap / (cap - minted)))' as string,
  /** Per hour, before reputation and stake. */
  INITIAL_YIELD_RATE: 0.001 as number,
  FLOPS_PER_CU: 1_000_000_000n as bigint,
  SLASH_RATE_MINOR: 0.05 as number,
  SLASH_RATE_MAJOR: 0.2 as number,
  SLASH_RATE_CRITICAL: 0.5 as number,
  AUDIT_FAIL_TRUST_PENALTY: 0.3 as number,
  ED25519_SIGNATURE_REQUIRED: true as boolean,
  NONCE_REPLAY_DEFENSE_ENABLED: true as boolean,
  DUAL_SIGNATURE_REQUIRED: true as boolean,
  CANONICAL_BYTES_V1_FORMAT:
    'provider32 consumer32 trm-u64le tokens-u64le timestamp-u64le model-utf8' as string,
  CANONICAL_BYTES_V2_FORMAT: '02 v1 nonce16' as string,
  DEFAULT_REPUTATION: 0.5 as number,
  COLD_START_CREDIT: 0.3 as number,
  COLLATERAL_BURN_ON_DEFAULT: 0.1 as number,
  GOVERNANCE_MIN_REPUTATION: 0.7 as number,
  GOVERNANCE_MIN_STAKE: 1_000n as bigint,
  GOVERNANCE_WHITELIST_CONTENTS: Object.keys(MUTABLE_PARAMETERS) as readonly string[],
  WELCOME_LOAN_SUNSET_EPOCH: 2 as number,
  MIN_PROVIDER_STAKE_CONSTITUTIONAL_FLOOR: 10n as bigint,
  STAKELESS_EARN_CAP_MAXIMUM: 100n as bigint,
  PROOF_POLICY_RATCHET: true as boolean,
}

/** Numbers of the rules that are neither voted on nor named in the constitution; sections of the spec alongside. */
export const RULE_PARAMETERS = {
  // 2.2
  EMA_ALPHA: 0.3 as number,
  RAW_FACTOR_MIN: 0.5 as number,
  RAW_SUPPLY_MAX: 2 as number,
  RAW_DEMAND_MAX: 3 as number,
  SUPPLY_BASELINE_MIN_NODES: 5 as number,
  DEMAND_BASELINE_MIN_JOBS: 3 as number,
  DEFLATION_SCALE_TRADES: 1_000 as number,
  PRICE_FLOOR: 0.01 as number,
  TIER_MEDIUM_CU_PER_TOKEN: 3 as number,
  TIER_LARGE_CU_PER_TOKEN: 8 as number,
  TIER_MEDIUM_FROM_PARAMETERS: 3e9 as number,
  TIER_LARGE_FROM_PARAMETERS: 14e9 as number,
  TIER_FRONTIER_FROM_PARAMETERS: 70e9 as number,
  // 2.8
  REPUTATION_TRADE_DELTA: 0.01 as number,
  REPUTATION_DEFAULT_DELTA: -0.2 as number,
  REPUTATION_AUDIT_DELTA: -0.1 as number,
  OBSERVATION_MIN_TRADES: 5n as bigint,
  OBSERVATION_MAX_PER_SUBJECT: 32 as number,
  OBSERVATION_MAX_AHEAD_MS: 3_600_000 as number,
  OBSERVATION_HALF_LIFE_MS: 604_800_000 as number,
  OBSERVATION_LIFE_MS: 2_592_000_000 as number,
  COMPLAINT_PENALTY: 0.1 as number,
  COMPLAINT_MAX_PENALTY: 0.3 as number,
  REPUTATION_UNSIGNED_DELTA: -0.05 as number,
  REPUTATION_BROKEN_WORD_DELTA: -0.3 as number,
  OWN_VIEW_WEIGHT: 5n as bigint,
  // 2.12
  WELCOME_LOAN_TERM_HOURS: 72 as number,
  NODE_ID_MIN_ENTROPY_BITS: 3.5 as number,
  WELCOME_BUCKET_WINDOW_MS: 86_400_000 as number,
  WELCOME_STAKE_PROVEN_FACTOR: 10 as number,
  // 2.13
  COLLUSION_WINDOW_MS: 86_400_000 as number,
  COLLUSION_MIN_TRADES: 10 as number,
  COLLUSION_MAX_PENALTY: 0.5 as number,
  TIGHT_CLUSTER_SHARE: 0.2 as number,
  STEADY_VARIATION: 0.5 as number,
  STEADY_MIN_HOURS: 2 as number,
  SPIKE_MIN_HOURS: 3 as number,
  SPIKE_RATIO_FROM: 5 as number,
  SPIKE_RATIO_FULL: 20 as number,
  ROUND_ROBIN_MIN_MEMBERS: 3 as number,
  ROUND_ROBIN_CLOSEDNESS: 0.8 as number,
  // 2.14
  SLASH_MINOR_FROM: 0.1 as number,
  SLASH_MAJOR_FROM: 0.2 as number,
  SLASH_CRITICAL_FROM: 0.4 as number,
  SLASH_MIN_PROVIDERS: 4 as number,
  SLASH_MAX_PER_TICK: 100 as number,
  SLASH_SAME_EVIDENCE_MS: 86_400_000 as number,
  // 3.1
  EPOCH_MAX: 32 as number,
  YIELD_HALVINGS_MAX: 30 as number,
  YIELD_PERIOD_HOURS: 24 as number,
  RARITY_SMALL: 1 as number,
  RARITY_MEDIUM: 1.5 as number,
  RARITY_LARGE: 3 as number,
  RARITY_FRONTIER: 10 as number,
  FEE_RATE: 0.01 as number,
  FEE_SUPPLY_FACTOR: 0.1 as number,
  // 3.2
  STAKE_7D_MIN_TRM: 100n as bigint,
  STAKE_30D_MIN_TRM: 1_000n as bigint,
  STAKE_90D_MIN_TRM: 10_000n as bigint,
  STAKE_365D_MIN_TRM: 100_000n as bigint,
  STAKE_DURATION_365D_MULTIPLIER: 3 as number,
  CLOCK_TOLERANCE_MS: 3_600_000 as number,
  // 3.3
  REFERRAL_BONUS_TRM: 100n as bigint,
  REFERRAL_EARN_THRESHOLD_TRM: 1_000n as bigint,
  REFERRAL_MAX_PER_SPONSOR: 50 as number,
  REFERRAL_COOLDOWN_MS: 86_400_000 as number,
  // 3.4
  LOAN_MAX_TERM_HOURS: 168 as number,
  LOAN_FRESHNESS_MS: 3_600_000 as number,
  LOAN_BASE_RATE: 0.001 as number,
  LOAN_RISK_RATE: 0.005 as number,
  LOAN_MAX_POOL_SHARE: 0.2 as number,
  CREDIT_WEIGHT_TRADE: 0.3 as number,
  CREDIT_WEIGHT_REPAYMENT: 0.4 as number,
  CREDIT_WEIGHT_UPTIME: 0.2 as number,
  CREDIT_WEIGHT_AGE: 0.1 as number,
  CREDIT_FULL_VOLUME_TRM: 100_000 as number,
  CREDIT_FULL_AGE_DAYS: 90 as number,
  CREDIT_REPAYMENT_UNPROVEN: 0.5 as number,
  LENDING_BREAKER_RESET_MS: 300_000 as number,
  LENDING_DEFAULT_WINDOW_MS: 3_600_000 as number,
  LENDING_VELOCITY_WINDOW_MS: 60_000 as number,
}

/** Every number that a rule may read. Governance hands in a new value; nothing else holds a copy. */
export type Parameters = Readonly<
  Record<MutableParameterName, number> & typeof IMMUTABLE_PARAMETERS & typeof RULE_PARAMETERS
>

const isMutable = (name: string): name is MutableParameterName => Object.hasOwn(MUTABLE_PARAMETERS, name)

export function defaultParameters(): Parameters {
  const mutable = Object.fromEntries(
    Object.entries(MUTABLE_PARAMETERS).map(([name, spec]) => [name, spec.default]),
  ) as Record<MutableParameterName, number>
  return { ...mutable, ...IMMUTABLE_PARAMETERS, ...RULE_PARAMETERS }
}

/**
 * @throws TiramiError PARAMETER_IMMUTABLE, PARAMETER_UNKNOWN, PARAMETER_OUT_OF_BOUNDS (400) or
 *   PROOF_POLICY_RATCHET (409): the proof policy may only rise
 */
export function withParameter(parameters: Parameters, name: string, value: number): Parameters {
  if (Object.hasOwn(IMMUTABLE_PARAMETERS, name)) {
    throw refusal('PARAMETER_IMMUTABLE', `${name} is constitutional.`, 'Propose a mutable parameter.', 400)
  }
  if (!isMutable(name)) {
    throw refusal('PARAMETER_UNKNOWN', 'There is no such parameter.', 'Choose one from the table.', 400)
  }
  const { min, max, integer } = MUTABLE_PARAMETERS[name]
  if (!(value >= min && value <= max) || (integer && !Number.isInteger(value))) {
    throw refusal(
      'PARAMETER_OUT_OF_BOUNDS',
      `${name} must be ${integer ? 'a whole number ' : ''}from ${min} to ${max}.`,
      'Propose a value within the bounds.',
      400,
    )
  }
  if (name === 'PROOF_POLICY' && parameters.PROOF_POLICY_RATCHET && value < parameters.PROOF_POLICY) {
    throw refusal(
      'PROOF_POLICY_RATCHET',
      'The proof policy may only be tightened.',
      'Propose a higher level.',
    )
  }
  return { ...parameters, [name]: value }
}
