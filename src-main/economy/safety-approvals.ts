import type { TiramiError } from '../kernel/index.ts'
import { approvalDenied, approvalNotUsable, approvalQueueFull, approvalRequired } from './safety-errors.ts'
import { APPROVALS_MAX, APPROVALS_PER_CALLER_MAX } from './safety-policy.ts'
import type { Approval, SafetyState } from './safety-state.ts'
import { tableEntries, tableGet } from './table.ts'

/** What the owner's answer, or its absence, means for one spend. */
export type ApprovalVerdict =
  | { verdict: 'approved'; approvalId: string }
  /** Nobody has asked yet, and there is room to ask. */
  | { verdict: 'ask' }
  | { verdict: 'refused'; refusal: TiramiError; approvalId: string | null }

export interface ApprovalQuestion {
  caller: string
  amountTrm: bigint
  thresholdTrm: bigint
  /** The approval that the caller presents; without one, the owner's answer to the very same request counts. */
  approvalId: string | undefined
}

/** Questions that can still be answered or spent, with their ids. */
export function liveApprovals(state: SafetyState, nowMs: number): [string, Approval][] {
  return tableEntries(state.approvals).filter(([, approval]) => nowMs <= approval.expiresAtMs)
}

/** Rule 7 of spec section 4, for an amount above the threshold. */
export function judgeApproval(
  state: SafetyState,
  question: ApprovalQuestion,
  nowMs: number,
): ApprovalVerdict {
  const { caller, amountTrm, thresholdTrm, approvalId } = question
  if (approvalId !== undefined) {
    const approval = tableGet(state.approvals, approvalId)
    return approval !== undefined && covers(approval, caller, amountTrm, nowMs)
      ? { verdict: 'approved', approvalId }
      : { verdict: 'refused', refusal: approvalNotUsable(), approvalId: null }
  }
  const live = liveApprovals(state, nowMs)
  const ofCaller = live.filter(([, approval]) => approval.caller === caller)
  const same = ofCaller.find(([, approval]) => approval.amountTrm === amountTrm)
  if (same) return judgeSame(same, thresholdTrm)
  if (ofCaller.length >= APPROVALS_PER_CALLER_MAX || live.length >= APPROVALS_MAX) {
    return { verdict: 'refused', refusal: approvalQueueFull(), approvalId: null }
  }
  return { verdict: 'ask' }
}

function covers(approval: Approval, caller: string, amountTrm: bigint, nowMs: number): boolean {
  return (
    approval.status === 'approved' &&
    approval.caller === caller &&
    amountTrm <= approval.amountTrm &&
    nowMs <= approval.expiresAtMs
  )
}

function judgeSame([approvalId, approval]: [string, Approval], thresholdTrm: bigint): ApprovalVerdict {
  switch (approval.status) {
    case 'approved':
      return { verdict: 'approved', approvalId }
    case 'denied':
      return { verdict: 'refused', refusal: approvalDenied(), approvalId }
    case 'pending': {
      const refusal = approvalRequired(approvalId, approval.amountTrm, thresholdTrm)
      return { verdict: 'refused', refusal, approvalId }
    }
  }
}
