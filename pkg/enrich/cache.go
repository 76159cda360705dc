package enrich

// cache remembers what was worked out lately. It has two generations of size
// entries: a full one takes the place of the older one, so that what is asked for
// often stays, and a flood of new keys pushes out no more than the rest.
//
// It only saves time: what it holds follows from the key alone. The zero value
// remembers nothing until size is set. It is not safe for concurrent use.
type cache[K comparable, V any] struct {
	size       int
	own        func(K) K // the key in memory of its own: those of callers are part of records
	young, old map[K]V
}

// get is what is remembered for a key.
func (c *cache[K, V]) get(key K) (V, bool) {
	if v, ok := c.young[key]; ok {
		return v, true
	}
	v, ok := c.old[key]
	if ok {
		c.put(key, v)
	}
	return v, ok
}

// put remembers a value.
func (c *cache[K, V]) put(key K, v V) {
	switch {
	case c.young == nil:
		c.young = map[K]V{}
	case len(c.young) >= c.size:
		c.old, c.young = c.young, make(map[K]V, c.size/4)
	}
	c.young[c.own(key)] = v
}

// len is how many entries there are.
func (c *cache[K, V]) len() int { return len(c.young) + len(c.old) }
