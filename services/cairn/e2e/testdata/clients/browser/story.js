// The story that every browser client tells: see ../node/story.mjs. The test sets window.settings before, and reads
// window.told until all steps are there.
export const { host, writeKey, prefix } = window.settings

export const visitor = prefix + 'a'
export const user = prefix + 'u'
export const former = prefix + 'old'
export const product = { sku: 'boots', note: 'Größe 42 🥾' }
export const order = { order_id: prefix + '1', revenue: 49.9, currency: 'EUR', note: '"für dich"' }
export const traits = { plan: 'pro', note: 'Zoë' }

/** More than an event may have. */
export const huge = { note: 'x'.repeat(33 * 1024) }

window.told = []

/** tell notes an event that the client has taken. */
export const tell = (step, id, time) => window.told.push({ step, id, at: new Date(time).getTime() })
