/** The two IPC channels between preload and main. */
export const CALL_CHANNEL = 'tirami:call'
export const EVENT_CHANNEL = 'tirami:event'
