package basicauth

import "time"

// A cache remembers credentials that were right, each for ttl after it was added.
type cache struct {
	size int           // so many of them; those that were added first make way
	ttl  time.Duration // none if zero

	until map[credential]time.Time
	order []credential // in which they were added, and so expire
}

func (c *cache) has(k credential) bool {
	c.expire(time.Now())
	_, ok := c.until[k]
	return ok
}

func (c *cache) add(k credential) {
	now := time.Now()
	c.expire(now)
	if _, ok := c.until[k]; ok || c.ttl == 0 {
		return
	}
	if len(c.order) == c.size {
		c.drop()
	}
	if c.until == nil {
		c.until = make(map[credential]time.Time)
	}
	c.until[k] = now.Add(c.ttl)
	c.order = append(c.order, k)
}

func (c *cache) expire(now time.Time) {
	for len(c.order) > 0 && !now.Before(c.until[c.order[0]]) {
		c.drop()
	}
}

// drop forgets the first one.
func (c *cache) drop() {
	delete(c.until, c.order[0])
	c.order = c.order[1:] // append moves the rest to the front of a new array, now and then
}
