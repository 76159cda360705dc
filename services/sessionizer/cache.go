package sessionizer

import "cmp"

// cacheBytes bounds a generation of decoded states, per partition.
const cacheBytes = 8 << 20

// cache keeps decoded states between transactions. It has two generations: when
// the young one is too heavy it becomes the old one, and what of the old one was
// not asked for meanwhile is forgotten. So what is asked for often stays.
type cache[V cached] struct {
	young, old map[string]V
	weight     int // of what is young, in bytes, about
	limit      int
}

// cached is a decoded state.
type cached interface {
	Name() string // in memory of its own
	Weight() int  // in bytes, about
	// Slim lets go of what can be read again and is not needed for what mostly comes
	// next. It is called when the state grows old.
	Slim()
}

// newCache makes a cache whose generations have so many bytes; 0: cacheBytes.
func newCache[V cached](limit int) cache[V] {
	return cache[V]{young: map[string]V{}, old: map[string]V{}, limit: cmp.Or(limit, cacheBytes)}
}

func (c *cache[V]) get(name string) (V, bool) {
	v, ok := c.young[name]
	if !ok {
		if v, ok = c.old[name]; ok {
			c.put(v)
		}
	}
	return v, ok
}

// put takes in a state under its own name: that of a caller may be part of a record.
func (c *cache[V]) put(v V) {
	c.young[v.Name()] = v
	c.weight += v.Weight()
}

// grew notes that a state in the cache has become so many bytes heavier.
func (c *cache[V]) grew(n int) { c.weight += n }

// committed bounds the cache. Nothing in it may be waiting to be written.
func (c *cache[V]) committed() {
	if c.weight > c.limit {
		c.old, c.young, c.weight = c.young, map[string]V{}, 0
		for _, v := range c.old {
			v.Slim()
		}
	}
}

// drop forgets one state. It must not be waiting to be written.
func (c *cache[V]) drop(name string) {
	delete(c.young, name)
	delete(c.old, name)
}

// clear forgets all states. The maps are made anew: those that were large would stay so.
func (c *cache[V]) clear() {
	c.young, c.old, c.weight = map[string]V{}, map[string]V{}, 0
}

// emptied is list without its elements, which it must not keep from being forgotten.
func emptied[T any](list []T) []T {
	clear(list)
	return list[:0]
}
