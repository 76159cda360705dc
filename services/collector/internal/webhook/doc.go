// Package webhook is the front door of offline systems: what a till, a call
// centre or a CRM sends of its own accord becomes touchpoints by a mapping file.
// See docs/webhooks.md.
package webhook
