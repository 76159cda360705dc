package enrich

// CachedAgents is how many user agents are remembered.
func CachedAgents(e *Enricher) int { return e.agents.len() }

// KnowsAgent reports whether a user agent is remembered.
func KnowsAgent(e *Enricher, userAgent string) bool {
	_, ok := e.agents.get(userAgent)
	return ok
}

// KnowsReason reports whether the channel group of a campaign is remembered.
func KnowsReason(e *Enricher, channel, source, medium string) bool {
	_, ok := e.groups.get(reason{channel: channel, source: source, medium: medium})
	return ok
}
