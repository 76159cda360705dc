package sessionizer

// cacheRows bounds a generation of decoded states, per partition, in rows of
// about 200 bytes.
const cacheRows = 25_000

// weighCommits is after how many commits a cache is weighed.
const weighCommits = 8

// cache keeps decoded states between transactions. It has two generations: when
// the young one is too heavy it becomes the old one, and what of the old one was
// not asked for meanwhile is forgotten. So what is asked for often stays.
type cache[V interface{ Weight() int }] struct {
	young, old map[string]V
	commits    int
}

func newCache[V interface{ Weight() int }]() cache[V] {
	return cache[V]{young: map[string]V{}, old: map[string]V{}}
}

func (c *cache[V]) get(name string) (V, bool) {
	v, ok := c.young[name]
	if !ok {
		if v, ok = c.old[name]; ok {
			c.young[name] = v
		}
	}
	return v, ok
}

func (c *cache[V]) put(name string, v V) { c.young[name] = v }

// committed bounds the cache. Nothing in it may be waiting to be written.
func (c *cache[V]) committed() {
	if c.commits++; c.commits%weighCommits != 0 {
		return
	}
	weight := 0
	for _, v := range c.young {
		weight += v.Weight()
	}
	if weight > cacheRows {
		c.old, c.young = c.young, map[string]V{}
	}
}

func (c *cache[V]) clear() {
	clear(c.young)
	clear(c.old)
}
