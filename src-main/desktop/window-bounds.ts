import { z } from 'zod'
import { MINIMUM_SIZE } from './window-options.ts'

const Coordinate = z.number().int().min(-100_000).max(100_000)
const Length = z.number().int().min(1).max(100_000)

/** What the preference file holds. */
export const WindowPreferences = z.object({
  bounds: z.object({ x: Coordinate, y: Coordinate, width: Length, height: Length }),
  maximized: z.boolean(),
})
export type WindowPreferences = z.infer<typeof WindowPreferences>
export type Bounds = WindowPreferences['bounds']

/** How much of the window must lie on some screen for its place to be kept. */
const MINIMUM_VISIBLE = 64

/**
 * The remembered bounds if the title bar can still be reached on one of the screens, made to fit; null
 * when that screen is gone, so that the window opens in the middle of the main one.
 */
export function boundsOnScreen(bounds: Bounds, workAreas: readonly Bounds[]): Bounds | null {
  for (const area of workAreas) {
    const width = Math.min(Math.max(bounds.width, MINIMUM_SIZE.width), area.width)
    const height = Math.min(Math.max(bounds.height, MINIMUM_SIZE.height), area.height)
    const visibleX = Math.min(bounds.x + width, area.x + area.width) - Math.max(bounds.x, area.x)
    const titleBarInside = bounds.y >= area.y && bounds.y <= area.y + area.height - MINIMUM_VISIBLE
    if (visibleX >= MINIMUM_VISIBLE && titleBarInside) return { x: bounds.x, y: bounds.y, width, height }
  }
  return null
}
