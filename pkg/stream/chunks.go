package stream

// Chunks hands out pieces of memory that are all taken back at once, to serve again.
// The zero value with a Size is ready. One goroutine uses it at a time.
type Chunks[T any] struct {
	Size int // elements that are asked for at once

	list [][]T // the first used of them are full, more or less
	used int
	most int // that were in use at once since the last Trim
}

// Take returns n elements, which say anything and are valid until Reset. A piece that
// is larger than a chunk is taken apart.
func (c *Chunks[T]) Take(n int) []T {
	if n > c.Size {
		return make([]T, n)
	}
	for ; c.used < len(c.list); c.used++ {
		chunk := c.list[c.used]
		if from := len(chunk); cap(chunk)-from >= n {
			c.list[c.used] = chunk[:from+n]
			return chunk[from : from+n : from+n]
		}
	}
	c.list = append(c.list, make([]T, n, c.Size))
	return c.list[c.used][:n:n]
}

// Reset takes all memory back.
func (c *Chunks[T]) Reset() {
	c.most = max(c.most, c.inUse())
	for i := range c.list {
		c.list[i] = c.list[i][:0]
	}
	c.used = 0
}

// Trim lets go of the memory that was not in use since Trim was called before.
func (c *Chunks[T]) Trim() {
	keep := max(c.most, c.inUse())
	clear(c.list[keep:])
	c.list = c.list[:keep]
	c.most = c.inUse()
	for _, chunk := range c.list { // what is in there must not keep other memory
		clear(chunk[len(chunk):cap(chunk)])
	}
}

// inUse is how many chunks have been handed out of.
func (c *Chunks[T]) inUse() int {
	if c.used < len(c.list) && len(c.list[c.used]) > 0 {
		return c.used + 1
	}
	return c.used
}
