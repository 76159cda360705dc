package enrich

// CachedAgents is how many user agents are remembered.
func CachedAgents(e *Enricher) int { return len(e.agents) }

// KnowsAgent reports whether a user agent is remembered.
func KnowsAgent(e *Enricher, userAgent string) bool {
	_, ok := e.agents[userAgent]
	return ok
}
