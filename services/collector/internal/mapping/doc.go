// Package mapping reads the file that says how the items which offline systems
// send (a till's receipts, a CRM's changes) become touchpoints, and applies it.
// What may stand in the file is described in docs/webhooks.md.
package mapping
