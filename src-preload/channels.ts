/** The IPC channels between preload and main. */
export const CALL_CHANNEL = 'tirami:call'
export const EVENT_CHANNEL = 'tirami:event'
/** Number of the newest event that the page has taken. */
export const TAKEN_CHANNEL = 'tirami:taken'

/** The page says so after so many events, and main sends at most that many times eight without hearing it. */
export const TAKEN_EVERY = 32
