package stream

// Chunks hands out pieces of memory that are all taken back at once. The zero value
// with a Size is ready. One goroutine uses it at a time.
type Chunks struct {
	Size int // bytes that are asked for at once
	Keep int // chunks that are kept for later at most

	list [][]byte // the first used of them are full, more or less
	used int
}

// Take returns n bytes, which say anything and are valid until Reset. A piece that is
// larger than a chunk is taken apart.
func (c *Chunks) Take(n int) []byte {
	if n > c.Size {
		return make([]byte, n)
	}
	for ; c.used < len(c.list); c.used++ {
		chunk := c.list[c.used]
		if from := len(chunk); cap(chunk)-from >= n {
			c.list[c.used] = chunk[:from+n]
			return chunk[from : from+n : from+n]
		}
	}
	c.list = append(c.list, make([]byte, n, c.Size))
	return c.list[c.used][:n:n]
}

// Reset takes all memory back.
func (c *Chunks) Reset() {
	if len(c.list) > c.Keep {
		clear(c.list[c.Keep:])
		c.list = c.list[:c.Keep]
	}
	for i := range c.list {
		c.list[i] = c.list[i][:0]
	}
	c.used = 0
}
