package sessionizer

// cacheBytes bounds a generation of decoded states, per partition.
const cacheBytes = 8 << 20

// cache keeps decoded states between transactions. It has two generations: when
// the young one is too heavy it becomes the old one, and what of the old one was
// not asked for meanwhile is forgotten. So what is asked for often stays.
type cache[V interface{ Weight() int }] struct {
	young, old map[string]V
	weight     int // of what is young, in bytes, about
}

func newCache[V interface{ Weight() int }]() cache[V] {
	return cache[V]{young: map[string]V{}, old: map[string]V{}}
}

func (c *cache[V]) get(name string) (V, bool) {
	v, ok := c.young[name]
	if !ok {
		if v, ok = c.old[name]; ok {
			c.put(name, v)
		}
	}
	return v, ok
}

func (c *cache[V]) put(name string, v V) {
	c.young[name] = v
	c.weight += v.Weight()
}

// grew notes that a state in the cache has become so many bytes heavier.
func (c *cache[V]) grew(n int) { c.weight += n }

// committed bounds the cache. Nothing in it may be waiting to be written.
func (c *cache[V]) committed() {
	if c.weight > cacheBytes {
		c.old, c.young, c.weight = c.young, map[string]V{}, 0
	}
}

// drop forgets one state. It must not be waiting to be written.
func (c *cache[V]) drop(name string) {
	delete(c.young, name)
	delete(c.old, name)
}

func (c *cache[V]) clear() {
	clear(c.young)
	clear(c.old)
	c.weight = 0
}
