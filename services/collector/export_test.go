package collector

import "slices"

// Routes are the methods and paths that there are, as in "POST /v1/track".
func (s *Service) Routes() []string {
	var all []string
	add := func(at *route) {
		for method := range at.methods {
			all = append(all, method+" "+at.name)
		}
	}
	for _, at := range s.handler.routes.exact {
		add(at)
	}
	for _, at := range s.handler.routes.wild {
		add(at)
	}
	slices.Sort(all)
	return all
}
